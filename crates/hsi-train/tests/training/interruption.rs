//! An interrupted run that is resumed gives what an uninterrupted one gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use denoise_heads::HeadKind;
use hsi_train::{
    Error, Method, ModelConfig, NoHooks, Result, Sample, SampleSource, Schedule, TrainConfig,
};

use crate::common::{config, run, settings, source, values};

/// Fails after a number of samples, in the middle of an epoch.
struct Interrupted {
    inner: Arc<dyn SampleSource>,
    left: AtomicUsize,
}

impl SampleSource for Interrupted {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn sample(&self, index: usize, epoch: usize) -> Result<Sample> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        match left {
            Ok(_) => self.inner.sample(index, epoch),
            Err(_) => Err(Error::NoSamples("interrupted".to_owned())),
        }
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(index)
    }
}

#[test]
fn resuming_gives_the_same_weights_to_the_bit() -> Result<()> {
    resuming_is_exact(&config(Method::Full, HeadKind::Unet), &[15, 26, 34])
}

#[test]
fn resuming_adapters_with_dropout_gives_the_same_weights_to_the_bit() -> Result<()> {
    for method in [Method::Lora, Method::Qlora] {
        let config = config(method, HeadKind::Fc);
        assert!(config.lora.as_ref().is_some_and(|lora| lora.dropout > 0.0));
        resuming_is_exact(&config, &[26])?;
    }
    Ok(())
}

fn resuming_is_exact(model: &ModelConfig, interruptions: &[usize]) -> Result<()> {
    let train_config = TrainConfig {
        num_epochs: 4,
        schedule: Schedule::Cosine,
        max_grad_norm: Some(1.0),
        ..settings()
    };
    let whole = run(model, &train_config, &source(10, 1, true), None, false, &mut NoHooks)?;
    for &samples in interruptions {
        let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
        let broken: Arc<dyn SampleSource> =
            Arc::new(Interrupted { inner: source(10, 1, true), left: AtomicUsize::new(samples) });
        let stopped = run(model, &train_config, &broken, Some(folder.path()), false, &mut NoHooks);
        assert!(matches!(stopped, Err(Error::NoSamples(_))), "{stopped:?}");
        let train = source(10, 1, true);
        let resumed = run(model, &train_config, &train, Some(folder.path()), true, &mut NoHooks)?;
        assert_eq!(values(&whole.0), values(&resumed.0), "after {samples} samples");
        let losses = |report: &hsi_train::TrainReport| -> Vec<f64> {
            report.history.iter().map(|record| record.train.loss).collect()
        };
        assert_eq!(losses(&whole.1), losses(&resumed.1));
    }
    Ok(())
}

#[test]
fn resuming_with_other_settings_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
    let model = config(Method::Full, HeadKind::Fc);
    let train = source(4, 1, true);
    run(&model, &settings(), &train, Some(folder.path()), false, &mut NoHooks)?;
    let other = TrainConfig { seed: 1, ..settings() };
    let result = run(&model, &other, &train, Some(folder.path()), true, &mut NoHooks);
    assert!(matches!(&result, Err(Error::Resume { name, .. }) if name == "seed"), "{result:?}");
    Ok(())
}
