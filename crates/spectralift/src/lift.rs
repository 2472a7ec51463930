//! From two observations of a scene to its cube.

use std::time::Instant;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::kriging::Kriging;
use crate::pixel_model::in_pieces;
use crate::train::{Epoch, HeldOut, History, Order, Plan, fit, gather, is_used};
use crate::{AffineMap, Batch, Error, LiftConfig, ModelKind, PixelModel, Result, SpectralNet, Srf};

/// Epochs from one look at the held-out pixels to the next.
const LOOK_EVERY: usize = 10;
/// Keeps the keys of this crate apart from those of other users of the same seed.
const DOMAIN: [u8; 16] = *b"spectralift.held";

/// What two sensors saw of the same ground, on one scale, about [0, 1].
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// `[bands, low-resolution rows, cols]`
    pub lr_hsi: ArrayView3<'a, f32>,
    /// `[multispectral bands, rows, cols]`
    pub hr_msi: ArrayView3<'a, f32>,
    /// Response of the multispectral sensor to the bands of the cube.
    pub srf: &'a Srf,
    /// `[low-resolution rows, cols]`, `true` where a pixel of the cube is not to be used.
    pub missing: Option<ArrayView2<'a, bool>>,
}

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Which network, from 1.
    pub member: usize,
    /// How many networks.
    pub members: usize,
    /// Which epoch, from 1.
    pub epoch: usize,
    /// How many epochs.
    pub epochs: usize,
    /// Learning rate of the epoch.
    pub lr: f64,
    /// Mean absolute error over the epoch.
    pub loss: f64,
    /// Mean absolute error of the held-out pixels after it, where it was looked at.
    pub held_out: Option<f64>,
}

/// A cube of high resolution, and how it came about.
#[derive(Clone, Debug)]
pub struct SuperResolution {
    /// `[bands, rows, cols]`, in [0, 1].
    pub image: Array3<f32>,
    /// The map of a pixel's values to its spectrum: all of the model, but for
    /// [`ModelKind::Fused`], which adds what the place tells.
    pub model: PixelModel,
    /// How it came about.
    pub report: LiftReport,
}

/// How a fit went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiftReport {
    /// The model.
    pub model: ModelKind,
    /// Numbers that were fitted.
    pub parameters: usize,
    /// Ridge of the affine map, where there is one.
    pub ridge: Option<f64>,
    /// Epochs that the first network was trained for.
    pub epochs: usize,
    /// The epoch whose weights were kept, with held-out pixels.
    pub best_epoch: Option<usize>,
    /// Mean absolute error of each epoch of the first network.
    pub losses: Vec<f64>,
    /// Mean absolute error of the held-out pixels after some epochs.
    pub held_out_losses: Vec<(usize, f64)>,
    /// Learning rate of each epoch.
    pub learning_rates: Vec<f64>,
    /// Wall time of the fit.
    pub train_seconds: f64,
    /// Wall time of the prediction.
    pub inference_seconds: f64,
}

impl LiftReport {
    fn new(model: ModelKind) -> Self {
        Self {
            model,
            parameters: 0,
            ridge: None,
            epochs: 0,
            best_epoch: None,
            losses: Vec::new(),
            held_out_losses: Vec::new(),
            learning_rates: Vec::new(),
            train_seconds: 0.0,
            inference_seconds: 0.0,
        }
    }

    fn record(&mut self, history: History) {
        self.epochs = history.losses.len();
        self.best_epoch = history.best_epoch;
        self.losses = history.losses;
        self.held_out_losses = history.held_out;
        self.learning_rates = history.learning_rates;
    }
}

