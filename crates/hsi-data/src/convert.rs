//! From file to file, block by block: another format, some of the bands or pixels, another scale.

use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use ndarray::Zip;

use crate::cube::check_window;
use crate::error::{Error, Result};
use crate::io::{OpenOptions, SaveOptions, create, open_reader};
use crate::meta::{CubeMeta, Extra, SampleType, Source};
use crate::samples::{Element, Samples, stored_value, with_dtype, with_samples};
use crate::stream::rows_at_a_time;

/// Bytes of a block up to which one is read ahead of the writer. Larger ones, of files with large
/// chunks, are read when they are needed: packing and unpacking use all cores by themselves.
const READ_AHEAD: usize = 32 << 20;

/// How samples are scaled on their way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// To physical values, by the scale and offset that the file states; a file that states none is
    /// left as it is.
    Physical,
    /// To `sample * factor + offset`.
    Linear {
        /// What samples are multiplied by.
        factor: f64,
        /// What is added then.
        offset: f64,
    },
}

/// What is converted, and to what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConvertOptions {
    /// How the cube is read.
    pub open: OpenOptions,
    /// How it is written. What is not said is as in the source; scaled samples are `f32`, or `f64`
    /// where the source is.
    pub save: SaveOptions,
    /// Bands that are kept, in this order; all by default.
    pub bands: Option<Vec<usize>>,
    /// Rows that are kept.
    pub rows: Option<Range<usize>>,
    /// Columns that are kept.
    pub cols: Option<Range<usize>>,
    /// How samples are scaled. The scale and offset in the metadata follow, so that physical values
    /// stay what they are; a file that states none does so afterwards too.
    pub scaling: Option<Scaling>,
    /// The nodata value of the result; samples that were nodata get it.
    pub nodata: Option<f64>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converted {
    /// Bands, rows and columns.
    pub shape: [usize; 3],
    /// Type of the samples.
    pub dtype: SampleType,
}

/// Converts a cube file, with its wavelengths, geo tags and other metadata. Some ten megabytes of
/// samples are held at a time, or a few rows of the chunks of a file. The result appears whole or not
/// at all.
///
/// # Errors
/// Those of [`open_reader`] and [`create`]; [`Error::BandIndex`] and [`Error::Window`] for a
/// selection that does not fit, [`Error::Config`] for a scale that cannot be used or a nodata value
/// that the type of the result cannot hold, [`Error::NanToInteger`].
pub fn convert(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    options: &ConvertOptions,
) -> Result<Converted> {
    let (input, output) = (input.as_ref(), output.as_ref());
    let reader = open_reader(input, &options.open)?;
    let [all_bands, all_rows, all_cols] = reader.shape();
    let bands = options.bands.clone().unwrap_or_else(|| (0..all_bands).collect());
    if let Some(&index) = bands.iter().find(|&&band| band >= all_bands) {
        return Err(Error::BandIndex { index, bands: all_bands });
    }
    let rows = options.rows.clone().unwrap_or(0..all_rows);
    let cols = options.cols.clone().unwrap_or(0..all_cols);
    check_window("rows", &rows, all_rows)?;
    check_window("columns", &cols, all_cols)?;

    let mut meta = reader.meta().select_bands(&bands).shifted(rows.start, cols.start);
    let linear = linear(options.scaling, &meta)?;
    let mut save = options.save.clone();
    if let Some((factor, offset)) = linear {
        rescale(&mut meta, factor, offset);
        let wide = reader.dtype() == SampleType::F64;
        save.dtype = save.dtype.or(Some(if wide { SampleType::F64 } else { SampleType::F32 }));
    }
    let nodata = reader.meta().nodata.map(|v| stored_value(v, reader.dtype()));
    meta.nodata = options.nodata.or(meta.nodata);
    let shape = [bands.len(), rows.len(), cols.len()];
    let mut writer = create(output, shape, &meta, &save)?;
    let dtype = writer.dtype();
    let change = Change { dtype, nodata, to_nodata: meta.nodata, linear };
    change.check(reader.dtype())?;

    // Rows of this many are whole chunks on either side.
    let row_bytes = shape[0].saturating_mul(shape[2]).saturating_mul(reader.dtype().size());
    let step = rows_at_a_time(row_bytes, [reader.block_rows(), writer.block_rows()], rows.len());
    let read = |start: usize| {
        let block = start..(start + step).min(rows.end);
        reader.read_samples(&bands, block, cols.clone())
    };
    let mut write = |samples: Result<Samples>| {
        let samples = change.apply(samples?).map_err(|count| Error::NanToInteger {
            path: output.to_path_buf(),
            count,
            dtype,
        })?;
        writer.write_samples(samples)
    };
    let mut starts = rows.clone().step_by(step);
    if step.saturating_mul(row_bytes) > READ_AHEAD {
        starts.try_for_each(|start| write(read(start)))?;
    } else {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(1);
            scope.spawn(move || {
                for start in starts {
                    let samples = read(start);
                    let failed = samples.is_err();
                    if send.send(samples).is_err() || failed {
                        return;
                    }
                }
            });
            receive.into_iter().try_for_each(&mut write)
        })?;
    }
    writer.finish()?;
    Ok(Converted { shape, dtype })
}

