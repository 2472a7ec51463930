//! Files to cubes and back. The format of a file is told from its content, not from its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Zip;

use crate::atomic::write_atomically;
use crate::cube::Cube;
use crate::error::{Error, Result};
use crate::meta::{Axes, Format, SampleType, equals_nodata};
use crate::npy;
use crate::sidecar::{read_sidecar, write_sidecar};

/// How a cube is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// Order of the stored axes; `Auto` is the custom of the format.
    pub axes: Axes,
    /// Name of the variable, for formats that hold several; `.npy` files hold one.
    pub variable: Option<String>,
    /// The nodata value, in place of what the file or its JSON says.
    pub nodata: Option<f64>,
}

/// How a cube is written. What is `None` is as in the cube's source, or the format's custom for a
/// cube without one (for `.npy`: little-endian `f4`, C order, band-first).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// File format; by default that of the file name's extension.
    pub format: Option<Format>,
    /// Type of the samples; integers are rounded (ties to even) and clamped to their range.
    pub dtype: Option<SampleType>,
    /// Whether the first axis varies fastest.
    pub fortran_order: Option<bool>,
    /// Whether the samples are big-endian.
    pub big_endian: Option<bool>,
    /// Order of the axes; `Auto` is that of the source.
    pub axes: Axes,
}

impl Format {
    /// Tells the format of a file from its first bytes.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] naming the supported formats, [`Error::WrongKind`] for a folder,
    /// [`Error::Io`].
    pub fn sniff(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.is_dir() {
            return Err(Error::WrongKind { path: path.to_path_buf(), expected: "file" });
        }
        let mut head = Vec::new();
        file.take(16).read_to_end(&mut head).map_err(Error::io(path))?;
        if head.starts_with(npy::MAGIC) {
            return Ok(Self::Npy);
        }
        Err(Self::unknown(path))
    }

    /// Tells the format from the extension of a file name.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] naming the supported formats.
    pub fn from_extension(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let has =
            |format: &&Self| extension.as_deref().is_some_and(|e| format.extensions().contains(&e));
        Self::ALL.iter().find(has).copied().ok_or_else(|| Self::unknown(path))
    }

    fn unknown(path: &Path) -> Error {
        let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
        Error::UnknownFormat { path: path.to_path_buf(), supported: names.join(", ") }
    }
}

/// Reads a cube, with the metadata of the file or of a JSON file of the same stem.
///
/// The JSON file may hold `wavelengths_nm`, `fwhm_nm`, `bad_bands` (lists, one entry a band),
/// `nodata`, `scale`, `offset` and `geo`; every key is optional.
///
/// # Errors
/// [`Error::UnknownFormat`] if the content is of no supported format, [`Error::Sidecar`] or
/// [`Error::MetaLength`] if the metadata is wrong, and those of the format, such as
/// [`Error::FileSize`], [`Error::UnsupportedDtype`], [`Error::NotACube`].
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Cube> {
    let path = path.as_ref();
    match Format::sniff(path)? {
        Format::Npy => {
            let mut meta = read_sidecar(path)?;
            let (data, source) = npy::read_cube(path, options.axes)?;
            meta.source = Some(source);
            meta.nodata = options.nodata.or(meta.nodata);
            Cube::new(data, meta)
        }
    }
}

/// Writes a cube in the form that it was read from, or as the options say.
///
/// The file appears whole or not at all: it is written under a temporary name in the same folder
/// and renamed. Metadata that the format cannot hold goes to a JSON file of the same stem; keys
/// of such a file that this crate does not know are kept.
///
/// # Errors
/// [`Error::UnknownFormat`] if neither options nor extension tell a format,
/// [`Error::NanToInteger`] if NaN samples were to become integers and no nodata value stands for
/// them, [`Error::Io`].
pub fn save(cube: &Cube, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
    let path = path.as_ref();
    let format = match options.format {
        Some(format) => format,
        None => Format::from_extension(path)?,
    };
    match format {
        Format::Npy => {
            let options = npy_options(cube, options);
            let cleaned = without_nan(cube, path, options.dtype)?;
            let view = cleaned.as_ref().map_or_else(|| cube.view(), |data| data.view());
            write_atomically(
                path,
                |file| npy::write_to(file, view, options),
                || write_sidecar(path, cube.meta()),
            )
        }
    }
}

fn npy_options(cube: &Cube, options: &SaveOptions) -> npy::NpyOptions {
    let source = cube.meta().source.as_ref();
    let custom = npy::NpyOptions::default();
    let fortran = source.map_or(custom.fortran_order, |source| source.fortran_order);
    let big = source.map_or(custom.big_endian, |source| source.big_endian);
    let axes = source.map_or(custom.axes, |source| source.axes);
    npy::NpyOptions {
        dtype: options.dtype.or(source.map(|source| source.dtype)).unwrap_or(custom.dtype),
        fortran_order: options.fortran_order.unwrap_or(fortran),
        big_endian: options.big_endian.unwrap_or(big),
        axes: options.axes.or(axes),
    }
}

/// The samples with NaN replaced by nodata, if they are to become integers and any is NaN.
fn without_nan(
    cube: &Cube,
    path: &Path,
    dtype: SampleType,
) -> Result<Option<ndarray::Array3<f32>>> {
    if dtype.is_float() {
        return Ok(None);
    }
    let count = cube.view().iter().filter(|v| v.is_nan()).count();
    if count == 0 {
        return Ok(None);
    }
    let nodata = cube.meta().nodata.map(|v| v as f32).filter(|v| !equals_nodata(*v, f32::NAN));
    let nodata =
        nodata.ok_or_else(|| Error::NanToInteger { path: path.to_path_buf(), count, dtype })?;
    let mut data = cube.view().to_owned();
    Zip::from(&mut data).par_for_each(|v| {
        if v.is_nan() {
            *v = nodata;
        }
    });
    Ok(Some(data))
}
