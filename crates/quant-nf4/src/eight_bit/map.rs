//! The dynamic map: 256 numbers whose spacing grows with their magnitude.

use std::sync::LazyLock;

/// Numbers in a map.
pub(crate) const VALUES: usize = 256;

/// Entries of the table by which the code of a number is found.
const ENTRIES: usize = 1 << 16;

/// The numbers that 8-bit codes stand for, ascending from at least -1 to 1.
///
/// # References
/// - Dettmers et al., 8-bit optimizers via block-wise quantization,
///   <https://arxiv.org/abs/2110.02861>
pub(crate) struct DynamicMap {
    pub(crate) values: [f32; VALUES],
    /// The code for each of 65536 evenly spaced numbers from -1 to 1.
    codes: Box<[u8]>,
}

static SIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(true));
static UNSIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(false));

impl DynamicMap {
    /// The map for numbers of both signs.
    pub(crate) fn signed() -> &'static Self {
        &SIGNED
    }

    /// The map for numbers that are not negative.
    pub(crate) fn unsigned() -> &'static Self {
        &UNSIGNED
    }

    fn new(signed: bool) -> Self {
        let values = values(signed);
        let codes = codes(&values).into_boxed_slice();
        Self { values, codes }
    }

    /// The code of a number from -1 to 1.
    ///
    /// It is that of the nearest of the 65536 entries of a table, not always of the nearest number
    /// of the map: near zero the map is finer than the table. Zero itself gets the code of 2.1e-5
    /// (signed) or 1.6e-5. So does the CPU build of bitsandbytes.
    #[inline(always)]
    pub(crate) fn code(&self, x: f32) -> u8 {
        let place = (x.clamp(-1.0, 1.0) + 1.0) * 0.5;
        // Exact in double precision, so that it is rounded once, as by a fused multiply-add.
        let place = (f64::from(place) * (ENTRIES - 1) as f64 + 0.5) as f32;
        self.codes.get(place as usize).copied().unwrap_or(u8::MAX)
    }
}

/// The numbers of the map: for each of seven decades as many as the bits that its exponent leaves,
/// in the middles of even intervals, and zero and one.
fn values(signed: bool) -> [f32; VALUES] {
    const DECADES: i32 = 7;
    let mut all = vec![0.0, 1.0];
    for decade in 0..DECADES {
        let intervals = 1usize << (decade + i32::from(!signed));
        let scale = 10f64.powi(decade - (DECADES - 1)) as f32;
        let bounds = even_numbers(intervals + 1);
        for pair in bounds.windows(2) {
            let value = scale * f32::midpoint(pair[0], pair[1]);
            all.push(value);
            if signed {
                all.push(-value);
            }
        }
    }
    all.sort_by(f32::total_cmp);
    let mut values = [0.0; VALUES];
    for (value, x) in values.iter_mut().zip(all) {
        *value = x;
    }
    values
}

/// Evenly spaced numbers from 0.1 to 1, rounded as `torch.linspace` does: the step first, then
/// each number once. In double precision the products and sums are exact.
fn even_numbers(count: usize) -> Vec<f32> {
    let (first, last) = (0.1f32, 1.0f32);
    let step = f64::from((last - first) / (count - 1) as f32);
    let number = |index: usize| {
        let number = if index < count / 2 {
            f64::from(first) + step * index as f64
        } else {
            f64::from(last) - step * (count - 1 - index) as f64
        };
        number as f32
    };
    (0..count).map(number).collect()
}

/// The code of the nearest number for each entry of the table.
fn codes(values: &[f32; VALUES]) -> Vec<u8> {
    let mut code = 0;
    let entries = (0..ENTRIES).map(|entry| {
        let x = -1.0 + (2.0 * entry as f32) / (ENTRIES - 1) as f32;
        while code < VALUES - 1 && f32::midpoint(values[code], values[code + 1]) < x {
            code += 1;
        }
        code as u8
    });
    entries.collect()
}
