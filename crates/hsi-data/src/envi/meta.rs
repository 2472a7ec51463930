//! Between the keys of a header and [`CubeMeta`].

use super::geo;
use super::header::{Header, braces, entries, inner};
use crate::meta::{CubeMeta, Extra};

/// Keys that say how the samples are stored; the writer sets them anew.
const FORM: [&str; 9] = [
    "samples",
    "lines",
    "bands",
    "header offset",
    "file type",
    "data type",
    "interleave",
    "byte order",
    "file compression",
];

/// What a header says of the cube. Lists that do not have one entry a band, or entries that are no
/// numbers, stay text.
pub(super) fn read(header: &Header, bands: usize) -> (CubeMeta, Vec<(String, Extra)>) {
    let mut used: Vec<&str> = FORM.to_vec();
    let numbers = |key: &'static str, used: &mut Vec<&str>| {
        let list: Option<Vec<f64>> =
            header.list(key)?.into_iter().map(|entry| entry.parse().ok()).collect();
        let list = list.filter(|list| list.len() == bands && list.iter().all(|v| v.is_finite()))?;
        used.push(key);
        Some(list)
    };
    let mut meta = CubeMeta::default();
    let largest = |key: &str| {
        let list = header.list(key).unwrap_or_default();
        list.iter().filter_map(|v| v.parse::<f64>().ok()).reduce(f64::max)
    };
    // A width alone is some hundredth of its wavelength.
    let largest = largest("wavelength").or(largest("fwhm").map(|width| 200.0 * width));
    let largest = largest.unwrap_or(0.0);
    if let Some(to_nm) = nanometres(header.get("wavelength units"), largest) {
        let scaled = |list: Vec<f64>| list.into_iter().map(|v| (v * to_nm) as f32).collect();
        meta.wavelengths_nm = numbers("wavelength", &mut used).map(scaled);
        meta.fwhm_nm = numbers("fwhm", &mut used).map(scaled);
        if meta.wavelengths_nm.is_some() || meta.fwhm_nm.is_some() {
            used.push("wavelength units");
        }
    }
    meta.bad_bands =
        numbers("bbl", &mut used).map(|list| list.into_iter().map(|good| good == 0.0).collect());
    let one = |key: &str| header.get(key)?.parse::<f64>().ok();
    meta.nodata = one("data ignore value");
    let factor = one("reflectance scale factor").filter(|v| v.is_finite() && *v != 0.0);
    meta.scale = factor.map(f64::recip);
    let same = |list: &Vec<f64>| list.windows(2).all(|pair| pair[0] == pair[1]);
    if meta.scale.is_none() {
        let mut own = Vec::new();
        let gains = numbers("data gain values", &mut own).filter(same);
        let offsets = numbers("data offset values", &mut own).filter(same);
        // Gains without the offsets that belong to them would be half a truth.
        if gains.is_some() == (header.get("data gain values").is_some())
            && offsets.is_some() == (header.get("data offset values").is_some())
        {
            meta.scale = gains.and_then(|list| list.first().copied());
            meta.offset = offsets.and_then(|list| list.first().copied());
            used.extend(own);
        }
    }
    let names = header.list("band names").filter(|names| names.len() == bands);
    meta.band_names = names.map(|names| names.into_iter().map(str::to_owned).collect());
    let description = header.get("description").map(|text| inner(text).replace('\n', " "));
    meta.description = description.filter(|text| !text.is_empty());
    meta.geo = geo::read(header);
    let said = [
        (meta.nodata.is_some(), "data ignore value"),
        (factor.is_some(), "reflectance scale factor"),
        (meta.band_names.is_some(), "band names"),
        (meta.description.is_some(), "description"),
        (meta.geo.as_ref().is_some_and(|geo| geo.wkt.is_some()), "coordinate system string"),
        (meta.geo.as_ref().is_some_and(|geo| geo.epsg.is_some()), "epsg"),
    ];
    used.extend(said.into_iter().filter(|(said, _)| *said).map(|(_, key)| key));
    let rest = header.fields().filter(|(key, _)| !used.contains(key));
    let extras = rest.map(|(key, value)| (key.to_owned(), extra(value, bands))).collect();
    (meta, extras)
}

