//! Samples in the type that their file stores them in.

mod copy;
mod element;
mod raw;

use std::ops::Range;

use half::f16;
use ndarray::{Array3, ArrayView3, Zip, s};

use crate::meta::{Axes, SampleType, equals_nodata};

pub(crate) use copy::{in_order, standard};
pub use element::Element;
pub(crate) use raw::{RawLayout, check_selection};

/// A block of samples `[bands, rows, cols]` in the type that they are stored in.
///
/// The memory order is any: readers keep that of the file, so that writing the same order moves
/// nothing.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Samples {
    Bool(Array3<bool>),
    U8(Array3<u8>),
    U16(Array3<u16>),
    U32(Array3<u32>),
    U64(Array3<u64>),
    I8(Array3<i8>),
    I16(Array3<i16>),
    I32(Array3<i32>),
    I64(Array3<i64>),
    F16(Array3<f16>),
    F32(Array3<f32>),
    F64(Array3<f64>),
}

/// Runs an expression with the array of whichever type.
macro_rules! with_samples {
    ($samples:expr, $array:pat => $run:expr) => {
        match $samples {
            $crate::Samples::Bool($array) => $run,
            $crate::Samples::U8($array) => $run,
            $crate::Samples::U16($array) => $run,
            $crate::Samples::U32($array) => $run,
            $crate::Samples::U64($array) => $run,
            $crate::Samples::I8($array) => $run,
            $crate::Samples::I16($array) => $run,
            $crate::Samples::I32($array) => $run,
            $crate::Samples::I64($array) => $run,
            $crate::Samples::F16($array) => $run,
            $crate::Samples::F32($array) => $run,
            $crate::Samples::F64($array) => $run,
        }
    };
}

/// Runs an expression with `$t` as the Rust type of a sample type.
macro_rules! with_dtype {
    ($dtype:expr, $t:ident => $run:expr) => {
        match $dtype {
            $crate::SampleType::Bool => {
                type $t = bool;
                $run
            }
            $crate::SampleType::U8 => {
                type $t = u8;
                $run
            }
            $crate::SampleType::U16 => {
                type $t = u16;
                $run
            }
            $crate::SampleType::U32 => {
                type $t = u32;
                $run
            }
            $crate::SampleType::U64 => {
                type $t = u64;
                $run
            }
            $crate::SampleType::I8 => {
                type $t = i8;
                $run
            }
            $crate::SampleType::I16 => {
                type $t = i16;
                $run
            }
            $crate::SampleType::I32 => {
                type $t = i32;
                $run
            }
            $crate::SampleType::I64 => {
                type $t = i64;
                $run
            }
            $crate::SampleType::F16 => {
                type $t = half::f16;
                $run
            }
            $crate::SampleType::F32 => {
                type $t = f32;
                $run
            }
            $crate::SampleType::F64 => {
                type $t = f64;
                $run
            }
        }
    };
}

pub(crate) use {with_dtype, with_samples};

impl Samples {
    /// Type of the samples.
    pub fn dtype(&self) -> SampleType {
        fn of<T: Element>(_: &Array3<T>) -> SampleType {
            T::DTYPE
        }
        with_samples!(self, array => of(array))
    }

    /// Bands, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        let (bands, rows, cols) = with_samples!(self, array => array.dim());
        [bands, rows, cols]
    }

    /// Decodes bytes that are stored in the given order of axes, the last varying fastest.
    ///
    /// `None` if the number of bytes is not that of the shape.
    pub fn from_bytes(
        dtype: SampleType,
        big_endian: bool,
        shape: [usize; 3],
        axes: Axes,
        bytes: &[u8],
    ) -> Option<Self> {
        let order = axes.order();
        let dims = order.map(|axis| shape[axis]);
        let count = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))?;
        if count.checked_mul(dtype.size())? != bytes.len() {
            return None;
        }
        with_dtype!(dtype, T => {
            let mut samples = vec![T::default(); count];
            T::decode(bytes, dtype.size(), big_endian, &mut samples);
            let array = Array3::from_shape_vec(dims, samples).ok()?;
            Some(T::wrap(array.permuted_axes(inverse(order))))
        })
    }

    /// Rounds (ties to even) and clamps `f32` samples to a type. NaN becomes `nodata` where the
    /// type is an integer.
    ///
    /// # Errors
    /// The number of NaN samples, if there is no nodata value to stand for them.
    pub fn from_f32(
        view: ArrayView3<'_, f32>,
        dtype: SampleType,
        nodata: Option<f64>,
    ) -> std::result::Result<Self, usize> {
        if dtype == SampleType::F32 {
            return Ok(Self::F32(view.to_owned()));
        }
        let nodata = nodata.map(|v| v as f32).filter(|v| !equals_nodata(*v, f32::NAN));
        if !dtype.is_float() && nodata.is_none() {
            let count = view.iter().filter(|v| v.is_nan()).count();
            if count > 0 {
                return Err(count);
            }
        }
        let for_nan = if dtype.is_float() { f32::NAN } else { nodata.unwrap_or_default() };
        with_dtype!(dtype, T => {
            let convert =
                |&v: &f32| <T as Element>::from_f32(if v.is_nan() { for_nan } else { v });
            Ok(T::wrap(Zip::from(view).par_map_collect(convert)))
        })
    }

    /// The samples as `f32`, in standard layout.
    pub fn to_f32(&self) -> Array3<f32> {
        with_samples!(self, array => {
            let same_order = Zip::from(array).par_map_collect(|&v| Element::to_f32(v));
            standard(same_order)
        })
    }

    /// Converts to another type: exactly where it can be, else rounded (ties to even) and clamped.
    /// NaN becomes 0 in an integer.
    #[must_use]
    pub fn cast(self, dtype: SampleType) -> Self {
        if self.dtype() == dtype {
            return self;
        }
        with_samples!(self, array => with_dtype!(dtype, T => {
            let convert = |&v| match Element::to_i128(v) {
                Some(integer) => <T as Element>::from_i128(integer),
                None => <T as Element>::from_f64(Element::to_f64(v)),
            };
            T::wrap(Zip::from(&array).par_map_collect(convert))
        }))
    }

    /// Appends the bytes of a box of the samples, stored in the given order of axes, the last
    /// varying fastest. Ranges beyond the edge are cut.
    pub(crate) fn encode_box(
        &self,
        axes: Axes,
        [bands, rows, cols]: [Range<usize>; 3],
        big_endian: bool,
        bytes: &mut Vec<u8>,
    ) {
        with_samples!(self, array => {
            let (b, r, c) = array.dim();
            let cut = |range: Range<usize>, size: usize| range.start.min(size)..range.end.min(size);
            let part = array.slice(s![cut(bands, b), cut(rows, r), cut(cols, c)]);
            let part = part.permuted_axes(axes.order());
            let copy;
            let samples = if let Some(samples) = part.as_slice() {
                samples
            } else {
                copy = in_order(part);
                copy.as_slice().unwrap_or_default()
            };
            Element::encode(samples, big_endian, bytes);
        });
    }
}

