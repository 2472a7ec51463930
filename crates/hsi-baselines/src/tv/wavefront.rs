//! The sweep over one image, diagonal by diagonal.
//!
//! Row by row, a pixel is computed from the new values of its neighbours above and to the left and
//! the old ones of those below and to the right. The pixels of an antidiagonal do not need each
//! other: visited together, in vector registers, they get the same values.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::simd::vectorized;

/// Pixels of a diagonal that are computed together.
const LANES: usize = 16;

type Lanes = [f32; LANES];

/// The state of one image, in planes with a border of one pixel, stored by diagonals.
///
/// Diagonal `d` holds the pixels whose indices sum to `d`, each at its index along the shorter axis.
/// The step of that axis leads to the next diagonal and one place on, that of the longer axis to the
/// same place of the next diagonal.
pub(super) struct Wavefront {
    rows: usize,
    cols: usize,
    /// Places of a diagonal, a multiple of [`LANES`].
    stride: usize,
    state: State,
}

#[derive(Default)]
struct State {
    data: Vec<f32>,
    /// The estimate. Its border never changes: mirrored without the edge at the top and left, the
    /// edge repeated at the bottom and right.
    u: Vec<f32>,
    short: Axis,
    long: Axis,
}

/// What belongs to the differences along one axis; borders are zero.
#[derive(Default)]
struct Axis {
    /// Multipliers (Bregman variables).
    multiplier: Vec<f32>,
    /// Shrunk differences less the multipliers.
    rest: Vec<f32>,
}

/// Weights of the terms, divided by their sum at a pixel.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    /// Of the differences, not divided.
    lambda: f32,
    neighbours: f32,
    data: f32,
}

impl Weights {
    /// Returns those for a weight of the data.
    pub(super) fn new(weight: f64) -> Self {
        let lambda = 2.0 * weight;
        let norm = weight + 4.0 * lambda;
        Self {
            lambda: lambda as f32,
            neighbours: (lambda / norm) as f32,
            data: (weight / norm) as f32,
        }
    }
}

impl Wavefront {
    /// Makes room for images of one size.
    pub(super) fn new(rows: usize, cols: usize) -> Self {
        let stride = (rows.min(cols) + 2).next_multiple_of(LANES);
        // The first place before a diagonal is read, so that there is one diagonal more.
        let len = (rows + cols + 4) * stride;
        let zeros = || vec![0.0; len];
        let axis = || Axis { multiplier: zeros(), rest: zeros() };
        let state = State { data: zeros(), u: zeros(), short: axis(), long: axis() };
        Self { rows, cols, stride, state }
    }

    /// Returns the place of a pixel of the plane with its border.
    fn place(&self, row: usize, col: usize) -> usize {
        let short = if self.rows <= self.cols { row } else { col };
        (row + col) * self.stride + short
    }

    /// Returns the step from a pixel to the next of its row.
    fn step(&self) -> usize {
        if self.rows <= self.cols { self.stride } else { self.stride + 1 }
    }

    /// Starts from an image.
    pub(super) fn load(&mut self, image: ArrayView2<'_, f32>) {
        let (rows, cols) = (self.rows, self.cols);
        let step = self.step();
        for axis in [&mut self.state.short, &mut self.state.long] {
            axis.multiplier.fill(0.0);
            axis.rest.fill(0.0);
        }
        for (row, line) in image.rows().into_iter().enumerate() {
            let mut at = self.place(row + 1, 1);
            let (left, right) = (self.place(row + 1, 0), self.place(row + 1, cols + 1));
            self.state.u[left] = line[1.min(cols - 1)];
            self.state.u[right] = line[cols - 1];
            for &value in line {
                self.state.data[at] = value;
                self.state.u[at] = value;
                at += step;
            }
        }
        for (row, from) in [(0, 1.min(rows - 1)), (rows + 1, rows - 1)] {
            let mut at = self.place(row, 1);
            for &value in image.row(from) {
                self.state.u[at] = value;
                at += step;
            }
        }
    }

    /// Visits every pixel once and returns the sum of squared changes.
    pub(super) fn iterate(&mut self, weights: Weights) -> f64 {
        let (short, long) = (self.rows.min(self.cols), self.rows.max(self.cols));
        (2..=short + long)
            .map(|d| {
                // With the border, pixels have indices from 1.
                let first = d.saturating_sub(long).max(1);
                let last = short.min(d - 1);
                diagonal(&mut self.state, d, self.stride, first, last, weights)
            })
            .sum()
    }

    /// Writes the image.
    pub(super) fn store(&self, mut image: ArrayViewMut2<'_, f32>) {
        let step = self.step();
        for (row, mut line) in image.rows_mut().into_iter().enumerate() {
            let mut at = self.place(row + 1, 1);
            for value in &mut line {
                *value = self.state.u[at];
                at += step;
            }
        }
    }
}

/// Returns the lanes from a place on.
#[inline(always)]
fn lanes(values: &[f32], start: usize) -> &Lanes {
    values[start..].first_chunk().expect("diagonals are padded to whole lanes")
}

#[inline(always)]
fn lanes_mut(values: &mut [f32], start: usize) -> &mut Lanes {
    values[start..].first_chunk_mut().expect("diagonals are padded to whole lanes")
}

