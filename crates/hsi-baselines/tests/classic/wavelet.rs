//! Wavelet transforms against PyWavelets, and their laws.

use hsi_baselines::Error;
use hsi_baselines::wavelet::{Orientation, Wavelet, WaveletTransform};
use ndarray::{Array1, Array2, Array3, s};
use proptest::prelude::*;

use crate::support::{Numbers, References, relative};

#[test]
fn lines_equal_the_reference() {
    let Some(references) = References::find() else { return };
    let wavelet = Wavelet::daubechies(5).unwrap();
    for (length, half) in [(16, 12), (17, 13)] {
        let all: Array1<f64> = references.read(&format!("low/dwt1_db5_n{length}"));
        let input = all.slice(s![..length]).to_vec();
        let (low, high) = wavelet.analyse(&input);
        assert_eq!((low.len(), high.len(), wavelet.half(length)), (half, half, half));
        let both = Array1::from_iter(low.iter().chain(&high).copied());
        assert!(relative(both.view(), all.slice(s![length..length + 2 * half])) < 1e-12);
        let again = Array1::from_vec(wavelet.synthesise(&low, &high, length).unwrap());
        assert!(relative(again.view(), all.slice(s![..length])) < 1e-12);
    }
}

#[test]
fn planes_equal_the_reference() {
    let Some(references) = References::find() else { return };
    for (moments, levels, size) in [(5, 3, (41, 38)), (5, 5, (64, 64)), (6, 3, (40, 40))] {
        let name = format!("low/dwt2_db{moments}_L{levels}_{}x{}", size.0, size.1);
        let images: Array3<f64> = references.cube(&format!("{name}_in"));
        let stack: Array2<f64> = references.read(&format!("{name}_stack"));
        let wavelet = Wavelet::daubechies(moments).unwrap();
        let transform = WaveletTransform::new(wavelet, levels, size).unwrap();
        // The taps of the reference are rounded to f32.
        let got = transform.forward(images.view()).unwrap();
        assert!(relative(got.view(), stack.t()) < 1e-6, "{name}");
        assert!(relative(transform.inverse(got.view()).unwrap().view(), images.view()) < 1e-12);
        let narrow = images.mapv(|x| x as f32);
        let got = transform.forward(narrow.view()).unwrap();
        assert!(relative(got.view(), stack.t()) < 1e-6, "{name} in f32");
    }
}

#[test]
fn subbands_stand_from_coarse_to_fine() {
    let transform = WaveletTransform::new(Wavelet::daubechies(5).unwrap(), 3, (41, 38)).unwrap();
    let sizes: Vec<_> =
        transform.subbands().iter().map(|band| (band.level, band.rows, band.cols)).collect();
    let expected =
        [[(3, 13, 12); 4].as_slice(), [(2, 17, 16); 3].as_slice(), [(1, 25, 23); 3].as_slice()];
    assert_eq!(sizes, expected.concat());
    assert_eq!(transform.groups(), [0..156, 156..624, 624..1440, 1440..3165]);
    assert_eq!((transform.len(), transform.levels()), (3165, 3));
    let orientations: Vec<_> = transform.subbands()[..4].iter().map(|b| b.orientation).collect();
    let expected = [
        Orientation::Approximation,
        Orientation::Horizontal,
        Orientation::Vertical,
        Orientation::Diagonal,
    ];
    assert_eq!(orientations, expected);
    // Stripes along the columns change along a row.
    let stripes = Array3::from_shape_fn((1, 41, 38), |(_, _, c)| (c % 2) as f32);
    let got = transform.forward(stripes.view()).unwrap();
    for band in transform.subbands() {
        let energy = got.slice(s![0, band.range.clone()]).mapv(|x| x * x).sum();
        let quiet = matches!(band.orientation, Orientation::Horizontal | Orientation::Diagonal);
        assert_eq!(energy < 1e-6, quiet, "{band:?}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_errors() {
    let wavelet = || Wavelet::daubechies(2).unwrap();
    assert!(matches!(WaveletTransform::new(wavelet(), 17, (4, 4)), Err(Error::Parameter { .. })));
    assert!(matches!(WaveletTransform::new(wavelet(), 1, (4, 0)), Err(Error::Empty { .. })));
    let transform = WaveletTransform::new(wavelet(), 1, (4, 5)).unwrap();
    let error = transform.forward(Array3::<f32>::zeros((2, 5, 4)).view()).unwrap_err();
    assert_eq!(error, Error::Shape { expected: vec![2, 4, 5], got: vec![2, 5, 4] });
    assert!(transform.inverse(Array2::<f32>::zeros((2, 5)).view()).is_err());
    assert!(wavelet().synthesise(&[1.0_f32], &[1.0], 9).is_err());
    assert_eq!(wavelet().analyse::<f64>(&[]), (vec![], vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_inverse_is_exact_for_any_size(
        moments in 1..=10usize,
        levels in 0..5usize,
        size in (1..40usize, 1..40usize),
        seed in 0..1000u64,
    ) {
        let mut numbers = Numbers::new(seed);
        let images = Array3::from_shape_simple_fn((2, size.0, size.1), || f64::from(numbers.uniform()));
        let wavelet = Wavelet::daubechies(moments).unwrap();
        let transform = WaveletTransform::new(wavelet, levels, size).unwrap();
        let coefficients = transform.forward(images.view()).unwrap();
        prop_assert_eq!(coefficients.dim(), (2, transform.len()));
        let again = transform.inverse(coefficients.view()).unwrap();
        prop_assert!(relative(again.view(), images.view()) < 1e-11);
        let turned = images.view().permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        let same = transform.forward(turned.view().permuted_axes([0, 2, 1])).unwrap();
        prop_assert_eq!(same, coefficients);
    }
}
