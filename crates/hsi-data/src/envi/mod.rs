//! ENVI: a text header (`.hdr`) beside a file of bare samples.
//!
//! # References
//! - NV5 Geospatial, "ENVI Header Files".

mod geo;
mod header;
mod meta;
mod read;
mod write;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::meta::{Axes, Format};

pub(crate) use header::is_header;
pub(crate) use meta::nanometres;
pub(crate) use read::EnviReader;
pub(crate) use write::EnviWriter;

/// Endings that the file of samples may have beside a header of the same stem.
const DATA_ENDINGS: [&str; 14] = [
    "img", "dat", "bsq", "bil", "bip", "raw", "bin", "sli", "envi", "IMG", "DAT", "BSQ", "BIL",
    "BIP",
];

/// The header beside a file of samples: `scene.img.hdr` or `scene.hdr`.
pub(crate) fn header_beside(data: &Path) -> Option<PathBuf> {
    let appended = |ending: &str| {
        let mut name = data.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let candidates =
        [appended("hdr"), data.with_extension("hdr"), appended("HDR"), data.with_extension("HDR")];
    candidates.into_iter().find(|path| path != data && is_header(path))
}

/// The file of samples that a header belongs to.
fn data_beside(header: &Path) -> Result<PathBuf> {
    let stem = header.with_extension("");
    let named = DATA_ENDINGS.iter().map(|ending| {
        let mut name = stem.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    });
    let mut candidates = std::iter::once(stem.clone()).chain(named);
    candidates.find(|path| path.is_file() && path != header).ok_or_else(|| Error::Malformed {
        path: header.to_path_buf(),
        format: Format::Envi,
        reason: format!("there is no file of samples `{}` or `{0}.img`", stem.display()),
    })
}

/// The interleaving that the name of a file of samples promises.
pub(crate) fn named_axes(path: &Path) -> Axes {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("bsq") => Axes::Bhw,
        Some("bil") => Axes::Hbw,
        Some("bip") => Axes::Hwb,
        _ => Axes::Auto,
    }
}

fn malformed(path: &Path, reason: impl Into<String>) -> Error {
    Error::Malformed { path: path.to_path_buf(), format: Format::Envi, reason: reason.into() }
}
