//! Geo keys and the position of the pixels.

use super::directory::{Directory, Input};
use super::tag;
use crate::fault::Parsed;
use crate::meta::{Extra, GeoTags};

const RASTER_TYPE: u16 = 1025;
const CITATION: u16 = 1026;
const MODEL_TYPE: u16 = 1024;
const GEOGRAPHIC: u16 = 2048;
const PROJECTED: u16 = 3072;
const PROJECTED_CITATION: u16 = 3073;
const USER_DEFINED: u16 = 32767;
/// What well-known text is marked with in a citation.
const WKT_MARK: &str = "ESRI PE String = ";

/// The keys of the three tags.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Keys {
    /// Key, place of the value (0: here), number of values, value or index.
    entries: Vec<[u16; 4]>,
    text: String,
}

impl Keys {
    pub(super) fn new(directory: &[u16], text: &str) -> Self {
        let count = directory.get(3).copied().unwrap_or(0);
        let entries = directory.get(4..).unwrap_or_default().as_chunks::<4>().0;
        let entries = entries.iter().take(usize::from(count)).copied().collect();
        Self { entries, text: text.to_owned() }
    }

    fn short(&self, key: u16) -> Option<u16> {
        self.entries.iter().find(|entry| entry[0] == key && entry[1] == 0).map(|entry| entry[3])
    }

    fn text(&self, key: u16) -> Option<&str> {
        let [_, _, count, from] =
            *self.entries.iter().find(|entry| entry[0] == key && entry[1] == tag::GEO_TEXT)?;
        let text = self.text.get(usize::from(from)..)?;
        Some(text.get(..usize::from(count)).unwrap_or(text).trim_end_matches(['|', '\0']))
    }

    pub(super) fn epsg(&self) -> Option<u32> {
        let code = |key: u16| self.short(key).filter(|code| (1024..USER_DEFINED).contains(code));
        code(PROJECTED).or_else(|| code(GEOGRAPHIC)).map(u32::from)
    }

    pub(super) fn wkt(&self) -> Option<&str> {
        let mut texts = [PROJECTED_CITATION, CITATION].into_iter().filter_map(|key| self.text(key));
        texts.find_map(|text| text.strip_prefix(WKT_MARK))
    }

    /// Whether coordinates are those of the centres of pixels.
    pub(super) fn is_point(&self) -> bool {
        self.short(RASTER_TYPE) == Some(2)
    }
}

/// Position and reference system.
pub(super) fn read(input: &Input, directory: &Directory) -> Parsed<Option<GeoTags>> {
    let list = directory.integers(input, tag::GEO_KEYS)?.unwrap_or_default();
    let list: Vec<u16> = list.into_iter().map(|v| u16::try_from(v).unwrap_or(0)).collect();
    let text = directory.text(input, tag::GEO_TEXT)?.unwrap_or_default();
    let keys = Keys::new(&list, &text);
    let geo = GeoTags {
        transform: transform(input, directory)?.map(|t| shifted(t, keys.is_point(), -0.5)),
        epsg: keys.epsg(),
        wkt: keys.wkt().map(str::to_owned),
    };
    Ok((geo != GeoTags::default()).then_some(geo))
}

/// The affine map of the tags. Ground control points, which are several tie points, are none.
fn transform(input: &Input, directory: &Directory) -> Parsed<Option<[f64; 6]>> {
    let list = |tag: u16| directory.doubles(input, tag);
    let finite = |map: [f64; 6]| Some(map).filter(|map| map.iter().all(|v| v.is_finite()));
    if let Some(m) = list(tag::TRANSFORM)?
        && let [a, b, _, x, c, d, _, y, ..] = m[..]
    {
        return Ok(finite([x, a, b, y, c, d]));
    }
    if let (Some(scale), Some(tie)) = (list(tag::PIXEL_SCALE)?, list(tag::TIE_POINT)?)
        && let ([dx, dy, ..], [col, row, _, x, y, _]) = (&scale[..], &tie[..])
    {
        return Ok(finite([x - col * dx, *dx, 0.0, y + row * dy, 0.0, -dy]));
    }
    Ok(None)
}

/// The map moved by a part of a pixel, if coordinates are those of centres.
pub(super) fn shifted([x, a, b, y, c, d]: [f64; 6], is_point: bool, by: f64) -> [f64; 6] {
    if is_point { [x + by * (a + b), a, b, y + by * (c + d), c, d] } else { [x, a, b, y, c, d] }
}

/// Tags of doubles that say where the pixels are: their numbers and values.
pub(super) fn position([x, a, b, y, c, d]: [f64; 6]) -> Vec<(u16, Vec<f64>)> {
    if b == 0.0 && c == 0.0 && a > 0.0 && d < 0.0 {
        return vec![
            (tag::PIXEL_SCALE, vec![a, -d, 0.0]),
            (tag::TIE_POINT, vec![0.0, 0.0, 0.0, x, y, 0.0]),
        ];
    }
    let rows = [[a, b, 0.0, x], [c, d, 0.0, y], [0.0; 4], [0.0, 0.0, 0.0, 1.0]];
    vec![(tag::TRANSFORM, rows.concat())]
}

