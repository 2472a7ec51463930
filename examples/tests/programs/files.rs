//! `inspect` and `convert`: every format, one sentence for what cannot be, nothing half-written.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use hsi_data::{CubeMeta, GeoTags, SampleType, SaveOptions};
use ndarray::Array2;

use crate::place::{Place, smooth};

/// Files of one cube in every format that is written.
const FILES: [&str; 6] = ["a.npy", "a.hdr", "a.tif", "a.mat", "a.h5", "b.mat"];

/// A folder with `in.npy`: integers with wavelengths, nodata and a position.
fn place() -> Result<Place> {
    let place = Place::new()?;
    let mut data = smooth(6, 20, 30);
    data[[2, 3, 4]] = -99.0;
    let meta = CubeMeta {
        wavelengths_nm: Some((0..6).map(|band| 450.0 + 50.5 * band as f32).collect()),
        bad_bands: Some(vec![false, true, false, false, false, false]),
        nodata: Some(-99.0),
        scale: Some(1e-4),
        geo: Some(GeoTags {
            transform: Some([300_000.0, 30.0, 0.0, 5_800_000.0, 0.0, -30.0]),
            epsg: Some(32633),
            wkt: None,
        }),
        ..CubeMeta::default()
    };
    let options = SaveOptions { dtype: Some(SampleType::I16), ..SaveOptions::default() };
    hsi_data::save(&hsi_data::Cube::new(data, meta)?, place.at("in.npy"), &options)?;
    Ok(place)
}

fn convert_to(place: &Place, file: &str) -> Result<String> {
    let format = if file == "b.mat" { " --format mat73" } else { "" };
    Ok(place.ok(&format!("convert in.npy {file}{format}"))?.stdout)
}

#[test]
fn every_format_keeps_samples_and_metadata() -> Result<()> {
    let place = place()?;
    let cube = place.cube("in.npy")?;
    for file in FILES {
        let said = convert_to(&place, file)?;
        ensure!(said.contains("6 bands, 20 x 30 pixels, i2"), "{said}");
        let again = place.cube(file)?;
        ensure!(again.view() == cube.view(), "{file}");
        let strip = |meta: &CubeMeta| CubeMeta { source: None, ..meta.clone() };
        ensure!(strip(again.meta()) == strip(cube.meta()), "{file}: {:?}", again.meta());
        let said = place.ok(&format!("inspect {file} --json --noise"))?.stdout;
        let facts: serde_json::Value = serde_json::from_str(&said)?;
        ensure!(facts["shape"] == serde_json::json!([6, 20, 30]), "{file}: {said}");
        ensure!(facts["sample_type"] == "int16" && facts["bad_bands"][0] == 1, "{said}");
        ensure!(facts["wavelengths"]["max"] == 702.5 && facts["epsg"] == 32633, "{said}");
        ensure!(facts["nodata"] == -99.0 && facts["nodata_samples"] == 1, "{said}");
        ensure!(facts["noise_level"].as_f64() > Some(0.0), "{said}");
        let (low, high) = (facts["range"]["min"].as_f64(), facts["range"]["max"].as_f64());
        ensure!(low > Some(0.0) && high < Some(4000.0), "nodata is in the range: {said}");
    }
    let said = place.ok("inspect a.h5 --picture a.png")?.stdout;
    ensure!(
        said.contains("6 bands, 20 rows, 30 columns") && said.contains("a.png: bands"),
        "{said}"
    );
    ensure!(place.bytes("a.png")?.starts_with(b"\x89PNG"));
    ensure!(!place.ok("inspect a.h5 --quick")?.stdout.contains("mean"));
    Ok(())
}

