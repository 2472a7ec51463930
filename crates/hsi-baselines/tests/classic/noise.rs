//! Noise estimates and signal subspaces.

use hsi_baselines::{
    Error, NoiseEstimate, Subspace, Variant, estimate_noise, hysime, linalg, noise_level,
};
use ndarray::{Array1, Array2, Array3, s};
use proptest::prelude::*;

use crate::support::{References, relative, scene, with_noise};

#[test]
fn the_estimate_equals_the_reference() {
    let Some(references) = References::find() else { return };
    let input: Array2<f64> = references.read("low/noise_in_LxN");
    let cube = input.mapv(|x| x as f32);
    let noise = NoiseEstimate::from_pixels(cube.view()).unwrap();
    let residual = noise.residual_of(cube.view().insert_axis(ndarray::Axis(1))).unwrap();
    let expected: Array2<f64> = references.read("low/noise_w");
    assert!(relative(residual.slice(s![.., 0, ..]), expected.view()) < 1e-5);
    let expected: Array1<f64> = references.read("low/noise_Rw_diag");
    assert!(relative(noise.variance.view(), expected.view()) < 1e-5);

    let subspace = Subspace::of(&noise, Variant::Hyde).unwrap();
    let costs: Array1<f64> = references.read("low/hysime_cost");
    assert!(relative(subspace.costs.view(), costs.view()) < 1e-5);
    let inflated: Array1<f64> = references.read("low/hysime_Rw_inflated_diag");
    assert!(relative((noise.variance + subspace.regulariser).view(), inflated.view()) < 1e-5);
    let basis: Array2<f64> = references.read("low/hysime_E");
    assert_eq!(subspace.dimension(), basis.ncols());
    let signed = Array2::from_shape_fn(basis.dim(), |(b, i)| {
        basis[[b, i]] * basis.column(i).dot(&subspace.basis.column(i)).signum()
    });
    assert!(relative(subspace.basis.view(), signed.view()) < 1e-5);
}

#[test]
fn sigma_is_the_deviation_of_the_residual() {
    for shape in [(12, 20, 15), (12, 1, 8), (30, 5, 4)] {
        let noisy = with_noise(&scene(shape), 0.05, 3);
        let noise = estimate_noise(noisy.view()).unwrap();
        let residual = noise.residual_of(noisy.view()).unwrap().mapv(f64::from);
        for (b, band) in residual.outer_iter().enumerate() {
            let scale = noise.sigma[b] + 1e-6;
            assert!((band.std(1.0) - noise.sigma[b]).abs() < 1e-3 * scale, "{shape:?} {b}");
            let square = band.mapv(|x| x * x).mean().unwrap();
            assert!((square.sqrt() - noise.variance[b].sqrt()).abs() < 1e-3 * scale);
        }
    }
}

#[test]
fn known_noise_and_dimension_are_found() {
    for sigma in [0.01, 0.05, 0.2] {
        let noisy = with_noise(&scene((40, 50, 50)), sigma, 5);
        let level = noise_level(noisy.view()).unwrap();
        assert!((level / f64::from(sigma) - 1.0).abs() < 0.05, "{level} for {sigma}");
        let dimension = hysime(noisy.view()).unwrap().dimension();
        assert!((2..=4).contains(&dimension), "{dimension} for {sigma}");
    }
    let pure = with_noise(&Array3::zeros((20, 40, 40)), 1.0, 7);
    assert_eq!(hysime(pure.view()).unwrap().dimension(), 0);
}

#[test]
fn fewer_pixels_than_bands_leave_an_estimate_of_the_right_size() {
    for (rows, cols) in [(3, 3), (5, 7), (10, 10), (14, 10)] {
        let noisy = with_noise(&scene((100, rows, cols)), 0.1, 11);
        let level = noise_level(noisy.view()).unwrap();
        assert!((0.03..0.3).contains(&level), "{level} for {rows} x {cols}");
    }
}

#[test]
fn a_rescaled_estimate_is_the_estimate_of_the_rescaled_cube() {
    let noisy = with_noise(&scene((6, 12, 11)), 0.1, 2);
    let factors = [0.5, 2.0, 1.0, 3.0, 0.25, 1.5];
    let mut scaled = noisy.clone();
    for (mut band, &factor) in scaled.outer_iter_mut().zip(&factors) {
        band *= factor as f32;
    }
    let got = estimate_noise(noisy.view()).unwrap().rescaled(&factors).unwrap();
    let expected = estimate_noise(scaled.view()).unwrap();
    assert!(relative(got.sigma.view(), expected.sigma.view()) < 1e-6);
    assert!(relative(got.variance.view(), expected.variance.view()) < 1e-6);
    assert!(relative(got.residual.view(), expected.residual.view()) < 1e-6);
    assert!(relative(got.moments.view(), expected.moments.view()) < 1e-6);
    let error = got.rescaled(&[1.0]).unwrap_err();
    assert_eq!(error, Error::Shape { expected: vec![6], got: vec![1] });
}

#[test]
fn cubes_that_cannot_be_used_are_errors() {
    assert!(matches!(noise_level(Array3::zeros((3, 0, 4)).view()), Err(Error::Empty { .. })));
    let mut cube = Array3::zeros((3, 4, 4));
    cube[[1, 2, 3]] = f32::NAN;
    assert!(matches!(hysime(cube.view()), Err(Error::NonFinite { band: 1, row: 2, col: 3, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Constant bands, equal bands, bands of zeros, any size: never an error, never NaN.
    #[test]
    fn estimates_are_finite(
        shape in (1..12usize, 1..6usize, 1..6usize),
        kinds in prop::collection::vec(0..4u8, 12),
        seed in 0..1000u64,
    ) {
        let mut cube = with_noise(&scene(shape), 0.1, seed);
        for (b, kind) in kinds.into_iter().enumerate().take(shape.0) {
            match kind {
                0 => cube.slice_mut(s![b, .., ..]).fill(0.0),
                1 => cube.slice_mut(s![b, .., ..]).fill(0.7),
                2 if b > 0 => {
                    let (before, mut band) = cube.multi_slice_mut((s![b - 1, .., ..], s![b, .., ..]));
                    band.assign(&before);
                }
                _ => {}
            }
        }
        let noise = estimate_noise(cube.view()).unwrap();
        prop_assert!(noise.sigma.iter().all(|x| x.is_finite() && *x >= 0.0));
        prop_assert!(noise.variance.iter().all(|x| x.is_finite() && *x >= 0.0));
        prop_assert!(noise.residual.iter().all(|x| x.is_finite()));
        noise.residual_of(cube.view()).unwrap();
        let subspace = Subspace::of(&noise, Variant::Corrected).unwrap();
        let product = subspace.basis.t().dot(&subspace.basis);
        let identity = Array2::<f64>::eye(subspace.dimension());
        prop_assert!((product - identity).iter().all(|x| x.abs() < 1e-9));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit(bands in 1..20usize, pixels in 1..9000usize) {
        let cube = with_noise(&scene((bands, 1, pixels)), 0.1, 1);
        let matrix = cube.slice(s![.., 0, ..]);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| linalg::gram(matrix))
        };
        prop_assert_eq!(run(1), run(3));
    }
}
