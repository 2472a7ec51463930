//! Files to cubes and back. The format of a file is told from its content, not from its name.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cube::Cube;
use crate::dataset::sorted_entries;
use crate::enmap::QualityMask;
use crate::envi;
use crate::error::{Error, Result};
use crate::hdf5::Hdf5Backend;
use crate::meta::{Axes, Compression, CubeMeta, Format, SampleType, equals_nodata};
use crate::stream::{CubeReader, CubeWriter, read_all, write_all};
use crate::{enmap, hdf5, mat, npy, tiff};

/// How a cube is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// Order of the stored axes; `Auto` is the custom of the format.
    pub axes: Axes,
    /// Name of the variable, for formats that hold several; `.npy` files hold one.
    pub variable: Option<String>,
    /// The nodata value, in place of what the file or its JSON says.
    pub nodata: Option<f64>,
    /// Rows and columns of a cube that is stored as a matrix of pixels.
    pub reshape: Option<(usize, usize)>,
    /// What reads HDF5.
    pub hdf5: Hdf5Backend,
    /// Most bytes that the samples of a packed file may unpack to, in place of the greater of
    /// 1 GiB and 64 times the length of the file.
    pub max_unpacked: Option<u64>,
    /// Layers of an EnMAP product whose flagged pixels are read as nodata, besides the mask of
    /// defective pixels, which always counts.
    pub quality_masks: Vec<QualityMask>,
}

impl OpenOptions {
    /// Refuses options that a format has no use for, rather than to read something else than was
    /// asked for.
    fn check_applies(&self, path: &Path, format: Format) -> Result<()> {
        let holds_several = matches!(format, Format::Mat5 | Format::Mat73 | Format::Hdf5);
        let unused = match format {
            _ if self.variable.is_some() && !holds_several => "a choice of variables",
            _ if !self.quality_masks.is_empty() && format != Format::EnMap => "a quality mask",
            Format::Npy => return Ok(()),
            _ if self.reshape.is_some() && !holds_several => "a matrix of pixels",
            _ => return Ok(()),
        };
        Err(Error::Unsupported { path: path.to_path_buf(), format, feature: unused.to_owned() })
    }

    /// Checks what a packed file says it unpacks to, before anything is allocated.
    pub(crate) fn check_unpacked(&self, path: &Path, bytes: u64, file_len: u64) -> Result<()> {
        let limit = self.max_unpacked.unwrap_or((1 << 30).max(file_len.saturating_mul(64)));
        if bytes <= limit {
            return Ok(());
        }
        Err(Error::Limit { path: path.to_path_buf(), bytes, limit })
    }
}

/// How a cube is written. What is `None` is as in the cube's source, or the format's custom for a
/// cube without one (for `.npy`: little-endian `f4`, C order, band-first).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// File format; by default that of the file name's extension, and of several with the same
    /// extension that of the source.
    pub format: Option<Format>,
    /// Type of the samples; integers are rounded (ties to even) and clamped to their range.
    pub dtype: Option<SampleType>,
    /// Whether the first axis varies fastest.
    pub fortran_order: Option<bool>,
    /// Whether the samples are big-endian.
    pub big_endian: Option<bool>,
    /// Order of the axes, or interleaving; `Auto` is that of the source, or what the extension of
    /// an ENVI file says (`bsq`, `bil`, `bip`).
    pub axes: Axes,
    /// How the samples are packed, where the format can.
    pub compression: Option<Compression>,
    /// Bands, rows and columns that are packed together, where the format can.
    pub chunk: Option<[usize; 3]>,
    /// Name of the variable, for formats that hold several.
    pub variable: Option<String>,
    /// What writes HDF5.
    pub hdf5: Hdf5Backend,
}