/// The small product of hsi-data's tests, as a folder and as an archive, and one without an image.
#[test]
fn products_are_looked_into_converted_and_denoised() -> Result<()> {
    let place = Place::new()?;
    let golden =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/hsi-data/tests/data/enmap");
    for entry in std::fs::read_dir(golden)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path)?;
        if name == "product.zip" {
            place.write(&name, &bytes)?;
            continue;
        }
        if name.ends_with("METADATA.XML") {
            place.write(&format!("bare/{name}"), &bytes)?;
        } else if name.ends_with("SPECTRAL_IMAGE.TIF") {
            place.write(&format!("bare/{name}"), [])?;
        }
        place.write(&format!("product/{name}"), &bytes)?;
    }
    for product in ["product", "product.zip"] {
        let said = place.ok(&format!("inspect {product}"))?.stdout;
        for words in
            ["`QL_QUALITY_CIRRUS.TIF`", "4 bands, 20 rows", "int16", "bad bands        2\n"]
        {
            ensure!(said.contains(words), "{product}: no `{words}` in {said}");
        }
        place.ok(&format!("convert {product} a.h5 --quality-masks cloud,cirrus --bands good"))?;
        let cube = place.cube("a.h5")?;
        ensure!(cube.bands() == 3);
        ensure!(cube.view()[[1, 5, 6]] == -32768.0 && cube.view()[[1, 5, 5]] == 155.0);
    }
    let said = place.ok("inspect bare")?.stdout;
    for words in ["`SPECTRAL_IMAGE.TIF`, empty", "image of the product is empty", "418.24 to"] {
        ensure!(said.contains(words), "no `{words}` in {said}");
    }
    place.refused("convert bare out.npy", &["`bare`", "is empty"])?;
    place.refused("convert product out.npy --quality-masks snow", &["SNOW.TIF"])?;
    place.refused("inspect product --quality-masks clouds", &["clouds", "cloudshadow"])?;
    place.ok("denoise product den.tif --baseline median --save-dir s")?;
    ensure!(place.cube("den.tif")?.meta().fwhm_nm == place.cube("product.zip")?.meta().fwhm_nm);
    Ok(())
}

#[test]
fn a_denoised_file_has_the_form_of_its_input() -> Result<()> {
    let place = place()?;
    for file in FILES {
        convert_to(&place, file)?;
        let out = format!("out.{}", file.rsplit('.').next().unwrap_or_default());
        place.ok(&format!("denoise {file} {out} --baseline median --save-dir s"))?;
        let (before, after) = (place.cube(file)?, place.cube(&out)?);
        ensure!(before.view() != after.view(), "{file}: nothing was changed");
        let form = |meta: &CubeMeta| {
            let source =
                meta.source.clone().map(|source| (source.format, source.dtype, source.axes));
            (CubeMeta { source: None, ..meta.clone() }, source)
        };
        ensure!(form(before.meta()) == form(after.meta()), "{file}: {:?}", after.meta());
    }
    // Of the two files of an ENVI cube in a folder, one is an input.
    place.write("in/scene.img", place.bytes("a.img")?)?;
    place.write("in/scene.hdr", place.bytes("a.hdr")?)?;
    let said = place.ok("denoise in out --baseline median --save-dir s")?.stdout;
    ensure!(said.matches(" -> ").count() == 1, "{said}");
    ensure!(place.cube("out/scene_denoised.img")?.bands() == 6);
    Ok(())
}

#[test]
fn parts_and_scales_are_converted() -> Result<()> {
    let place = place()?;
    let flags = "--bands 5,0-1 --window 4:20,10:30 --physical --compression deflate:9+filter";
    place.ok(&format!("convert in.npy part.h5 {flags} --output-variable scene"))?;
    let (part, cube) = (place.cube("part.h5")?, place.cube("in.npy")?);
    let wanted = cube.select_bands(&[5, 0, 1])?.window(4..20, 10..30)?;
    let scaled = wanted.view().mapv(|v| (f64::from(v) * 1e-4) as f32);
    ensure!(part.view() == scaled);
    ensure!(part.meta().scale.is_none() && part.meta().geo == wanted.meta().geo);
    let source = part.meta().source.clone().expect("a source");
    ensure!(source.variable.as_deref() == Some("scene") && source.compression.filter());
    place.ok("convert in.npy good.hdr --bands good --interleave hwb --dtype f4")?;
    ensure!(place.cube("good.hdr")?.bands() == 5);
    // A matrix of pixels becomes a cube by option.
    let list: Vec<f64> = (0..60).map(f64::from).collect();
    ndarray_npy::write_npy(place.at("pixels.npy"), &Array2::from_shape_vec((3, 20), list)?)?;
    place.refused("convert pixels.npy out.npy", &["three axes"])?;
    place.ok("convert pixels.npy cube.npy --reshape 4x5")?;
    ensure!(place.cube("cube.npy")?.view()[[1, 2, 3]] == 33.0);
    Ok(())
}

