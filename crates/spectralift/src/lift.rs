//! From two observations of a scene to its cube.

use std::time::Instant;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::inputs::sensor_image;
use crate::kriging::Kriging;
use crate::pixel_model::in_pieces;
use crate::report::of_epoch;
use crate::train::{Epoch, HeldOut, Order, Plan, fit, gather, is_used};
use crate::{
    AffineMap, Batch, Error, LiftConfig, LiftReport, ModelKind, PixelModel, Progress, Result,
    SpectralNet, Srf,
};

/// Epochs from one look at the held-out pixels to the next.
const LOOK_EVERY: usize = 10;
/// High-resolution pixels whose variance is the measure of likeness, at most.
const DOMAIN_PIXELS: usize = 50_000;
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
    rayon::scope(|_| Lift::new(observed, config)?.run(progress))
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
}

struct Lift<'a, 'b> {
    observed: &'a Observed<'b>,
    config: &'a LiftConfig,
    /// The multispectral image at low resolution, where it serves better than the response.
    seen: Option<Array3<f32>>,
}

impl<'a, 'b> Lift<'a, 'b> {
    fn new(observed: &'a Observed<'b>, config: &'a LiftConfig) -> Result<Self> {
        let mut lift = Self { observed, config, seen: None };
        if config.model != ModelKind::Published {
            lift.seen = sensor_image(observed, &lift.all())?;
        }
        Ok(lift)
    }

    fn run(&self, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<SuperResolution> {
        let Self { observed, config, .. } = *self;
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
        let pixels = observed.hr_msi.len_of(Axis(1)) * observed.hr_msi.len_of(Axis(2));
        report.flops = model.flops(pixels) + kriging.as_ref().map_or(0, |k| k.flops(pixels));
        report.fits_sensor_image = self.seen.is_some();
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

    /// Multispectral values and spectra of the pixels of an order.
    fn pixels(&self, order: &Order) -> (Array2<f32>, Array2<f32>) {
        let targets = order.gather(self.observed.lr_hsi);
        let xs = match &self.seen {
            Some(seen) => order.gather(seen.view()),
            None => targets.dot(&self.observed.srf.weights().t()),
        };
        (xs, targets)
    }

    fn affine(&self) -> Result<AffineMap> {
        let (xs, targets) = self.pixels(&self.all());
        AffineMap::fit(xs.view(), targets.view(), self.config.ridge)
    }

    /// Trains the networks on what the affine map leaves, or on the spectra themselves.
    fn networks(
        &self,
        affine: Option<&AffineMap>,
        report: &mut LiftReport,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Vec<SpectralNet>> {
        let Self { observed, config, .. } = *self;
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
                let (xs, targets) = self.pixels(order);
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
            let mut tell = |epoch: Epoch| progress(&of_epoch(epoch, member, config));
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
        let (xs, targets) = self.pixels(&order);
        let residuals = targets - model.apply(xs.view())?;
        let places = Array2::from_shape_fn((order.pixels.len(), 2), |(i, axis)| {
            let (row, col) = order.pixels[i];
            [row, col][axis] as f32
        });
        let (_, rows, cols) = self.observed.hr_msi.dim();
        let step = (rows * cols).div_ceil(DOMAIN_PIXELS).max(1);
        let domain: Vec<_> = (0..rows * cols).step_by(step).map(|i| (i / cols, i % cols)).collect();
        let domain = gather(self.observed.hr_msi, &domain);
        Kriging::fit(xs.view(), places.view(), residuals.view(), domain.view())
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

pub(crate) fn plan(config: &LiftConfig) -> Plan {
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
