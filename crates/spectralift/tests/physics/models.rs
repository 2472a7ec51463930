//! What the models must fulfil, on a small scene of two materials.

use ndarray::{Array2, Array3, array, s};
use spectralift::{
    AffineMap, Batch, Degradation, Error, LiftConfig, ModelKind, Observations, Observed, Psf,
    PsfConfig, PsfShape, Schedule, ScheduleKind, SpectralNet, Srf, SuperResolution, estimate_srf,
    estimate_srf_of_pair, sensor_bands, super_resolve, unit_normals, upsample_bicubic,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BANDS: usize = 20;

/// Three materials that mix, and a spectral detail that depends on the place and that no band of
/// the sensor sees alone.
fn scene(rows: usize, cols: usize) -> Array3<f32> {
    Array3::from_shape_fn((BANDS, rows, cols), |(b, i, j)| {
        let (y, x, b) = (i as f32 / 6.0, j as f32 / 7.0, b as f32);
        let water = 0.5 + 0.5 * (y + (1.3 * x).sin()).sin();
        let soil = 0.5 + 0.5 * (1.7 * x - y).cos();
        let place = 0.04 * (0.11 * i as f32).sin() * (2.1 * b).sin();
        let spectrum = 0.3 * water * (1.0 - b / 25.0) + 0.4 * soil * (0.3 + b / 30.0);
        0.1 + spectrum + 0.2 * water * soil * (0.4 * b).cos().powi(2) + place
    })
}

struct Pair {
    scene: Array3<f32>,
    srf: Srf,
    seen: Observations,
}

impl Pair {
    fn new() -> spectralift::Result<Self> {
        let scene = scene(48, 40);
        let srf = Srf::published(sensor_bands(4)?, BANDS, 2.355)?;
        let degradation = Degradation {
            psf: Psf::new(&PsfConfig { sigma: 2.0, radius: 3, ..PsfConfig::default() })?,
            ratio: 4,
            srf: srf.clone(),
            snr_spatial_db: Some(40.0),
            snr_spectral_db: Some(45.0),
            seed: 5,
        };
        let seen = degradation.apply(scene.view())?;
        Ok(Self { scene, srf, seen })
    }

    fn observed(&self) -> Observed<'_> {
        Observed {
            lr_hsi: self.seen.lr_hsi.view(),
            hr_msi: self.seen.hr_msi.view(),
            srf: &self.srf,
            missing: None,
        }
    }

    fn lift(&self, config: &LiftConfig) -> spectralift::Result<SuperResolution> {
        super_resolve(&self.observed(), config, &mut |_| ())
    }

    fn rmse(&self, image: &Array3<f32>) -> f32 {
        (image - &self.scene).mapv(|d| d * d).mean().unwrap_or(f32::NAN).sqrt()
    }
}

fn short(model: ModelKind) -> LiftConfig {
    LiftConfig { epochs: 150, hidden_size: 24, ..LiftConfig::of(model) }
}

#[test]
fn every_model_beats_upsampling_and_the_default_is_the_best() -> Outcome {
    let pair = Pair::new()?;
    let upsampled = pair.rmse(&upsample_bicubic(pair.seen.lr_hsi.view(), 48, 40)?);
    let mut errors = Vec::new();
    for model in ModelKind::ALL {
        let result = pair.lift(&short(model))?;
        assert_eq!(result.image.dim(), pair.scene.dim());
        assert!(result.image.iter().all(|v| (0.0..=1.0).contains(v)));
        let report = &result.report;
        assert_eq!(report.model, model);
        assert!(report.parameters >= result.model.parameters() && report.parameters > 0);
        let whole = report.parameters == result.model.parameters();
        assert_eq!(report.flops == result.model.flops(48 * 40), whole, "{model}");
        assert_eq!(report.losses.len(), report.epochs);
        assert_eq!(report.learning_rates.len(), report.epochs);
        let trained = matches!(model, ModelKind::Published | ModelKind::Residual);
        assert_eq!(report.epochs, if trained { 150 } else { 0 });
        assert_eq!(report.best_epoch.is_some(), model == ModelKind::Residual);
        assert_eq!(report.ridge.is_none(), model == ModelKind::Published);
        let error = pair.rmse(&result.image);
        assert!(error < 0.8 * upsampled, "{model}: {error} {upsampled}");
        errors.push((model, error));
    }
    let of = |kind| errors.iter().find(|(model, _)| *model == kind).map(|(_, error)| *error);
    let best = errors.iter().map(|(_, error)| *error).fold(f32::INFINITY, f32::min);
    assert_eq!(of(ModelKind::default()), Some(best), "{errors:?}");
    assert!(of(ModelKind::Residual) <= of(ModelKind::Affine), "{errors:?}");
    Ok(())
}

