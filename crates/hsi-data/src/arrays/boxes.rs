//! Boxes of arrays in C order.

use super::FileBytes;
use crate::fault::{Parsed, bad};

/// Bytes read at once from samples in one run, about.
const SPAN: u64 = 4 << 20;

/// Distances in bytes between neighbours along each axis, in C order.
pub(crate) fn strides(dims: &[u64], size: usize) -> Vec<u64> {
    let mut strides = vec![0; dims.len()];
    let mut step = size as u64;
    for (stride, dim) in strides.iter_mut().zip(dims).rev() {
        *stride = step;
        step = step.saturating_mul(*dim);
    }
    strides
}

/// Place in bytes of a position.
pub(crate) fn place(position: &[u64], strides: &[u64]) -> usize {
    position.iter().zip(strides).map(|(p, s)| p * s).sum::<u64>() as usize
}

/// Goes to the next position of a box, the last axis varying fastest.
pub(crate) fn advance(position: &mut [u64], start: &[u64], count: &[u64]) {
    for axis in (0..position.len()).rev() {
        position[axis] += 1;
        if position[axis] < start[axis] + count[axis] {
            return;
        }
        position[axis] = start[axis];
    }
}

/// Checks that a box lies in an array and that `out` has as many bytes.
pub(crate) fn check_box(
    dims: &[u64],
    start: &[u64],
    count: &[u64],
    size: usize,
    out: &[u8],
) -> Parsed<()> {
    let fits = |((start, count), dim): ((&u64, &u64), &u64)| {
        start.checked_add(*count).is_some_and(|end| end <= *dim)
    };
    let inside = start.len() == dims.len()
        && count.len() == dims.len()
        && start.iter().zip(count).zip(dims).all(fits);
    let wanted = count.iter().try_fold(size as u64, |n, &c| n.checked_mul(c));
    if inside && wanted == Some(out.len() as u64) {
        return Ok(());
    }
    bad!("a box of {count:?} at {start:?} of {dims:?}")
}

/// One side of a copy.
pub(crate) struct Side<'a> {
    /// Place in bytes of the first value.
    pub(crate) at: usize,
    /// Distances in bytes between neighbours along each axis.
    pub(crate) steps: &'a [u64],
}

/// Copies a box of values between arrays of any strides; what lies outside of one is left out.
pub(crate) fn copy_box(
    (from, from_side): (&[u8], Side<'_>),
    (to, to_side): (&mut [u8], Side<'_>),
    count: &[u64],
    size: usize,
) {
    // Axes that follow each other without a gap on both sides are one run.
    let mut run = size;
    let mut axis = count.len();
    let is_run = |steps: &[u64], axis: usize, run: usize| steps[axis] == run as u64;
    while axis > 0 && is_run(from_side.steps, axis - 1, run) && is_run(to_side.steps, axis - 1, run)
    {
        axis -= 1;
        run *= count[axis] as usize;
    }
    let mut line = |from_at: usize, to_at: usize| {
        let pair = (from.get(from_at..from_at + run), to.get_mut(to_at..to_at + run));
        if let (Some(from), Some(to)) = pair {
            to.copy_from_slice(from);
        }
    };
    let Some((&lines, outer)) = count[..axis].split_last() else {
        line(from_side.at, to_side.at);
        return;
    };
    let steps = (from_side.steps[axis - 1] as usize, to_side.steps[axis - 1] as usize);
    let zero = vec![0; outer.len()];
    let mut position = zero.clone();
    for _ in 0..outer.iter().product::<u64>() {
        let from_at = from_side.at + place(&position, from_side.steps);
        let to_at = to_side.at + place(&position, to_side.steps);
        for nth in 0..lines as usize {
            line(from_at + nth * steps.0, to_at + nth * steps.1);
        }
        advance(&mut position, &zero, outer);
    }
}

/// Reads a box of an array that lies in a file as it is, from `first` on. Pieces of the file are
/// read that hold the innermost axes of the box.
pub(crate) fn read_run(
    file: &FileBytes,
    first: u64,
    (dims, size): (&[u64], usize),
    (start, count): (&[u64], &[u64]),
    out: &mut [u8],
) -> Parsed<()> {
    check_box(dims, start, count, size, out)?;
    if out.is_empty() {
        return Ok(());
    }
    let steps = strides(dims, size);
    let span = |axis: usize| -> u64 {
        let last = |(count, step): (&u64, &u64)| (count - 1) * step;
        count[axis..].iter().zip(&steps[axis..]).map(last).sum::<u64>() + size as u64
    };
    let innermost = count.len().saturating_sub(1);
    let axis = (0..count.len()).find(|&axis| span(axis) <= SPAN).unwrap_or(innermost);
    let inner = &count[axis..];
    let inner_steps = strides(inner, size);
    let piece = inner.iter().product::<u64>() as usize * size;
    let mut position = start.to_vec();
    // A piece without gaps needs no copy.
    let whole = span(axis) == piece as u64;
    let mut bytes = vec![0; if whole { 0 } else { span(axis) as usize }];
    for out in out.chunks_mut(piece) {
        let at = first + place(&position, &steps) as u64;
        if whole {
            file.read_at(at, out)?;
        } else {
            file.read_at(at, &mut bytes)?;
            let from = Side { at: 0, steps: &steps[axis..] };
            copy_box((&bytes, from), (out, Side { at: 0, steps: &inner_steps }), inner, size);
        }
        advance(&mut position[..axis], &start[..axis], &count[..axis]);
    }
    Ok(())
}