/// Factor and offset, if there is anything to do.
fn linear(scaling: Option<Scaling>, meta: &CubeMeta) -> Result<Option<(f64, f64)>> {
    let (factor, offset) = match scaling {
        None => return Ok(None),
        Some(Scaling::Physical) => {
            if let Some(Source { path, format, .. }) = varying(meta) {
                let feature = "scaling by factors that differ from band to band".to_owned();
                return Err(Error::Unsupported { path: path.clone(), format: *format, feature });
            }
            (meta.scale.unwrap_or(1.0), meta.offset.unwrap_or(0.0))
        }
        Some(Scaling::Linear { factor, offset }) => (factor, offset),
    };
    let bad =
        |field, value: f64, reason| Err(Error::Config { field, value: value.to_string(), reason });
    if !factor.is_finite() || factor == 0.0 {
        return bad("scale", factor, "it should be a finite number other than 0");
    }
    if !offset.is_finite() {
        return bad("offset", offset, "it should be a finite number");
    }
    let nothing = scaling == Some(Scaling::Physical) && (factor, offset) == (1.0, 0.0);
    Ok((!nothing).then_some((factor, offset)))
}

/// The source, if it states factors or offsets of its own for each band.
fn varying(meta: &CubeMeta) -> Option<&Source> {
    let differ = |(name, extra): &(String, Extra)| {
        let is_factor = name.ends_with("|scale|SCALE") || name.ends_with("|offset|OFFSET");
        is_factor && matches!(extra, Extra::PerBand(_))
    };
    meta.source.as_ref().filter(|source| source.extras.iter().any(differ))
}

/// Lets the metadata give the same physical values for scaled samples.
fn rescale(meta: &mut CubeMeta, factor: f64, offset: f64) {
    if meta.scale.is_none() && meta.offset.is_none() {
        return;
    }
    let (scale, added) = (meta.scale.unwrap_or(1.0), meta.offset.unwrap_or(0.0));
    let (scale, added) = (scale / factor, added - offset * scale / factor);
    meta.scale = Some(scale).filter(|&scale| scale != 1.0);
    meta.offset = Some(added).filter(|&added| added != 0.0);
}

/// What happens to every sample.
#[derive(Clone, Copy, Debug)]
struct Change {
    dtype: SampleType,
    /// Nodata in the source, as its samples have it.
    nodata: Option<f64>,
    /// Nodata in the result.
    to_nodata: Option<f64>,
    linear: Option<(f64, f64)>,
}

impl Change {
    /// Refuses a result whose nodata pixels could not be told from others.
    fn check(&self, from: SampleType) -> Result<()> {
        let (Some(nodata), Some(to)) = (self.nodata, self.to_nodata) else { return Ok(()) };
        let occurs = holds(from, nodata);
        if !occurs || holds(self.dtype, stored_value(to, self.dtype)) {
            return Ok(());
        }
        let reason = "the type of the result cannot hold this nodata value: choose another one";
        Err(Error::Config { field: "nodata", value: to.to_string(), reason })
    }

    /// The samples of the result; the number of those that are NaN and should become integers.
    fn apply(&self, samples: Samples) -> std::result::Result<Samples, usize> {
        let to_nodata = self.to_nodata.map(|v| stored_value(v, self.dtype));
        let moved = match (self.nodata, to_nodata) {
            (Some(from), Some(to)) => from != to && !(from.is_nan() && to.is_nan()),
            _ => false,
        };
        let narrows = samples.dtype().is_float() && !self.dtype.is_float();
        if self.linear.is_none() && !moved && !narrows {
            return Ok(samples.cast(self.dtype));
        }
        let (factor, offset) = self.linear.unwrap_or((1.0, 0.0));
        let is_nodata =
            |value: f64| self.nodata.is_some_and(|n| value == n || value.is_nan() && n.is_nan());
        let for_nan = to_nodata.filter(|v| !v.is_nan());
        let change = |value: f64| match to_nodata {
            Some(to) if is_nodata(value) => to,
            _ if narrows && value.is_nan() => for_nan.unwrap_or(value),
            _ => value * factor + offset,
        };
        let changed = with_samples!(&samples, array => {
            Zip::from(array).par_map_collect(|&v| change(Element::to_f64(v)))
        });
        if narrows {
            let count = changed.iter().filter(|v| v.is_nan()).count();
            if count > 0 {
                return Err(count);
            }
        }
        Ok(Samples::F64(changed).cast(self.dtype))
    }
}

