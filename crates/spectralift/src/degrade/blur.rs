//! Convolution with a point spread function.

use std::sync::Arc;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut1, Axis, s};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use crate::Psf;

/// Kernels that differ from a product of two vectors by less than this part of their largest value
/// are taken as one.
const RANK_TOLERANCE: f64 = 1e-9;
/// Values of a kernel per binary digit of the padded area from which the Fourier transform is
/// faster than the sum.
const FOURIER_FROM: f64 = 30.0;

/// Blurs every band with a point spread function.
///
/// A true convolution (the kernel is flipped), of the size of the input, zero outside of it: the
/// border darkens.
///
/// ```text
/// out[i, j] = Σ_{u, v} kernel[center + u, center + v] x[i - u, j - v]
/// ```
///
/// Computed as two one-dimensional sums where the kernel is a product, by the fast Fourier
/// transform where it is large, as the sum itself elsewhere.
///
/// # Shapes
/// - `cube`, output: `[bands, rows, cols]`
pub fn blur(cube: ArrayView3<'_, f32>, psf: &Psf) -> Array3<f32> {
    let (_, rows, cols) = cube.dim();
    let plan = BlurPlan::new(psf, rows, cols);
    let mut out = Array3::zeros(cube.dim());
    out.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(cube.axis_iter(Axis(0)))
        .for_each(|(mut out, band)| out.assign(&plan.apply(band)));
    out
}

/// A way to convolve, chosen for a kernel and a size of image.
pub(super) enum BlurPlan {
    /// The kernel is 1 at its centre.
    Nothing,
    Separable {
        rows: Line,
        cols: Line,
    },
    Direct {
        kernel: Array2<f32>,
        center: (usize, usize),
    },
    Fourier(Fourier),
}

/// A one-dimensional kernel.
pub(super) struct Line {
    weights: Vec<f32>,
    center: usize,
}

impl BlurPlan {
    pub(super) fn new(psf: &Psf, rows: usize, cols: usize) -> Self {
        let (kernel, center) = trimmed(psf);
        if kernel.dim() == (1, 1) && center == (0, 0) && kernel[[0, 0]] == 1.0 {
            return Self::Nothing;
        }
        if let Some((column, row)) = factors(&kernel) {
            return Self::Separable {
                rows: Line { weights: column, center: center.0 },
                cols: Line { weights: row, center: center.1 },
            };
        }
        let (padded_rows, padded_cols) = (rows + kernel.nrows(), cols + kernel.ncols());
        let digits = ((padded_rows * padded_cols) as f64).log2();
        let kernel = kernel.mapv(|k| k as f32);
        if kernel.len() as f64 > FOURIER_FROM * digits {
            Self::Fourier(Fourier::new(&kernel, center, rows, cols))
        } else {
            Self::Direct { kernel, center }
        }
    }

    /// Blurs one band.
    pub(super) fn apply(&self, band: ArrayView2<'_, f32>) -> Array2<f32> {
        let band = band.as_standard_layout();
        match self {
            Self::Nothing => band.into_owned(),
            Self::Separable { rows, cols } => {
                let mut half = Array2::zeros(band.dim());
                for (out, line) in half.outer_iter_mut().zip(band.outer_iter()) {
                    let Some(line) = line.to_slice() else { continue };
                    add_line(out, line, &cols.weights, cols.center);
                }
                let mut out = Array2::<f32>::zeros(band.dim());
                for (i, mut out) in out.outer_iter_mut().enumerate() {
                    for (u, &weight) in rows.weights.iter().enumerate() {
                        let Some(from) = source(i, u, rows.center, band.nrows()) else { continue };
                        out.scaled_add(weight, &half.row(from));
                    }
                }
                out
            }
            Self::Direct { kernel, center } => {
                let mut out = Array2::zeros(band.dim());
                for (i, mut out) in out.outer_iter_mut().enumerate() {
                    for (u, weights) in kernel.outer_iter().enumerate() {
                        let Some(from) = source(i, u, center.0, band.nrows()) else { continue };
                        let (Some(weights), Some(line)) =
                            (weights.to_slice(), band.slice(s![from, ..]).to_slice())
                        else {
                            continue;
                        };
                        add_line(out.view_mut(), line, weights, center.1);
                    }
                }
                out
            }
            Self::Fourier(plan) => plan.apply(band.view()),
        }
    }
}

/// The input at which kernel place `at` meets output `i`, if it lies inside.
fn source(i: usize, at: usize, center: usize, size: usize) -> Option<usize> {
    (i + center).checked_sub(at).filter(|&from| from < size)
}

/// Adds the convolution of a line with a kernel.
fn add_line(mut out: ArrayViewMut1<'_, f32>, line: &[f32], weights: &[f32], center: usize) {
    let Some(out) = out.as_slice_mut() else { return };
    let n = line.len();
    for (at, &weight) in weights.iter().enumerate() {
        // out[j] += weight line[j + center - at]
        let (to, from) = if at >= center { (at - center, 0) } else { (0, center - at) };
        if weight == 0.0 || to >= n || from >= n {
            continue;
        }
        let count = n - to.max(from);
        let pairs = out[to..to + count].iter_mut().zip(&line[from..from + count]);
        pairs.for_each(|(out, value)| *out += weight * value);
    }
}

