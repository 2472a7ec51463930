//! Between the tags of a file and [`CubeMeta`].

use std::collections::BTreeMap;

use super::directory::{Directory, Input};
use super::items::{self, Item};
use super::write_tags::{Field, Values};
use super::{geo, tag};
use crate::envi::nanometres;
use crate::fault::{Parsed, bad};
use crate::meta::{CubeMeta, Extra, Format};

/// The domain in which GDAL has its own names for wavelengths, in micrometres.
const IMAGERY: &str = "IMAGERY";

/// Domain, role and name of items.
type Key = (String, String, String);

/// The name of a tag among the extras.
pub(super) fn name_of(tag: u16) -> String {
    format!("tag {tag}")
}

fn plain(name: &str) -> Key {
    (String::new(), String::new(), name.to_owned())
}

fn imagery(name: &str) -> Key {
    (IMAGERY.to_owned(), String::new(), name.to_owned())
}

/// The items of the bands by their keys.
struct Bands {
    items: BTreeMap<Key, BTreeMap<usize, String>>,
    count: usize,
}

impl Bands {
    /// Whether every band has an item of this key.
    fn is_whole(&self, key: &Key) -> bool {
        self.items.get(key).is_some_and(|values| values.len() == self.count)
    }

    fn take(&mut self, key: &Key) -> Option<Vec<String>> {
        if !self.is_whole(key) {
            return None;
        }
        Some(self.items.remove(key)?.into_values().collect())
    }

    /// One finite number a band; what is not stays where it is.
    fn take_numbers(&mut self, key: &Key) -> Option<Vec<f64>> {
        let values = self.items.get(key).filter(|_| self.is_whole(key))?;
        let number = |text: &String| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        let numbers: Option<Vec<f64>> = values.values().map(number).collect();
        numbers.inspect(|_| drop(self.items.remove(key)))
    }

    /// One number for all bands.
    fn take_same(&mut self, role: &str) -> Option<f64> {
        let key = self.items.keys().find(|(_, of, _)| of == role)?.clone();
        let number = |text: &String| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        let values = self.items.get(&key).filter(|_| self.is_whole(&key))?;
        let first = number(values.values().next()?)?;
        let same = values.values().all(|text| number(text) == Some(first));
        same.then(|| self.items.remove(&key)).map(|_| first)
    }
}

/// What the tags of an image say of the cube, and what is kept in the words of the file.
pub(super) fn read(
    input: &Input,
    directory: &Directory,
    bands: usize,
) -> Parsed<(CubeMeta, Vec<(String, Extra)>)> {
    let mut extras = Vec::new();
    let mut meta = CubeMeta { geo: geo::read(input, directory)?, ..CubeMeta::default() };
    let geo_keys = [tag::GEO_KEYS, tag::GEO_DOUBLES, tag::GEO_TEXT];
    for tag in tag::KEPT.into_iter().chain(geo_keys) {
        if let Some((kind, bytes)) = directory.little_endian(input, tag)? {
            extras.push((name_of(tag), Extra::Bytes(kind, bytes)));
        }
    }
    // The shape that tifffile notes there is no description.
    let description = directory.text(input, tag::DESCRIPTION)?;
    meta.description =
        description.filter(|text| !text.is_empty() && !text.starts_with("{\"shape\""));
    if let Some(text) = directory.text(input, tag::GDAL_NODATA)? {
        match text.trim().parse() {
            Ok(value) => meta.nodata = Some(value),
            Err(_) if text.trim().is_empty() => {}
            Err(_) => return bad!("the nodata value is `{}`", text.trim()),
        }
    }
    if let Some(xml) = directory.text(input, tag::GDAL_METADATA)? {
        described(items::parse(&xml)?, bands, &mut meta, &mut extras);
    }
    Ok((meta, extras))
}

