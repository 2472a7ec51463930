//! A few coefficients and their components.

use ndarray::{Array2, ArrayView2, Axis};

use crate::shrink::soft;
use crate::simd::{multiply_add, prefetch, vectorized};

use super::sweep::Real;

/// Numbers that are computed side by side.
const LANES: usize = 16;
/// Coefficients that are projected together.
const TEAM: usize = 8;
/// From how many components of a coefficient on it is projected on all spectra at once.
const MANY: usize = 4;
/// How many coefficients ahead values are asked for.
const AHEAD: usize = 4;

/// Rows of equal length, each at the start of a cache line and filled up with zeros.
pub(super) struct Rows<T> {
    values: Vec<T>,
    first: usize,
    stride: usize,
}

impl<T: Real> Rows<T> {
    /// Makes `count` rows of zeros.
    fn new(count: usize, length: usize) -> Self {
        let stride = length.next_multiple_of(LANES);
        let values = vec![T::zero(); count * stride + LANES];
        let first = values.as_ptr().align_offset(64).min(LANES);
        Self { values, first, stride }
    }

    fn all(&self) -> &[T] {
        &self.values[self.first..self.values.len() + self.first - LANES]
    }

    fn all_mut(&mut self) -> &mut [T] {
        let end = self.values.len() + self.first - LANES;
        &mut self.values[self.first..end]
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[T] {
        &self.all()[index * self.stride..][..self.stride]
    }

    fn row_mut(&mut self, index: usize) -> &mut [T] {
        let stride = self.stride;
        &mut self.all_mut()[index * stride..][..stride]
    }
}

/// Spectra, and how far they have come.
pub(super) struct Spectra<T> {
    bands: usize,
    rank: usize,
    /// `[rank, bands]`.
    rows: Rows<T>,
    /// `[rank / LANES, bands, LANES]`, filled up with zeros.
    packed: Vec<[T; LANES]>,
    /// The length of the way of every spectrum since the start.
    way: Vec<T>,
}

impl<T: Real> Spectra<T> {
    /// Takes the orthonormal columns `[bands, rank]` and the way of each.
    pub(super) fn new(spectra: &Array2<f64>, way: &[f64]) -> Self {
        let (bands, rank) = spectra.dim();
        let mut rows = Rows::new(rank, bands);
        for (component, spectrum) in spectra.columns().into_iter().enumerate() {
            let row = rows.row_mut(component).iter_mut();
            row.zip(spectrum).for_each(|(to, &x)| *to = T::round_from(x));
        }
        let value = |component: usize, band: usize| {
            if component < rank { T::round_from(spectra[[band, component]]) } else { T::zero() }
        };
        let packed = (0..rank)
            .step_by(LANES)
            .flat_map(|first| (0..bands).map(move |band| (first, band)))
            .map(|(first, band)| std::array::from_fn(|k| value(first + k, band)))
            .collect();
        let way = way.iter().map(|&x| T::round_from(x)).collect();
        Self { bands, rank, rows, packed, way }
    }
}

/// The coefficients of a block times their components.
pub(super) struct Products<T> {
    bands: usize,
    /// `[rank, bands]`.
    rows: Rows<T>,
}

impl<T: Real> Products<T> {
    pub(super) fn new(rank: usize, bands: usize) -> Self {
        Self { bands, rows: Rows::new(rank, bands) }
    }

    /// Adds all to a sum, `[rank, bands]` row by row, and starts anew.
    pub(super) fn add_to(&mut self, sum: &mut [f64]) {
        let rows = self.rows.all().chunks_exact(self.rows.stride);
        for (sums, row) in sum.chunks_exact_mut(self.bands).zip(rows) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x.into());
        }
        self.rows.all_mut().fill(T::zero());
    }
}

/// Coefficients that share their thresholds.
///
/// By the inequality of Cauchy and Schwarz a component of a coefficient changes by at most the norm
/// of the coefficient times the way of its spectrum. Components that shrank to zero are therefore
/// left alone until that could reach their threshold.
pub(super) struct Block<T> {
    pub(super) group: usize,
    pub(super) width: usize,
    /// `[width, bands]`.
    values: Rows<T>,
    /// Norms over the bands.
    norms: Vec<T>,
    /// `[width, rank]`, row by row.
    pub(super) components: Vec<T>,
    /// Ways of the spectra up to which components stay zero, `[width, rank]`.
    until: Vec<T>,
    /// Coefficient and component of all that are not zero, and room for all.
    standing: Vec<(u32, u32)>,
    /// How many are not zero.
    count: usize,
}

impl<T: Real> Block<T> {
    /// Takes the values `[bands, width]`, all finite, of at least one band.
    pub(super) fn new(group: usize, rank: usize, values: ArrayView2<'_, T>) -> Self {
        let (bands, width) = values.dim();
        let mut rows = Rows::new(width, bands);
        let mut norms = vec![T::zero(); width];
        let stride = rows.stride;
        for (piece, lines) in values.axis_chunks_iter(Axis(0), LANES).enumerate() {
            let places = rows.all_mut().chunks_exact_mut(stride).zip(lines.columns());
            for ((row, column), norm) in places.zip(&mut norms) {
                for (to, &from) in row[piece * LANES..].iter_mut().zip(column) {
                    *to = from;
                    *norm += from * from;
                }
            }
        }
        for norm in &mut norms {
            *norm = norm.sqrt();
        }
        let components = vec![T::zero(); width * rank];
        let until = vec![-T::one(); width * rank];
        let standing = vec![(0, 0); width * rank];
        Self { group, width, values: rows, norms, components, until, standing, count: 0 }
    }

