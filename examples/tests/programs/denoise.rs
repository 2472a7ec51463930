//! `denoise`: any size, any bands, the form of the file kept.

use anyhow::{Result, ensure};
use hsi_data::{Format, SampleType};
use hsi_train::Report;
use ndarray::{Array3, s};

use crate::place::{ENCODER, Place, TRAIN, smooth};

/// A folder with a model for 8 bands in `m`.
fn with_model() -> Result<Place> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    Ok(place)
}

/// Writes a cube as big-endian 16-bit integers, rows first.
fn write_integers(place: &Place, path: &str, cube: &Array3<f32>) -> Result<()> {
    place.write(path, [])?;
    let options = hsi_data::npy::NpyOptions {
        dtype: SampleType::I16,
        big_endian: true,
        axes: hsi_data::Axes::Hwb,
        ..Default::default()
    };
    Ok(hsi_data::npy::write_array(place.at(path), cube.view(), options)?)
}

#[test]
fn a_file_comes_back_in_its_own_form() -> Result<()> {
    let place = with_model()?;
    let cube = smooth(8, 19, 37);
    write_integers(&place, "in.npy", &cube)?;
    let sidecar = r#"{"wavelengths_nm": [450, 500, 550, 600, 650, 700, 750, 800], "scale": 1e-4,
        "geo": {"epsg": 32633}, "bad_bands": [0, 0, 0, 0, 0, 0, 0, 0]}"#;
    place.write("in.json", sidecar)?;
    for method in
        ["--checkpoint m", "--checkpoint m/last --overlap 0 --batch-size 5", "--baseline median"]
    {
        let said = place.ok(&format!("denoise in.npy out.npy {method} --axes hwb --save-dir s"))?;
        assert!(said.stdout.contains("19 x 37"), "{}", said.stdout);
        let before = hsi_data::npy::inspect(place.at("in.npy"))?;
        let after = hsi_data::npy::inspect(place.at("out.npy"))?;
        assert_eq!((before.shape, before.dtype), (after.shape, after.dtype), "{method}");
        assert_eq!(before.byte_order, after.byte_order);
        let options = hsi_data::OpenOptions { axes: hsi_data::Axes::Hwb, ..Default::default() };
        let result = hsi_data::open(place.at("out.npy"), &options)?;
        assert_eq!(result.view().dim(), cube.dim());
        assert!(result.view() != cube, "{method} changed nothing");
        let meta = result.meta();
        assert_eq!(meta.wavelengths_nm.as_ref().map(|w| w[7]), Some(800.0));
        assert_eq!(
            (meta.scale, meta.geo.as_ref().and_then(|geo| geo.epsg)),
            (Some(1e-4), Some(32633))
        );
        assert!(place.at("s/out.png").is_file() && place.at("s/run.json").is_file());
        // Nothing was scored: there is nothing to compare with.
        assert!(place.json::<Report>("s/metrics.json")?.rows.is_empty());
    }
    // The input was not touched.
    assert_eq!(hsi_data::npy::inspect(place.at("in.npy"))?.dtype, SampleType::I16);
    Ok(())
}

#[test]
fn any_size_and_a_single_band_are_served() -> Result<()> {
    let place = with_model()?;
    for (rows, cols) in [(1, 1), (3, 50), (16, 16), (33, 21)] {
        place.write_npy("in.npy", &smooth(8, rows, cols))?;
        place.ok("denoise in.npy out.npy --checkpoint m")?;
        let result = place.cube("out.npy")?;
        assert_eq!((result.rows(), result.cols()), (rows, cols));
        result.check_finite()?;
    }
    place.write_npy("in.npy", &smooth(1, 12, 12))?;
    place.ok("denoise in.npy out.npy --baseline median:3x3x1 --normalisation fixed:0:5000")?;
    // A band of one value is what it was.
    let mut cube = smooth(8, 20, 20);
    cube.slice_mut(s![3, .., ..]).fill(1234.5);
    place.write_npy("in.npy", &cube)?;
    place.ok("denoise in.npy out.npy --checkpoint m")?;
    assert!(place.cube("out.npy")?.view().slice(s![3, .., ..]).iter().all(|&v| v == 1234.5));
    Ok(())
}