vectorized! {
    /// Computes the pixels `first..=last` of diagonal `d` and returns the sum of squared changes.
    fn diagonal(
        state: &mut State,
        d: usize,
        stride: usize,
        first: usize,
        last: usize,
        weights: Weights,
    ) -> f64 {
        let Weights { lambda, neighbours, data: fit } = weights;
        let mut changes = [0.0; LANES];
        for start in (first / LANES * LANES..=last).step_by(LANES) {
            let here = d * stride + start;
            let (before, after) = (here - stride, here + stride);
            let f = *lanes(&state.data, here);
            let now = *lanes(&state.u, here);
            let (below_short, below_long) =
                (*lanes(&state.u, before - 1), *lanes(&state.u, before));
            let (above_short, above_long) = (*lanes(&state.u, after + 1), *lanes(&state.u, after));
            let before_short = *lanes(&state.short.rest, before - 1);
            let before_long = *lanes(&state.long.rest, before);
            let rest_short = lanes_mut(&mut state.short.rest, here);
            let rest_long = lanes_mut(&mut state.long.rest, here);
            let multiplier_short = lanes_mut(&mut state.short.multiplier, here);
            let multiplier_long = lanes_mut(&mut state.long.multiplier, here);
            let u = lanes_mut(&mut state.u, here);
            for k in 0..LANES {
                let sum = (above_short[k] + below_short[k])
                    + (above_long[k] + below_long[k])
                    + (before_short[k] - rest_short[k])
                    + (before_long[k] - rest_long[k]);
                let next = neighbours * sum + fit * f[k];
                let t_short = above_short[k] - now[k] + multiplier_short[k];
                let t_long = above_long[k] - now[k] + multiplier_long[k];
                // The shrunk difference is `s t / (s + 1)`, the new multiplier what is left of `t`.
                let s = lambda * (t_short * t_short + t_long * t_long).sqrt();
                let left = 1.0 / (s + 1.0);
                let difference = (s - 1.0) * left;
                let inside = (first..=last).contains(&(start + k));
                let pick = |new: f32, old: f32| if inside { new } else { old };
                let change = pick(next - now[k], 0.0);
                changes[k] += change * change;
                u[k] = pick(next, now[k]);
                multiplier_short[k] = pick(left * t_short, multiplier_short[k]);
                multiplier_long[k] = pick(left * t_long, multiplier_long[k]);
                rest_short[k] = pick(difference * t_short, rest_short[k]);
                rest_long[k] = pick(difference * t_long, rest_long[k]);
            }
        }
        changes.iter().map(|&change| f64::from(change)).sum()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// One sweep after another, row by row, in f64.
    fn direct(image: &Array2<f32>, weight: f64, sweeps: usize) -> (Array2<f64>, f64) {
        let (rows, cols) = image.dim();
        let lambda = 2.0 * weight;
        let data = |r: usize, c: usize| f64::from(image[[r, c]]);
        let mirrored = |i: usize, n: usize| if i == 0 { 1.min(n - 1) } else { (i - 1).min(n - 1) };
        let mut u = Array2::from_shape_fn((rows + 2, cols + 2), |(r, c)| {
            data(mirrored(r, rows), mirrored(c, cols))
        });
        let zeros = || Array2::<f64>::zeros((rows + 2, cols + 2));
        let (mut dx, mut dy, mut bx, mut by) = (zeros(), zeros(), zeros(), zeros());
        let mut change = 0.0;
        for _ in 0..sweeps {
            change = 0.0;
            for r in 1..=rows {
                for c in 1..=cols {
                    let now = u[[r, c]];
                    let (ux, uy) = (u[[r, c + 1]] - now, u[[r + 1, c]] - now);
                    let neighbours = u[[r + 1, c]] + u[[r - 1, c]] + u[[r, c + 1]] + u[[r, c - 1]];
                    let differences = dx[[r, c - 1]] - dx[[r, c]] + dy[[r - 1, c]] - dy[[r, c]];
                    let multipliers = bx[[r, c]] - bx[[r, c - 1]] + by[[r, c]] - by[[r - 1, c]];
                    let sum = neighbours + differences + multipliers;
                    u[[r, c]] =
                        (lambda * sum + weight * data(r - 1, c - 1)) / (weight + 4.0 * lambda);
                    change += (u[[r, c]] - now).powi(2);
                    let (tx, ty) = (ux + bx[[r, c]], uy + by[[r, c]]);
                    let s = tx.hypot(ty) * lambda;
                    dx[[r, c]] = s * tx / (s + 1.0);
                    dy[[r, c]] = s * ty / (s + 1.0);
                    bx[[r, c]] += ux - dx[[r, c]];
                    by[[r, c]] += uy - dy[[r, c]];
                }
            }
        }
        (u.slice(ndarray::s![1..=rows, 1..=cols]).to_owned(), change)
    }

    #[test]
    fn diagonals_give_the_values_of_rows() {
        for (rows, cols) in [(1, 1), (1, 9), (40, 1), (2, 2), (20, 7), (5, 40), (33, 33)] {
            let image = Array2::from_shape_fn((rows, cols), |(r, c)| {
                ((r * 7 + c * 13 + r * c) % 11) as f32 / 11.0
            });
            let mut wavefront = Wavefront::new(rows, cols);
            let mut got = Array2::zeros((rows, cols));
            for (weight, sweeps) in [(100.0, 1), (5.0, 3), (0.7, 9)] {
                let (expected, change) = direct(&image, weight, sweeps);
                wavefront.load(image.view());
                let changes: Vec<f64> =
                    (0..sweeps).map(|_| wavefront.iterate(Weights::new(weight))).collect();
                wavefront.store(got.view_mut());
                let case = format!("{rows} x {cols}, {weight}");
                let close = |a: f64, b: f64| (a - b).abs() < 1e-5 * (1.0 + b);
                assert!(close(changes[sweeps - 1], change), "{case}: {changes:?}, {change}");
                let pairs = got.iter().zip(&expected);
                assert!(pairs.fold(true, |all, (&a, &b)| all & close(a.into(), b)), "{case}");
            }
        }
    }
}
