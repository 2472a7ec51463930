//! GDAL's metadata: items in XML, of the file or of a band.

use roxmltree::{Document, ParsingOptions};

use crate::fault::{Parsed, bad};

/// An item of `GDAL_METADATA`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    /// Group of items; empty is the usual one.
    pub(super) domain: String,
    /// `scale`, `offset`, `description`, ..; empty for plain items.
    pub(super) role: String,
    /// Band, counted from zero.
    pub(super) band: Option<usize>,
    pub(super) value: String,
}

/// Reads the items.
pub(super) fn parse(xml: &str) -> Parsed<Vec<Item>> {
    // Elements take many times the memory of their text.
    let options = ParsingOptions { nodes_limit: 1 << 20, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(xml.trim(), options) {
        Ok(document) => document,
        Err(error) => return bad!("GDAL metadata: {error}"),
    };
    let items = document.root_element().children().filter(|node| node.has_tag_name("Item"));
    Ok(items
        .map(|node| {
            let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
            Item {
                name: attribute("name"),
                domain: attribute("domain"),
                role: attribute("role"),
                band: node.attribute("sample").and_then(|band| band.parse().ok()),
                value: unescaped(node.text().unwrap_or_default()),
            }
        })
        .collect())
}

/// Writes the items.
pub(super) fn render(items: &[Item]) -> String {
    let mut out = String::from("<GDALMetadata>\n");
    for item in items {
        out += "  <Item";
        let band = item.band.map(|band| band.to_string()).unwrap_or_default();
        for (name, value) in [
            ("name", &item.name),
            ("sample", &band),
            ("role", &item.role),
            ("domain", &item.domain),
        ] {
            if !value.is_empty() || name == "name" {
                out.extend([" ", name, "=\"", &escaped(value), "\""]);
            }
        }
        // Values are escaped twice, as GDAL does it and undoes it.
        out.extend([">", &escaped(&escaped(&item.value)), "</Item>\n"]);
    }
    out + "</GDALMetadata>\n"
}

/// Text that is no markup; characters that XML does not have are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\t' => out += "&#9;",
            '\n' => out += "&#10;",
            '\r' => out += "&#13;",
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            sign => out.push(sign),
        }
    }
    out
}

/// Text whose references to characters are resolved.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let resolved = part.split_once(';').and_then(|(name, rest)| {
            let sign = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => char::from_u32(name.strip_prefix('#')?.parse().ok()?)?,
            };
            Some((sign, rest))
        });
        let (sign, rest) = resolved.unwrap_or(('&', part));
        out.push(sign);
        out += rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back() {
        let item = |name: &str, band, value: &str| Item {
            name: name.to_owned(),
            band,
            value: value.to_owned(),
            ..Item::default()
        };
        let items = vec![
            item("a", None, "x < y & \"z\"\n\ttwo"),
            Item { role: "scale".to_owned(), ..item("SCALE", Some(3), "0.1") },
            Item { domain: "IMAGERY".to_owned(), ..item("é<", Some(0), "µm") },
            item("empty", None, ""),
        ];
        assert_eq!(parse(&render(&items)).expect("its own"), items);
        assert!(parse("<GDALMetadata><Item").is_err());
        assert!(parse("<!DOCTYPE a [<!ENTITY b \"c\">]><GDALMetadata/>").is_err());
    }
}
