//! Random functions of the plane: value noise, its octaves, and cells with straight edges.
//!
//! Each is a pure function of the place and a seed, so any pixel can be computed by any thread.

/// Scrambles 64 bits (the finaliser of SplitMix64).
pub(super) fn hash(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Random bits of a point of the integer lattice.
fn lattice(x: i64, y: i64, seed: u64) -> u64 {
    let x = (x as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let y = (y as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    hash(x ^ y.rotate_left(32) ^ seed)
}

/// The `nth` of several uniform numbers in [0, 1) from the same random bits.
pub(super) fn unit(bits: u64, nth: u64) -> f32 {
    let bits = if nth == 0 { bits } else { hash(bits.wrapping_add(nth)) };
    (bits >> 40) as f32 / (1_u64 << 24) as f32
}

/// Smooth noise with features of one unit, in [-1, 1].
pub(super) fn noise(x: f32, y: f32, seed: u64) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i64, fy as i64);
    let (tx, ty) = (smooth(x - fx), smooth(y - fy));
    let corner = |dx, dy| 2.0 * unit(lattice(ix + dx, iy + dy, seed), 0) - 1.0;
    let top = lerp(corner(0, 0), corner(1, 0), tx);
    let bottom = lerp(corner(0, 1), corner(1, 1), tx);
    lerp(top, bottom, ty)
}

/// Sum of octaves of noise, each of half the size and `gain` times the height of the one before;
/// about unit variance times 0.35.
pub(super) fn octaves(mut x: f32, mut y: f32, seed: u64, count: u32, gain: f32) -> f32 {
    let (mut sum, mut height, mut square) = (0.0, 1.0_f32, 0.0);
    for octave in 0..count {
        sum += height * noise(x, y, seed.wrapping_add(u64::from(octave)));
        square += height * height;
        height *= gain;
        // Turning each octave hides the lattice.
        (x, y) = (1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1);
    }
    sum / square.sqrt()
}

/// A cell of a plane cut up by straight edges, and how far away the next cell is.
pub(super) struct Cell {
    /// Random bits of the cell.
    pub(super) bits: u64,
    /// Distance to the edge, in units of the lattice.
    pub(super) edge: f32,
}

/// The Voronoi cell of a jittered lattice that a point lies in. With little jitter the cells are
/// nearly rectangular.
pub(super) fn cell(x: f32, y: f32, jitter: f32, seed: u64) -> Cell {
    let (ix, iy) = (x.floor() as i64, y.floor() as i64);
    let (mut nearest, mut second, mut bits) = (f32::MAX, f32::MAX, 0);
    for dy in -1..=1 {
        for dx in -1..=1 {
            let found = lattice(ix + dx, iy + dy, seed);
            let px = (ix + dx) as f32 + 0.5 + jitter * (unit(found, 0) - 0.5);
            let py = (iy + dy) as f32 + 0.5 + jitter * (unit(found, 1) - 0.5);
            let distance = (px - x).hypot(py - y);
            if distance < nearest {
                (second, nearest, bits) = (nearest, distance, found);
            } else if distance < second {
                second = distance;
            }
        }
    }
    Cell { bits: hash(bits), edge: 0.5 * (second - nearest) }
}

/// Rises smoothly from 0 to 1 over [0, 1].
pub(super) fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// From `a` at 0 to `b` at 1.
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}