/// A value as a sample of a floating-point type has it: 0.1 becomes the nearest `f32`. Integers are
/// left as they are.
pub(crate) fn stored_value(value: f64, dtype: SampleType) -> f64 {
    match dtype {
        SampleType::F16 => f16::from_f64(value).to_f64(),
        SampleType::F32 => f64::from(value as f32),
        _ => value,
    }
}

/// Where each axis of the cube stands in an order of axes.
pub(crate) fn inverse(order: [usize; 3]) -> [usize; 3] {
    let mut places = [0; 3];
    for (place, axis) in order.into_iter().enumerate() {
        places[axis] = place;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed<T: Element>(values: &[f32]) -> Vec<T> {
        values.iter().map(|&v| T::from_f32(v)).collect()
    }

    #[test]
    fn narrowing_rounds_to_even_and_clamps() {
        let samples = [-1.0, 0.5, 1.5, 254.6, 300.0, f32::INFINITY];
        assert_eq!(narrowed::<u8>(&samples), [0, 0, 2, 255, 255, 255]);
        let halves = narrowed::<f16>(&[1e6, -1e6, f32::INFINITY]);
        assert_eq!(halves, [f16::MAX, f16::MIN, f16::INFINITY]);
        assert_eq!(i64::from_f32(1e30), i64::MAX);
    }

    #[test]
    fn decoding_a_stride_stops_at_the_shorter_end() {
        let mut out = [9_u16; 4];
        u16::decode(&[1, 0, 9, 2, 0, 9, 3], 3, false, &mut out);
        assert_eq!(out, [1, 2, 9, 9]);
    }

    #[test]
    fn casts_keep_what_fits_and_clamp_the_rest() {
        let large = Samples::I64(Array3::from_elem((1, 1, 1), i64::MAX - 1));
        assert_eq!(large.clone().cast(SampleType::U64).cast(SampleType::I64), large);
        let narrow = large.cast(SampleType::I16);
        assert_eq!(narrow, Samples::I16(Array3::from_elem((1, 1, 1), i16::MAX)));
        let half = Samples::F64(Array3::from_elem((1, 1, 1), 2.5)).cast(SampleType::U8);
        assert_eq!(half, Samples::U8(Array3::from_elem((1, 1, 1), 2)));
    }

    #[test]
    fn bytes_of_every_type_and_order_come_back() {
        let values = Array3::from_shape_fn((2, 3, 4), |(b, r, c)| (b * 12 + r * 4 + c) as f32);
        for dtype in SampleType::ALL {
            for axes in [Axes::Bhw, Axes::Hbw, Axes::Hwb] {
                for big in [false, true] {
                    let samples = Samples::from_f32(values.view(), dtype, None).expect("no NaN");
                    let mut bytes = Vec::new();
                    samples.encode_box(axes, [0..9, 0..3, 0..4], big, &mut bytes);
                    let again = Samples::from_bytes(dtype, big, [2, 3, 4], axes, &bytes);
                    assert_eq!(again.as_ref(), Some(&samples), "{dtype} {axes:?} {big}");
                    bytes.pop();
                    assert_eq!(Samples::from_bytes(dtype, big, [2, 3, 4], axes, &bytes), None);
                }
            }
        }
    }
}
