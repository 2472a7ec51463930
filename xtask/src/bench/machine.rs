//! Where and when something was measured.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::workspace;

/// The machine that measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) os: String,
}

/// Describes this machine.
pub(crate) fn describe() -> Machine {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok();
    let cpu = cpu.as_deref().and_then(|text| value_of(text, "model name", ':'));
    let system = fs::read_to_string("/etc/os-release").ok();
    let system = system.as_deref().and_then(|text| value_of(text, "PRETTY_NAME", '='));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Machine {
        cpu: cpu.unwrap_or("unknown").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        os: system.map_or_else(|| format!("{os} {arch}"), |name| format!("{os} {arch}, {name}")),
    }
}

/// The value of the first line `key <separator> value`.
fn value_of<'a>(text: &'a str, key: &str, separator: char) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(separator)?;
        (name.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}

/// The commit that is checked out, and whether files differ from it.
pub(crate) fn commit() -> String {
    let Ok(commit) = workspace::output("git", &["rev-parse", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = workspace::output("git", &["status", "--porcelain", "--untracked-files=no"]);
    let clean = changed.is_ok_and(|text| text.trim().is_empty());
    format!("{}{}", commit.trim(), if clean { "" } else { " with changes" })
}

/// The day in UTC, `2026-11-23`.
pub(crate) fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (year, month, day) = date_of(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01.
fn date_of(days: u64) -> (u64, u64, u64) {
    let is_leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let (mut year, mut rest) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, want) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (20_780, (2026, 11, 23)),
            (20_818, (2026, 12, 31)),
            (20_819, (2027, 1, 1)),
        ] {
            assert_eq!(date_of(days), want, "{days}");
        }
    }

    #[test]
    fn values_are_found_in_system_files() {
        let text = "processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: Other\n";
        assert_eq!(value_of(text, "model name", ':'), Some("Some CPU: fast"));
        assert_eq!(value_of("A=1\nPRETTY_NAME=\"Linux 1\"\n", "PRETTY_NAME", '='), Some("Linux 1"));
        assert_eq!(value_of("", "model name", ':'), None);
    }
}