#[test]
fn a_folder_is_denoised_file_by_file() -> Result<()> {
    let place = with_model()?;
    for name in ["b", "a"] {
        place.write_npy(&format!("in/{name}.npy"), &smooth(8, 10, 10))?;
    }
    place.write("in/notes.txt", "not a cube")?;
    place.write("in/a.json", r#"{"nodata": -1}"#)?;
    place.ok("denoise in made/for/it --checkpoint m")?;
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(place.at("made/for/it"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["a_denoised.json", "a_denoised.npy", "b_denoised.npy"]);
    // In place: results of the first time are not inputs of the second.
    for _ in 0..2 {
        place.ok("denoise in in --baseline median")?;
    }
    assert!(!place.at("in/a_denoised_denoised.npy").exists());
    Ok(())
}

#[test]
fn added_noise_is_scored() -> Result<()> {
    let place = with_model()?;
    place.write_npy("in/a.npy", &smooth(8, 24, 30))?;
    place.write_npy("in/b.npy", &smooth(8, 9, 9))?;
    for (method, name) in [("--checkpoint m", "full unet"), ("--baseline median", "median")] {
        place.ok(&format!("denoise in out {method} --add-noise paper --save-dir s"))?;
        let report: Report = place.json("s/metrics.json")?;
        assert_eq!(report.protocol.noise, hsi_noise::NoisePipeline::paper().to_string());
        let [noisy, denoised] = &report.rows[..] else { panic!("{report:?}") };
        assert_eq!((noisy.method.as_str(), denoised.method.as_str()), ("noisy", name));
        assert_eq!((noisy.samples, denoised.samples), (2, 2));
        assert!(noisy.psnr_db > 5.0 && noisy.psnr_db < 20.0, "{noisy:?}");
        if name == "median" {
            assert!(denoised.psnr_db > noisy.psnr_db + 1.0, "{report:?}");
        }
    }
    Ok(())
}

#[test]
fn a_model_of_hyspecnets_bands_leaves_the_others_of_enmap_alone() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!(
        "train --method frozen --data synthetic:10 --image-size 16 {ENCODER} --head fc \
         --num-epochs 1 --visualize-every 0 --save-dir m"
    ))?;
    let cube = smooth(224, 18, 17);
    write_integers(&place, "in.npy", &cube)?;
    let said = place.ok("denoise in.npy out.npy --checkpoint m --axes hwb")?;
    assert!(said.stderr.contains("202 of 224 bands"), "{}", said.stderr);
    let options = hsi_data::OpenOptions { axes: hsi_data::Axes::Hwb, ..Default::default() };
    let result = hsi_data::open(place.at("out.npy"), &options)?;
    for band in 0..224 {
        let same = result.view().slice(s![band, .., ..]) == cube.slice(s![band, .., ..]);
        let denoised = hsi_data::bands::hyspecnet_202().contains(&band);
        ensure!(same != denoised, "band {band}");
    }
    Ok(())
}

#[test]
fn pixels_without_data_stay_and_do_not_spread() -> Result<()> {
    let place = with_model()?;
    let mut results = Vec::new();
    for nodata in [-9999.0, f32::NAN] {
        let mut cube = smooth(8, 20, 26);
        cube.slice_mut(s![.., 4..7, 10..12]).fill(nodata);
        // One band of a pixel is enough to make the pixel one without data.
        cube[[2, 15, 3]] = nodata;
        place.write_npy("in.npy", &cube)?;
        let word = if nodata.is_nan() { "\"nan\"".to_owned() } else { nodata.to_string() };
        place.write("in.json", format!("{{\"nodata\": {word}}}"))?;
        for method in ["--checkpoint m", "--baseline median"] {
            place.ok(&format!("denoise in.npy out.npy {method}"))?;
            let result = place.cube("out.npy")?;
            let mut kept = 0;
            for (at, &value) in result.view().indexed_iter() {
                let (before, missing) =
                    (cube[at], (4..7).contains(&at.1) && (10..12).contains(&at.2));
                if missing || (at.1, at.2) == (15, 3) {
                    ensure!(
                        value.to_bits() == before.to_bits(),
                        "{method}: {at:?} was {before}, is {value}"
                    );
                    kept += 1;
                } else {
                    ensure!(value.is_finite() && value > -5000.0, "{method}: {at:?} is {value}");
                }
            }
            assert_eq!(kept, 8 * 7);
            assert_eq!(
                result.meta().source.as_ref().map(|source| source.format),
                Some(Format::Npy)
            );
            let data = result.view().mapv(|v| if v == nodata || v.is_nan() { 0.0 } else { v });
            results.push(data);
        }
    }
    assert_eq!(results[0], results[2], "what stands for no data has no influence");
    assert_eq!(results[1], results[3]);
    Ok(())
}
