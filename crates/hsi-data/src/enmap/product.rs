//! What a product is: its metadata and the layers beside them, in a folder or a zip archive.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::archive::Archive;
use super::metadata::{self, Described};
use super::{METADATA, ZIP_MAGIC, metadata_of};
use crate::dataset::sorted_entries;
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::io::OpenOptions;
use crate::meta::{CubeMeta, Format};

/// Bytes that a metadata file may have.
const MOST_XML: u64 = 64 << 20;

/// An EnMAP product without its samples: what can be told of one whose image is missing or empty.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Product {
    /// What `METADATA.XML` says of the image.
    pub meta: CubeMeta,
    /// Bands that it describes.
    pub bands: usize,
    /// The files of the product but for the metadata, by name.
    pub layers: Vec<ProductLayer>,
}

/// A file of an EnMAP product.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProductLayer {
    /// Name without what all files of the product start with, such as `QL_PIXELMASK.TIF`.
    pub name: String,
    /// Length of the file, unpacked.
    pub bytes: u64,
}

impl fmt::Display for ProductLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            0 => write!(f, "`{}`, empty", self.name),
            bytes => write!(f, "`{}`, {bytes} bytes", self.name),
        }
    }
}

/// Reads the metadata of an EnMAP product (its folder, its metadata file or a zip archive) and
/// lists its layers; the image is not looked at.
///
/// # Errors
/// [`Error::Malformed`] if the metadata are missing or cannot be understood, [`Error::Limit`] if
/// they are larger than 64 MiB, [`Error::Io`].
pub fn product(path: impl AsRef<Path>) -> Result<Product> {
    let path = path.as_ref();
    let (metadata, files, _unpacked) = if is_zip(path)? {
        let archive = Archive::open(path)?.ok_or_else(|| without_metadata(path))?;
        let options = OpenOptions { max_unpacked: Some(MOST_XML), ..OpenOptions::default() };
        let unpacked = archive.unpack(path, &options, is_metadata)?;
        let files = archive.entries.iter().map(|entry| (entry.name.clone(), entry.bytes));
        (metadata_in(path, unpacked.path())?, files.collect::<Vec<_>>(), Some(unpacked))
    } else {
        let metadata = metadata_in(path, path)?;
        let mut files = Vec::new();
        let folder = metadata.parent().filter(|folder| !folder.as_os_str().is_empty());
        for file in sorted_entries(folder.unwrap_or(Path::new(".")), false)? {
            let bytes = fs::metadata(&file).map_err(Error::io(&file))?.len();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, bytes));
        }
        (metadata, files, None)
    };
    let described = described(&metadata)?;
    let file = metadata.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = file.get(..file.len().saturating_sub(METADATA.len())).unwrap_or_default();
    let layer = |(name, bytes): (String, u64)| {
        let name = name.strip_prefix(stem)?.strip_prefix('-')?.to_owned();
        (!is_metadata(&format!("-{name}"))).then_some(ProductLayer { name, bytes })
    };
    let mut layers: Vec<ProductLayer> = files.into_iter().filter_map(layer).collect();
    layers.sort_by(|a, b| a.name.cmp(&b.name));
    let meta = CubeMeta { nodata: described.background, ..described.meta };
    Ok(Product { meta, bands: described.bands, layers })
}

/// The metadata file of a product. The files of a zip archive that are `wanted` are unpacked
/// beside it, to a folder that vanishes with its handle.
pub(super) fn located(
    path: &Path,
    options: &OpenOptions,
    wanted: impl Fn(&str) -> bool,
) -> Result<(PathBuf, Option<TempDir>)> {
    if !is_zip(path)? {
        return Ok((metadata_in(path, path)?, None));
    }
    let archive = Archive::open(path)?.ok_or_else(|| without_metadata(path))?;
    let unpacked = archive.unpack(path, options, |name| is_metadata(name) || wanted(name))?;
    Ok((metadata_in(path, unpacked.path())?, Some(unpacked)))
}

/// Reads a metadata file.
pub(super) fn described(metadata: &Path) -> Result<Described> {
    let length = fs::metadata(metadata).map_err(Error::io(metadata))?.len();
    if length > MOST_XML {
        let path = metadata.to_path_buf();
        return Err(Error::Limit { path, bytes: length, limit: MOST_XML });
    }
    let text = fs::read(metadata).map_err(Error::io(metadata))?;
    let text = String::from_utf8(text).map_err(|_| Error::Malformed {
        path: metadata.to_path_buf(),
        format: Format::EnMap,
        reason: "the metadata are not UTF-8".to_owned(),
    })?;
    metadata::parse(&text).at(metadata, Format::EnMap)
}

fn is_metadata(name: &str) -> bool {
    name.to_uppercase().ends_with(METADATA)
}

fn metadata_in(path: &Path, place: &Path) -> Result<PathBuf> {
    metadata_of(place)?.ok_or_else(|| without_metadata(path))
}

fn without_metadata(path: &Path) -> Error {
    let reason = format!("there is no `*{METADATA}`");
    Error::Malformed { path: path.to_path_buf(), format: Format::EnMap, reason }
}

fn is_zip(path: &Path) -> Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(Error::io(path))?;
    file.take(ZIP_MAGIC.len() as u64).read_to_end(&mut head).map_err(Error::io(path))?;
    Ok(head == ZIP_MAGIC)
}
