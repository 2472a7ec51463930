//! The JSON file of the same stem that holds the metadata of a bare array.
//!
//! ```json
//! { "wavelengths_nm": [418.2, 423.9], "fwhm_nm": [6.9, 6.7], "nodata": -32768,
//!   "bad_bands": [false, true], "scale": 1e-4, "offset": 0.0, "geo": { "epsg": 32633 } }
//! ```
//!
//! Every key is optional, unknown keys are left alone. NaN as nodata is the string `"nan"`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::meta::{CubeMeta, GeoTags};

const KEYS: [&str; 9] = [
    "wavelengths_nm",
    "fwhm_nm",
    "nodata",
    "bad_bands",
    "scale",
    "offset",
    "geo",
    "band_names",
    "description",
];

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Sidecar {
    #[serde(skip_serializing_if = "Option::is_none")]
    wavelengths_nm: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fwhm_nm: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodata: Option<Nodata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bad_bands: Option<Vec<Flag>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<GeoTags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    band_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A number, or the word `nan`, which JSON has no number for.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Nodata {
    Number(f64),
    Word(String),
}

/// `true`, or 1, marks a bad band.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Number(u8),
}

/// The JSON file that belongs to an array file.
pub(crate) fn sidecar_path(path: &Path) -> PathBuf {
    path.with_extension("json")
}

/// Reads the metadata beside an array, if there is any.
pub(crate) fn read_sidecar(array: &Path) -> Result<CubeMeta> {
    let path = sidecar_path(array);
    let bad = |reason: String| Error::Sidecar { path: path.clone(), reason };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(CubeMeta::default());
        }
        Err(error) => return Err(Error::io(&path)(error)),
    };
    // By way of a map, as a list would do for a struct too.
    let object: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let sidecar: Sidecar =
        serde_json::from_value(object.into()).map_err(|error| bad(error.to_string()))?;
    let nodata = match sidecar.nodata {
        None => None,
        Some(Nodata::Number(number)) => Some(number),
        Some(Nodata::Word(word)) if word.eq_ignore_ascii_case("nan") => Some(f64::NAN),
        Some(Nodata::Word(word)) => return Err(bad(format!("`nodata` is `{word}`"))),
    };
    let is_bad = |flag: Flag| match flag {
        Flag::Bool(bad) => bad,
        Flag::Number(number) => number != 0,
    };
    Ok(CubeMeta {
        wavelengths_nm: sidecar.wavelengths_nm,
        fwhm_nm: sidecar.fwhm_nm,
        nodata,
        bad_bands: sidecar.bad_bands.map(|flags| flags.into_iter().map(is_bad).collect()),
        scale: sidecar.scale,
        offset: sidecar.offset,
        geo: sidecar.geo,
        band_names: sidecar.band_names,
        description: sidecar.description,
        source: None,
    })
}

/// Writes the metadata beside an array. Without any, a file is only touched if there is one
/// already: it would describe the array wrongly.
pub(crate) fn write_sidecar(array: &Path, meta: &CubeMeta) -> Result<()> {
    let path = sidecar_path(array);
    let bad = |reason: String| Error::Sidecar { path: path.clone(), reason };
    let mut object: Map<String, Value> = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(Error::io(&path)(error)),
    };
    let before = object.clone();
    for key in KEYS {
        object.remove(key);
    }
    let nodata = meta.nodata.map(|nodata| {
        if nodata.is_nan() { Nodata::Word("nan".to_owned()) } else { Nodata::Number(nodata) }
    });
    let sidecar = Sidecar {
        wavelengths_nm: meta.wavelengths_nm.clone(),
        fwhm_nm: meta.fwhm_nm.clone(),
        nodata,
        bad_bands: meta
            .bad_bands
            .as_ref()
            .map(|flags| flags.iter().map(|&bad| Flag::Bool(bad)).collect()),
        scale: meta.scale,
        offset: meta.offset,
        geo: meta.geo.clone(),
        band_names: meta.band_names.clone(),
        description: meta.description.clone(),
    };
    match serde_json::to_value(&sidecar) {
        Ok(Value::Object(fields)) => object.extend(fields),
        Ok(_) => {}
        Err(error) => return Err(bad(error.to_string())),
    }
    if object == before {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&object).map_err(|error| bad(error.to_string()))?;
    write_atomically(&path, |file| file.write_all((text + "\n").as_bytes()), || Ok(()))
}
