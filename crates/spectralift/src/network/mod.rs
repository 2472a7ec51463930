//! The spectral network: from the multispectral values of a pixel to its spectrum.

mod layout;
mod pass;
mod real;
mod simd;
mod step;
mod train;

use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

pub(crate) use layout::Layout;
pub(crate) use step::{Adam, Stepper};

use crate::{Error, Result};
use pass::{BLOCK, Workspace};

/// Keeps the keys of this crate apart from those of other users of the same seed.
const DOMAIN: [u8; 16] = *b"spectralift.net.";

/// The published network for one pixel: six hidden layers with rectifiers `φ(t) = max(t, 0.3 t)`,
/// in pairs with skips, and an affine output.
///
/// ```text
/// h1 = φ(x W1 + b1)     h2 = φ(h1 W2 + b2) + h1
/// h3 = φ(h2 W3 + b3)    h4 = φ(h3 W4 + b4) + h2
/// h5 = φ(h4 W5 + b5)    h6 = φ(h5 W6 + b6) + h4        y = h6 W7 + b7
/// ```
///
/// # References
/// "SpectraLift", the program of HyperBench 0.1.0 and its notebooks; `sin` in its names stands for
/// spectral inversion network, there is no sine in it.
#[derive(Clone, PartialEq)]
pub struct SpectralNet {
    pub(crate) layout: Layout,
    pub(crate) params: Vec<f32>,
}

