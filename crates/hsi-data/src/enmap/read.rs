//! The spectral image of a product, without the pixels that its masks flag.

use std::ops::Range;
use std::path::Path;

use ndarray::Zip;
use tempfile::TempDir;

use super::masks::Masks;
use super::product::{described, located};
use super::{IMAGE, MASK, layer};
use crate::error::{Error, Result};
use crate::io::OpenOptions;
use crate::meta::{CubeMeta, Format, SampleType, Source};
use crate::samples::{Element, Samples, with_samples};
use crate::stream::CubeReader;
use crate::tiff::TiffReader;

/// A product. Samples that its pixel mask, or a quality layer that is asked for, flags are read as
/// nodata.
#[derive(Debug)]
pub(crate) struct EnMapReader {
    image: TiffReader,
    masks: Masks,
    meta: CubeMeta,
    nodata: f64,
    /// Where the files of an archive were unpacked.
    _unpacked: Option<TempDir>,
}

impl EnMapReader {
    /// Opens a product by its folder, by its metadata file or by a zip archive.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let mut wanted = vec![IMAGE.to_owned(), MASK.to_owned()];
        wanted.extend(options.quality_masks.iter().map(|mask| mask.file()));
        let (xml, unpacked) = located(path, options, |name| {
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            wanted.iter().any(|ending| stem.ends_with(ending.as_str()))
        })?;
        let product = described(&xml)?;
        let image_path = layer(&xml, IMAGE).ok_or_else(|| Error::Malformed {
            path: xml.clone(),
            format: Format::EnMap,
            reason: format!("there is no `*{IMAGE}.TIF` beside it"),
        })?;
        if std::fs::metadata(&image_path).map_err(Error::io(&image_path))?.len() == 0 {
            return Err(Error::EmptyImage { path: path.to_path_buf() });
        }
        let image = TiffReader::open(&image_path, options)?;
        let shape = image.shape();
        if shape[0] != product.bands {
            let name = image_path.display().to_string();
            return Err(Error::BandCount { name, expected: product.bands, got: shape[0] });
        }
        let masks = Masks::open(&xml, shape, options)?;
        // The image says what its samples are; the product's field is of level 1.
        let nodata = options.nodata.or(image.meta().nodata).or(product.background);
        // Flagged samples need a value.
        let nodata = nodata.or((!masks.is_empty()).then_some(0.0));
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
        let nodata = nodata.unwrap_or(0.0);
        Ok(Self { image, masks, meta, nodata, _unpacked: unpacked })
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
        for flags in self.masks.read(bands, &rows, &cols) {
            let flags = flags?;
            with_samples!(&mut samples, array => {
                let fill = filled(array, self.nodata);
                let flags = flags.broadcast(array.dim()).unwrap_or(flags.view());
                Zip::from(array).and(flags).par_for_each(|sample, &flag| {
                    if flag != 0.0 {
                        *sample = fill;
                    }
                });
            });
        }
        Ok(samples)
    }
}

/// The nodata value in the type of an array.
fn filled<T: Element>(_: &ndarray::Array3<T>, nodata: f64) -> T {
    T::from_f64(nodata)
}
