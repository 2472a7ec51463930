//! Metadata of cubes under the names that attributes and variables have in the wild.

use crate::meta::{Axes, CubeMeta, GeoTags};

/// Names without case and signs, the likeliest first.
const UNITS: &[&str] =
    &["wavelengthunits", "wavelengthunit", "wavelengthsunits", "wavelengthsunit"];
const WAVELENGTHS: &[&str] = &[
    "wavelengthsnm",
    "wavelengthnm",
    "wavelengths",
    "wavelength",
    "centrewavelengths",
    "centerwavelengths",
    "centrewavelength",
    "centerwavelength",
    "centralwavelengths",
    "bandcenters",
    "bandcentres",
    "lambda",
    "lambdas",
    "wvl",
    "wvls",
    "wl",
];
const WIDTHS: &[&str] = &["fwhmnm", "fwhm", "fwhms", "bandwidths", "bandwidth"];
const BAD: &[&str] = &["badbands"];
const GOOD: &[&str] = &["bbl", "goodwavelengths"];
const NODATA: &[&str] = &["nodata", "nodatavalue", "fillvalue", "missingvalue", "dataignorevalue"];
const SCALE: &[&str] = &["scalefactor", "scale"];
const DIVISOR: &[&str] = &["reflectancescalefactor"];
const OFFSET: &[&str] = &["addoffset", "offset"];
const DESCRIPTION: &[&str] = &["description"];
const BAND_NAMES: &[&str] = &["bandnames"];
const TRANSFORM: &[&str] = &["geotransform"];
const EPSG: &[&str] = &["epsg"];
const WKT: &[&str] = &["crswkt", "wkt", "spatialref"];
const AXES: &[&str] = &["axes", "interleave"];
const KNOWN: &[&[&str]] = &[
    UNITS,
    WAVELENGTHS,
    WIDTHS,
    BAD,
    GOOD,
    NODATA,
    SCALE,
    DIVISOR,
    OFFSET,
    DESCRIPTION,
    BAND_NAMES,
    TRANSFORM,
    EPSG,
    WKT,
    AXES,
];

/// Whether an attribute or variable of this name may be about a cube.
pub(crate) fn is_known(name: &str) -> bool {
    let name = plain(name);
    KNOWN.iter().any(|names| names.contains(&name.as_str()))
}

/// Value of an attribute or of a small variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Numbers(Vec<f64>),
    Text(Vec<String>),
}

impl Value {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Numbers(numbers) => numbers.first().copied().filter(|_| numbers.len() == 1),
            Self::Text(texts) => texts.first()?.trim().parse().ok(),
        }
    }

    /// A list of so many numbers, which may be written as text.
    fn list(&self, count: usize) -> Option<Vec<f64>> {
        let numbers = match self {
            Self::Numbers(numbers) => numbers.clone(),
            Self::Text(texts) => {
                let text = texts.join(",");
                let words = text.split(|c: char| c.is_whitespace() || ",;{}[]()".contains(c));
                let words = words.filter(|word| !word.is_empty());
                words.map(|word| word.parse().ok()).collect::<Option<_>>()?
            }
        };
        (numbers.len() == count).then_some(numbers)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(texts) => texts.first().map(String::as_str).filter(|text| !text.is_empty()),
            Self::Numbers(_) => None,
        }
    }
}