/// The keys of a reference system: a directory, and text that it refers to.
pub(super) fn keys(geo: &GeoTags) -> Option<(Vec<u16>, String)> {
    let wkt = geo.wkt.as_deref().filter(|text| text.is_ascii());
    let epsg = geo.epsg.or_else(|| wkt.and_then(epsg_of_wkt));
    let epsg = epsg.and_then(|code| u16::try_from(code).ok()).filter(|code| *code < USER_DEFINED);
    let mut text = String::new();
    let mut entries: Vec<[u16; 4]> = vec![[RASTER_TYPE, 0, 1, 1]];
    match (epsg, wkt) {
        (Some(code), _) => {
            let model = if is_geographic(code, wkt) { 2 } else { 1 };
            entries.push([MODEL_TYPE, 0, 1, model]);
            entries.push([if model == 2 { GEOGRAPHIC } else { PROJECTED }, 0, 1, code]);
        }
        (None, Some(wkt)) => {
            let is_geographic = wkt.trim_start().to_uppercase().starts_with("GEOG");
            text = format!("{WKT_MARK}{}|", wkt.replace(['|', '\0'], " "));
            let count = u16::try_from(text.len()).ok()?;
            entries.push([MODEL_TYPE, 0, 1, if is_geographic { 2 } else { 1 }]);
            if is_geographic {
                entries.push([CITATION, tag::GEO_TEXT, count, 0]);
                entries.push([GEOGRAPHIC, 0, 1, USER_DEFINED]);
            } else {
                entries.push([PROJECTED, 0, 1, USER_DEFINED]);
                entries.push([PROJECTED_CITATION, tag::GEO_TEXT, count, 0]);
            }
        }
        (None, None) => return None,
    }
    entries.sort_unstable();
    let head = [1, 1, 0, entries.len() as u16];
    Some((head.into_iter().chain(entries.into_iter().flatten()).collect(), text))
}

/// Whether a code is of a system of latitudes and longitudes: those of 4000 to 4999 are, but for
/// the geocentric ones, which no image has.
fn is_geographic(code: u16, wkt: Option<&str>) -> bool {
    match wkt.map(|text| text.trim_start().to_uppercase()) {
        Some(text) if text.starts_with("GEOG") => true,
        Some(text) if text.starts_with("PROJ") => false,
        _ => (4000..5000).contains(&code),
    }
}

/// The code at the end of well-known text, which is that of the whole.
fn epsg_of_wkt(wkt: &str) -> Option<u32> {
    let end = wkt.trim_end().trim_end_matches([']', ')']);
    let (head, code) = end.rsplit_once(',')?;
    let upper = head.to_uppercase();
    let whole = ["AUTHORITY[\"EPSG\"", "ID[\"EPSG\""].iter().any(|name| upper.ends_with(name));
    let closing = wkt.trim_end().len() - end.len();
    // One bracket of the code, one of the whole.
    if whole && closing == 2 { code.trim().trim_matches('"').parse().ok() } else { None }
}

/// The three tags of a file as they were, if they still say what the metadata says.
pub(super) fn original(extras: &[(String, Extra)], geo: &GeoTags) -> Option<(Keys, [u16; 3])> {
    let bytes = |tag: u16| {
        extras.iter().find_map(|(name, extra)| match extra {
            Extra::Bytes(_, bytes) if *name == super::meta::name_of(tag) => Some(bytes.as_slice()),
            _ => None,
        })
    };
    let list = bytes(tag::GEO_KEYS)?.as_chunks::<2>().0.iter().map(|raw| u16::from_le_bytes(*raw));
    let text = bytes(tag::GEO_TEXT).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let keys = Keys::new(&list.collect::<Vec<_>>(), text.trim_end_matches('\0'));
    let same = keys.epsg() == geo.epsg && keys.wkt() == geo.wkt.as_deref();
    same.then_some((keys, [tag::GEO_KEYS, tag::GEO_DOUBLES, tag::GEO_TEXT]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_well_known_text() {
        let utm =
            r#"PROJCS["x",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],AUTHORITY["EPSG","32633"]]"#;
        assert_eq!(epsg_of_wkt(utm), Some(32633));
        assert_eq!(epsg_of_wkt(r#"PROJCRS["x",ID["EPSG",32633]]"#), Some(32633));
        let inner = r#"PROJCS["x",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]]]"#;
        assert_eq!(epsg_of_wkt(inner), None);
        assert_eq!(epsg_of_wkt("]]]"), None);
    }

    #[test]
    fn systems_come_back_from_their_keys() {
        let wkt = r#"PROJCS["mine",GEOGCS["g"],UNIT["m",1]]"#.to_owned();
        let degrees = r#"GEOGCS["mine",UNIT["degree",0.01]]"#.to_owned();
        for (epsg, wkt) in
            [(Some(32633), None), (Some(4326), None), (None, Some(wkt)), (None, Some(degrees))]
        {
            let geo = GeoTags { transform: None, epsg, wkt };
            let (list, text) = keys(&geo).expect("a system");
            let again = Keys::new(&list, &text);
            assert_eq!((again.epsg(), again.wkt()), (epsg, geo.wkt.as_deref()));
        }
        assert_eq!(keys(&GeoTags::default()), None);
    }
}
