//! The page that is made of the stored results.

use std::fmt::Write as _;

use super::Stored;
use super::quality::{Quality, significant, text};
use crate::bench::{Record, Row, Side};

const HEAD: &str = "\
# Results

Made by `cargo xtask results` from `results/*.json`; a change by hand is lost.
";

/// The whole page: quality first, then speed, each in the order given.
pub(crate) fn page(stored: &[(String, Stored)]) -> String {
    let mut quality = String::new();
    let mut speed = String::new();
    for (name, stored) in stored {
        match stored {
            Stored::Quality(one) => quality += &quality_section(name, one),
            Stored::Bench(one) => speed += &bench_section(one),
        }
    }
    let mut page = HEAD.to_owned();
    if stored.is_empty() {
        page += "\nNo results are stored yet.\n";
    }
    if !quality.is_empty() {
        page += "\n## Quality\n";
        page += &quality;
    }
    if !speed.is_empty() {
        page += "\n## Speed\n\n";
        page += "Medians over rounds that run ours and the peer in turn. The ratio is the time of ours over\n";
        page += "the time of the peer: below 1, ours is faster.\n";
        page += &speed;
    }
    page
}

/// Where the figure of a stored file lies, seen from the page.
pub(crate) fn figure_path(name: &str) -> String {
    format!("figures/{name}.svg")
}

fn quality_section(name: &str, quality: &Quality) -> String {
    let mut out = format!("\n### {}\n", quality.title.as_deref().unwrap_or(name));
    if let Some(note) = &quality.note {
        paragraph(&mut out, note);
    }
    if !quality.protocol.is_empty() {
        let parts = quality.protocol.iter().map(|(key, value)| format!("{key} `{}`", text(value)));
        paragraph(&mut out, &format!("Protocol: {}.", parts.collect::<Vec<_>>().join(", ")));
    }
    let made = [("on", &quality.date), ("at commit", &quality.commit)];
    let made = made.iter().filter_map(|(how, what)| Some(format!("{how} {}", what.as_ref()?)));
    let made: Vec<String> = made.collect();
    if !made.is_empty() {
        paragraph(&mut out, &format!("Measured {}.", made.join(" ")));
    }
    if let Some(command) = &quality.command {
        console(&mut out, &[command]);
    }
    if let Some(figure) = &quality.figure {
        let about = format!("{} against {}, a line for each {}", figure.y, figure.x, figure.lines);
        paragraph(&mut out, &format!("![{about}]({})", figure_path(name)));
    }
    let (heads, cells) = quality.table();
    table(&mut out, &heads, &cells);
    out
}

fn bench_section(record: &Record) -> String {
    let Record { machine, threads, settings, rounds, ours, peer, .. } = record;
    let mut out = format!("\n### {}\n", record.title);
    let threads: Vec<String> =
        threads.iter().map(|(key, value)| format!("`{key}={value}`")).collect();
    let cores =
        if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    paragraph(
        &mut out,
        &format!(
            "{}, {cores}, {}; {}; {rounds} rounds, on {} at commit {}.",
            machine.cpu,
            machine.os,
            threads.join(", "),
            record.date,
            record.commit,
        ),
    );
    let sides = [("ours", ours), ("peer", peer)];
    let libraries = sides.iter().filter_map(|(name, side)| Some((name, side.library.as_ref()?)));
    let libraries: Vec<String> = libraries.map(|(name, lib)| format!("{name}: {lib}")).collect();
    let settings: Vec<String> = libraries.into_iter().chain(settings.iter().cloned()).collect();
    if !settings.is_empty() {
        paragraph(&mut out, &format!("Settings: {}.", settings.join("; ")));
    }
    if let Side { skipped: Some(reason), .. } = peer {
        paragraph(&mut out, &format!("The peer did not run: {reason}."));
    }
    console(&mut out, &[&ours.command, &peer.command]);
    let heads = ["op", "shape", "direction", "threads", "dtype", "ours (ms)", "peer (ms)", "ratio"];
    let cells: Vec<Vec<String>> = record.rows.iter().map(bench_cells).collect();
    table(&mut out, &heads.map(str::to_owned), &cells);
    out
}