#[test]
fn what_cannot_be_converted_is_said_in_one_sentence() -> Result<()> {
    let place = place()?;
    place.ok("convert in.npy a.h5")?;
    place.write("text.mat", "no cube")?;
    place.write("cut.h5", &place.bytes("a.h5")?[..900])?;
    let cases: [(&str, &[&str]); 14] = [
        ("convert missing.npy out.npy", &["missing.npy"]),
        ("convert in.npy in.npy", &["`in.npy`", "lost"]),
        ("convert in.npy out.xyz", &["`out.xyz`"]),
        ("convert in.npy no/out.npy", &["no folder `no`"]),
        ("convert text.mat out.npy", &["text.mat"]),
        ("convert cut.h5 out.npy", &["cut.h5"]),
        ("convert in.npy out.npy --bands 9", &["band 9", "6 bands"]),
        ("convert in.npy out.npy --window 0:21,0:3", &["0..21", "rows"]),
        ("convert in.npy out.npy --window 0:2", &["--window"]),
        ("convert in.npy out.npy --dtype u1", &["nodata", "-99"]),
        ("convert in.npy out.npy --scale 0", &["`scale`", "0"]),
        ("convert in.npy out.h5 --compression zstd", &["zstd", "hdf5"]),
        ("convert a.h5 out.npy --variable other", &["`other`", "`cube`"]),
        ("inspect a.h5 --variable other", &["`other`"]),
    ];
    for (line, words) in cases {
        place.refused(line, words)?;
    }
    place.refused("inspect cut.h5", &["cut.h5"])
}

/// A file system that is full half-way: one sentence, and the old file or none.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file() -> Result<()> {
    let place = Place::new()?;
    place.write_npy("in.npy", &smooth(16, 64, 64))?;
    let old: &[u8] = b"what was there before";
    for file in FILES {
        let format = if file == "b.mat" { " --format mat73" } else { "" };
        let data = file.replace(".hdr", ".img");
        for is_there in [true, false] {
            if is_there {
                place.write(&data, old)?;
            } else {
                std::fs::remove_file(place.at(&data))?;
            }
            let program = place.command("convert")?;
            let program = program.get_program().to_string_lossy().into_owned();
            // Files may have 100 blocks here, of the 256 KiB that the cube has: what is written
            // beyond fails, as it does on a full disk.
            let script = format!(
                "trap '' XFSZ; ulimit -f 100; exec '{program}' in.npy {file}{format} 2>said"
            );
            let mut shell = Command::new("sh");
            let status = shell.args(["-c", &script]).current_dir(place.at("")).status()?;
            let said = String::from_utf8(place.bytes("said")?)?;
            ensure!(status.code() == Some(2), "{file}: {status}, {said}");
            ensure!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
            if is_there {
                ensure!(place.bytes(&data)? == old, "{file}: the old file is not what it was");
            } else {
                ensure!(
                    !place.at(file).exists() && !place.at(&data).exists(),
                    "{file}: half a file"
                );
            }
            ensure!(partial_files(&place)?.is_empty(), "{file}: {:?}", partial_files(&place)?);
        }
    }
    Ok(())
}

/// A program that is killed while it writes: the old file, or a whole new one.
#[cfg(unix)]
#[test]
fn a_killed_program_leaves_the_old_file() -> Result<()> {
    let place = Place::new()?;
    place.write_npy("in.npy", &smooth(32, 256, 256))?;
    let old: &[u8] = b"what was there before";
    let mut killed = 0;
    // Packed, so that there is time to come in between.
    for file in ["k.h5", "k.mat", "k.hdr"] {
        let data = file.replace(".hdr", ".img");
        place.write(&data, old)?;
        let line = format!("convert in.npy {file} --compression deflate:9");
        let mut child = place.command(&line)?.stdout(Stdio::null()).spawn()?;
        while partial_files(&place)?.is_empty() && child.try_wait()?.is_none() {
            std::thread::yield_now();
        }
        child.kill()?;
        if child.wait()?.success() {
            ensure!(place.cube(file)?.bands() == 32, "{file}: not whole");
        } else {
            killed += 1;
            ensure!(place.bytes(&data)? == old, "{file}: the old file is not what it was");
        }
        partial_files(&place)?.iter().try_for_each(std::fs::remove_file)?;
    }
    ensure!(killed > 0, "no program was killed while it wrote");
    Ok(())
}

/// Files under temporary names.
fn partial_files(place: &Place) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(place.at(""))?.flatten().map(|entry| entry.path());
    Ok(entries.filter(|path| path.extension().is_some_and(|end| end == "tmp")).collect())
}