/// A list of one entry a band follows the bands when some are selected.
fn extra(value: &str, bands: usize) -> Extra {
    let list = entries(value);
    if value.starts_with('{') && list.len() == bands && bands > 1 {
        Extra::PerBand(list.into_iter().map(str::to_owned).collect())
    } else {
        Extra::Text(value.to_owned())
    }
}

/// The factor to nanometres. Without a unit, numbers below 100 are micrometres.
pub(crate) fn nanometres(unit: Option<&str>, largest: f64) -> Option<f64> {
    match unit.map(|unit| inner(unit).to_lowercase()).as_deref() {
        Some("nanometers" | "nanometres" | "nanometer" | "nm") => Some(1.0),
        Some("micrometers" | "micrometres" | "micrometer" | "microns" | "micron" | "um" | "µm") => {
            Some(1e3)
        }
        Some("millimeters" | "mm") => Some(1e6),
        Some("angstroms" | "angstrom") => Some(0.1),
        Some("meters" | "m") => Some(1e9),
        None | Some("" | "unknown") => Some(if largest < 100.0 { 1e3 } else { 1.0 }),
        // Index, wavenumber and frequencies are no lengths.
        Some(_) => None,
    }
}

/// Sets the keys that describe the cube. `extras` are those of an ENVI source.
pub(super) fn write(header: &mut Header, meta: &CubeMeta, extras: &[(String, Extra)]) {
    fn texts<T: ToString>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }
    if let Some(description) = &meta.description {
        header.set("description", format!("{{{}}}", plain(description)));
    }
    let mut map_info = None;
    for (key, extra) in extras {
        match extra {
            Extra::Text(text) if key == "map info" => map_info = Some(text.as_str()),
            Extra::Text(text) => header.set(key, text.clone()),
            Extra::PerBand(list) => header.set(key, braces(list)),
            Extra::Bytes(..) => {}
        }
    }
    if let Some(geo) = &meta.geo {
        geo::write(header, geo, map_info);
    }
    if meta.wavelengths_nm.is_some() || meta.fwhm_nm.is_some() {
        header.set("wavelength units", "Nanometers".to_owned());
    }
    let lists = [("wavelength", &meta.wavelengths_nm), ("fwhm", &meta.fwhm_nm)];
    for (key, list) in lists {
        if let Some(list) = list {
            header.set(key, braces(&texts(list)));
        }
    }
    if let Some(bad) = &meta.bad_bands {
        let good: Vec<u8> = bad.iter().map(|&bad| u8::from(!bad)).collect();
        header.set("bbl", braces(&texts(&good)));
    }
    if let Some(names) = &meta.band_names {
        let names: Vec<String> = names.iter().map(|name| plain(name).replace(',', ";")).collect();
        header.set("band names", braces(&names));
    }
    if let Some(nodata) = meta.nodata {
        header.set("data ignore value", nodata.to_string());
    }
    let bands = header.get("bands").and_then(|bands| bands.parse().ok()).unwrap_or(1);
    match (meta.scale, meta.offset) {
        (Some(scale), None) if scale != 0.0 => {
            header.set("reflectance scale factor", reciprocal(scale).to_string());
        }
        (None, None) => {}
        (scale, offset) => {
            let all = |value: f64| braces(&vec![value.to_string(); bands]);
            header.set("data gain values", all(scale.unwrap_or(1.0)));
            header.set("data offset values", all(offset.unwrap_or(0.0)));
        }
    }
}

/// The number whose reciprocal is `value`, without the error of rounding twice where it can be:
/// 10000 for 1e-4.
fn reciprocal(value: f64) -> f64 {
    let inverse = value.recip();
    let rounded = inverse.round();
    if rounded.recip() == value { rounded } else { inverse }
}

/// Text that does not end its braces or its line.
fn plain(text: &str) -> String {
    text.replace(['{', '}', '\n', '\r'], " ")
}