impl SaveOptions {
    /// The options with what is not said taken from where the cube came from: the type from any
    /// source, the form of the file from one of the same format.
    pub(crate) fn for_source(&self, meta: &CubeMeta, format: Format) -> Self {
        let any = meta.source.as_ref();
        let same = any.filter(|source| source.format == format);
        Self {
            format: Some(format),
            dtype: self.dtype.or(any.map(|source| source.dtype)),
            fortran_order: self.fortran_order.or(same.map(|source| source.fortran_order)),
            big_endian: self.big_endian.or(same.map(|source| source.big_endian)),
            axes: self.axes.or(same.map_or(Axes::Auto, |source| source.axes)),
            compression: self.compression.or(same.map(|source| source.compression)),
            chunk: self.chunk.or(same.and_then(|source| source.chunk)),
            variable: self.variable.clone().or(same.and_then(|source| source.variable.clone())),
            hdf5: self.hdf5,
        }
    }
}

impl Format {
    /// Tells the format of a file from its content.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] naming the supported formats, [`Error::WrongKind`] for a folder,
    /// [`Error::Io`].
    pub fn sniff(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.is_dir() {
            if enmap::metadata_of(path)?.is_some() {
                return Ok(Self::EnMap);
            }
            return Err(Error::WrongKind { path: path.to_path_buf(), expected: "file" });
        }
        let mut head = Vec::new();
        file.take(1024).read_to_end(&mut head).map_err(Error::io(path))?;
        if head.starts_with(npy::MAGIC) {
            return Ok(Self::Npy);
        }
        if tiff::is_tiff(&head) {
            return Ok(Self::Tiff);
        }
        let version = mat::version(&head);
        match version {
            Some(mat::Version::V73) => return Ok(Self::Mat73),
            Some(mat::Version::V5(_)) => return Ok(Self::Mat5),
            _ if hdf5::is_hdf5(path)? => return Ok(Self::Hdf5),
            _ => {}
        }
        let is_product = if head.starts_with(enmap::ZIP_MAGIC) {
            enmap::is_archive(path)?
        } else {
            enmap::metadata_of(path)?.is_some()
        };
        if is_product {
            return Ok(Self::EnMap);
        }
        // A file of bare samples has no mark: its header tells what it is.
        if envi::is_header(path) || envi::header_beside(path).is_some() {
            return Ok(Self::Envi);
        }
        // Refused by name when it is opened; its mark is a weak one.
        if version == Some(mat::Version::V4) {
            return Ok(Self::Mat5);
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

    /// The format of a file that is written: that of the cube's source if the extension is one of
    /// its, as `.mat` is of both of MATLAB's, else that of the extension.
    fn for_writing(path: &Path, meta: &CubeMeta) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let source = meta.source.as_ref().map(|source| source.format);
        let same = source.filter(|format| {
            extension.as_deref().is_some_and(|e| format.extensions().contains(&e))
        });
        same.map_or_else(|| Self::from_extension(path), Ok)
    }

    /// The files of a folder whose extensions are those of cubes, sorted by name; of an ENVI file
    /// the samples, not the header.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn files_in(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let files = sorted_entries(folder.as_ref(), false)?.into_iter();
        let is_header =
            |path: &Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("hdr"));
        Ok(files.filter(|path| Self::from_extension(path).is_ok() && !is_header(path)).collect())
    }

    fn unknown(path: &Path) -> Error {
        let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
        Error::UnknownFormat { path: path.to_path_buf(), supported: names.join(", ") }
    }
}