    /// Computes the components shrunk by the thresholds, one for each, and adds the coefficients
    /// times them to the products.
    pub(super) fn run(
        &mut self,
        spectra: &Spectra<T>,
        thresholds: &[T],
        products: &mut Products<T>,
    ) {
        refresh(self, spectra, thresholds);
        add_products(self, spectra.rank, products);
    }

    /// Stores a component, given before shrinkage.
    #[inline(always)]
    fn set(&mut self, place: usize, component: usize, x: T, threshold: T, spectra: &Spectra<T>) {
        let at = place * spectra.rank + component;
        let shrunk = soft(x, threshold);
        let stands = shrunk != T::zero();
        let rest = spectra.way[component] + (threshold - x.abs()) / self.norms[place];
        self.components[at] = shrunk;
        self.until[at] = if stands { -T::one() } else { rest };
        // Without a branch, which could not be foreseen.
        self.standing[self.count] = (place as u32, component as u32);
        self.count += usize::from(stands);
    }

    /// Forgets which components stay zero, as for new thresholds.
    pub(super) fn forget(&mut self) {
        self.until.fill(-T::one());
    }
}

vectorized! {
    /// Computes those components anew that may not be what they were.
    fn refresh<T: Real>(block: &mut Block<T>, spectra: &Spectra<T>, thresholds: &[T]) {
        let rank = spectra.rank;
        block.count = 0;
        let mut team = [0; TEAM];
        let mut members = 0;
        let due: Vec<usize> = (0..block.width)
            .map(|place| {
                let until = &block.until[place * rank..][..rank];
                until.iter().zip(&spectra.way).filter(|(until, way)| until < way).count()
            })
            .collect();
        for (place, &count) in due.iter().enumerate() {
            if due.get(place + AHEAD).is_some_and(|&count| count > 0) {
                prefetch(block.values.row(place + AHEAD));
            }
            if count >= MANY {
                team[members] = place;
                members += 1;
                if members == TEAM {
                    project::<T, FMA>(block, spectra, thresholds, &team, TEAM);
                    members = 0;
                }
            } else if count > 0 {
                for (component, &threshold) in thresholds.iter().enumerate() {
                    if block.until[place * rank + component] < spectra.way[component] {
                        let (values, spectrum) =
                            (block.values.row(place), spectra.rows.row(component));
                        let x = dot::<T, FMA>(values, spectrum);
                        block.set(place, component, x, threshold, spectra);
                    }
                }
            }
        }
        if members > 0 {
            // The first stands in for those that are missing.
            let first = team[0];
            team[members..].fill(first);
            project::<T, FMA>(block, spectra, thresholds, &team, members);
        }
    }
}

/// Computes all components of the first members of a team.
#[inline(always)]
fn project<T: Real, const FMA: bool>(
    block: &mut Block<T>,
    spectra: &Spectra<T>,
    thresholds: &[T],
    team: &[usize; TEAM],
    members: usize,
) {
    let (bands, rank) = (spectra.bands, spectra.rank);
    for (first, packed) in (0..rank).step_by(LANES).zip(spectra.packed.chunks_exact(bands)) {
        let mut sums = [[T::zero(); LANES]; TEAM];
        let rows = team.map(|place| &block.values.row(place)[..bands]);
        for (band, spectrum) in packed.iter().enumerate() {
            let values = rows.map(|row| row[band]);
            for (k, &s) in spectrum.iter().enumerate() {
                sums[0][k] = multiply_add::<T, FMA>(values[0], s, sums[0][k]);
                sums[1][k] = multiply_add::<T, FMA>(values[1], s, sums[1][k]);
                sums[2][k] = multiply_add::<T, FMA>(values[2], s, sums[2][k]);
                sums[3][k] = multiply_add::<T, FMA>(values[3], s, sums[3][k]);
                sums[4][k] = multiply_add::<T, FMA>(values[4], s, sums[4][k]);
                sums[5][k] = multiply_add::<T, FMA>(values[5], s, sums[5][k]);
                sums[6][k] = multiply_add::<T, FMA>(values[6], s, sums[6][k]);
                sums[7][k] = multiply_add::<T, FMA>(values[7], s, sums[7][k]);
            }
        }
        for (&place, sums) in team[..members].iter().zip(&sums) {
            for (component, &x) in (first..rank).zip(sums) {
                block.set(place, component, x, thresholds[component], spectra);
            }
        }
    }
}

/// Returns the sum of products of two rows of whole lanes.
#[inline(always)]
fn dot<T: Real, const FMA: bool>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for k in 0..LANES {
            sums[k] = multiply_add::<T, FMA>(a[k], b[k], sums[k]);
        }
    }
    sum(&sums)
}

/// Adds up lanes. Not inlined, as the order of these sums would break up the registers of `dot`.
#[inline(never)]
fn sum<T: Real>(lanes: &[T; LANES]) -> T {
    let mut sums = *lanes;
    for half in [8, 4, 2, 1] {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
    }
    sums[0]
}

vectorized! {
    /// Adds all coefficients times those of their components that are not zero.
    fn add_products<T: Real>(block: &Block<T>, rank: usize, products: &mut Products<T>) {
        for &(place, component) in &block.standing[..block.count] {
            let (place, component) = (place as usize, component as usize);
            let x = block.components[place * rank + component];
            let sums = products.rows.row_mut(component).iter_mut();
            for (sum, &value) in sums.zip(block.values.row(place)) {
                *sum = multiply_add::<T, FMA>(x, value, *sum);
            }
        }
    }
}