/// What GDAL's items say.
fn described(
    items: Vec<Item>,
    count: usize,
    meta: &mut CubeMeta,
    extras: &mut Vec<(String, Extra)>,
) {
    let mut bands = Bands { items: BTreeMap::new(), count };
    for item in items {
        let key = (item.domain, item.role, item.name);
        match item.band {
            Some(band) if band < count => {
                bands.items.entry(key).or_default().insert(band, item.value);
            }
            Some(_) => {}
            None => extras.push((item_name(&key), Extra::Text(item.value))),
        }
    }
    let units = bands.items.get(&plain("wavelength_units")).filter(|units| units.len() == count);
    let unit = units.and_then(|units| units.values().next()).cloned();
    let same = units.is_none_or(|units| units.values().all(|u| Some(u) == unit.as_ref()));
    let largest = |list: &[f64]| list.iter().copied().fold(0.0, f64::max);
    let nm = |list: Vec<f64>, factor: f64| list.into_iter().map(|v| (v * factor) as f32).collect();
    if same {
        let listed = bands.take_numbers(&plain("wavelength"));
        let factor = nanometres(unit.as_deref(), listed.as_deref().map_or(f64::MAX, largest));
        match (listed, factor) {
            (Some(list), Some(factor)) => {
                meta.wavelengths_nm = Some(nm(list, factor));
                bands.items.remove(&plain("wavelength_units"));
            }
            (Some(list), None) => {
                // No lengths: they stay what they are.
                let texts = list.iter().map(ToString::to_string).enumerate().collect();
                bands.items.insert(plain("wavelength"), texts);
            }
            (None, _) => {}
        }
        if let Some(factor) = factor {
            meta.fwhm_nm = bands.take_numbers(&plain("fwhm")).map(|list| nm(list, factor));
        }
    }
    let central = bands.take_numbers(&imagery("CENTRAL_WAVELENGTH_UM")).map(|list| nm(list, 1e3));
    let widths = bands.take_numbers(&imagery("FWHM_UM")).map(|list| nm(list, 1e3));
    meta.wavelengths_nm = meta.wavelengths_nm.take().or(central);
    meta.fwhm_nm = meta.fwhm_nm.take().or(widths);
    let flags = bands.take_numbers(&plain("bbl"));
    meta.bad_bands = flags.map(|list| list.into_iter().map(|good| good == 0.0).collect());
    // A factor without the offset that belongs to it would be half a truth.
    let of = |bands: &Bands, role: &str| bands.items.keys().any(|(_, of, _)| of == role);
    let (has_scale, has_offset) = (of(&bands, "scale"), of(&bands, "offset"));
    let before = bands.items.clone();
    let (scale, offset) = (bands.take_same("scale"), bands.take_same("offset"));
    if scale.is_some() == has_scale && offset.is_some() == has_offset {
        (meta.scale, meta.offset) = (scale, offset);
    } else {
        bands.items = before;
    }
    let key = bands.items.keys().find(|(_, role, _)| role == "description").cloned();
    meta.band_names = key.and_then(|key| bands.take(&key));
    for (key, values) in bands.items {
        // A few items of many bands would take more memory than their file.
        if values.len().saturating_mul(64) < count {
            continue;
        }
        let mut list = vec![String::new(); count];
        for (band, value) in values {
            list[band] = value;
        }
        extras.push((item_name(&key), Extra::PerBand(list)));
    }
}

/// The name of an item among the extras.
fn item_name((domain, role, name): &Key) -> String {
    format!("item {domain}|{role}|{name}")
}