/// Opens a cube that stays on disk, with the metadata of the file or of a JSON file of the same
/// stem.
///
/// The JSON file, beside `.npy` files, may hold `wavelengths_nm`, `fwhm_nm`, `bad_bands`,
/// `band_names` (lists, one entry a band), `nodata`, `scale`, `offset`, `description` and `geo`;
/// every key is optional.
///
/// # Errors
/// [`Error::UnknownFormat`] if the content is of no supported format, [`Error::Sidecar`] or
/// [`Error::MetaLength`] if the metadata is wrong, and those of the format, such as
/// [`Error::FileSize`], [`Error::UnsupportedDtype`], [`Error::NotACube`], [`Error::Malformed`].
pub fn open_reader(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Box<dyn CubeReader>> {
    let path = path.as_ref();
    let format = Format::sniff(path)?;
    options.check_applies(path, format)?;
    match format {
        Format::Npy => Ok(Box::new(npy::MappedNpy::open_with(path, options)?)),
        Format::Envi => Ok(Box::new(envi::EnviReader::open(path, options)?)),
        Format::Tiff => Ok(Box::new(tiff::TiffReader::open(path, options)?)),
        Format::EnMap => Ok(Box::new(enmap::EnMapReader::open(path, options)?)),
        Format::Mat5 => Ok(Box::new(mat::open(path, options)?)),
        format @ (Format::Mat73 | Format::Hdf5) => Ok(Box::new(hdf5::open(path, format, options)?)),
    }
}

/// Reads a cube whole. See [`open_reader`] for where its metadata come from.
///
/// # Errors
/// Those of [`open_reader`] and of [`CubeReader::read`].
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Cube> {
    read_all(&*open_reader(path, options)?)
}

/// Starts a file of a cube of `[bands, rows, cols]`, in the form that the metadata's source or the
/// options say; its rows are given to the writer.
///
/// The file appears whole or not at all: it is written under a temporary name in the same folder
/// and renamed. Metadata that the format cannot hold goes to a JSON file of the same stem; keys
/// of such a file that this crate does not know are kept.
///
/// # Errors
/// [`Error::UnknownFormat`] if neither options nor extension tell a format, [`Error::EmptyCube`],
/// [`Error::MetaLength`] if the metadata does not fit, [`Error::Io`].
pub fn create(
    path: impl AsRef<Path>,
    shape: [usize; 3],
    meta: &CubeMeta,
    options: &SaveOptions,
) -> Result<Box<dyn CubeWriter>> {
    let path = path.as_ref();
    meta.validate(shape[0])?;
    let format = match options.format {
        Some(format) => format,
        None => Format::for_writing(path, meta)?,
    };
    let mut options = options.clone();
    if format == Format::Envi {
        options.axes = options.axes.or(envi::named_axes(path));
    }
    let options = options.for_source(meta, format);
    match format {
        Format::Npy => Ok(Box::new(npy::NpyWriter::create(path, shape, meta, &options)?)),
        Format::Envi => Ok(Box::new(envi::EnviWriter::create(path, shape, meta, &options)?)),
        Format::Tiff => Ok(Box::new(tiff::TiffWriter::create(path, shape, meta, &options)?)),
        Format::Mat5 => Ok(Box::new(mat::MatWriter::create(path, shape, meta, &options)?)),
        Format::Mat73 | Format::Hdf5 => {
            Ok(Box::new(hdf5::Hdf5Writer::create(path, format, shape, meta, &options)?))
        }
        Format::EnMap => Err(Error::ReadOnly { path: path.to_path_buf(), format }),
    }
}

/// Writes a cube in the form that it was read from, or as the options say. See [`create`] for what
/// happens to the file and to its metadata.
///
/// # Errors
/// Those of [`create`], and [`Error::NanToInteger`] if NaN samples were to become integers and no
/// nodata value stands for them.
pub fn save(cube: &Cube, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
    let path = path.as_ref();
    let writer = create(path, cube.view().dim().into(), cube.meta(), options)?;
    let dtype = writer.dtype();
    let stands_for_nan = cube.meta().nodata.is_some_and(|v| !equals_nodata(v as f32, f32::NAN));
    if !dtype.is_float() && !stands_for_nan {
        // All of them are counted before anything is written.
        let count = cube.view().iter().filter(|v| v.is_nan()).count();
        if count > 0 {
            return Err(Error::NanToInteger { path: path.to_path_buf(), count, dtype });
        }
    }
    write_all(writer, cube.view())
}
