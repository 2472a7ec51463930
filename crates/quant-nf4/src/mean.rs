//! The mean in the order of summation of PyTorch.

/// Numbers in a vector of PyTorch's sum: 256 bits, on processors with wider ones, too.
const LANES: usize = 8;
/// Vectors that are summed side by side.
const ROWS: usize = 4;
/// Levels of partial sums.
const LEVELS: usize = 4;

/// The mean of some numbers, to the last bit what `torch.mean` gives on one thread of an x86-64
/// processor with AVX2.
///
/// The sum is cascaded: a number of terms is added up before it is added to the sum of the next
/// level, in eight lanes of four interleaved rows.
pub(crate) fn mean(xs: &[f32]) -> f32 {
    let sum = if xs.len() < LANES {
        // Too short for vectors: the same scheme with one lane.
        let (vectors, _) = xs.as_chunks::<1>();
        row_sum(vectors)[0]
    } else {
        let (vectors, rest) = xs.as_chunks::<LANES>();
        let lanes = row_sum(vectors);
        // The sum of nothing is a positive zero.
        rest.iter().chain(&lanes).fold(0.0, |sum, x| sum + x)
    };
    // The result is added to a positive zero.
    (0.0 + sum) / xs.len() as f32
}

fn row_sum<const N: usize>(vectors: &[[f32; N]]) -> [f32; N] {
    let (groups, rest) = vectors.as_chunks::<ROWS>();
    let [mut sum, others @ ..] = cascade(groups);
    for vector in rest.iter().chain(&others) {
        add(&mut sum, vector);
    }
    sum
}

fn cascade<const N: usize>(groups: &[[[f32; N]; ROWS]]) -> [[f32; N]; ROWS] {
    let power = (ceil_log2(groups.len()) / LEVELS).max(4);
    let step = 1usize << power;
    let mut levels = [[[0.0; N]; ROWS]; LEVELS];
    let (chunks, rest) = groups.split_at(groups.len() / step * step);
    for (index, chunk) in chunks.chunks_exact(step).enumerate() {
        for group in chunk {
            add_group(&mut levels[0], group);
        }
        let done = (index + 1) * step;
        for level in 1..LEVELS {
            let below = std::mem::replace(&mut levels[level - 1], [[0.0; N]; ROWS]);
            add_group(&mut levels[level], &below);
            if done & ((step - 1) << (level * power)) != 0 {
                break;
            }
        }
    }
    for group in rest {
        add_group(&mut levels[0], group);
    }
    let [mut sums, above @ ..] = levels;
    for level in &above {
        add_group(&mut sums, level);
    }
    sums
}

fn add_group<const N: usize>(sums: &mut [[f32; N]; ROWS], group: &[[f32; N]; ROWS]) {
    for (sum, vector) in sums.iter_mut().zip(group) {
        add(sum, vector);
    }
}

fn add<const N: usize>(sum: &mut [f32; N], vector: &[f32; N]) {
    for (sum, x) in sum.iter_mut().zip(vector) {
        *sum += x;
    }
}

/// The logarithm to base 2, rounded up, and at least 1.
fn ceil_log2(n: usize) -> usize {
    if n <= 2 { 1 } else { (usize::BITS - (n - 1).leading_zeros()) as usize }
}
