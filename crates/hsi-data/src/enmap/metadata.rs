//! `METADATA.XML`.

use roxmltree::{Document, Node, ParsingOptions};

use crate::fault::{Parsed, bad};
use crate::meta::{CubeMeta, Extra};

/// Fields of `specific` and `base` that are kept, by the names that they have there.
const KEPT: [&str; 9] = [
    "level",
    "startTime",
    "stopTime",
    "datatakeID",
    "tileID",
    "orbitNo",
    "acquisitionMode",
    "productType",
    "archivedVersion",
];

/// What a product's metadata say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Described {
    /// Wavelengths, widths, and factors if all bands have the same.
    pub(super) meta: CubeMeta,
    /// Sample value outside of the scene.
    pub(super) background: Option<f64>,
    /// Factors and offsets that differ from band to band, and fields of the product.
    pub(super) extras: Vec<(String, Extra)>,
    pub(super) bands: usize,
}

pub(super) fn parse(xml: &str) -> Parsed<Described> {
    // A product's file has some hundred thousand elements, each of many times the memory of its
    // text.
    let options = ParsingOptions { nodes_limit: 1 << 21, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(xml, options) {
        Ok(document) => document,
        Err(error) => return bad!("it is no XML: {error}"),
    };
    let root = document.root_element();
    let find = |name: &str| root.descendants().find(|node| node.has_tag_name(name));
    let Some(list) = find("bandCharacterisation") else {
        return bad!("`bandCharacterisation` is missing");
    };
    let mut bands: Vec<(usize, [f64; 4])> = Vec::new();
    for band in list.children().filter(|node| node.has_tag_name("bandID")) {
        let number = band.attribute("number").and_then(|number| number.trim().parse().ok());
        let Some(number) = number else { return bad!("a `bandID` without a number") };
        bands.push((
            number,
            [
                number_of(band, "wavelengthCenterOfBand")?,
                number_of(band, "FWHMOfBand")?,
                number_of(band, "GainOfBand")?,
                number_of(band, "OffsetOfBand")?,
            ],
        ));
    }
    bands.sort_by_key(|(number, _)| *number);
    if bands.is_empty() || bands.iter().enumerate().any(|(nth, (number, _))| nth + 1 != *number) {
        return bad!("the bands are not numbered from 1 to {}", bands.len());
    }
    let column = |which: usize| bands.iter().map(move |(_, values)| values[which]);
    let mut product = Described { bands: bands.len(), ..Described::default() };
    product.meta.wavelengths_nm = Some(column(0).map(|v| v as f32).collect());
    product.meta.fwhm_nm = Some(column(1).map(|v| v as f32).collect());
    let [gain, offset] = [column(2).next(), column(3).next()];
    let same = column(2).all(|v| Some(v) == gain) && column(3).all(|v| Some(v) == offset);
    if same {
        (product.meta.scale, product.meta.offset) = (gain, offset);
    } else {
        for (name, which) in [("SCALE", 2), ("OFFSET", 3)] {
            let texts = column(which).map(|v| v.to_string()).collect();
            let key = format!("item |{}|{name}", name.to_lowercase());
            product.extras.push((key, Extra::PerBand(texts)));
        }
    }
    product.meta.bad_bands = missing_bands(root, bands.len())?;
    if let Some(node) = find("backgroundValue") {
        let text = node.text().unwrap_or_default().trim();
        match text.parse::<f64>() {
            Ok(value) => product.background = Some(value),
            Err(_) => return bad!("`backgroundValue` is `{text}`"),
        }
    }
    let name = root.children().find(|node| node.has_tag_name("metadata"));
    let comment = name.and_then(|node| node.children().find(|node| node.has_tag_name("comment")));
    product.meta.description =
        comment.and_then(|node| node.text()).map(|text| text.trim().to_owned());
    for name in KEPT {
        if let Some(text) = find(name).and_then(|node| node.text()) {
            let key = format!("item ENMAP||{name}");
            product.extras.push((key, Extra::Text(text.trim().to_owned())));
        }
    }
    Ok(product)
}

/// Flags of the bands that the detectors should have delivered and did not. Their lists count
/// channels as the bands are numbered.
fn missing_bands(root: Node<'_, '_>, bands: usize) -> Parsed<Option<Vec<bool>>> {
    let mut flags = vec![false; bands];
    for list in root.descendants().filter(|node| node.has_tag_name("missingChannelsList")) {
        let text = list.text().unwrap_or_default();
        for number in text.split(',').map(str::trim).filter(|number| !number.is_empty()) {
            let Ok(number) = number.parse::<usize>() else {
                return bad!("`missingChannelsList` has `{number}`");
            };
            // Channels that are no bands of the product.
            if let Some(flag) = number.checked_sub(1).and_then(|band| flags.get_mut(band)) {
                *flag = true;
            }
        }
    }
    Ok(flags.contains(&true).then_some(flags))
}

fn number_of(band: Node<'_, '_>, name: &str) -> Parsed<f64> {
    let node = band.children().find(|node| node.has_tag_name(name));
    let text = node.and_then(|node| node.text()).unwrap_or_default().trim();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => bad!("`{name}` of a band is `{text}`"),
    }
}