impl std::fmt::Debug for SpectralNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpectralNet").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl SpectralNet {
    /// A network with weights drawn from the uniform distribution of Glorot and Bengio,
    /// `±sqrt(6 / (inputs + outputs))` for each layer, and biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width of 0 or above 16384.
    pub fn new(inputs: usize, hidden: usize, outputs: usize, seed: u64) -> Result<Self> {
        let layout = Layout::new(inputs, hidden, outputs)?;
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[16..].copy_from_slice(&DOMAIN);
        let mut params = vec![0.0; layout.parameters()];
        for (index, layer) in layout.layers().iter().enumerate() {
            let mut rng = ChaCha8Rng::from_seed(key);
            rng.set_stream(index as u64);
            let bound = (6.0 / (layer.inputs + layer.outputs) as f32).sqrt();
            params[layer.weight()].fill_with(|| rng.random_range(-bound..bound));
        }
        Ok(Self { layout, params })
    }

    /// Makes the output zero, whatever the input: where a correction starts from.
    pub(crate) fn silence(&mut self) {
        let output = self.layout.layers()[layout::LAYERS - 1];
        self.params[output.weight()].fill(0.0);
        self.params[output.bias()].fill(0.0);
    }

    /// A network of given weights `[inputs, outputs]` and biases, from the first layer to the
    /// output.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes do not make this network, [`Error::NotFinite`].
    pub fn from_layers(layers: [(ArrayView2<'_, f32>, &[f32]); 7]) -> Result<Self> {
        let (inputs, hidden) = layers[0].0.dim();
        let layout = Layout::new(inputs, hidden, layers[6].0.ncols())?;
        let mut params: Vec<f32> = Vec::with_capacity(layout.parameters());
        for (layer, (weight, bias)) in layout.layers().iter().zip(layers) {
            let expected = (layer.inputs, layer.outputs);
            if weight.dim() != expected || bias.len() != layer.outputs {
                return Err(Error::Shape {
                    what: "the weight and bias of a layer",
                    expected: format!("{expected:?} and ({})", layer.outputs),
                    got: vec![weight.nrows(), weight.ncols(), bias.len()],
                });
            }
            params.extend(weight.iter().chain(bias).copied());
        }
        let count = params.iter().filter(|p| !p.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { what: "the network", count });
        }
        Ok(Self { layout, params })
    }

    /// Weight `[inputs, outputs]` and bias of the layers, from the first to the output.
    pub fn layers(&self) -> Vec<(ArrayView2<'_, f32>, &[f32])> {
        let of = |layer: &layout::Layer| {
            let shape = (layer.inputs, layer.outputs);
            let weight = ArrayView2::from_shape(shape, &self.params[layer.weight()]).ok()?;
            Some((weight, &self.params[layer.bias()]))
        };
        self.layout.layers().iter().filter_map(of).collect()
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.params.len()
    }

    /// Multiplications and additions for so many pixels, as published: without the rectifiers.
    pub fn flops(&self, pixels: usize) -> u64 {
        let Layout { inputs, hidden, outputs } = self.layout;
        let products = 2 * (inputs * hidden + 5 * hidden * hidden + hidden * outputs);
        pixels as u64 * (products + 6 * hidden + outputs + 3 * hidden) as u64 + 1
    }

    /// The spectra of pixels, not clamped.
    ///
    /// # Shapes
    /// - `xs`: `[pixels, inputs]`
    /// - output: `[pixels, outputs]`
    ///
    /// # Errors
    /// [`Error::BandCount`] if the pixels have another number of values.
    pub fn apply(&self, xs: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let Layout { inputs, outputs, .. } = self.layout;
        if xs.ncols() != inputs {
            let (expected, got) = (inputs, xs.ncols());
            return Err(Error::BandCount { what: "the multispectral image", expected, got });
        }
        let mut ys = Array2::zeros((xs.nrows(), outputs));
        let xs = xs.as_standard_layout();
        if let (Some(xs), Some(ys)) = (xs.as_slice(), ys.as_slice_mut()) {
            let blocks = ys.par_chunks_mut(BLOCK * outputs).zip(xs.par_chunks(BLOCK * inputs));
            blocks.for_each_init(
                || Workspace::new(self.layout),
                |workspace, (ys, xs)| {
                    let rows = xs.len() / inputs;
                    ys.copy_from_slice(workspace.forward(&self.params, xs, rows));
                },
            );
        }
        Ok(ys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Batch, Order, Schedule};

    /// Values by formula, none of them zero.
    fn values(count: usize, scale: f64, phase: f64) -> Vec<f64> {
        (0..count).map(|i| scale * (phase + 1.7 * i as f64).sin()).collect()
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        // Odd widths, more pixels than a block and than a piece holds.
        let layout = Layout::new(3, 5, 7).expect("widths");
        let pixels = 2 * BLOCK + 3;
        let (xs, targets) = (values(pixels * 3, 1.0, 0.3), values(pixels * 7, 1.0, 0.9));
        let params = values(layout.parameters(), 0.6, 0.1);
        let mut stepper = Stepper::new(layout, pixels);
        let grad = stepper.gradient(&params, &xs, &targets).1.to_vec();
        let mut loss = |params: &[f64]| stepper.gradient(params, &xs, &targets).0;
        // So short that no error changes its sign on the way.
        let step = 1e-7;
        for at in 0..params.len() {
            let [up, down] = [step, -step].map(|step| {
                let mut moved = params.clone();
                moved[at] += step;
                loss(&moved)
            });
            let slope = (up - down) / (2.0 * step);
            assert!((slope - grad[at]).abs() < 1e-6, "{at}: {slope} {}", grad[at]);
        }
        assert!(grad.iter().all(|g| g.abs() > 1e-6));
    }

    /// Arrays of the published program, found through `HSI_TEST_DATA`; `None` without.
    struct Fixtures(std::path::PathBuf);

    impl Fixtures {
        fn find() -> Option<Self> {
            let root = std::env::var_os("HSI_TEST_DATA").map(std::path::PathBuf::from);
            let folder = root.map(|root| root.join("fixtures").join("spectralift"));
            let folder = folder.filter(|folder| folder.is_dir());
            if folder.is_none() {
                eprintln!("skipped: `HSI_TEST_DATA` names no folder with `fixtures/spectralift`");
            }
            folder.map(Self)
        }

        fn array(&self, name: &str) -> ndarray::ArrayD<f32> {
            ndarray_npy::read_npy(self.0.join(format!("{name}.npy"))).expect("a fixture")
        }

        fn flat(&self, name: &str) -> Vec<f32> {
            self.array(name).iter().copied().collect()
        }

        /// Weights and biases as they lie in the network.
        fn params(&self, prefix: &str) -> Vec<f32> {
            let layer = |k: usize| ["kernel", "bias"].map(|part| format!("{prefix}_w{k}_{part}"));
            (1..=7).flat_map(layer).flat_map(|name| self.flat(&name)).collect()
        }

        fn image(&self, name: &str) -> ndarray::Array3<f32> {
            let array = self.array(name).into_dimensionality().expect("an image");
            array.permuted_axes([2, 0, 1])
        }
    }

    fn worst(ours: &[f32], wanted: &[f32]) -> f32 {
        assert_eq!(ours.len(), wanted.len());
        ours.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_first_gradient_agrees_with_the_published_program() {
        let Some(fixtures) = Fixtures::find() else { return };
        let layout = Layout::new(4, 64, 50).expect("widths");
        let mut stepper = Stepper::new(layout, 256);
        let xs = fixtures.flat("train_lr_msi_16x16x4");
        let targets = fixtures.flat("train_lr_hsi_16x16x50");
        let (_, grad) = stepper.gradient(&fixtures.params("mlp"), &xs, &targets);
        let worst = worst(grad, &fixtures.params("train_grad1"));
        assert!(worst < 1e-6, "differs by {worst:e}");
    }

    #[test]
    fn updates_agree_with_the_published_program() {
        let Some(fixtures) = Fixtures::find() else { return };
        let layout = Layout::new(4, 64, 50).expect("widths");
        for (name, batch, epochs, stored) in [
            ("train_fullbatch", Batch::Whole, 100, [(1, 1e-5), (2, 1e-5), (10, 1e-3)].as_slice()),
            ("train_tile6", Batch::Tile(6), 20, &[(1, 1e-4)]),
        ] {
            let order = Order::new(batch, (16, 16), |_| true);
            let xs = order.gather(fixtures.image("train_lr_msi_16x16x4").view());
            let targets = order.gather(fixtures.image("train_lr_hsi_16x16x50").view());
            let (xs, targets) = (xs.as_slice().expect("rows"), targets.as_slice().expect("rows"));
            let mut params = fixtures.params("mlp");
            let (mut stepper, mut adam) = (Stepper::new(layout, 256), Adam::new(layout));
            let mut next = 1;
            for &(epoch, tolerance) in stored {
                for epoch in next..=epoch {
                    let lr = Schedule::default().rate(epoch, epochs).expect("a rate");
                    for batch in &order.batches {
                        let (from, to) = (batch.start, batch.end);
                        let pixels = (&xs[from * 4..to * 4], &targets[from * 50..to * 50]);
                        stepper.update(&mut params, &mut adam, pixels, lr);
                    }
                }
                next = epoch + 1;
                let worst = worst(&params, &fixtures.params(&format!("{name}_e{epoch}")));
                assert!(worst < tolerance, "{name} after {epoch}: differs by {worst:e}");
            }
        }
    }
}
