//! Checkpoints loaded, scenes of any size denoised, estimators scored.

use candle_core::{DType, Device};
use denoise_heads::HeadKind;
use hsi_baselines::MedianFilter;
use hsi_data::{BandRange, NormMode};
use hsi_train::{
    DenoisingModel, Error, Estimator, Method, ModelConfig, NoHooks, Restorer, Result, apply,
    evaluate,
};
use ndarray::{Array3, s};

use crate::common::{BANDS, SIDE, config, degradation, run, scenes, settings, source};

fn untrained() -> Result<Restorer> {
    let config = config(Method::Full, HeadKind::Conv);
    let params = config.params(7, DType::F32, &Device::Cpu);
    let model = DenoisingModel::new(&config, &params)?;
    Ok(Restorer::new(model, params.count(), DType::F32, &Device::Cpu))
}

fn image(rows: usize, cols: usize) -> Array3<f32> {
    Array3::from_shape_fn((BANDS, rows, cols), |(b, r, c)| {
        0.5 + 0.4 * ((b * 7 + r * 3 + c * 5) as f32 * 0.21).sin()
    })
}

#[test]
fn an_image_of_the_models_size_is_not_changed_by_tiling() -> Result<()> {
    let restorer = untrained()?;
    let noisy = image(SIDE, SIDE);
    let whole = apply(restorer.model(), noisy.view())?;
    let tiled = restorer.denoise(noisy.view())?;
    let worst = (&whole - &tiled).iter().fold(0f32, |worst, d| worst.max(d.abs()));
    assert!(worst < 1e-6, "{worst}");
    Ok(())
}

#[test]
fn images_of_any_size_are_denoised() -> Result<()> {
    let mut restorer = untrained()?;
    for (rows, cols) in [(1, 1), (5, 40), (16, 17), (33, 50)] {
        let noisy = image(rows, cols);
        restorer.batch = 1;
        let one = restorer.denoise(noisy.view())?;
        assert_eq!(one.dim(), noisy.dim());
        assert!(one.iter().all(|value| value.is_finite()), "{rows} x {cols}");
        restorer.batch = 3;
        let three = restorer.denoise(noisy.view())?;
        let worst = (&one - &three).iter().fold(0f32, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-5, "{rows} x {cols}: batches differ by {worst}");
    }
    let fewer = image(16, 16).slice_move(s![1.., .., ..]);
    let result = restorer.denoise(fewer.view());
    assert!(matches!(result, Err(Error::Bands { expected: 6, got: 5, .. })), "{result:?}");
    Ok(())
}

#[test]
fn denoising_does_not_depend_on_the_scale_of_the_input() -> Result<()> {
    let restorer = untrained()?;
    let noisy = image(24, 24);
    let scaled = noisy.mapv(|value| value * 4000.0 + 250.0);
    let unit =
        restorer.denoise_in_range(noisy.view(), &BandRange::of(noisy.view()), &mut |_, _| ())?;
    let range = BandRange::of(scaled.view());
    let result = restorer.denoise_in_range(scaled.view(), &range, &mut |_, _| ())?;
    for (a, b) in unit.iter().zip(&result) {
        assert!((a * 4000.0 + 250.0 - b).abs() < 0.5, "{a} {b}");
    }
    Ok(())
}

#[test]
fn a_checkpoint_gives_the_trained_model_back() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    let model = config(Method::Frozen, HeadKind::Fc);
    let train = source(4, 1, true);
    run(&model, &settings(), &train, Some(folder.path()), false, &mut NoHooks)?;
    let (run_folder, _) = Restorer::load(folder.path(), &Device::Cpu)?;
    let (best, checkpoint) = Restorer::load(&folder.path().join("best"), &Device::Cpu)?;
    assert_eq!(checkpoint.model::<ModelConfig>()?, model);
    let noisy = image(SIDE, SIDE);
    assert_eq!(run_folder.denoise(noisy.view())?, best.denoise(noisy.view())?);

    let nothing = Restorer::load(&folder.path().join("samples"), &Device::Cpu);
    assert!(matches!(nothing, Err(Error::Checkpoint { .. })));

    // The configuration of another model beside these weights.
    let file = folder.path().join("best/checkpoint.json");
    let text = std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e))?;
    let deeper = text.replacen("\"depth\": 2", "\"depth\": 3", 1);
    assert_ne!(text, deeper);
    std::fs::write(&file, deeper).map_err(|e| Error::io(&file, e))?;
    let Err(error @ Error::CheckpointNames { .. }) = Restorer::load(folder.path(), &Device::Cpu)
    else {
        panic!("weights that are missing went unnoticed");
    };
    assert!(error.to_string().contains("encoder.blocks.2."), "{error}");
    Ok(())
}

#[test]
fn rows_come_in_the_order_of_the_estimators() -> Result<()> {
    let restorer = untrained()?;
    let median = MedianFilter::default();
    let estimators = [
        Estimator::Noisy,
        Estimator::Baseline(&median),
        Estimator::Model(&restorer, "untrained".to_owned()),
    ];
    let mut seen = Vec::new();
    let rows = evaluate(scenes(3, 4).as_ref(), &degradation(), &estimators, &mut |sample| {
        seen.push(sample.index);
        assert_eq!(sample.estimates.len(), 3);
        assert_eq!(sample.estimates[0], sample.noisy);
        Ok(())
    })?;
    assert_eq!(seen, [0, 1, 2]);
    let names: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    assert_eq!(names, ["noisy", "median", "untrained"]);
    assert!(rows[1].psnr_db > rows[0].psnr_db + 2.0, "{rows:?}");
    assert!(rows.iter().all(|row| row.samples == 3));
    assert_eq!(rows[2].parameters, Some(restorer.count().total));
    Ok(())
}

#[test]
fn the_scale_of_the_noisy_image_is_all_that_from_noisy_uses() -> Result<()> {
    let cube = scenes(1, 2).get(0)?;
    let mut protocol = degradation();
    protocol.normalisation = NormMode::FromNoisy;
    let degraded = protocol.degrade(cube.view(), 0)?;
    let input = degraded.input()?;
    for (band, plane) in input.outer_iter().enumerate() {
        let (low, high) =
            plane.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        assert_eq!((low, high), (0.0, 1.0), "band {band}");
    }
    let back = degraded.restore(input)?;
    let worst = (&back - &degraded.noisy).iter().fold(0f32, |w, d| w.max(d.abs()));
    assert!(worst < 1e-6, "{worst}");
    Ok(())
}