#[test]
fn results_depend_on_seeds_but_not_on_threads_or_batches() -> Outcome {
    let pair = Pair::new()?;
    for model in ModelKind::ALL {
        let config = LiftConfig { epochs: 12, members: 2, ..short(model) };
        let with = |threads: usize, config: &LiftConfig| -> Result<_, Box<dyn std::error::Error>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            Ok(pool.install(|| pair.lift(config))?)
        };
        let (one, three) = (with(1, &config)?, with(3, &config)?);
        assert_eq!(one.image, three.image, "{model}");
        assert_eq!(one.report.losses, three.report.losses);
        for batch in [1, 37, 256, 5000] {
            let other = LiftConfig { inference_batch: Some(batch), ..config.clone() };
            let worst = (&with(2, &other)?.image - &one.image).mapv(f32::abs);
            assert!(worst.iter().all(|&d| d < 1e-5), "{model}, {batch}");
        }
        let other = with(2, &LiftConfig { seed: 43, ..config })?;
        let seeded = matches!(model, ModelKind::Published | ModelKind::Residual);
        assert_eq!(other.image != one.image, seeded, "{model}");
    }
    Ok(())
}

#[test]
fn batches_see_every_pixel_once() -> Outcome {
    let pair = Pair::new()?;
    let whole = pair.lift(&short(ModelKind::Published))?;
    for (batch, same) in
        [(Batch::Pixels(120), true), (Batch::Tile(12), true), (Batch::Pixels(50), false)]
    {
        let result = pair.lift(&LiftConfig { batch, ..short(ModelKind::Published) })?;
        // 12 x 10 pixels: one batch holds them all, in the same order.
        assert_eq!(result.image == whole.image, same, "{batch:?}");
    }
    let mut seen = Vec::new();
    let config = LiftConfig { epochs: 20, ..short(ModelKind::Residual) };
    super_resolve(&pair.observed(), &config, &mut |p| seen.push(*p))?;
    assert_eq!(seen.iter().map(|p| p.epoch).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(seen.iter().filter(|p| p.held_out.is_some()).count(), 2);
    Ok(())
}

#[test]
fn pixels_without_data_play_no_part() -> Outcome {
    let pair = Pair::new()?;
    let mut missing = Array2::from_elem((12, 10), false);
    missing.slice_mut(s![3..5, 2..]).fill(true);
    for model in ModelKind::ALL {
        let config = LiftConfig { epochs: 10, ..short(model) };
        let mut cube = pair.seen.lr_hsi.clone();
        let mut observed = pair.observed();
        observed.missing = Some(missing.view());
        let first = super_resolve(&observed, &config, &mut |_| ())?;
        cube.slice_mut(s![.., 3..5, 2..]).fill(f32::NAN);
        observed.lr_hsi = cube.view();
        assert_eq!(super_resolve(&observed, &config, &mut |_| ())?.image, first.image, "{model}");
        observed.missing = None;
        let refused = super_resolve(&observed, &config, &mut |_| ());
        assert!(matches!(refused, Err(Error::NotFinite { .. })), "{model}");
    }
    Ok(())
}

#[test]
fn what_only_the_sensor_sees_does_little_harm() -> Outcome {
    let pair = Pair::new()?;
    // Each band sees something of its own, of a tenth of its variance or so.
    let mut seen = pair.seen.hr_msi.clone();
    for ((b, i, j), value) in seen.indexed_iter_mut() {
        let (y, x, b) = (i as f32 / 5.0, j as f32 / 4.0, b as f32);
        *value += 0.08 * (y + 2.0 * b).sin() * (x - 1.3 * b).cos();
    }
    let pixels = |image: &Array3<f32>| -> Array2<f32> {
        let (bands, rows, cols) = image.dim();
        Array2::from_shape_fn((rows * cols, bands), |(i, b)| image[[b, i / cols, i % cols]])
    };
    let computed = pair.srf.apply(pair.seen.lr_hsi.view())?;
    let naive = AffineMap::fit(pixels(&computed).view(), pixels(&pair.seen.lr_hsi).view(), None)?;
    let wanted = pixels(&pair.scene);
    let naive = (naive.apply(pixels(&seen).view())?.mapv(|v| v.clamp(0.0, 1.0)) - &wanted)
        .mapv(|d| d * d)
        .mean()
        .ok_or("pixels")?
        .sqrt();
    for model in [ModelKind::Affine, ModelKind::Fused] {
        let observed = Observed { hr_msi: seen.view(), ..pair.observed() };
        let result = super_resolve(&observed, &LiftConfig::of(model), &mut |_| ())?;
        let ours = pair.rmse(&result.image);
        assert!(ours < 0.8 * naive, "{model}: {ours} {naive}");
    }
    Ok(())
}

/// The images that two sensors see of a scene, with a blur of a shape.
fn seen_through(shape: PsfShape, ratio: usize, srf: &Srf) -> spectralift::Result<Observations> {
    let degradation = Degradation {
        psf: Psf::new(&PsfConfig { shape, ..PsfConfig::default() })?,
        ratio,
        srf: srf.clone(),
        snr_spatial_db: Some(40.0),
        snr_spectral_db: Some(45.0),
        seed: 5,
    };
    degradation.apply(scene(64, 56).view())
}

#[test]
fn a_response_that_is_known_is_believed_whatever_the_blur() -> Outcome {
    let srf = Srf::published(sensor_bands(4)?, BANDS, 2.355)?;
    for shape in PsfShape::ALL {
        for ratio in [2, 4] {
            let seen = seen_through(shape, ratio, &srf)?;
            let observed = Observed {
                lr_hsi: seen.lr_hsi.view(),
                hr_msi: seen.hr_msi.view(),
                srf: &srf,
                missing: None,
            };
            let config = LiftConfig::of(ModelKind::Affine);
            let result = super_resolve(&observed, &config, &mut |_| ())?;
            assert!(!result.report.fits_sensor_image, "{shape} {ratio}");
        }
    }
    Ok(())
}

#[test]
fn responses_of_pairs_are_found_through_the_blur() -> Outcome {
    let srf = Srf::published(sensor_bands(3)?, BANDS, 2.355)?;
    for shape in [PsfShape::Gaussian, PsfShape::Sinc, PsfShape::Delta] {
        let seen = seen_through(shape, 2, &srf)?;
        let (low, high) = (seen.lr_hsi.view(), seen.hr_msi.view());
        let found = estimate_srf_of_pair(low, high, None, 1e-3)?;
        let wanted = srf.apply(low)?;
        let error = (found.srf.apply(low)? - &wanted).mapv(|d| d * d).mean().ok_or("pixels")?;
        let spread = wanted.var(0.0);
        assert!(error < 0.01 * spread, "{shape}: {error} {spread}");
        assert!(found.explained.iter().all(|&part| part > 0.99), "{shape}: {:?}", found.explained);
    }
    Ok(())
}

#[test]
fn pixels_that_only_one_value_fits_do_not_choose_the_ridge() -> Outcome {
    // Ten pixels and nine inputs: without a ridge the map goes through all of them.
    let xs = unit_normals((1, 10, 9), 7, 0).remove_axis(ndarray::Axis(0));
    let ys = unit_normals((1, 10, 3), 7, 1).remove_axis(ndarray::Axis(0));
    assert!(AffineMap::fit(xs.view(), ys.view(), None)?.ridge() > 0.0);
    Ok(())
}

#[test]
fn affine_maps_are_those_of_least_squares() -> Outcome {
    let xs = unit_normals((1, 60, 3), 3, 0).remove_axis(ndarray::Axis(0));
    let weight = array![[1.0, -2.0], [0.5, 0.25], [3.0, 1.5]];
    let ys = xs.dot(&weight) + array![0.7, -0.4];
    for ridge in [Some(0.0), None] {
        let map = AffineMap::fit(xs.view(), ys.view(), ridge)?;
        assert!((&map.weight() - &weight).iter().all(|d| d.abs() < 1e-4));
        assert!((map.apply(xs.view())? - &ys).iter().all(|d| d.abs() < 1e-4));
    }
    // The normal equations with a ridge: Xc' (Y - f) = ridge v n W.
    let map = AffineMap::fit(xs.view(), ys.view(), Some(0.3))?;
    let left = &ys - &map.apply(xs.view())?;
    let mean = xs.mean_axis(ndarray::Axis(0)).ok_or("rows")?;
    let centred = &xs - &mean;
    let variance = centred.mapv(|v| v * v).sum() / 180.0;
    let wanted = map.weight().to_owned() * (0.3 * variance * 60.0);
    assert!((centred.t().dot(&left) - wanted).iter().all(|d| d.abs() < 1e-3));
    // Noise on few pixels and many inputs calls for a ridge.
    let xs = unit_normals((1, 14, 12), 4, 0).remove_axis(ndarray::Axis(0));
    let ys = unit_normals((1, 14, 2), 4, 1).remove_axis(ndarray::Axis(0));
    assert!(AffineMap::fit(xs.view(), ys.view(), None)?.ridge() > 0.0);
    Ok(())
}

#[test]
fn networks_have_the_published_size() -> Outcome {
    for (bands, outputs, parameters) in [
        (4, 191, 33_535),
        (4, 103, 27_815),
        (1, 191, 33_343),
        (3, 191, 33_471),
        (8, 191, 33_791),
        (16, 191, 34_303),
    ] {
        let net = SpectralNet::new(bands, 64, outputs, 1)?;
        assert_eq!(net.parameters(), parameters);
    }
    assert_eq!(SpectralNet::new(4, 64, 191, 1)?.flops(1280 * 307), 26_205_323_521);
    // Glorot's bounds, reached but not passed; biases of zero.
    for (weight, bias) in SpectralNet::new(4, 64, 191, 1)?.layers() {
        let bound = (6.0 / (weight.nrows() + weight.ncols()) as f32).sqrt();
        let largest = weight.iter().map(|w| w.abs()).fold(0.0, f32::max);
        assert!(largest <= bound && largest > 0.95 * bound);
        assert!(bias.iter().all(|&b| b == 0.0));
    }
    Ok(())
}

#[test]
fn upsampling_keeps_straight_lines() -> Outcome {
    let low = Array3::from_shape_fn((2, 6, 8), |(b, i, j)| (b + 2 * i + 3 * j) as f32);
    let high = upsample_bicubic(low.view(), 18, 24)?;
    for ((b, i, j), value) in high.indexed_iter() {
        let (y, x) = ((i as f32 + 0.5) / 3.0 - 0.5, (j as f32 + 0.5) / 3.0 - 0.5);
        // Two pixels from the border the border plays no part.
        if (1.0..4.0).contains(&y) && (1.0..6.0).contains(&x) {
            assert!((value - (b as f32 + 2.0 * y + 3.0 * x)).abs() < 1e-4, "{i} {j}");
        }
    }
    assert!(matches!(upsample_bicubic(low.view(), 5, 24), Err(Error::Shape { .. })));
    Ok(())
}

#[test]
fn unusable_settings_and_images_are_refused() -> Outcome {
    let pair = Pair::new()?;
    let base = short(ModelKind::Published);
    for (name, config) in [
        ("epochs", LiftConfig { epochs: 0, ..base.clone() }),
        ("training_batch_size", LiftConfig { batch: Batch::Pixels(0), ..base.clone() }),
        ("training_batch_size", LiftConfig { batch: Batch::Tile(0), ..base.clone() }),
        ("ridge", LiftConfig { ridge: Some(-1.0), ..base.clone() }),
        ("held_out", LiftConfig { held_out: 0.7, ..base.clone() }),
        ("members", LiftConfig { members: 0, ..base.clone() }),
        ("hidden_size", LiftConfig { hidden_size: 0, ..base.clone() }),
        ("inference_batch_size", LiftConfig { inference_batch: Some(0), ..base.clone() }),
        (
            "num_restarts",
            LiftConfig {
                schedule: Schedule {
                    kind: ScheduleKind::CosineRestart,
                    num_restarts: 151,
                    ..Schedule::default()
                },
                ..base.clone()
            },
        ),
    ] {
        let refused = pair.lift(&config);
        assert!(matches!(&refused, Err(Error::Setting { name: n, .. }) if *n == name), "{name}");
    }
    assert!("best".parse::<ModelKind>().is_err_and(|e| e.to_string().contains("`fused`")));
    assert_eq!(" Affine".parse::<ModelKind>()?, ModelKind::Affine);
    let steep = Schedule { kind: ScheduleKind::Flat, init_lr: 1e30, ..Schedule::default() };
    let diverged = pair.lift(&LiftConfig { schedule: steep, ..base.clone() });
    assert!(matches!(diverged, Err(Error::Diverged { .. })));

    let refused = |observed: Observed<'_>| super_resolve(&observed, &base, &mut |_| ()).err();
    let good = pair.observed();
    let fewer = pair.seen.lr_hsi.slice(s![1.., .., ..]);
    assert!(matches!(
        refused(Observed { lr_hsi: fewer, ..good }),
        Some(Error::BandCount { expected: BANDS, got: 19, .. })
    ));
    let fewer = pair.seen.hr_msi.slice(s![1.., .., ..]);
    assert!(matches!(
        refused(Observed { hr_msi: fewer, ..good }),
        Some(Error::BandCount { expected: 4, got: 3, .. })
    ));
    let small = pair.seen.hr_msi.slice(s![.., ..11, ..]);
    assert!(matches!(refused(Observed { hr_msi: small, ..good }), Some(Error::Shape { .. })));
    let mask = Array2::from_elem((12, 9), false);
    let mask = Some(mask.view());
    assert!(matches!(refused(Observed { missing: mask, ..good }), Some(Error::Shape { .. })));
    let mask = Array2::from_elem((12, 10), true);
    let mask = Some(mask.view());
    assert!(matches!(refused(Observed { missing: mask, ..good }), Some(Error::Shape { .. })));
    let mut holed = pair.seen.hr_msi.clone();
    holed[[1, 2, 3]] = f32::NAN;
    assert!(matches!(
        refused(Observed { hr_msi: holed.view(), ..good }),
        Some(Error::NotFinite { count: 1, .. })
    ));
    let net = SpectralNet::new(4, 8, BANDS, 1)?;
    assert!(matches!(net.apply(Array2::zeros((3, 5)).view()), Err(Error::BandCount { .. })));
    assert!(matches!(SpectralNet::new(0, 8, 3, 1), Err(Error::Setting { .. })));
    assert!(estimate_srf(pair.seen.lr_hsi.view(), holed.view(), None, 0.0).is_err());
    Ok(())
}

#[test]
fn settings_are_read_and_written() -> Outcome {
    for model in ModelKind::ALL {
        let config =
            LiftConfig { batch: Batch::Tile(6), ridge: Some(0.1), ..LiftConfig::of(model) };
        let text = serde_json::to_string(&config)?;
        assert_eq!(serde_json::from_str::<LiftConfig>(&text)?, config);
    }
    assert_eq!(serde_json::from_str::<LiftConfig>("{}")?, LiftConfig::default());
    assert!(serde_json::from_str::<LiftConfig>(r#"{"epoch": 3}"#).is_err());
    Ok(())
}
