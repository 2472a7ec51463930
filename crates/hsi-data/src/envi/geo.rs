//! `map info` and the position of the pixels.

use super::header::{Header, braces, entries, inner};
use crate::meta::GeoTags;

/// Position and reference system from `map info` and `coordinate system string`.
pub(super) fn read(header: &Header) -> Option<GeoTags> {
    let info = header.list("map info").unwrap_or_default();
    let wkt = header.get("coordinate system string").map(inner).filter(|text| !text.is_empty());
    let own = header.get("epsg").and_then(|code| code.parse().ok());
    let geo = GeoTags {
        transform: transform(&info),
        epsg: epsg(&info).or(own),
        wkt: wkt.map(str::to_owned),
    };
    (geo != GeoTags::default()).then_some(geo)
}

/// Fields of `map info`: projection, reference column and row (counted from one at the outer
/// corner of the first pixel), their coordinates, the size of a pixel, and what depends on the
/// projection.
fn transform(info: &[&str]) -> Option<[f64; 6]> {
    let number = |at: usize| info.get(at)?.parse::<f64>().ok().filter(|v| v.is_finite());
    let (col, row) = (number(1)? - 1.0, number(2)? - 1.0);
    let (x, y, dx, dy) = (number(3)?, number(4)?, number(5)?, number(6)?);
    let degrees = info.iter().find_map(|field| {
        let (name, value) = field.split_once('=')?;
        (name.trim() == "rotation").then(|| value.trim().parse::<f64>().ok())?
    });
    // A turn of the image counter-clockwise, as GDAL has it.
    let (sin, cos) = degrees.map_or((0.0, 1.0), |degrees| degrees.to_radians().sin_cos());
    let [a, b, c, d] = [cos * dx, sin * dx, sin * dy, -cos * dy];
    Some([x - col * a - row * b, a, b, y - col * c - row * d, c, d])
}

/// The code of the two kinds of systems that `map info` describes by itself.
fn epsg(info: &[&str]) -> Option<u32> {
    let wgs84 = info.iter().any(|field| field.eq_ignore_ascii_case("WGS-84"));
    match *info.first()? {
        "UTM" if wgs84 => {
            let zone = info.get(7)?.parse::<u32>().ok().filter(|zone| (1..=60).contains(zone))?;
            match info.get(8)?.to_lowercase().as_str() {
                "north" => Some(32600 + zone),
                "south" => Some(32700 + zone),
                _ => None,
            }
        }
        "Geographic Lat/Lon" if wgs84 => Some(4326),
        _ => None,
    }
}

/// Sets the keys that say where the pixels are. `original` is the `map info` that the cube came
/// with: what it says of the projection is kept where it still holds.
pub(super) fn write(header: &mut Header, geo: &GeoTags, original: Option<&str>) {
    if let Some(wkt) = &geo.wkt {
        header.set("coordinate system string", format!("{{{}}}", wkt.replace(['{', '}'], "")));
    }
    let Some([x, a, b, y, c, d]) = geo.transform else { return };
    let original = original.map(entries).filter(|info| epsg(info) == geo.epsg && info.len() >= 7);
    let (dx, dy) = (a.hypot(b), c.hypot(d));
    let mut fields: Vec<String> = Vec::new();
    let (name, rest) = match (&original, geo.epsg) {
        (Some(info), _) => {
            let rest = info[7..].iter().filter(|field| !field.starts_with("rotation"));
            (info[0].to_owned(), rest.map(|field| (*field).to_owned()).collect())
        }
        (None, Some(code @ (32601..=32660 | 32701..=32760))) => {
            let half = if code < 32700 { "North" } else { "South" };
            let zone = (code % 100).to_string();
            let rest = [&zone, half, "WGS-84", "units=Meters"].map(str::to_owned).to_vec();
            ("UTM".to_owned(), rest)
        }
        (None, Some(4326)) => {
            let rest = ["WGS-84", "units=Degrees"].map(str::to_owned).to_vec();
            ("Geographic Lat/Lon".to_owned(), rest)
        }
        (None, code) => {
            if let Some(code) = code {
                header.set("epsg", code.to_string());
            }
            ("Arbitrary".to_owned(), Vec::new())
        }
    };
    fields.push(name);
    fields.extend(["1", "1"].map(str::to_owned));
    fields.extend([x, y, dx, dy].map(|value| value.to_string()));
    fields.extend(rest);
    let degrees = b.atan2(a).to_degrees();
    if degrees != 0.0 {
        fields.push(format!("rotation={degrees}"));
    }
    header.set("map info", braces(&fields).replace(['\n'], ""));
}
