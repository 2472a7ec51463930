//! What can go wrong with files, cubes, datasets and configurations.

use std::path::PathBuf;

use crate::meta::{Format, SampleType};

/// Result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate, named by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The content of a file is of no format that this crate reads.
    #[error("`{}` is in no supported format (supported: {supported})", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Names of the formats that are supported.
        supported: String,
    },
    /// A folder stands where a file should be, or the other way round.
    #[error("`{}` is not a {expected}", path.display())]
    WrongKind {
        /// The file or folder.
        path: PathBuf,
        /// `file` or `folder`.
        expected: &'static str,
    },
    /// The header of a `.npy` file cannot be understood.
    #[error("`{}`: bad npy header: {reason}", path.display())]
    NpyHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file contradicts itself or the definition of its format.
    #[error("`{}`: bad {format} file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
        /// What is wrong with it.
        reason: String,
    },
    /// A file uses a part of its format that this crate does not.
    #[error("`{}`: {feature} is not supported in {format} files", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
        /// The part, such as `JPEG compression`.
        feature: String,
    },
    /// The file of a product's spectral image has no bytes, as in products of metadata only.
    #[error("`{}`: the spectral image of the product is empty", path.display())]
    EmptyImage {
        /// The product.
        path: PathBuf,
    },
    /// A packed file would unpack to more than is allowed.
    #[error("`{}`: {bytes} bytes of samples are above the limit of {limit}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// Bytes of the unpacked samples.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A format is read and not written.
    #[error("`{}`: {format} is not written", path.display())]
    ReadOnly {
        /// The file to be written.
        path: PathBuf,
        /// The format.
        format: Format,
    },
    /// Rows are missing, or there are more than were announced.
    #[error("`{}`: {got} rows were written of {expected}", path.display())]
    Rows {
        /// The file to be written.
        path: PathBuf,
        /// Rows of the cube.
        expected: usize,
        /// Rows that were given.
        got: usize,
    },
    /// A file holds no array of the name that was asked for.
    #[error("`{}` holds no array `{name}`; it holds {holds}", path.display())]
    NoSuchArray {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// Names, classes and shapes of its arrays.
        holds: String,
    },
    /// A file holds several arrays that could be meant, or none.
    #[error(
        "`{}`: {wanted} was expected, there are {found}; name one of its arrays: {holds}",
        path.display()
    )]
    ChooseArray {
        /// The file.
        path: PathBuf,
        /// What was expected, such as `one three-axis numeric array`.
        wanted: &'static str,
        /// `several` or `none`.
        found: &'static str,
        /// Names, classes and shapes of its arrays.
        holds: String,
    },
    /// The samples of a file are not real numbers of a supported width.
    #[error("`{}`: unsupported sample type `{descr}`", path.display())]
    UnsupportedDtype {
        /// The file.
        path: PathBuf,
        /// The type as the file names it.
        descr: String,
    },
    /// The file holds fewer or more bytes than its header asks for.
    #[error("`{}`: the header asks for {expected} bytes, the file has {got}", path.display())]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Bytes of header and samples together.
        expected: u64,
        /// Bytes in the file.
        got: u64,
    },
    /// The shape is too large for this machine's address space.
    #[error("`{}`: the shape {shape:?} is impossibly large", path.display())]
    ShapeOverflow {
        /// The file.
        path: PathBuf,
        /// The shape of the header.
        shape: Vec<usize>,
    },
    /// The array is not three-dimensional.
    #[error("`{}`: a cube has three axes, this array has the shape {shape:?}", path.display())]
    NotACube {
        /// The file.
        path: PathBuf,
        /// The shape of the header.
        shape: Vec<usize>,
    },
    /// The array has neither one axis nor two.
    #[error("`{}`: a matrix has two axes, this array has the shape {shape:?}", path.display())]
    NotAMatrix {
        /// The file.
        path: PathBuf,
        /// The shape of the header.
        shape: Vec<usize>,
    },
    /// An axis of the cube has no elements.
    #[error("a cube of {bands} bands, {rows} rows and {cols} columns is empty")]
    EmptyCube {
        /// Bands.
        bands: usize,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
    },
    /// A list of the metadata does not have one entry a band.
    #[error("`{field}` has {got} entries for {expected} bands")]
    MetaLength {
        /// Name of the list.
        field: &'static str,
        /// Number of bands.
        expected: usize,
        /// Number of entries.
        got: usize,
    },
    /// The metadata file beside an array cannot be understood.
    #[error("`{}`: bad metadata: {reason}", path.display())]
    Sidecar {
        /// The JSON file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A band that the cube does not have.
    #[error("band {index} is out of range for {bands} bands")]
    BandIndex {
        /// The band, counted from zero.
        index: usize,
        /// Number of bands.
        bands: usize,
    },
    /// A window that reaches over the edge, or is empty.
    #[error("the window {start}..{end} of the {axis} does not fit into 0..{size}")]
    Window {
        /// `bands`, `rows` or `columns`.
        axis: &'static str,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// Size of the axis.
        size: usize,
    },
    /// Samples are NaN or infinite.
    #[error(
        "`{name}` has {count} samples that are not finite, the first at band {band}, row {row}, \
         column {col}"
    )]
    NotFinite {
        /// Name of the cube or sample.
        name: String,
        /// How many there are.
        count: usize,
        /// Band of the first.
        band: usize,
        /// Row of the first.
        row: usize,
        /// Column of the first.
        col: usize,
    },
    /// NaN has no integer form, and the cube has no nodata value to stand for it.
    #[error("`{}`: {count} NaN samples cannot be written as `{dtype}`", path.display())]
    NanToInteger {
        /// The file to be written.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// The integer type.
        dtype: SampleType,
    },
    /// Every band is flagged bad or is all nodata.
    #[error("`{name}` has no valid band")]
    NoValidBand {
        /// Name of the cube.
        name: String,
    },
    /// The number of bands is not the expected one.
    #[error("`{name}` has {got} bands, expected {expected}")]
    BandCount {
        /// Name of the file or array.
        name: String,
        /// Bands expected.
        expected: usize,
        /// Bands found.
        got: usize,
    },
    /// A sample of a dataset has another size than the first one.
    #[error("`{name}` is {got_rows} x {got_cols} pixels, expected {rows} x {cols}")]
    PatchSize {
        /// Name of the sample.
        name: String,
        /// Rows expected.
        rows: usize,
        /// Columns expected.
        cols: usize,
        /// Rows found.
        got_rows: usize,
        /// Columns found.
        got_cols: usize,
    },
    /// An array does not have the expected shape.
    #[error("{what} has the shape {got:?}, expected {expected:?}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Shape expected.
        expected: Vec<usize>,
        /// Shape found.
        got: Vec<usize>,
    },
    /// A folder holds no sample.
    #[error("`{}` holds no {wanted}", path.display())]
    NoSamples {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// A sample that the dataset does not have.
    #[error("sample {index} is out of range for {len} samples")]
    SampleIndex {
        /// The sample.
        index: usize,
        /// Number of samples.
        len: usize,
    },
    /// A field of a configuration has a value that makes no sense.
    #[error("`{field}` is {value}: {reason}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// A word of the command line or of a configuration cannot be understood.
    #[error("`{value}` is not a {what} (expected {expected})")]
    Parse {
        /// What was to be read.
        what: &'static str,
        /// The text given.
        value: String,
        /// Forms that are understood.
        expected: &'static str,
    },
    /// A part of a split would hold no sample.
    #[error(
        "the {kind} split leaves no sample for `{part}`: {samples} samples in {units} {unit} give \
         {train} for train, {val} for val, {test} for test"
    )]
    EmptySplit {
        /// Name of the kind of split.
        kind: &'static str,
        /// The empty part.
        part: &'static str,
        /// Samples in the dataset.
        samples: usize,
        /// Number of units dealt out.
        units: usize,
        /// What a unit is: `patches` or `tiles`.
        unit: &'static str,
        /// Samples of the training part.
        train: usize,
        /// Samples of the validation part.
        val: usize,
        /// Samples of the test part.
        test: usize,
    },
    /// A file with a list of samples cannot be used.
    #[error("`{}`, line {line}: {reason}", path.display())]
    SplitFile {
        /// The file.
        path: PathBuf,
        /// Line, counted from one.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Tiles were blended that do not cover the whole image.
    #[error("{pixels} of {total} pixels are covered by no tile")]
    Uncovered {
        /// Pixels without a tile.
        pixels: usize,
        /// All pixels.
        total: usize,
    },
    /// A worker of a loader panicked.
    #[error(transparent)]
    LoaderPanic(#[from] crate::loader::LoaderPanic),
}

impl Error {
    /// Attaches the path to an error of the operating system.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }
}