/// Whether a type has a sample of just this value.
fn holds(dtype: SampleType, value: f64) -> bool {
    if dtype.is_float() {
        return true;
    }
    with_dtype!(dtype, T => <T as Element>::from_f64(value).to_f64() == value)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array, s};

    use super::*;
    use crate::{Cube, GeoTags, open, save};

    fn place() -> (tempfile::TempDir, Cube) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let data = Array3::from_shape_fn((4, 30, 20), |(b, r, c)| (b * 600 + r * 20 + c) as f32);
        let meta = CubeMeta {
            wavelengths_nm: Some(vec![400.0, 500.0, 600.0, 700.0]),
            bad_bands: Some(vec![false, true, false, false]),
            nodata: Some(7.0),
            scale: Some(0.5),
            offset: Some(1.0),
            geo: Some(GeoTags {
                transform: Some([100.0, 10.0, 0.0, 500.0, 0.0, -10.0]),
                ..GeoTags::default()
            }),
            ..CubeMeta::default()
        };
        let cube = Cube::new(data, meta).expect("a cube");
        let options = SaveOptions { dtype: Some(SampleType::I16), ..SaveOptions::default() };
        save(&cube, folder.path().join("in.npy"), &options).expect("a file");
        (folder, cube)
    }

    #[test]
    fn bands_windows_and_scale_are_those_of_the_whole() -> Result<()> {
        let (folder, cube) = place();
        let (input, output) = (folder.path().join("in.npy"), folder.path().join("out.h5"));
        let options = ConvertOptions {
            bands: Some(vec![3, 1]),
            rows: Some(5..29),
            cols: Some(2..20),
            scaling: Some(Scaling::Linear { factor: 2.0, offset: -3.0 }),
            nodata: Some(-1.0),
            ..ConvertOptions::default()
        };
        let done = convert(&input, &output, &options)?;
        assert_eq!(done, Converted { shape: [2, 24, 18], dtype: SampleType::F32 });
        let result = open(&output, &OpenOptions::default())?;
        let wanted = cube.select_bands(&[3, 1])?;
        let wanted = wanted.view().slice_move(s![.., 5..29, 2..20]).mapv(|v| v * 2.0 - 3.0);
        assert_eq!(result.view(), wanted);
        let meta = result.meta();
        assert_eq!(meta.wavelengths_nm, Some(vec![700.0, 500.0]));
        assert_eq!(meta.bad_bands, Some(vec![false, true]));
        assert_eq!(meta.nodata, Some(-1.0));
        // The same physical values: 0.5 v + 1 = 0.25 (2 v - 3) + 1.75.
        assert_eq!((meta.scale, meta.offset), (Some(0.25), Some(1.75)));
        let transform = meta.geo.as_ref().and_then(|geo| geo.transform);
        assert_eq!(transform, Some([120.0, 10.0, 0.0, 450.0, 0.0, -10.0]));

        let options =
            ConvertOptions { scaling: Some(Scaling::Physical), ..ConvertOptions::default() };
        convert(&input, &output, &options)?;
        let result = open(&output, &OpenOptions::default())?;
        // Sample 7 is nodata and stays what it is.
        let wanted = cube.view().mapv(|v| if v == 7.0 { v } else { v * 0.5 + 1.0 });
        assert_eq!(result.view(), wanted);
        assert_eq!((result.meta().scale, result.meta().offset), (None, None));
        Ok(())
    }

    #[test]
    fn nodata_and_nan_are_never_lost_without_a_word() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (input, output) = (folder.path().join("in.npy"), folder.path().join("out.npy"));
        let to_u8 = |nodata| ConvertOptions {
            save: SaveOptions { dtype: Some(SampleType::U8), ..SaveOptions::default() },
            nodata,
            ..ConvertOptions::default()
        };
        let meta = CubeMeta { nodata: Some(-9.0), ..CubeMeta::default() };
        save(&Cube::new(array![[[1.0, -9.0]]], meta)?, &input, &SaveOptions::default())?;
        let error = convert(&input, &output, &to_u8(None)).expect_err("-9 in u8");
        assert!(matches!(error, Error::Config { field: "nodata", .. }), "{error}");
        convert(&input, &output, &to_u8(Some(255.0)))?;
        let written = open(&output, &OpenOptions::default())?;
        assert_eq!(
            (written.view(), written.meta().nodata),
            (array![[[1.0, 255.0]]].view(), Some(255.0))
        );

        let nan = Cube::new(array![[[1.0, f32::NAN]]], CubeMeta::default())?;
        save(&nan, &input, &SaveOptions::default())?;
        let error = convert(&input, &output, &to_u8(None)).expect_err("NaN in u8");
        assert!(matches!(error, Error::NanToInteger { count: 1, .. }), "{error}");
        convert(&input, &output, &to_u8(Some(3.0)))?;
        assert_eq!(open(&output, &OpenOptions::default())?.view(), array![[[1.0, 3.0]]]);
        for scaling in [0.0, f64::NAN] {
            let scaling = Some(Scaling::Linear { factor: scaling, offset: 0.0 });
            let options = ConvertOptions { scaling, ..ConvertOptions::default() };
            assert!(matches!(convert(&input, &output, &options), Err(Error::Config { .. })));
        }
        Ok(())
    }
}
