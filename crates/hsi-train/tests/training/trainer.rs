//! The loop: learning, accumulation, hooks, early stopping, losses that are not numbers.

use std::sync::Arc;

use candle_core::{DType, Device};
use denoise_heads::HeadKind;
use hsi_train::{
    AdamW, AdamWConfig, Control, Denoising, DenoisingModel, EpochRecord, Error, Hooks, Method,
    NoHooks, Result, Sample, SampleSource, Schedule, Scores, TrainConfig, Trainer,
    groups_by_prefix,
};

use crate::common::{config, run, settings, source, values};

#[test]
fn training_lowers_the_loss_and_leaves_curves() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    let train_config = TrainConfig { num_epochs: 8, ..settings() };
    let model = config(Method::Full, HeadKind::Unet);
    let (_, report) =
        run(&model, &train_config, &source(16, 1, true), Some(folder.path()), false, &mut NoHooks)?;
    let first = report.history.first().map_or(f64::NAN, |r| r.validation.loss);
    let last = report.history.last().map_or(f64::NAN, |r| r.validation.loss);
    assert!(last < 0.8 * first, "{first} -> {last}");
    assert!(report.history.iter().any(|record| record.best));
    for name in [
        "loss_curves.png",
        "psnr_curves.png",
        "history.json",
        "best/model.safetensors",
        "last/optimizer.safetensors",
    ] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    Ok(())
}

#[test]
fn frozen_parameters_stay_and_trained_ones_move() -> Result<()> {
    let model = config(Method::Frozen, HeadKind::Conv);
    let fresh = model.params(7, DType::F32, &Device::Cpu);
    DenoisingModel::new(&model, &fresh)?;
    let train_config = TrainConfig { num_epochs: 1, ..settings() };
    let (trained, _) = run(&model, &train_config, &source(4, 1, true), None, false, &mut NoHooks)?;
    for ((name, before), (_, after)) in values(&fresh).iter().zip(&values(&trained)) {
        assert_eq!(before == after, name.starts_with("encoder."), "{name}");
    }
    Ok(())
}

#[test]
fn accumulation_does_not_change_the_result() -> Result<()> {
    let model = config(Method::Full, HeadKind::Unet);
    // Seven samples: the last step of an epoch is smaller, and its last part smaller still.
    let train = source(7, 1, true);
    let weights = |steps: usize| -> Result<Vec<(String, Vec<f32>)>> {
        let train_config =
            TrainConfig { gradient_accumulation_steps: steps, num_epochs: 2, ..settings() };
        Ok(values(&run(&model, &train_config, &train, None, false, &mut NoHooks)?.0))
    };
    let whole = weights(1)?;
    for steps in [2, 4] {
        for ((name, a), (_, b)) in whole.iter().zip(&weights(steps)?) {
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Adam divides by the size of the gradient: where that is near zero, rounding shows.
            assert!(worst < 2e-3, "`{name}` differs by {worst} with {steps} parts");
        }
    }
    Ok(())
}

#[test]
fn the_number_of_workers_does_not_change_a_bit() -> Result<()> {
    let model = config(Method::Full, HeadKind::Fc);
    let weights = |num_workers: usize| -> Result<Vec<(String, Vec<f32>)>> {
        let train_config = TrainConfig { num_workers, num_epochs: 2, ..settings() };
        let train = source(6, 1, true);
        Ok(values(&run(&model, &train_config, &train, None, false, &mut NoHooks)?.0))
    };
    assert_eq!(weights(1)?, weights(4)?);
    Ok(())
}

#[derive(Default)]
struct Recorder {
    epochs: Vec<usize>,
    validations: Vec<usize>,
    finished: Vec<usize>,
}

impl Hooks for Recorder {
    fn epoch(&mut self, epoch: usize, run: &mut dyn FnMut() -> Result<Scores>) -> Result<Scores> {
        self.epochs.push(epoch);
        run()
    }

    fn validate(&mut self, epoch: usize, _: &mut dyn FnMut() -> Result<Scores>) -> Result<Scores> {
        self.validations.push(epoch);
        Ok(Scores { loss: 1.0 / epoch as f64, psnr_db: None })
    }

    fn epoch_finished(&mut self, record: &EpochRecord) -> Result<Control> {
        self.finished.push(record.epoch);
        Ok(if record.epoch == 2 { Control::Stop } else { Control::Continue })
    }
}

#[test]
fn hooks_replace_validation_and_stop_training() -> Result<()> {
    let model = config(Method::Full, HeadKind::Fc);
    let mut hooks = Recorder::default();
    let (_, report) = run(&model, &settings(), &source(4, 1, true), None, false, &mut hooks)?;
    assert_eq!(hooks.epochs, [1, 2]);
    assert_eq!(hooks.validations, [1, 2]);
    assert_eq!(hooks.finished, [1, 2]);
    assert!(report.stopped_early);
    let losses: Vec<f64> = report.history.iter().map(|record| record.validation.loss).collect();
    assert_eq!(losses, [1.0, 0.5]);
    Ok(())
}