/// Fits a model to the low-resolution cube and what the multispectral sensor would see of it, and
/// applies it to the multispectral image.
///
/// `progress` is called after every epoch, on a thread of the rayon pool.
///
/// # Errors
/// [`Error::BandCount`] if bands and response do not match, [`Error::NotFinite`] for values that
/// are not numbers at pixels that are used, [`Error::Shape`] if the low-resolution image is the
/// larger one, a mask does not fit or fewer than two pixels are left, [`Error::Setting`] as
/// [`LiftConfig::validate`], [`Error::Diverged`] if a training leaves the numbers.
pub fn super_resolve(
    observed: &Observed<'_>,
    config: &LiftConfig,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<SuperResolution> {
    config.validate()?;
    observed.check()?;
    // Once inside the pool: its threads then hand the many small steps to each other.
    rayon::scope(|_| Lift { observed, config }.run(progress))
}

impl Observed<'_> {
    fn check(&self) -> Result<()> {
        let ((bands, low_rows, low_cols), (count, rows, cols)) =
            (self.lr_hsi.dim(), self.hr_msi.dim());
        let pairs = [
            ("the low-resolution cube, for this SRF,", self.srf.hsi_bands(), bands),
            ("the multispectral image, for this SRF,", self.srf.msi_bands(), count),
        ];
        for (what, expected, got) in pairs {
            if expected != got {
                return Err(Error::BandCount { what, expected, got });
            }
        }
        if low_rows > rows || low_cols > cols {
            return Err(Error::Shape {
                what: "the low-resolution cube",
                expected: format!("at most {rows} x {cols} pixels, as the multispectral image"),
                got: self.lr_hsi.shape().to_vec(),
            });
        }
        if let Some(mask) = self.missing.filter(|mask| mask.dim() != (low_rows, low_cols)) {
            return Err(Error::Shape {
                what: "the mask",
                expected: format!("{low_rows} x {low_cols} pixels"),
                got: mask.shape().to_vec(),
            });
        }
        let count = self.hr_msi.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the multispectral image", count });
        }
        let used = |((_, row, col), _): &((usize, usize, usize), &f32)| {
            is_used(self.missing, (*row, *col))
        };
        let count = self.lr_hsi.indexed_iter().filter(used).filter(|(_, v)| !v.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the low-resolution cube", count });
        }
        let pixels =
            self.missing.map_or(low_rows * low_cols, |m| m.iter().filter(|&&m| !m).count());
        if pixels < 2 {
            return Err(Error::Shape {
                what: "the low-resolution cube",
                expected: "two pixels or more with data".to_owned(),
                got: self.lr_hsi.shape().to_vec(),
            });
        }
        Ok(())
    }

    /// The low-resolution multispectral image and cube at the pixels of an order.
    fn pixels(&self, order: &Order) -> Result<(Array2<f32>, Array2<f32>)> {
        let targets = order.gather(self.lr_hsi);
        Ok((targets.dot(&self.srf.weights().t()), targets))
    }
}

struct Lift<'a, 'b> {
    observed: &'a Observed<'b>,
    config: &'a LiftConfig,
}

