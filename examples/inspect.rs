//! Shows what a cube file holds.
//!
//! ```console
//! $ cargo run --release --example inspect -- scene.mat --picture scene.png
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use hsi_baselines::{NoiseEstimate, Subspace, Variant};
use hsi_data::{Compression, CubeMeta, CubeReader, Error, Format, OpenOptions, Source, Statistics};
use hsi_examples::app::Invocation;
use hsi_examples::files::FileArgs;
use hsi_examples::output::{picture_bands, print_line};
use ndarray::{Array2, Axis};
use serde_json::{Value, json};

/// Shows what a cube file holds: arrays, shape, type, wavelengths, range.
#[derive(Debug, Parser)]
#[command(name = "inspect", args_override_self = true)]
struct Arguments {
    /// File to look into
    file: PathBuf,
    #[command(flatten)]
    reading: FileArgs,
    /// Estimate the noise level and the dimension of the signal subspace; reads the whole cube
    #[arg(long)]
    noise: bool,
    /// Leave out range and mean, which need a pass over the samples
    #[arg(long)]
    quick: bool,
    /// Write a false-colour picture to this PNG file
    #[arg(long, value_name = "PNG")]
    picture: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    hsi_examples::run(inspect)
}

fn inspect(args: Arguments, _: Invocation) -> Result<()> {
    let format = Format::sniff(&args.file)?;
    let mut facts = vec![("format", json!(format.name()))];
    let options = args.reading.options();
    let product = match format {
        Format::EnMap => Some(hsi_data::product(&args.file)?),
        _ => None,
    };
    if let Some(product) = &product {
        let list: Vec<String> = product.layers.iter().map(ToString::to_string).collect();
        facts.push(("holds", json!(list)));
    }
    match hsi_data::contents(&args.file) {
        Ok(arrays) if format != Format::Npy => {
            let list: Vec<String> = arrays.iter().map(ToString::to_string).collect();
            facts.push(("holds", json!(list)));
        }
        // Files of one array, and formats that have no others.
        Ok(_) | Err(Error::Unsupported { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match hsi_data::open_reader(&args.file, &options) {
        Ok(reader) => {
            stored(&*reader, &mut facts);
            describe(reader.meta(), &mut facts);
            measure(&args, &*reader, &mut facts)?;
        }
        Err(error @ Error::EmptyImage { .. }) if args.picture.is_none() && !args.noise => {
            facts.push(("cube", json!(error.to_string())));
            // Its metadata are all that such a product has.
            if let Some(product) = &product {
                facts.push(("bands", json!(product.bands)));
                describe(&product.meta, &mut facts);
            }
        }
        // Files are looked into to learn how they can be opened.
        Err(Error::ChooseArray { .. } | Error::NotACube { .. })
            if options == OpenOptions::default() && args.picture.is_none() && !args.noise =>
        {
            let hint = "none can be told: name a --variable, or --reshape a matrix of pixels";
            facts.push(("cube", json!(hint)));
        }
        Err(error) => return Err(error.into()),
    }
    if args.json {
        let object: serde_json::Map<String, Value> =
            facts.into_iter().map(|(key, value)| (key.replace(' ', "_"), value)).collect();
        print_line(&Value::from(object).to_string());
    } else {
        for (key, value) in facts {
            let text = match (key, &value) {
                ("shape" | "chunk", Value::Array(sizes)) if sizes.len() == 3 => {
                    format!("{} bands, {} rows, {} columns", sizes[0], sizes[1], sizes[2])
                }
                _ => shown(&value),
            };
            print_line(&format!("{key:<16} {text}"));
        }
    }
    Ok(())
}

/// What the file says of the samples of its cube.
fn stored(reader: &dyn CubeReader, facts: &mut Vec<(&'static str, Value)>) {
    let [bands, rows, cols] = reader.shape();
    let meta = reader.meta();
    let Some(Source { axes, compression, chunk, variable, big_endian, .. }) = &meta.source else {
        return;
    };
    if let Some(variable) = variable {
        facts.push(("variable", json!(variable)));
    }
    facts.push(("shape", json!([bands, rows, cols])));
    facts.push(("sample type", json!(reader.dtype().name())));
    facts.push(("byte order", json!(if *big_endian { "big" } else { "little" })));
    facts.push(("axes", json!(axes)));
    if *compression != Compression::None {
        facts.push(("compression", json!(compression.to_string())));
    }
    facts.extend(chunk.map(|sizes| ("chunk", json!(sizes))));
}

/// What the file says of what its cube shows.
fn describe(meta: &CubeMeta, facts: &mut Vec<(&'static str, Value)>) {
    spectral(meta, facts);
    let mut say = |key, value: Option<Value>| facts.extend(value.map(|value| (key, value)));
    say("nodata", meta.nodata.map(number));
    say("scale", meta.scale.map(number));
    say("offset", meta.offset.map(number));
    let geo = meta.geo.clone().unwrap_or_default();
    say("transform", geo.transform.map(|list| json!(list)));
    say("epsg", geo.epsg.map(|code| json!(code)));
    say("description", meta.description.as_ref().map(|text| json!(text)));
}

fn spectral(meta: &CubeMeta, facts: &mut Vec<(&'static str, Value)>) {
    let range = |list: &Vec<f32>| {
        let (low, high) = list.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        // As it is written, not the nearest double of the single.
        let short = |nm: f32| nm.to_string().parse::<f64>().map_or(Value::Null, number);
        json!({ "min": short(low), "max": short(high), "unit": "nm" })
    };
    if let Some(list) = &meta.wavelengths_nm {
        facts.push(("wavelengths", range(list)));
    }
    if let Some(list) = &meta.fwhm_nm {
        facts.push(("fwhm", range(list)));
    }
    if let Some(flags) = &meta.bad_bands {
        let bad: Vec<usize> = (0..flags.len()).filter(|&band| flags[band]).collect();
        facts.push(("bad bands", json!(bad)));
    }
}

/// What the samples say.
fn measure(
    args: &Arguments,
    reader: &dyn CubeReader,
    facts: &mut Vec<(&'static str, Value)>,
) -> Result<()> {
    let in_file = || format!("`{}`", args.file.display());
    let mut empty = Vec::new();
    if !args.quick {
        let bands = hsi_data::statistics(reader)?;
        let all = Statistics::all(&bands);
        let range = json!({ "min": number(all.min), "max": number(all.max) });
        facts.push(("range", range));
        facts.push(("mean", number(all.mean)));
        empty.extend((0..bands.len()).filter(|&band| bands[band].count == 0));
        if all.nodata > 0 {
            facts.push(("nodata samples", json!(all.nodata)));
        }
        if all.nan > 0 {
            facts.push(("nan samples", json!(all.nan)));
        }
        if !empty.is_empty() {
            facts.push(("empty bands", json!(empty)));
        }
    }
    if args.noise {
        let (noise, subspace) = noise_of(reader).with_context(in_file)?;
        facts.push(("noise level", number(noise.level())));
        facts.push(("subspace", json!({ "dimensions": subspace.dimension() })));
    }
    if let Some(path) = &args.picture {
        let caption = draw(reader, path).with_context(in_file)?;
        facts.push(("picture", json!(caption)));
    }
    Ok(())
}

/// Noise and subspace of the pixels that have data, in the bands that have any.
fn noise_of(reader: &dyn CubeReader) -> Result<(NoiseEstimate, Subspace)> {
    let [bands, rows, cols] = reader.shape();
    let all: Vec<usize> = (0..bands).collect();
    let cube = hsi_data::Cube::new(reader.read(&all, 0..rows, 0..cols)?, reader.meta().clone())?;
    cube.check_finite()?;
    let valid = cube.valid_bands();
    if valid.is_empty() {
        return Err(Error::NoValidBand { name: cube.name() }.into());
    }
    let mask = cube.nodata_mask();
    let data = cube.view().select(Axis(0), &valid);
    let pixels = data.to_shape((valid.len(), rows * cols))?;
    let has_data: Vec<usize> = match &mask {
        None => (0..rows * cols).collect(),
        Some(mask) => mask.iter().enumerate().filter(|(_, no)| !**no).map(|(at, _)| at).collect(),
    };
    let pixels: Array2<f32> = pixels.select(Axis(1), &has_data);
    let noise = NoiseEstimate::from_pixels(pixels.view())?;
    let subspace = Subspace::of(&noise, Variant::default())?;
    Ok((noise, subspace))
}

/// Draws three bands; returns which.
fn draw(reader: &dyn CubeReader, path: &Path) -> Result<String> {
    let [bands, rows, cols] = reader.shape();
    let meta = reader.meta();
    let (mut colors, caption) = picture_bands(bands, meta.wavelengths_nm.as_deref())?;
    let mut picture = reader.read(&colors.bands, 0..rows, 0..cols)?;
    // Pixels without data should not set the stretch.
    picture.mapv_inplace(|v| if meta.is_nodata(v) { f32::NAN } else { v });
    colors.bands = [0, 1, 2];
    let stretch = colors.stretch(picture.view())?;
    colors.draw(picture.view(), &stretch)?.write_png(path)?;
    Ok(format!("{}: {caption}", path.display()))
}

/// A number; JSON has none for NaN.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// A value for reading.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().map(shown).collect::<Vec<_>>().join(&format!("\n{:17}", ""))
        }
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let get = |key: &str| fields.get(key).map(shown);
            if let (Some(low), Some(high)) = (get("min"), get("max")) {
                let unit = get("unit").map(|unit| format!(" {unit}")).unwrap_or_default();
                return format!("{low} to {high}{unit}");
            }
            let field = |(key, value): (&String, &Value)| format!("{} {key}", shown(value));
            fields.iter().map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
