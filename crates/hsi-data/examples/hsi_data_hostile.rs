//! Reads forged files of a format and counts what came of them: `cargo xtask hostile` runs it.
//!
//! ```console
//! $ cargo run -p hsi-data --example hsi_data_hostile -- hdf5 1000
//! ```
//!
//! Prints one JSON object. The heap is held to a limit: whatever asks for more ends the program. The
//! peak that is stated is that of reading, without what the forging takes.

#[path = "../tests/forge/mod.rs"]
mod forge;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes that may be allocated at once.
const LIMIT: usize = 256 << 20;

/// Counts what is allocated and refuses more than [`LIMIT`].
struct Limited;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static READING: AtomicBool = AtomicBool::new(false);

// SAFETY: every call is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        if now > LIMIT {
            NOW.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        if READING.load(Ordering::Relaxed) {
            PEAK.fetch_max(now, Ordering::Relaxed);
        }
        // SAFETY: the layout is the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        eprintln!("usage: hsi_data_hostile FORMAT|formats [CASES]");
        ExitCode::from(2)
    };
    let Some(format) = words.first() else { return usage() };
    let formats = forge::formats();
    if format == "formats" {
        say(&serde_json::json!({ "formats": formats }));
        return ExitCode::SUCCESS;
    }
    let cases = words.get(1).map_or(Ok(1000), |cases| cases.parse());
    let (true, Ok(cases)) = (formats.contains(&format.as_str()), cases) else { return usage() };
    let outcome = forge::run(format, cases, 17, LIMIT, |reading| {
        READING.store(reading, Ordering::Relaxed);
    });
    let line = serde_json::json!({
        "format": format,
        "cases": outcome.cases,
        "recognised": outcome.recognised,
        "past_header": outcome.past_header,
        "read": outcome.read,
        "panics": outcome.panics,
        "slowest_ms": outcome.slowest.as_secs_f64() * 1e3,
        "peak_bytes": PEAK.load(Ordering::Relaxed),
        "limit_bytes": LIMIT,
    });
    say(&line);
    if outcome.panics.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A reader that went away does not matter.
fn say(line: &serde_json::Value) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