/// The kernel without the zeros around it, and its centre, which may then lie outside.
fn trimmed(psf: &Psf) -> (Array2<f64>, (usize, usize)) {
    let (kernel, center) = (psf.kernel(), psf.center());
    // The centre stays inside, so that it is an index.
    let span = |axis: usize, center: usize| {
        let used = |i: &usize| kernel.index_axis(Axis(axis), *i).iter().any(|&k| k != 0.0);
        let n = kernel.len_of(Axis(axis));
        let (first, last) = ((0..n).find(used), (0..n).rfind(used));
        (first.unwrap_or(center).min(center), last.unwrap_or(center).max(center))
    };
    let (rows, cols) = (span(0, center.0), span(1, center.1));
    let part = kernel.slice(s![rows.0..=rows.1, cols.0..=cols.1]).to_owned();
    (part, (center.0 - rows.0, center.1 - cols.0))
}

/// Column and row whose product is the kernel, if there are such.
fn factors(kernel: &Array2<f64>) -> Option<(Vec<f32>, Vec<f32>)> {
    let larger =
        |a: &((usize, usize), &f64), b: &((usize, usize), &f64)| a.1.abs().total_cmp(&b.1.abs());
    let ((top, left), &peak) = kernel.indexed_iter().max_by(larger)?;
    let differs = |((i, j), &k): ((usize, usize), &f64)| {
        (k - kernel[[i, left]] * kernel[[top, j]] / peak).abs() > RANK_TOLERANCE * peak.abs()
    };
    if kernel.indexed_iter().any(differs) {
        return None;
    }
    let column = kernel.column(left).iter().map(|&k| k as f32).collect();
    let row = kernel.row(top).iter().map(|&k| (k / peak) as f32).collect();
    Some((column, row))
}

/// Convolution by the Fourier transform of the padded image.
pub(super) struct Fourier {
    /// Transform of the kernel, `[padded cols / 2 + 1, padded rows]`.
    kernel: Array2<Complex<f32>>,
    padded_cols: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    down: Arc<dyn Fft<f32>>,
    up: Arc<dyn Fft<f32>>,
    center: (usize, usize),
}

impl Fourier {
    fn new(kernel: &Array2<f32>, center: (usize, usize), rows: usize, cols: usize) -> Self {
        let padded_rows = smooth_size(rows + kernel.nrows() - 1);
        let padded_cols = smooth_size(cols + kernel.ncols() - 1);
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        let mut plan = Self {
            kernel: Array2::zeros((padded_cols / 2 + 1, padded_rows)),
            padded_cols,
            forward: real.plan_fft_forward(padded_cols),
            backward: real.plan_fft_inverse(padded_cols),
            down: complex.plan_fft_forward(padded_rows),
            up: complex.plan_fft_inverse(padded_rows),
            center,
        };
        plan.kernel = plan.transform(kernel.view());
        let scale = 1.0 / (padded_rows * padded_cols) as f32;
        plan.kernel.mapv_inplace(|k| k * scale);
        plan
    }

    /// The transform of an image in the upper left corner of the padded area, columns first.
    fn transform(&self, image: ArrayView2<'_, f32>) -> Array2<Complex<f32>> {
        let mut spectrum = Array2::zeros(self.kernel.dim());
        let mut line = self.forward.make_input_vec();
        let mut half = self.forward.make_output_vec();
        for (i, row) in image.outer_iter().enumerate() {
            line.fill(0.0);
            line.iter_mut().zip(row).for_each(|(to, from)| *to = *from);
            // It fails for buffers of other lengths only, and these are its own.
            if self.forward.process(&mut line, &mut half).is_ok() {
                spectrum.column_mut(i).iter_mut().zip(&half).for_each(|(to, from)| *to = *from);
            }
        }
        if let Some(values) = spectrum.as_slice_mut() {
            self.down.process(values);
        }
        spectrum
    }

    fn apply(&self, band: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut spectrum = self.transform(band);
        spectrum.zip_mut_with(&self.kernel, |s, k| *s *= k);
        if let Some(values) = spectrum.as_slice_mut() {
            self.up.process(values);
        }
        let mut out = Array2::zeros(band.dim());
        let mut half = self.backward.make_input_vec();
        let mut line = self.backward.make_output_vec();
        for (i, mut out) in out.outer_iter_mut().enumerate() {
            let column = spectrum.column(i + self.center.0);
            half.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            // Rounding leaves imaginary parts where a real signal has none.
            half[0].im = 0.0;
            if self.padded_cols.is_multiple_of(2)
                && let Some(last) = half.last_mut()
            {
                last.im = 0.0;
            }
            if self.backward.process(&mut half, &mut line).is_ok() {
                let values = &line[self.center.1..];
                out.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
            }
        }
        out
    }
}

/// The next size that is a product of 2, 3 and 5.
fn smooth_size(size: usize) -> usize {
    let smooth = |&n: &usize| {
        let mut rest = n;
        for factor in [2, 3, 5] {
            while rest.is_multiple_of(factor) && rest > 1 {
                rest /= factor;
            }
        }
        rest == 1
    };
    // The next power of two is one of them.
    (size.max(1)..=size.next_power_of_two()).find(smooth).unwrap_or(size)
}
