//! What cannot be used is said, not computed with.

use ndarray::{Array2, Array3, array};
use spectralift::{
    Error, PercentileRange, Psf, PsfConfig, PsfShape, Srf, add_noise, area_average, estimate_srf,
    low_resolution, nonnegative_least_squares, sensor_bands,
};

fn psf(shape: PsfShape, sigma: f64, radius: usize) -> Result<Psf, Error> {
    Psf::new(&PsfConfig { shape, sigma, radius })
}

#[test]
fn kernels() {
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            psf(PsfShape::Gaussian, sigma, 3),
            Err(Error::Setting { name: "sigma", .. })
        ));
    }
    assert!(matches!(psf(PsfShape::Delta, 1.0, 100_000), Err(Error::Setting { .. })));
    assert!(matches!(psf(PsfShape::Moffat { beta: 0.0 }, 1.0, 3), Err(Error::Setting { .. })));
    assert!(matches!(psf(PsfShape::Hermite { order: 61 }, 1.0, 3), Err(Error::Setting { .. })));
    let gabor = |lambda, gamma| PsfShape::Gabor { theta: 0.0, lambda, gamma, psi: 0.0 };
    assert!(psf(gabor(0.0, 1.0), 1.0, 3).is_err());
    assert!(psf(gabor(1.0, -1.0), 1.0, 3).is_err());
    // A width so small that the formula overflows.
    assert!(matches!(psf(PsfShape::Hermite { order: 2 }, 1e-300, 3), Err(Error::NotFinite { .. })));
    // The published example of a kernel that rounding decides about.
    let fragile = PsfShape::Gabor { theta: 0.7, lambda: 3.0, gamma: 0.8, psi: 0.4 };
    let fragile = psf(fragile, 2.1, 5).map(|psf| (psf.is_fragile(), psf.balance() < 1e-3));
    assert!(matches!(fragile, Ok((true, true))), "{fragile:?}");
    assert!(psf(PsfShape::Sinc, 3.4, 7).is_ok_and(|psf| !psf.is_fragile()));

    let sums_to_nothing = array![[1.0, -2.0, 1.0]];
    assert!(matches!(Psf::from_kernel(sums_to_nothing), Err(Error::PsfSum { .. })));
    assert!(matches!(Psf::from_kernel(array![[0.0]]), Err(Error::PsfSum { .. })));
    assert!(matches!(Psf::from_kernel(array![[1e-13]]), Err(Error::PsfSum { .. })));
    assert!(matches!(Psf::from_kernel(array![[f64::NAN]]), Err(Error::NotFinite { .. })));
    assert!(matches!(Psf::from_kernel(array![[1e308, 1e308]]), Err(Error::PsfSum { .. })));
    assert!(matches!(Psf::from_kernel(Array2::zeros((0, 3))), Err(Error::Shape { .. })));
    assert!(matches!(Psf::from_kernel(Array2::ones((1, 2002))), Err(Error::Shape { .. })));
    let unknown = "airy ring".parse::<PsfShape>();
    assert!(
        matches!(&unknown, Err(Error::Setting { expected, .. }) if expected.contains("airy-disc"))
    );
    assert_eq!(" AIRY_disc ".parse::<PsfShape>().ok(), Some(PsfShape::AiryDisc));
}

#[test]
fn responses() {
    assert!(matches!(sensor_bands(5), Err(Error::Setting { .. })));
    let weights = |w: Array2<f64>| Srf::from_weights(w);
    assert!(matches!(weights(array![[1.0], [0.0]]), Err(Error::SrfRow { row: 1, .. })));
    assert!(matches!(
        weights(array![[1.0, 2.0], [3.0, -1.0]]),
        Err(Error::SrfNegative { row: 1, column: 1, .. })
    ));
    assert!(matches!(weights(array![[f64::INFINITY]]), Err(Error::NotFinite { .. })));
    assert!(matches!(weights(Array2::zeros((3, 0))), Err(Error::Shape { .. })));
    let published = |count, bands, factor| Srf::published(sensor_bands(count)?, bands, factor);
    // Three bands over 2000 nm: most of WorldView-3 falls between them.
    assert!(matches!(published(16, 3, 4.2), Err(Error::SrfRow { .. })));
    assert!(matches!(published(4, 0, 4.2), Err(Error::Setting { .. })));
    assert!(matches!(published(4, 50, 0.0), Err(Error::Setting { .. })));
    let on = |count, nm: &[f64]| Srf::on_wavelengths(sensor_bands(count)?, nm, 4.2);
    let visible: Vec<f64> = (0..60).map(|i| 400.0 + 5.0 * f64::from(i)).collect();
    assert!(matches!(on(4, &visible), Err(Error::SrfCoverage { row: 3, .. })));
    assert!(matches!(on(3, &[f64::NAN]), Err(Error::NotFinite { .. })));
    assert!(matches!(on(3, &[]), Err(Error::SrfCoverage { .. })));
    let Ok(srf) = published(4, 8, 4.2) else { panic!("eight bands serve IKONOS") };
    let cube = Array3::<f32>::zeros((9, 2, 2));
    assert!(matches!(srf.apply(cube.view()), Err(Error::BandCount { expected: 8, got: 9, .. })));
    assert!(matches!(srf.select_bands(&[8]), Err(Error::Setting { .. })));
    assert!(matches!(srf.select_bands(&[]), Err(Error::Shape { .. })));
}