/// Letters and digits of a name, in lower case, without the groups or structs around it.
fn plain(name: &str) -> String {
    let name = name.rsplit(['/', '.']).next().unwrap_or(name);
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Puts what the values say where the metadata says nothing yet. Lists of another length than the
/// number of bands belong to something else and are left alone.
pub(crate) fn complete(meta: &mut CubeMeta, values: &[(String, Value)], bands: usize) {
    let named = |names: &[&str]| {
        let found = |name: &&str| {
            values.iter().find(|(key, _)| plain(key) == **name).map(|(key, value)| (key, value))
        };
        names.iter().find_map(found)
    };
    let list = |names: &[&str]| {
        names.iter().find_map(|&name| named(&[name])?.1.list(bands)).filter(|_| bands > 0)
    };
    let finite = |list: &Vec<f64>| list.iter().all(|v| (*v as f32).is_finite());
    let units = named(UNITS);
    let units = units.and_then(|(_, value)| value.text()).map(str::to_ascii_lowercase);
    let wavelengths = list(WAVELENGTHS);
    let wavelengths = wavelengths.filter(finite);
    // Micrometres are told by their unit or, without any, by their size.
    let factor = match units.as_deref() {
        Some(unit) if unit.starts_with("micro") || unit.starts_with("um") => 1000.0,
        Some(unit) if unit.starts_with('µ') || unit.starts_with('μ') => 1000.0,
        Some(unit) if unit == "m" || unit.starts_with("met") => 1e9,
        Some(_) => 1.0,
        None => match wavelengths.iter().flatten().copied().reduce(f64::max) {
            Some(longest) if longest < 100.0 => 1000.0,
            _ => 1.0,
        },
    };
    let scaled = |list: Vec<f64>| list.into_iter().map(|v| (v * factor) as f32).collect();
    fill(&mut meta.wavelengths_nm, || wavelengths.map(scaled));
    let widths = list(WIDTHS).filter(finite);
    fill(&mut meta.fwhm_nm, || widths.map(scaled));
    let flags = |list: Vec<f64>| list.into_iter().map(|v| v != 0.0).collect::<Vec<_>>();
    fill(&mut meta.bad_bands, || {
        let good = || Some(flags(list(GOOD)?).iter().map(|v| !v).collect());
        list(BAD).map(flags).or_else(good)
    });
    let number = |names: &[&str]| names.iter().find_map(|&name| named(&[name])?.1.number());
    fill(&mut meta.nodata, || number(NODATA));
    fill(&mut meta.scale, || {
        let divisor = || number(DIVISOR).filter(|v| *v != 0.0).map(f64::recip);
        number(SCALE).or_else(divisor)
    });
    fill(&mut meta.offset, || number(OFFSET));
    let text = |names: &[&str]| named(names).and_then(|(_, value)| value.text()).map(str::to_owned);
    fill(&mut meta.description, || text(DESCRIPTION));
    fill(&mut meta.band_names, || {
        let Value::Text(texts) = named(BAND_NAMES)?.1 else { return None };
        let lines = match texts.as_slice() {
            [one] => one.split('\n').map(str::to_owned).collect(),
            texts => texts.to_vec(),
        };
        (lines.len() == bands).then_some(lines)
    });
    fill(&mut meta.geo, || {
        let transform = named(TRANSFORM).and_then(|(_, value)| value.list(6));
        let transform = transform.and_then(|list| list.try_into().ok());
        let epsg = number(EPSG).filter(|v| *v > 0.0 && *v < 1e9).map(|v| v as u32);
        let wkt = text(WKT);
        let geo = GeoTags { transform, epsg, wkt };
        (geo != GeoTags::default()).then_some(geo)
    });
}

fn fill<T>(field: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if field.is_none() {
        *field = value();
    }
}

/// The order of axes that a file states.
pub(crate) fn axes(values: &[(String, Value)]) -> Option<Axes> {
    let stated = values.iter().find(|(name, _)| AXES.contains(&plain(name).as_str()));
    stated.and_then(|(_, value)| value.text()?.to_ascii_lowercase().parse().ok())
}

/// The name of a variable that is written: the last part of a path, in letters, digits and
/// underscores.
pub(crate) fn matlab_name(name: Option<&str>) -> String {
    let name = name.unwrap_or("cube").rsplit(['/', '.']).next().unwrap_or("cube");
    let sign = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(sign).take(63).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { "cube".to_owned() }
}

/// The metadata under the names that this crate writes; CF's where there are any. Wavelengths and
/// widths are in nanometres, `bad_bands` is 1 for bad ones.
pub(crate) fn fields(meta: &CubeMeta) -> Vec<(&'static str, Value)> {
    let numbers = |list: &[f32]| Value::Numbers(list.iter().map(|&v| f64::from(v)).collect());
    let one = |v: f64| Value::Numbers(vec![v]);
    let text = |text: &String| Value::Text(vec![text.clone()]);
    let geo = meta.geo.clone().unwrap_or_default();
    let flags = |list: &Vec<bool>| Value::Numbers(list.iter().map(|&bad| f64::from(bad)).collect());
    let fields = [
        ("wavelengths_nm", meta.wavelengths_nm.as_deref().map(numbers)),
        ("fwhm_nm", meta.fwhm_nm.as_deref().map(numbers)),
        ("bad_bands", meta.bad_bands.as_ref().map(flags)),
        ("nodata", meta.nodata.map(one)),
        ("scale_factor", meta.scale.map(one)),
        ("add_offset", meta.offset.map(one)),
        ("band_names", meta.band_names.clone().map(Value::Text)),
        ("description", meta.description.as_ref().map(text)),
        ("geo_transform", geo.transform.map(|list| Value::Numbers(list.to_vec()))),
        ("epsg", geo.epsg.map(|epsg| one(f64::from(epsg)))),
        ("crs_wkt", geo.wkt.as_ref().map(text)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, Value)], bands: usize) -> CubeMeta {
        let values: Vec<_> = values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let mut meta = CubeMeta::default();
        complete(&mut meta, &values, bands);
        meta
    }

    #[test]
    fn common_spellings_and_units_are_understood() {
        let micro = Value::Numbers(vec![0.4, 2.4]);
        for (name, unit) in [
            ("Wavelengths", None),
            ("wavelength (um)", Some("um")),
            ("wavelength", Some("Micrometers")),
            ("/meta/band_centers", Some("µm")),
        ] {
            // A name that ends in its unit is not known without it.
            let name = if name.contains("(um)") { "wavelength" } else { name };
            let mut values = vec![(name, micro.clone())];
            values.extend(unit.map(|u| ("wavelength_units", Value::Text(vec![u.to_owned()]))));
            assert_eq!(read(&values, 2).wavelengths_nm, Some(vec![400.0, 2400.0]), "{name}");
            assert_eq!(read(&values, 3).wavelengths_nm, None, "another number of bands");
        }
        let text = Value::Text(vec!["{ 410.5, 420 }".to_owned()]);
        assert_eq!(read(&[("WL", text)], 2).wavelengths_nm, Some(vec![410.5, 420.0]));
        let bbl = read(&[("bbl", Value::Numbers(vec![1.0, 0.0]))], 2);
        assert_eq!(bbl.bad_bands, Some(vec![false, true]));
        let cf = [
            ("_FillValue", Value::Numbers(vec![-9999.0])),
            ("scale_factor", Value::Numbers(vec![1e-4])),
            ("add_offset", Value::Text(vec!["0.5".to_owned()])),
        ];
        let cf = read(&cf, 2);
        assert_eq!((cf.nodata, cf.scale, cf.offset), (Some(-9999.0), Some(1e-4), Some(0.5)));
    }

    #[test]
    fn what_is_written_is_read() {
        let meta = CubeMeta {
            wavelengths_nm: Some(vec![410.25, 2400.5]),
            fwhm_nm: Some(vec![6.5, 10.0]),
            nodata: Some(-32768.0),
            bad_bands: Some(vec![false, true]),
            scale: Some(1e-4),
            offset: Some(0.25),
            geo: Some(GeoTags {
                transform: Some([3.0, 30.0, 0.0, 5.0, 0.0, -30.0]),
                epsg: Some(32633),
                wkt: Some("PROJCS[]".to_owned()),
            }),
            band_names: Some(vec!["a".to_owned(), "b".to_owned()]),
            description: Some("two bands".to_owned()),
            source: None,
        };
        assert_eq!(read(&fields(&meta), 2), meta);
    }
}
