//! Normalisation and the error of its inverse.

use hsi_data::{BandRange, Error, NormMode, Result};
use ndarray::{Array2, Array3, Axis, arr3, s};
use proptest::prelude::*;

use super::{distance, scramble};

fn ulp(x: f32) -> f32 {
    f32::from_bits(x.abs().to_bits() + 1) - x.abs()
}

proptest! {
    #[test]
    fn the_inverse_is_as_exact_as_documented(
        samples in prop::collection::vec(
            prop_oneof![-1e4_f32..1e4, -1.0_f32..1.0, any::<f32>().prop_filter("finite", |v| v.is_finite())],
            2..40,
        ),
    ) {
        let cube = Array3::from_shape_vec((1, 1, samples.len()), samples)?;
        let range = BandRange::of(cube.view());
        let (min, max) = (range.min[0], range.max[0]);
        let unit = range.normalize(cube.view())?;
        prop_assert!(unit.iter().all(|y| (0.0..=1.0).contains(y)));
        let mut back = unit;
        range.denormalize_in_place(back.view_mut())?;
        let span = f64::from(max) - f64::from(min);
        for (&x, &back) in cube.iter().zip(&back) {
            let bound = span * 2_f64.powi(-25) + 0.5 * f64::from(ulp(x));
            let error = (f64::from(x) - f64::from(back)).abs();
            prop_assert!(error <= bound * (1.0 + 1e-6), "{x} came back as {back}");
            if x == min || x == max {
                prop_assert_eq!(x, back);
            }
        }
    }
}

#[test]
fn both_ends_come_back_exactly_at_extreme_ranges() -> Result<()> {
    for (min, max) in [(-3e38, 3e38), (-3e38, 1e-30), (1e-40, 1.0), (16_777_215.0, 16_777_216.0)] {
        let range = BandRange::fixed(1, min, max)?;
        let ends = arr3(&[[[min, max]]]);
        let mut unit = range.normalize(ends.view())?;
        assert_eq!(unit, arr3(&[[[0.0, 1.0]]]));
        range.denormalize_in_place(unit.view_mut())?;
        assert_eq!(unit, ends);
    }
    Ok(())
}

#[test]
fn a_constant_band_becomes_zero_and_comes_back() -> Result<()> {
    let mut cube = scramble((3, 4, 5));
    cube.index_axis_mut(Axis(0), 1).fill(0.3);
    let range = BandRange::of(cube.view());
    let mut unit = range.normalize(cube.view())?;
    assert!(unit.index_axis(Axis(0), 1).iter().all(|&y| y == 0.0));
    // Whatever a model makes of it.
    unit.index_axis_mut(Axis(0), 1).fill(0.7);
    range.denormalize_in_place(unit.view_mut())?;
    assert!(unit.index_axis(Axis(0), 1).iter().all(|&x| x == 0.3));
    assert!(distance(unit.view(), cube.view()) < 1e-7);
    Ok(())
}

#[test]
fn nan_and_masked_pixels_do_not_count() -> Result<()> {
    let mut cube = scramble((2, 3, 4));
    let wanted = BandRange::of(cube.slice(s![.., 1.., ..]));
    cube.slice_mut(s![.., 0, ..]).fill(-32768.0);
    let mut mask = Array2::from_elem((3, 4), false);
    mask.row_mut(0).fill(true);
    assert_eq!(BandRange::of_masked(cube.view(), mask.view())?, wanted);
    cube.slice_mut(s![.., 0, ..]).fill(f32::NAN);
    cube[[0, 0, 0]] = f32::INFINITY;
    assert_eq!(BandRange::of(cube.view()), wanted);
    let wrong = Array2::from_elem((4, 3), false);
    assert!(matches!(BandRange::of_masked(cube.view(), wrong.view()), Err(Error::Shape { .. })));
    let nothing = BandRange::of(Array3::from_elem((1, 2, 2), f32::NAN).view());
    assert_eq!((nothing.min[0], nothing.max[0]), (0.0, 0.0));
    Ok(())
}

#[test]
fn modes_are_read_shown_and_applied() -> Result<()> {
    let (clean, noisy) = (scramble((2, 4, 4)), scramble((2, 4, 4)) * 3.0 - 1.0);
    for (text, wanted) in [
        ("oracle", BandRange::of(clean.view())),
        ("from-noisy", BandRange::of(noisy.view())),
        ("fixed:0:10000", BandRange { min: vec![0.0; 2], max: vec![10000.0; 2] }),
    ] {
        let mode: NormMode = text.parse()?;
        assert_eq!(mode.to_string(), text);
        assert_eq!(mode.range(Some(clean.view()), noisy.view())?, wanted);
        let json = serde_json::to_string(&mode).expect("JSON");
        assert_eq!(serde_json::from_str::<NormMode>(&json).expect("JSON"), mode);
    }
    assert!(matches!(NormMode::Oracle.range(None, noisy.view()), Err(Error::Config { .. })));
    for text in ["", "fixed", "fixed:1", "fixed:1:1", "fixed:2:1", "fixed:0:nan", "Oracle"] {
        assert!(matches!(text.parse::<NormMode>(), Err(Error::Parse { .. })), "{text}");
    }
    assert!(BandRange::fixed(1, 1.0, f32::INFINITY).is_err());
    let mut three = scramble((3, 1, 1));
    let error = BandRange::fixed(2, 0.0, 1.0)?.normalize_in_place(three.view_mut());
    assert!(matches!(error, Err(Error::BandCount { expected: 2, got: 3, .. })));
    Ok(())
}
