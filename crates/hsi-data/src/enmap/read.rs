//! The spectral image of a product, without the pixels that a mask flags.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Zip;

use super::{IMAGE, MASK, layer, metadata, metadata_of};
use crate::error::{Error, Result};
use crate::fault::AtPath;
use crate::io::OpenOptions;
use crate::meta::{CubeMeta, Format, SampleType, Source};
use crate::samples::{Element, Samples, with_samples};
use crate::stream::CubeReader;
use crate::tiff::TiffReader;

/// Bytes that a metadata file may have.
const MOST_XML: u64 = 64 << 20;

/// A product folder. Samples that its pixel mask flags are read as nodata.
#[derive(Debug)]
pub(crate) struct EnMapReader {
    image: TiffReader,
    mask: Option<TiffReader>,
    meta: CubeMeta,
    nodata: f64,
}

impl EnMapReader {
    /// Opens a product by its folder or by its metadata file.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let bad = |path: &Path, reason: String| Error::Malformed {
            path: path.to_path_buf(),
            format: Format::EnMap,
            reason,
        };
        let xml = metadata_of(path)?
            .ok_or_else(|| bad(path, "there is no `*-METADATA.XML`".to_owned()))?;
        let length = fs::metadata(&xml).map_err(Error::io(&xml))?.len();
        if length > MOST_XML {
            return Err(Error::Limit { path: xml, bytes: length, limit: MOST_XML });
        }
        let text = fs::read(&xml).map_err(Error::io(&xml))?;
        let text = String::from_utf8(text)
            .map_err(|_| bad(&xml, "the metadata are not UTF-8".to_owned()))?;
        let product = metadata::parse(&text).at(&xml, Format::EnMap)?;
        let missing = || bad(&xml, format!("there is no `*{IMAGE}.TIF` beside it"));
        let image_path: PathBuf = layer(&xml, IMAGE).ok_or_else(missing)?;
        let image = TiffReader::open(&image_path, options)?;
        let shape = image.shape();
        if shape[0] != product.bands {
            let name = image_path.display().to_string();
            return Err(Error::BandCount { name, expected: product.bands, got: shape[0] });
        }
        let mask = layer(&xml, MASK).map(|path| TiffReader::open(&path, options)).transpose()?;
        if let Some(mask) = &mask {
            let [bands, rows, cols] = mask.shape();
            if [rows, cols] != shape[1..] || (bands != 1 && bands != shape[0]) {
                let expected = shape.to_vec();
                let got = vec![bands, rows, cols];
                return Err(Error::Shape { what: "the pixel mask", expected, got });
            }
        }
        // The image says what its samples are; the product's field is of level 1.
        let nodata = options.nodata.or(image.meta().nodata).or(product.background);
        // Flagged samples need a value.
        let nodata = nodata.or(mask.as_ref().map(|_| 0.0));
        let mut meta = product.meta.or(image.meta().clone());
        meta.nodata = nodata;
        meta.validate(shape[0])?;
        let mut extras = product.extras;
        if let Some(source) = &image.meta().source {
            let known: Vec<String> = extras.iter().map(|(name, _)| name.clone()).collect();
            extras.extend(source.extras.iter().filter(|(name, _)| !known.contains(name)).cloned());
            meta.source = Some(Source {
                path: path.to_path_buf(),
                format: Format::EnMap,
                extras,
                ..source.clone()
            });
        }
        Ok(Self { image, mask, meta, nodata: nodata.unwrap_or(0.0) })
    }
}

impl CubeReader for EnMapReader {
    fn shape(&self) -> [usize; 3] {
        self.image.shape()
    }

    fn meta(&self) -> &CubeMeta {
        &self.meta
    }

    fn dtype(&self) -> SampleType {
        self.image.dtype()
    }

    fn block_rows(&self) -> usize {
        self.image.block_rows()
    }

    fn read_samples(
        &self,
        bands: &[usize],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Samples> {
        let mut samples = self.image.read_samples(bands, rows.clone(), cols.clone())?;
        let Some(mask) = &self.mask else { return Ok(samples) };
        let per_band = mask.shape()[0] > 1;
        let flags = mask.read(if per_band { bands } else { &[0] }, rows, cols)?;
        with_samples!(&mut samples, array => {
            let fill = filled(array, self.nodata);
            let flags = flags.broadcast(array.dim()).unwrap_or(flags.view());
            Zip::from(array).and(flags).par_for_each(|sample, &flag| {
                if flag != 0.0 {
                    *sample = fill;
                }
            });
        });
        Ok(samples)
    }
}

/// The nodata value in the type of an array.
fn filled<T: Element>(_: &ndarray::Array3<T>, nodata: f64) -> T {
    T::from_f64(nodata)
}
