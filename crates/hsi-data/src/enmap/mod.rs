//! Products of EnMAP's level L2A, folders or zip archives of them: `*-SPECTRAL_IMAGE.TIF`,
//! `*-METADATA.XML` and quality layers.
//!
//! # References
//! - DLR, "EnMAP HSI Level 1B/Level 1C/Level 2A Product Specification", EN-PCV-ICD-2009.

mod archive;
mod masks;
mod metadata;
mod product;
mod read;

use std::path::{Path, PathBuf};

use crate::dataset::sorted_entries;
use crate::error::{Error, Result};
use crate::meta::Format;

pub(crate) use archive::MAGIC as ZIP_MAGIC;
pub use masks::QualityMask;
pub use product::{Product, ProductLayer, product};
pub(crate) use read::EnMapReader;

const METADATA: &str = "-METADATA.XML";
const IMAGE: &str = "-SPECTRAL_IMAGE";
const MASK: &str = "-QL_PIXELMASK";
const IMAGE_ENDINGS: [&str; 4] = ["TIF", "TIFF", "tif", "tiff"];

/// The metadata file of a product: of its folder, or that file itself.
pub(crate) fn metadata_of(path: &Path) -> Result<Option<PathBuf>> {
    let is_metadata = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().to_uppercase().ends_with(METADATA))
    };
    if path.is_file() {
        return Ok(is_metadata(path).then(|| path.to_path_buf()));
    }
    let mut found = sorted_entries(path, false)?.into_iter().filter(|path| is_metadata(path));
    let first = found.next();
    if let (Some(_), Some(_)) = (&first, found.next()) {
        let reason = format!("the folder holds several `*{METADATA}`: name one of them");
        return Err(Error::Malformed { path: path.to_path_buf(), format: Format::EnMap, reason });
    }
    Ok(first)
}

/// Whether a zip archive holds a product.
pub(crate) fn is_archive(path: &Path) -> Result<bool> {
    Ok(archive::Archive::open(path)?.is_some())
}

/// A layer beside the metadata, whatever the case of its ending.
fn layer(metadata: &Path, name: &str) -> Option<PathBuf> {
    let file = metadata.file_name()?.to_string_lossy().into_owned();
    let stem = file.get(..file.len().checked_sub(METADATA.len())?)?;
    let named = |ending: &&str| metadata.with_file_name(format!("{stem}{name}.{ending}"));
    IMAGE_ENDINGS.iter().map(named).find(|path| path.is_file())
}
