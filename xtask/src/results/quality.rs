//! Quality figures: the form of `metrics.json`, and how its numbers are written.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::figure::Figure;

/// A stored `metrics.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Quality {
    pub(crate) title: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) commit: Option<String>,
    #[serde(default)]
    pub(crate) protocol: Map<String, Value>,
    pub(crate) rows: Vec<Map<String, Value>>,
    pub(crate) figure: Option<Figure>,
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    /// Whatever stands there.
    Plain,
    /// A fixed number of decimals.
    Fixed(usize),
    /// Three significant digits.
    Significant,
    /// A whole number with commas.
    Count,
    /// Bytes as MiB.
    Mebibytes,
}

/// The known columns, in their order.
const COLUMNS: [(&str, &str, Format); 17] = [
    ("method", "method", Format::Plain),
    ("samples", "samples", Format::Count),
    ("psnr_db", "PSNR (dB)", Format::Fixed(2)),
    ("psnr_global_db", "global PSNR (dB)", Format::Fixed(2)),
    ("ssim", "SSIM", Format::Fixed(4)),
    ("sam_deg", "SAM (deg)", Format::Fixed(2)),
    ("mse", "MSE", Format::Significant),
    ("rmse", "RMSE", Format::Significant),
    ("uiqi", "UIQI", Format::Fixed(4)),
    ("ergas", "ERGAS", Format::Fixed(3)),
    ("seconds_per_sample", "s / sample", Format::Significant),
    ("train_seconds", "training (s)", Format::Fixed(1)),
    ("inference_seconds", "inference (s)", Format::Significant),
    ("parameters", "parameters", Format::Count),
    ("trainable_parameters", "trainable", Format::Count),
    ("stored_bytes", "stored (MiB)", Format::Mebibytes),
    ("peak_bytes", "peak (MiB)", Format::Mebibytes),
];

impl Quality {
    /// Heads and cells of the columns that any row has: the method, texts by name, the known
    /// columns, other numbers by name.
    pub(crate) fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let present: BTreeSet<&str> =
            self.rows.iter().flat_map(Map::keys).map(String::as_str).collect();
        let known = |key: &str| COLUMNS.iter().any(|(name, ..)| *name == key);
        let is_text =
            |key: &str| self.rows.iter().any(|row| row.get(key).is_some_and(Value::is_string));
        let own = |text: bool| {
            let own = present.iter().filter(move |key| !known(key) && is_text(key) == text);
            own.map(|key| (*key, *key, Format::Plain))
        };
        let (method, numbers) = COLUMNS.split_at(1);
        let here = |columns: &[(&'static str, &'static str, Format)]| {
            let columns = columns.iter().filter(|(key, ..)| present.contains(key));
            columns.copied().collect::<Vec<_>>()
        };
        let columns: Vec<(&str, &str, Format)> = here(method)
            .into_iter()
            .chain(own(true))
            .chain(here(numbers))
            .chain(own(false))
            .collect();
        let heads = columns.iter().map(|(_, head, _)| (*head).to_owned()).collect();
        let cells = self
            .rows
            .iter()
            .map(|row| columns.iter().map(|(key, _, format)| format.cell(row.get(*key))).collect());
        (heads, cells.collect())
    }
}

impl Format {
    fn cell(self, value: Option<&Value>) -> String {
        let value = value.unwrap_or(&Value::Null);
        let Some(number) = value.as_f64() else {
            return text(value);
        };
        match self {
            Self::Plain => text(value),
            Self::Fixed(decimals) => format!("{number:.decimals$}"),
            Self::Significant => significant(number),
            Self::Count => count(number),
            Self::Mebibytes => format!("{:.1}", number / f64::from(1 << 20)),
        }
    }
}

/// A value as text; what is not there is a dash.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Three significant digits.
pub(crate) fn significant(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let exponent = number.abs().log10().floor() as i32;
    match exponent {
        -3..=2 => format!("{number:.*}", (2 - exponent) as usize),
        3..=5 => format!("{number:.0}"),
        _ => format!("{number:.2e}"),
    }
}

/// A whole number with a comma between thousands.
fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_their_column() {
        for (number, want) in [
            (0.0, "0"),
            (0.000_123_4, "1.23e-4"),
            (0.001_234, "0.00123"),
            (0.1, "0.100"),
            (12.345, "12.3"),
            (123.4, "123"),
            (12_345.6, "12346"),
            (1e9, "1.00e9"),
        ] {
            assert_eq!(significant(number), want);
        }
        for (number, want) in
            [(0.0, "0"), (999.0, "999"), (1e3, "1,000"), (35_031_370.0, "35,031,370")]
        {
            assert_eq!(count(number), want);
        }
        assert_eq!(Format::Mebibytes.cell(Some(&Value::from(3 << 19))), "1.5");
        assert_eq!(Format::Fixed(2).cell(None), "-");
        assert_eq!(Format::Fixed(2).cell(Some(&Value::from("inf"))), "inf");
    }

    #[test]
    fn columns_have_an_order() {
        let text = r#"{ "rows": [
            { "ssim": 0.5, "method": "noisy", "psnr_db": 11.349, "zeta": 3 },
            { "method": "unet", "data": "mini", "parameters": 1234 }
        ] }"#;
        let quality: Quality = serde_json::from_str(text).expect("rows");
        let (heads, cells) = quality.table();
        assert_eq!(heads, ["method", "data", "PSNR (dB)", "SSIM", "parameters", "zeta"]);
        assert_eq!(cells[0], ["noisy", "-", "11.35", "0.5000", "-", "3"]);
        assert_eq!(cells[1], ["unet", "mini", "-", "-", "1,234", "-"]);
    }
}