#[test]
fn images() {
    let cube = Array3::<f32>::ones((2, 6, 5));
    let delta = PsfConfig { shape: PsfShape::Delta, ..PsfConfig::default() };
    let Ok(delta) = Psf::new(&delta) else { panic!("the delta is a kernel") };
    for ratio in [0, 6] {
        let low = low_resolution(cube.view(), &delta, ratio);
        assert!(matches!(low, Err(Error::Ratio { rows: 6, cols: 5, .. })));
    }
    assert!(low_resolution(cube.view(), &delta, 5).is_ok());
    for (rows, cols) in [(0, 5), (6, 6)] {
        assert!(matches!(area_average(cube.view(), rows, cols), Err(Error::Shape { .. })));
    }
    let normals = Array3::<f32>::zeros((2, 6, 5));
    assert!(matches!(
        add_noise(&mut cube.clone(), f64::NAN, normals.view()),
        Err(Error::Setting { .. })
    ));
    assert!(matches!(
        add_noise(&mut Array3::ones((2, 6, 4)), 30.0, normals.view()),
        Err(Error::Shape { .. })
    ));
    for percentiles in [(99.0, 1.0), (-1.0, 50.0), (1.0, 101.0), (f64::NAN, 99.0), (5.0, 5.0)] {
        let range = PercentileRange::of(cube.view(), None, percentiles);
        assert!(matches!(range, Err(Error::Setting { .. })));
    }
    let mut holed = cube.clone();
    holed[[1, 2, 3]] = f32::NAN;
    let of = |cube: &Array3<f32>, mask: Option<&Array2<bool>>| {
        PercentileRange::of(cube.view(), mask.map(|mask| mask.view()), (1.0, 99.0))
    };
    assert!(matches!(of(&holed, None), Err(Error::NotFinite { count: 1, .. })));
    let mut missing = Array2::from_elem((6, 5), false);
    missing[[2, 3]] = true;
    assert!(of(&holed, Some(&missing)).is_ok());
    assert!(matches!(of(&cube, Some(&Array2::from_elem((6, 5), true))), Err(Error::Shape { .. })));
    assert!(matches!(of(&cube, Some(&Array2::from_elem((5, 6), true))), Err(Error::Shape { .. })));
    assert!(matches!(of(&Array3::zeros((0, 3, 3)), None), Err(Error::Shape { .. })));
}

#[test]
fn estimates() {
    let (hsi, msi) = (Array3::<f32>::ones((3, 4, 4)), Array3::<f32>::ones((2, 4, 4)));
    let estimate = |hsi: &Array3<f32>, msi: &Array3<f32>, smoothness| {
        estimate_srf(hsi.view(), msi.view(), None, smoothness)
    };
    assert!(matches!(estimate(&hsi, &msi, -1.0), Err(Error::Setting { .. })));
    assert!(matches!(estimate(&hsi, &Array3::ones((2, 4, 5)), 0.0), Err(Error::Shape { .. })));
    // Without any variation there is nothing to estimate from.
    assert!(matches!(estimate(&hsi, &msi, 0.0), Err(Error::SrfRow { row: 0, .. })));
    let mut holed = hsi.clone();
    holed[[0, 0, 0]] = f32::NAN;
    assert!(matches!(estimate(&holed, &msi, 0.0), Err(Error::NotFinite { .. })));
    assert!(matches!(estimate(&Array3::ones((0, 4, 4)), &msi, 0.0), Err(Error::Shape { .. })));
    let gram = array![[1.0, 1.0], [1.0, 1.0]];
    // Columns that depend on each other still have a solution.
    let solution = nonnegative_least_squares(gram.view(), array![2.0, 2.0].view());
    assert!(solution.is_ok_and(|x| (x.sum() - 2.0).abs() < 1e-9));
    assert!(nonnegative_least_squares(gram.view(), array![1.0].view()).is_err());
    assert!(nonnegative_least_squares(gram.view(), array![f64::NAN, 1.0].view()).is_err());
}
