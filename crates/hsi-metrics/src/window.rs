//! Sums over sliding square windows.

use ndarray::ArrayView2;

/// Number of sums: of x, y, x squared, y squared and x times y.
const MOMENTS: usize = 5;

/// The sums over one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowSums {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) xx: f64,
    pub(crate) yy: f64,
    pub(crate) xy: f64,
}

/// Returns the mean of `f` over the windows of `size` x `size` that lie inside the band, leaving
/// out the last `skip` window positions of each axis.
///
/// Every sum is formed anew from `size` row sums of `size` values, so nothing drifts, and for
/// sizes that are powers of two the sums over constant `f32` values are exact.
///
/// The caller has checked that at least one window remains.
pub(crate) fn mean_over_windows(
    reference: ArrayView2<'_, f32>,
    estimate: ArrayView2<'_, f32>,
    size: usize,
    skip: usize,
    mut f: impl FnMut(WindowSums) -> f64,
) -> f64 {
    let (rows, cols) = reference.dim();
    let across = (cols + 1).saturating_sub(size + skip);
    let down = (rows + 1).saturating_sub(size + skip);
    let mut products = vec![0.0; MOMENTS * cols];
    // Row sums of the last `size` rows, the oldest overwritten first.
    let mut ring = vec![0.0; size * MOMENTS * across];
    let mut sums = vec![0.0; MOMENTS * across];
    let mut total = 0.0;
    for (row, (x, y)) in reference.rows().into_iter().zip(estimate.rows()).enumerate() {
        if row + 1 >= size + down {
            break;
        }
        multiply(&mut products, x.iter().zip(y), cols);
        let slot = row % size;
        let newest = &mut ring[slot * MOMENTS * across..(slot + 1) * MOMENTS * across];
        for (sums, values) in newest.chunks_exact_mut(across).zip(products.chunks_exact(cols)) {
            sums.copy_from_slice(&values[..across]);
            for shift in 1..size {
                add(sums, &values[shift..shift + across]);
            }
        }
        if row + 1 < size {
            continue;
        }
        sums.copy_from_slice(&ring[..MOMENTS * across]);
        for slot in ring.chunks_exact(MOMENTS * across).skip(1) {
            add(&mut sums, slot);
        }
        let (x, rest) = sums.split_at(across);
        let (y, rest) = rest.split_at(across);
        let (xx, rest) = rest.split_at(across);
        let (yy, xy) = rest.split_at(across);
        for ((((&x, &y), &xx), &yy), &xy) in x.iter().zip(y).zip(xx).zip(yy).zip(xy) {
            total += f(WindowSums { x, y, xx, yy, xy });
        }
    }
    total / (down * across) as f64
}

/// Fills the five rows of `products` from a row of both images.
fn multiply<'a>(
    products: &mut [f64],
    pixels: impl Iterator<Item = (&'a f32, &'a f32)>,
    cols: usize,
) {
    let (xs, rest) = products.split_at_mut(cols);
    let (ys, rest) = rest.split_at_mut(cols);
    let (xxs, rest) = rest.split_at_mut(cols);
    let (yys, xys) = rest.split_at_mut(cols);
    let sinks = xs.iter_mut().zip(ys).zip(xxs).zip(yys).zip(xys);
    for (((((x, y), xx), yy), xy), (&r, &e)) in sinks.zip(pixels) {
        let (r, e) = (f64::from(r), f64::from(e));
        (*x, *y, *xx, *yy, *xy) = (r, e, r * r, e * e, r * e);
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
