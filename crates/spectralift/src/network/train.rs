//! Training of the network alone, on a pair of images of the same size.

use std::time::Instant;

use ndarray::ArrayView3;

use super::SpectralNet;
use crate::lift::plan;
use crate::report::of_epoch;
use crate::train::{Epoch, Order, fit, gather};
use crate::{Error, LiftConfig, LiftReport, ModelKind, Progress, Result};

impl SpectralNet {
    /// Trains the network on a multispectral image and the cube of the same size, as the settings
    /// say: epochs, batch and schedule. All pixels are trained on, the last weights are kept.
    ///
    /// # Shapes
    /// - `msi`: `[inputs, rows, cols]`; `hsi`: `[outputs, rows, cols]`
    ///
    /// # Errors
    /// [`Error::BandCount`] and [`Error::Shape`] if the images do not fit, [`Error::NotFinite`],
    /// [`Error::Setting`] as [`LiftConfig::validate`], [`Error::Diverged`].
    pub fn train(
        &mut self,
        msi: ArrayView3<'_, f32>,
        hsi: ArrayView3<'_, f32>,
        config: &LiftConfig,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<LiftReport> {
        config.validate()?;
        let (expected, found) = ((self.layout.inputs, self.layout.outputs), (msi.dim(), hsi.dim()));
        for (what, expected, got) in [
            ("the multispectral image", expected.0, found.0.0),
            ("the cube", expected.1, found.1.0),
        ] {
            if expected != got {
                return Err(Error::BandCount { what, expected, got });
            }
        }
        let size = (found.0.1, found.0.2);
        if (found.1.1, found.1.2) != size {
            return Err(Error::Shape {
                what: "the cube",
                expected: format!("{} x {} pixels", size.0, size.1),
                got: hsi.shape().to_vec(),
            });
        }
        for (what, image) in [("the multispectral image", msi), ("the cube", hsi)] {
            let count = image.iter().filter(|v| !v.is_finite()).count();
            if count > 0 {
                return Err(Error::NotFinite { what, count });
            }
        }
        let start = Instant::now();
        let mut report = LiftReport::new(ModelKind::Published);
        report.parameters = self.parameters();
        let order = Order::new(config.batch, size, |_| true);
        let (xs, targets) = (gather(msi, &order.pixels), gather(hsi, &order.pixels));
        let mut tell = |epoch: Epoch| progress(&of_epoch(epoch, 1, config));
        let pixels = (xs.view(), targets.view());
        let history = rayon::scope(|_| fit(self, &order, pixels, None, &plan(config), &mut tell))?;
        report.record(history);
        report.train_seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }
}