fn bench_cells(row: &Row) -> Vec<String> {
    let key = &row.key;
    let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    vec![
        key.op.clone(),
        key.shape.clone(),
        key.direction.clone(),
        key.threads.to_string(),
        key.dtype.clone(),
        significant(row.ours_ms),
        optional(row.peer_ms.map(significant)),
        optional(row.ratio.map(|ratio| format!("{ratio:.2}"))),
    ]
}

/// A paragraph after an empty line.
fn paragraph(out: &mut String, text: &str) {
    // Writing to a `String` does not fail.
    let _ = write!(out, "\n{}\n", text.trim());
}

/// Commands as one would type them.
fn console(out: &mut String, commands: &[&String]) {
    *out += "\n```console\n";
    for command in commands {
        *out += "$ ";
        *out += command.trim();
        *out += "\n";
    }
    *out += "```\n";
}

/// A table; texts that hold the column mark are escaped.
fn table(out: &mut String, heads: &[String], rows: &[Vec<String>]) {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    *out += "\n";
    *out += &line(heads);
    *out += &line(&vec!["---".to_owned(); heads.len()]);
    for row in rows {
        *out += &line(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, text: &str) -> (String, Stored) {
        (name.to_owned(), Stored::parse(text).expect("a stored result"))
    }

    const QUALITY: &str = r#"{
        "title": "Held-out patches", "note": "Quick.", "command": "cargo run --example a",
        "protocol": { "seed": 42, "noise": "paper" },
        "rows": [{ "method": "a|b", "psnr_db": 20.0 }]
    }"#;

    const BENCH: &str = r#"{
        "bench": "x", "title": "X against Y", "date": "2026-11-23", "commit": "abc",
        "machine": { "cpu": "C", "cores": 2, "os": "linux" },
        "threads": { "OMP_NUM_THREADS": 2 }, "settings": ["warm"], "rounds": 3,
        "ours": { "command": "a" }, "peer": { "command": "b", "library": "torch 2" },
        "rows": [
            { "op": "conv", "shape": "1x2", "direction": "forward", "threads": 2, "dtype": "f32",
              "ours_ms": 2.0, "peer_ms": 4.0, "ratio": 0.5 },
            { "op": "gelu", "shape": "1x2", "direction": "forward", "threads": 2, "dtype": "f32",
              "ours_ms": 1.5 }
        ]
    }"#;

    #[test]
    fn a_page_has_both_parts() {
        let got = page(&[stored("x", BENCH), stored("q", QUALITY)]);
        let want = "\
# Results

Made by `cargo xtask results` from `results/*.json`; a change by hand is lost.

## Quality

### Held-out patches

Quick.

Protocol: noise `paper`, seed `42`.

```console
$ cargo run --example a
```

| method | PSNR (dB) |
| --- | --- |
| a\\|b | 20.00 |

## Speed

Medians over rounds that run ours and the peer in turn. The ratio is the time of ours over
the time of the peer: below 1, ours is faster.

### X against Y

C, 2 cores, linux; `OMP_NUM_THREADS=2`; 3 rounds, on 2026-11-23 at commit abc.

Settings: peer: torch 2; warm.

```console
$ a
$ b
```

| op | shape | direction | threads | dtype | ours (ms) | peer (ms) | ratio |
| --- | --- | --- | --- | --- | --- | --- | --- |
| conv | 1x2 | forward | 2 | f32 | 2.00 | 4.00 | 0.50 |
| gelu | 1x2 | forward | 2 | f32 | 1.50 | - | - |
";
        assert_eq!(got, want);
    }

    #[test]
    fn no_results_are_said() {
        assert!(page(&[]).ends_with("\nNo results are stored yet.\n"));
    }

    #[test]
    fn other_json_is_refused() {
        for bad in ["[]", "{}", r#"{ "bench": "x" }"#, "rows"] {
            assert!(Stored::parse(bad).is_err(), "{bad}");
        }
    }
}