#[test]
fn early_stopping_ends_a_run_that_does_not_improve() -> Result<()> {
    let model = config(Method::Full, HeadKind::Fc);
    let train_config = TrainConfig { patience: 2, min_delta: 1e9, num_epochs: 50, ..settings() };
    let (_, report) = run(&model, &train_config, &source(4, 1, true), None, false, &mut NoHooks)?;
    assert!(report.stopped_early);
    assert_eq!(report.history.len(), 3, "one epoch that counts, two that are waited for");
    Ok(())
}

/// Samples of which one is broken from an epoch on.
struct Broken {
    inner: Arc<dyn SampleSource>,
    index: usize,
    from_epoch: usize,
}

impl SampleSource for Broken {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn sample(&self, index: usize, epoch: usize) -> Result<Sample> {
        let mut sample = self.inner.sample(index, epoch)?;
        if index == self.index && epoch >= self.from_epoch {
            sample.input[[0, 0, 0]] = f32::NAN;
        }
        Ok(sample)
    }

    fn name(&self, index: usize) -> String {
        format!("scene-{index}")
    }
}

#[test]
fn a_loss_that_is_not_a_number_names_the_batch_and_keeps_the_checkpoint() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    let model = config(Method::Full, HeadKind::Fc);
    let train: Arc<dyn SampleSource> =
        Arc::new(Broken { inner: source(6, 1, true), index: 3, from_epoch: 1 });
    let result = run(&model, &settings(), &train, Some(folder.path()), false, &mut NoHooks);
    let Err(error @ Error::NotFinite { epoch: 2, .. }) = result else {
        panic!("expected an error in epoch 2, got {result:?}");
    };
    assert!(error.to_string().contains("`scene-3`"), "{error}");
    let (params, report) =
        run(&model, &settings(), &source(6, 1, true), Some(folder.path()), true, &mut NoHooks)?;
    assert_eq!(report.history.len(), 3, "the run goes on from the checkpoint of epoch 1");
    assert!(values(&params).iter().all(|(_, values)| values.iter().all(|v| v.is_finite())));
    Ok(())
}

#[test]
fn a_loss_of_ones_own_is_trained() -> Result<()> {
    let config = config(Method::Full, HeadKind::Fc);
    let params = config.params(7, DType::F32, &Device::Cpu);
    let model = DenoisingModel::new(&config, &params)?;
    let mean_absolute = Arc::new(|estimate: &candle_core::Tensor, target: &candle_core::Tensor| {
        Ok((estimate - target)?.abs()?.mean_all()?)
    });
    let objective = Denoising::with_loss(&model, mean_absolute);
    let groups = groups_by_prefix(params.trained(), &[("", 1e-3)])?;
    let optimizer = AdamW::new(groups, AdamWConfig::default())?;
    let train_config = TrainConfig { num_epochs: 6, ..settings() };
    let mut trainer = Trainer::new(train_config, &objective, &params, optimizer)?;
    let report = trainer.fit(&source(8, 1, true), &source(4, 9, false), &mut NoHooks)?;
    let losses: Vec<f64> = report.history.iter().map(|r| r.train.loss).collect();
    assert!(losses[5] < losses[0], "{losses:?}");
    assert!(losses[5] > 0.05, "an absolute error, not its square: {losses:?}");
    Ok(())
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let wrong = [
        ("batch-size", TrainConfig { batch_size: 0, ..settings() }),
        ("num-epochs", TrainConfig { num_epochs: 0, ..settings() }),
        ("max-grad-norm", TrainConfig { max_grad_norm: Some(0.0), ..settings() }),
        ("min-delta", TrainConfig { min_delta: f64::NAN, ..settings() }),
    ];
    for (expected, config) in wrong {
        let Err(Error::Setting { name, .. }) = config.validate() else {
            panic!("`{expected}` was accepted");
        };
        assert_eq!(name, expected);
    }
}

#[test]
fn the_cosine_schedule_warms_up_and_ends_near_zero() {
    let factor = |step| Schedule::Cosine.factor(step, 100);
    assert!((factor(0) - 0.2).abs() < 1e-12 && (factor(4) - 1.0).abs() < 1e-12);
    assert!((factor(5) - 1.0).abs() < 1e-12 && factor(99) < 1e-3);
    assert!((5..99).all(|step| factor(step + 1) < factor(step)));
    assert!((Schedule::Constant.factor(77, 100) - 1.0).abs() < 1e-12);
}