impl Lift<'_, '_> {
    fn run(&self, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<SuperResolution> {
        let Self { observed, config } = *self;
        let start = Instant::now();
        let mut report = LiftReport::new(config.model);
        let affine = match config.model {
            ModelKind::Published => None,
            _ => Some(self.affine()?),
        };
        report.ridge = affine.as_ref().map(AffineMap::ridge);
        let nets = match config.model {
            ModelKind::Published | ModelKind::Residual => {
                self.networks(affine.as_ref(), &mut report, progress)?
            }
            _ => Vec::new(),
        };
        let model = PixelModel::new(affine, nets)?;
        report.parameters = model.parameters();
        let kriging = match config.model {
            ModelKind::Fused => Some(self.kriging(&model)?),
            _ => None,
        };
        report.parameters += kriging.as_ref().map_or(0, Kriging::parameters);
        report.train_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let image = match kriging {
            None => model.predict(observed.hr_msi, config.inference_batch)?,
            Some(kriging) => self.krige(&model, &kriging)?,
        };
        report.inference_seconds = start.elapsed().as_secs_f64();
        Ok(SuperResolution { image, model, report })
    }

    fn all(&self) -> Order {
        let (_, rows, cols) = self.observed.lr_hsi.dim();
        Order::new(Batch::Whole, (rows, cols), |at| is_used(self.observed.missing, at))
    }

    fn affine(&self) -> Result<AffineMap> {
        let (xs, targets) = self.observed.pixels(&self.all())?;
        AffineMap::fit(xs.view(), targets.view(), self.config.ridge)
    }

    /// Trains the networks on what the affine map leaves, or on the spectra themselves.
    fn networks(
        &self,
        affine: Option<&AffineMap>,
        report: &mut LiftReport,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Vec<SpectralNet>> {
        let Self { observed, config } = *self;
        let (_, rows, cols) = observed.lr_hsi.dim();
        let mut nets = Vec::new();
        for member in 1..=config.members {
            let seed = config.seed.wrapping_add(member as u64 - 1);
            let held = held_out(&self.all().pixels, config.held_out, seed);
            let order = Order::new(config.batch, (rows, cols), |at| {
                is_used(observed.missing, at) && held.binary_search(&at).is_err()
            });
            let rest = Order { pixels: held, batches: Vec::new() };
            let residual = |order: &Order| -> Result<(Array2<f32>, Array2<f32>)> {
                let (xs, targets) = observed.pixels(order)?;
                match affine {
                    Some(map) => Ok((xs.clone(), targets - map.apply(xs.view())?)),
                    None => Ok((xs, targets)),
                }
            };
            let (xs, targets) = residual(&order)?;
            let (held_xs, held_targets) = residual(&rest)?;
            let held = HeldOut { xs: held_xs.view(), targets: held_targets.view() };
            let held = (!rest.pixels.is_empty()).then_some(held);
            let mut net = SpectralNet::new(
                observed.srf.msi_bands(),
                config.hidden_size,
                observed.srf.hsi_bands(),
                seed,
            )?;
            if affine.is_some() {
                net.silence();
            }
            let pixels = (xs.view(), targets.view());
            let mut tell = |epoch: Epoch| progress(&epoch.of(member, config));
            let history = fit(&mut net, &order, pixels, held, &plan(config), &mut tell)?;
            if member == 1 {
                report.record(history);
            }
            nets.push(net);
        }
        Ok(nets)
    }

    fn kriging(&self, model: &PixelModel) -> Result<Kriging> {
        let order = self.all();
        let (xs, targets) = self.observed.pixels(&order)?;
        let residuals = targets - model.apply(xs.view())?;
        let places = Array2::from_shape_fn((order.pixels.len(), 2), |(i, axis)| {
            let (row, col) = order.pixels[i];
            [row, col][axis] as f32
        });
        Kriging::fit(xs.view(), places.view(), residuals.view())
    }

    fn krige(&self, model: &PixelModel, kriging: &Kriging) -> Result<Array3<f32>> {
        let ((bands, low_rows, low_cols), (_, rows, cols)) =
            (self.observed.lr_hsi.dim(), self.observed.hr_msi.dim());
        // Centre of a high-resolution pixel in low-resolution ones.
        let place = |at: usize, low: usize, high: usize| {
            ((at as f64 + 0.5) * low as f64 / high as f64 - 0.5) as f32
        };
        let batch = self.config.inference_batch;
        in_pieces(self.observed.hr_msi, bands, batch, |start, xs| {
            let places = Array2::from_shape_fn((xs.nrows(), 2), |(i, axis)| {
                let (row, col) = ((start + i) / cols, (start + i) % cols);
                if axis == 0 { place(row, low_rows, rows) } else { place(col, low_cols, cols) }
            });
            Ok(model.apply(xs)? + kriging.apply(xs, places.view()))
        })
    }
}

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
        let mut tell = |epoch: Epoch| progress(&epoch.of(1, config));
        let pixels = (xs.view(), targets.view());
        let history = rayon::scope(|_| fit(self, &order, pixels, None, &plan(config), &mut tell))?;
        report.record(history);
        report.train_seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }
}

impl Epoch {
    fn of(self, member: usize, config: &LiftConfig) -> Progress {
        let Self { epoch, lr, loss, held_out } = self;
        let (members, epochs) = (config.members, config.epochs);
        Progress { member, members, epoch, epochs, lr, loss, held_out }
    }
}

fn plan(config: &LiftConfig) -> Plan {
    Plan { epochs: config.epochs, schedule: config.schedule, look_every: LOOK_EVERY }
}

/// A part of the pixels, chosen at random, in ascending order.
fn held_out(pixels: &[(usize, usize)], part: f64, seed: u64) -> Vec<(usize, usize)> {
    let count = (part * pixels.len() as f64).round() as usize;
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[16..].copy_from_slice(&DOMAIN);
    let mut mixed = pixels.to_vec();
    let (chosen, _) = mixed.partial_shuffle(&mut ChaCha8Rng::from_seed(key), count);
    let mut chosen = chosen.to_vec();
    chosen.sort_unstable();
    chosen
}
