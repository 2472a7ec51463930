//! What a benchmark prints, and what is stored of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::machine::Machine;

/// What has to be equal for two measurements to be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) op: String,
    #[serde(deserialize_with = "text_or_list")]
    pub(crate) shape: String,
    pub(crate) direction: String,
    pub(crate) threads: usize,
    pub(crate) dtype: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, shape, direction, threads, dtype } = self;
        write!(f, "`{op} {shape} {direction} {threads} {dtype}`")
    }
}

/// A shape is a text or a list of sizes, `[1, 256, 128, 128]`.
fn text_or_list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Array(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(Value::to_string).collect();
            sizes.join("x")
        }
        other => other.to_string(),
    })
}

/// One line of a program that measures.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    key: Key,
    median_ms: f64,
    /// Name and version of what was measured.
    library: Option<String>,
}

/// Reads the lines that a program printed.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            let parsed: Line = serde_json::from_str(line)
                .with_context(|| format!("line {} is not a row: {line}", i + 1))?;
            if !(parsed.median_ms.is_finite() && parsed.median_ms > 0.0) {
                bail!("line {} has no time: {line}", i + 1);
            }
            Ok(parsed)
        })
        .collect()
}

/// The times of one side, one a round and row.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    times: BTreeMap<Key, Vec<f64>>,
    library: Option<String>,
}

impl Runs {
    /// Adds the lines of one round.
    pub(crate) fn add(&mut self, lines: Vec<Line>) -> Result<()> {
        let mut round = BTreeMap::new();
        for line in lines {
            self.library = line.library.or(self.library.take());
            if let Some((key, _)) = round.remove_entry(&line.key) {
                bail!("the row {key} was printed twice");
            }
            round.insert(line.key, line.median_ms);
        }
        for (key, time) in round {
            self.times.entry(key).or_default().push(time);
        }
        Ok(())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.times.keys()
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.times.contains_key(key)
    }

    pub(crate) fn library(&self) -> Option<&str> {
        self.library.as_deref()
    }

    /// Median over the rounds.
    fn median(&self, key: &Key) -> Option<f64> {
        let mut times = self.times.get(key)?.clone();
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        Some(if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(times[middle - 1], times[middle])
        })
    }
}

/// One row of a stored benchmark. The peer's fields are missing where it did not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) key: Key,
    pub(crate) ours_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer_ms: Option<f64>,
    /// Time of ours over time of the peer: below one, ours is faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
}

/// Compares the two sides row by row, in the order of the keys.
pub(crate) fn rows(ours: &Runs, peer: &Runs) -> Vec<Row> {
    let round = |value: f64, digits: i32| {
        let factor = 10f64.powi(digits);
        (value * factor).round() / factor
    };
    let row = |key: &Key| {
        let time = ours.median(key)?;
        let peer_time = peer.median(key);
        Some(Row {
            key: key.clone(),
            ours_ms: round(time, 5),
            peer_ms: peer_time.map(|t| round(t, 5)),
            ratio: peer_time.map(|t| round(time / t, 3)),
        })
    };
    ours.keys().filter_map(row).collect()
}

/// One side of a stored benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) library: Option<String>,
    /// Why it could not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<String>,
}

/// A stored benchmark, `results/<bench>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) bench: String,
    pub(crate) title: String,
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// Environment variables of both sides.
    pub(crate) threads: BTreeMap<String, usize>,
    pub(crate) settings: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) ours: Side,
    pub(crate) peer: Side,
    pub(crate) rows: Vec<Row>,
}

impl Record {
    /// The rows for a terminal.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for Row { key, ours_ms, peer_ms, ratio } in &self.rows {
            let Key { op, shape, direction, threads, dtype } = key;
            let number = |value: &Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
            let (peer, ratio) = (number(peer_ms), number(ratio));
            // Writing to a `String` does not fail.
            let _ = writeln!(
                text,
                "{op:20} {shape:28} {direction:10} {threads:2} {dtype:4} {ours_ms:12.3} ms \
                 {peer:>12} ms {ratio:>8}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(op: &str, threads: usize, ms: f64) -> String {
        format!(
            r#"{{"op":"{op}","shape":[2,3],"direction":"fwd","threads":{threads},"dtype":"f32","median_ms":{ms},"library":"lib 1"}}"#
        )
    }

    fn runs(rounds: &[&[(&str, usize, f64)]]) -> Runs {
        let mut runs = Runs::default();
        for round in rounds {
            let text: Vec<String> = round.iter().map(|(op, t, ms)| line(op, *t, *ms)).collect();
            runs.add(parse(&text.join("\n")).expect("rows")).expect("no row twice");
        }
        runs
    }

    #[test]
    fn rows_are_matched_and_medians_taken() {
        let ours = runs(&[
            &[("conv", 1, 5.0), ("gelu", 1, 1.0)],
            &[("conv", 1, 1.0), ("gelu", 1, 2.0)],
            &[("conv", 1, 2.0)],
        ]);
        let peer = runs(&[&[("conv", 1, 4.0), ("gelu", 2, 1.0)]]);
        let rows = rows(&ours, &peer);
        assert_eq!(rows.len(), 2);
        let conv = (rows[0].ours_ms, rows[0].peer_ms, rows[0].ratio);
        assert_eq!(conv, (2.0, Some(4.0), Some(0.5)));
        assert_eq!(rows[0].key.shape, "2x3");
        // Other threads are another row, and a row without a peer has no ratio.
        assert_eq!((rows[1].ours_ms, rows[1].peer_ms, rows[1].ratio), (1.5, None, None));
        assert!(!serde_json::to_string(&rows[1]).expect("json").contains("ratio"));
        assert_eq!(ours.library(), Some("lib 1"));
    }

    #[test]
    fn lines_that_are_no_rows_are_refused() {
        assert_eq!(parse("\n").expect("nothing").len(), 0);
        for bad in ["hello", "{}", &line("a", 1, 0.0), &line("a", 1, -1.0)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let twice = format!("{0}\n{0}", line("a", 1, 1.0));
        let error = Runs::default().add(parse(&twice).expect("rows")).expect_err("twice");
        assert_eq!(error.to_string(), "the row `a 2x3 fwd 1 f32` was printed twice");
    }
}
