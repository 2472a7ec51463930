//! Laws of the physics, and independence of the way they are computed.

use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use proptest::prelude::*;
use spectralift::{
    Degradation, PercentileRange, Psf, PsfConfig, PsfShape, Srf, add_noise, area_average, blur,
    estimate_srf, low_resolution, sensor_bands, unit_normals,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn scene(bands: usize, rows: usize, cols: usize) -> Array3<f32> {
    Array3::from_shape_fn((bands, rows, cols), |(b, r, c)| {
        let wave = (0.3 * r as f32 + 0.1 * b as f32).sin() * (0.23 * c as f32).cos();
        0.5 + 0.3 * wave + ((b * 31 + r * 17 + c * 13) % 29) as f32 * 0.005
    })
}

/// The convolution by its definition.
fn by_definition(image: ArrayView2<'_, f32>, kernel: ArrayView2<'_, f64>) -> Array2<f64> {
    let (rows, cols) = image.dim();
    let center = ((kernel.nrows() - 1) / 2, (kernel.ncols() - 1) / 2);
    Array2::from_shape_fn((rows, cols), |(i, j)| {
        let mut sum = 0.0;
        for ((u, v), weight) in kernel.indexed_iter() {
            let (r, c) = ((i + center.0).wrapping_sub(u), (j + center.1).wrapping_sub(v));
            if r < rows && c < cols {
                sum += weight * f64::from(image[[r, c]]);
            }
        }
        sum
    })
}

#[test]
fn every_way_to_blur_is_the_convolution() -> Outcome {
    // Small kernels are summed, large ones transformed, products split, the delta skipped.
    for (rows, cols) in [(40, 33), (9, 50)] {
        let image = scene(2, rows, cols);
        for shape in PsfShape::ALL {
            for (sigma, radius) in [(1.3, 2), (6.5, 16)] {
                let psf = Psf::new(&PsfConfig { shape, sigma, radius })?;
                let ours = blur(image.view(), &psf);
                for (ours, image) in ours.outer_iter().zip(image.outer_iter()) {
                    let wanted = by_definition(image, psf.kernel());
                    let pairs = ours.iter().zip(&wanted);
                    let worst = pairs.map(|(&a, &b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
                    assert!(worst < 3e-6, "{shape} of radius {radius}: {worst:e}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_kernel_that_only_shifts_is_followed_beyond_the_edge() -> Outcome {
    let image = scene(1, 6, 5);
    let mut kernel = Array2::zeros((3, 5));
    kernel[[0, 4]] = 2.0;
    let ours = blur(image.view(), &Psf::from_kernel(kernel)?);
    // Down is where the kernel is flipped to: out[i, j] = 2 x[i + 1, j - 2].
    let wanted = Array3::from_shape_fn((1, 6, 5), |(_, i, j)| {
        if i + 1 < 6 && j >= 2 { 2.0 * image[[0, i + 1, j - 2]] } else { 0.0 }
    });
    assert_eq!(ours, wanted);
    Ok(())
}

#[test]
fn averages_keep_the_mean_and_constants() -> Outcome {
    for (rows, cols, out_rows, out_cols) in
        [(12, 8, 3, 2), (13, 9, 4, 5), (7, 7, 7, 7), (5, 3, 1, 1)]
    {
        let image = scene(3, rows, cols);
        let ours = area_average(image.view(), out_rows, out_cols)?;
        for (small, large) in ours.outer_iter().zip(image.outer_iter()) {
            let means = [small.mean(), large.mean()].map(Option::unwrap_or_default);
            assert!((means[0] - means[1]).abs() < 1e-5);
        }
        let flat =
            area_average(Array3::from_elem((1, rows, cols), 0.7).view(), out_rows, out_cols)?;
        assert!(flat.iter().all(|v| (v - 0.7).abs() < 1e-6));
    }
    Ok(())
}

#[test]
fn responses_are_weighted_means() -> Outcome {
    let nm: Vec<f64> = (0..120).map(|i| 400.0 + 5.5 * f64::from(i)).collect();
    for count in [3, 4, 8] {
        let srf = Srf::on_wavelengths(sensor_bands(count)?, &nm, 2.355)?;
        for (row, band) in srf.weights().outer_iter().zip(sensor_bands(count)?) {
            assert!((row.sum() - 1.0).abs() < 1e-5 && row.iter().all(|&w| w >= 0.0));
            let mean: f64 = row.iter().zip(&nm).map(|(&w, nm)| f64::from(w) * nm).sum();
            assert!((mean - band.center_nm).abs() < 20.0, "{mean} {}", band.center_nm);
        }
        // Wavelengths may come in any order.
        let order: Vec<usize> = (0..nm.len()).rev().collect();
        let back: Vec<f64> = nm.iter().rev().copied().collect();
        let turned = Srf::on_wavelengths(sensor_bands(count)?, &back, 2.355)?;
        let pairs = turned.weights().to_owned() - srf.select_bands(&order)?.weights();
        assert!(pairs.iter().all(|d| d.abs() < 1e-7));
    }
    let kept: Vec<usize> = (0..120).filter(|band| band % 7 != 0).collect();
    let srf = Srf::on_wavelengths(sensor_bands(4)?, &nm, 4.2)?.select_bands(&kept)?;
    assert_eq!(srf.hsi_bands(), kept.len());
    assert!(srf.weights().sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-5));
    Ok(())
}

#[test]
fn noise_has_the_ratio_that_was_asked_for() -> Outcome {
    let clean = scene(4, 80, 90) * 3.0;
    let mut noisy = clean.clone();
    add_noise(&mut noisy, 20.0, unit_normals(clean.dim(), 5, 1).view())?;
    for (clean, noisy) in clean.outer_iter().zip(noisy.outer_iter()) {
        let power = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|v| f64::from(v).powi(2)).sum::<f64>() / 7200.0
        };
        let signal = power(&mut clean.iter().copied());
        let error = power(&mut noisy.iter().zip(clean).map(|(n, c)| n - c));
        // Four standard errors of a variance of 7200 values.
        let snr_db = 10.0 * (signal / error).log10();
        assert!((snr_db - 20.0).abs() < 4.0 * 4.34 * (2.0f64 / 7200.0).sqrt(), "{snr_db}");
    }
    // Addressed: a band does not depend on the others, a product not on the other.
    let all = unit_normals((4, 5, 6), 5, 1);
    assert_eq!(all.slice(s![..2, .., ..]), unit_normals((2, 5, 6), 5, 1));
    assert_ne!(all, unit_normals((4, 5, 6), 5, 0));
    assert_ne!(all, unit_normals((4, 5, 6), 6, 1));
    Ok(())
}

#[test]
fn observations_do_not_depend_on_threads() -> Outcome {
    let scene = scene(9, 31, 26);
    let degradation = Degradation {
        psf: Psf::new(&PsfConfig { shape: PsfShape::Moffat { beta: 3.5 }, sigma: 2.0, radius: 3 })?,
        ratio: 4,
        srf: Srf::published(sensor_bands(3)?, 9, 2.355)?,
        snr_spatial_db: Some(30.0),
        snr_spectral_db: Some(40.0),
        seed: 3,
    };
    let with = |threads| -> Result<_, Box<dyn std::error::Error>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(pool.install(|| degradation.apply(scene.view()))?)
    };
    let (one, three) = (with(1)?, with(3)?);
    assert_eq!(one, three);
    assert_eq!((one.lr_hsi.dim(), one.hr_msi.dim()), ((9, 7, 6), (3, 31, 26)));
    let clean = low_resolution(scene.view(), &degradation.psf, 4)?;
    assert!((&one.lr_hsi - &clean).iter().all(|d| d.abs() < 0.1) && one.lr_hsi != clean);
    assert_eq!(Degradation::published_snr_db(8), (30.0, 40.0));
    Ok(())
}

#[test]
fn a_response_is_found_again() -> Outcome {
    // A scene whose bands are independent, seen with gains and offsets.
    let mut hsi = unit_normals((24, 40, 40), 1, 0);
    hsi.mapv_inplace(|v| 3.0 + v);
    let truth = Srf::published(sensor_bands(4)?, 24, 2.355)?;
    let mut msi = truth.apply(hsi.view())?;
    for (row, mut band) in msi.outer_iter_mut().enumerate() {
        band.mapv_inplace(|v| v * (2.0 + row as f32) - 7.0);
    }
    let found = estimate_srf(hsi.view(), msi.view(), None, 0.0)?;
    let worst = (&found.srf.weights() - &truth.weights()).mapv(f32::abs);
    assert!(worst.iter().all(|&d| d < 1e-3), "{worst}");
    for row in 0..4 {
        assert!((found.gain[row] - 2.0 - row as f64).abs() < 1e-2, "{:?}", found.gain);
        assert!((found.offset[row] + 7.0).abs() < 0.05, "{:?}", found.offset);
        assert!(found.explained[row] > 0.9999);
    }
    found.to_hsi_scale(&mut msi)?;
    let same = (&msi - &found.srf.apply(hsi.view())?).mapv(f32::abs);
    assert!(same.iter().all(|&d| d < 5e-3));
    // Pixels that are left out play no part.
    let mut missing = Array2::from_elem((40, 40), false);
    missing[[3, 4]] = true;
    let again = estimate_srf(hsi.view(), msi.view(), Some(missing.view()), 1e-3)?;
    msi[[2, 3, 4]] = f32::NAN;
    assert_eq!(again, estimate_srf(hsi.view(), msi.view(), Some(missing.view()), 1e-3)?);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn normalisation_is_undone(
        values in proptest::collection::vec(-1e6f32..1e6, 8..200),
        low in 0.0..40.0f64,
        width in 1.0..60.0f64,
    ) {
        let cube = Array3::from_shape_vec((1, 1, values.len()), values.clone()).map_err(|e| {
            TestCaseError::fail(e.to_string())
        })?;
        let range = PercentileRange::of(cube.view(), None, (low, low + width))
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut sorted: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let place = q / 100.0 * (sorted.len() - 1) as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        prop_assert_eq!((range.low, range.high), (at(low), at(low + width)));
        let mut mapped = cube.clone();
        range.normalize_in_place(mapped.view_mut());
        prop_assert!(mapped.iter().all(|v| (0.0..=1.0).contains(v)));
        let mut back = cube.clone();
        range.scale_in_place(back.view_mut());
        range.denormalize_in_place(back.view_mut());
        let scale = (range.high - range.low).max(1e6);
        prop_assert!(back.iter().zip(&cube).all(|(a, b)| f64::from((a - b).abs()) < 1e-5 * scale));
    }
}