fn key_of(name: &str) -> Option<Key> {
    let mut parts = name.strip_prefix("item ")?.splitn(3, '|').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// The tags that describe a cube of so many bands.
pub(super) fn fields(meta: &CubeMeta, bands: usize) -> Vec<Field> {
    let mut out = Vec::new();
    let source = meta.source.as_ref();
    let same = source.filter(|source| matches!(source.format, Format::Tiff | Format::EnMap));
    let extras = same.map(|source| source.extras.as_slice()).unwrap_or_default();
    let raw = |tag: u16| {
        extras.iter().find_map(|(name, extra)| match extra {
            Extra::Bytes(kind, bytes) if *name == name_of(tag) => {
                Some(Field { tag, values: Values::Raw(*kind, bytes.clone()) })
            }
            _ => None,
        })
    };
    out.extend(tag::KEPT.into_iter().filter_map(raw));
    if !out.iter().any(|field| field.tag == 305) {
        let program = concat!("hsi-data ", env!("CARGO_PKG_VERSION"));
        out.push(Field { tag: 305, values: Values::Text(program.to_owned()) });
    }
    if let Some(text) = &meta.description {
        out.push(Field { tag: tag::DESCRIPTION, values: Values::Text(text.clone()) });
    }
    if let Some(nodata) = meta.nodata {
        let text = if nodata.is_nan() { "nan".to_owned() } else { nodata.to_string() };
        out.push(Field { tag: tag::GDAL_NODATA, values: Values::Text(text) });
    }
    if let Some(geo) = &meta.geo {
        let mut is_point = false;
        if let Some((keys, tags)) = geo::original(extras, geo) {
            is_point = keys.is_point();
            out.extend(tags.into_iter().filter_map(raw));
        } else if let Some((list, text)) = geo::keys(geo) {
            out.push(Field { tag: tag::GEO_KEYS, values: Values::Shorts(list) });
            if !text.is_empty() {
                out.push(Field { tag: tag::GEO_TEXT, values: Values::Text(text) });
            }
        }
        let map = geo.transform.map(|map| geo::shifted(map, is_point, 0.5));
        let position = map.map(geo::position).unwrap_or_default();
        out.extend(
            position.into_iter().map(|(tag, list)| Field { tag, values: Values::Doubles(list) }),
        );
    }
    let items = items_of(meta, extras, bands);
    if !items.is_empty() {
        let values = Values::Text(items::render(&items));
        out.push(Field { tag: tag::GDAL_METADATA, values });
    }
    out
}

/// GDAL's items: those of the file, then those of each band.
fn items_of(meta: &CubeMeta, extras: &[(String, Extra)], bands: usize) -> Vec<Item> {
    let mut out = Vec::new();
    let item = |(domain, role, name): Key, band: Option<usize>, value: String| Item {
        name,
        domain,
        role,
        band,
        value,
    };
    for (name, extra) in extras {
        if let (Some(key), Extra::Text(value)) = (key_of(name), extra) {
            out.push(item(key, None, value.clone()));
        }
    }
    let role = |name: &str, role: &str| (String::new(), role.to_owned(), name.to_owned());
    // Micrometres by their decimals: 0.41824, not 0.41824000000000006.
    let um = |nm: f32| nm.to_string().parse::<f64>().map_or(f64::NAN, |nm| nm / 1e3).to_string();
    for band in 0..bands {
        let mut push = |key: Key, value: Option<String>| {
            out.extend(value.map(|value| item(key, Some(band), value)));
        };
        let of = |list: &Option<Vec<f32>>| list.as_ref().and_then(|l| l.get(band)).copied();
        let (nm, width) = (of(&meta.wavelengths_nm), of(&meta.fwhm_nm));
        push(plain("wavelength"), nm.map(|v| v.to_string()));
        push(plain("fwhm"), width.map(|v| v.to_string()));
        push(plain("wavelength_units"), nm.or(width).map(|_| "Nanometers".to_owned()));
        push(imagery("CENTRAL_WAVELENGTH_UM"), nm.map(um));
        push(imagery("FWHM_UM"), width.map(um));
        let bad = meta.bad_bands.as_ref().and_then(|list| list.get(band));
        push(plain("bbl"), bad.map(|&bad| u8::from(!bad).to_string()));
        push(role("OFFSET", "offset"), meta.offset.map(|v| v.to_string()));
        push(role("SCALE", "scale"), meta.scale.map(|v| v.to_string()));
        let name = meta.band_names.as_ref().and_then(|list| list.get(band)).cloned();
        push(role("DESCRIPTION", "description"), name);
        for (name, extra) in extras {
            if let (Some(key), Extra::PerBand(list)) = (key_of(name), extra) {
                push(key, list.get(band).filter(|value| !value.is_empty()).cloned());
            }
        }
    }
    out
}
