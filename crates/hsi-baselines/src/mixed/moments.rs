//! Moments of a cube, and the spectra that its noise does not explain.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::Result;
use crate::linalg::symmetric_eigen;

/// Largest share of a band's noise that a subspace may be taken to explain.
const MOST_LEVERAGE: f64 = 0.95;
/// Least noise of a band, relative to the median.
const LEAST_SIGMA: f64 = 0.1;

/// Moments of a cube of lines, which run along the columns.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    /// `Y Yᵀ`: `[bands, bands]`.
    pub(crate) second: Array2<f64>,
    /// Mean of each line: `[bands, cols]`.
    pub(crate) lines: Array2<f64>,
    /// Values of a line.
    pub(crate) rows: usize,
}

impl Moments {
    /// Returns the number of pixels.
    pub(crate) fn pixels(&self) -> usize {
        self.rows * self.lines.ncols()
    }

    /// Returns the second moments about the mean of each line, and their degrees of freedom.
    ///
    /// What is constant along a line leaves no trace in them.
    pub(crate) fn within(&self) -> (Array2<f64>, usize) {
        let rows = self.rows as f64;
        let between = self.lines.dot(&self.lines.t()) * rows;
        (&self.second - &between, self.pixels() - self.lines.ncols())
    }

    /// Returns the second moments after `offsets` were taken off the lines.
    ///
    /// # Shapes
    /// `offsets`: `[bands, cols]`.
    pub(crate) fn without(&self, offsets: &Array2<f64>) -> Array2<f64> {
        let rows = self.rows as f64;
        let left = &self.lines - offsets;
        let change = left.dot(&left.t()) - self.lines.dot(&self.lines.t());
        &self.second + &(change * rows)
    }
}

/// Spectra that stand out of the noise, on the scale on which the noise is 1 in every band.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    /// Orthonormal spectra as columns: `[bands, dimension]`.
    pub(crate) vectors: Array2<f64>,
    /// Share of the noise of each band that lies in the subspace.
    pub(crate) leverage: Array1<f64>,
}

impl Basis {
    /// Takes the eigenvectors whose eigenvalue is above what noise alone reaches (V. Marchenko,
    /// L. Pastur, 1967), at least one and at most half of them.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub(crate) fn of(
        moments: ArrayView2<'_, f64>,
        inverse: &Array1<f64>,
        freedom: usize,
    ) -> Result<Self> {
        let bands = inverse.len();
        let freedom = freedom.max(1) as f64;
        let white = whiten(moments, inverse) / freedom;
        let eigen = symmetric_eigen(white.view())?;
        let live = inverse.iter().filter(|&&x| x > 0.0).count();
        // The small factor is for noise levels that are known to a few percent only.
        let edge = 1.02 * (1.0 + (live as f64 / freedom).sqrt()).powi(2);
        let rank = eigen.values.iter().take_while(|&&value| value > edge).count();
        let rank = rank.min(live / 2).max(1).min(bands);
        let vectors = eigen.vectors.slice_move(ndarray::s![.., ..rank]);
        let leverage = vectors.map_axis(Axis(1), |row| row.dot(&row));
        Ok(Self { vectors, leverage })
    }

    /// Returns what spectra have outside of the subspace.
    ///
    /// # Shapes
    /// `spectra` and the result: `[bands, any]`.
    pub(crate) fn outside(&self, spectra: &Array2<f64>) -> Array2<f64> {
        spectra - &self.vectors.dot(&self.vectors.t().dot(spectra))
    }

    /// Adds orthonormal spectra that lie outside of the subspace.
    pub(crate) fn with(self, more: ArrayView2<'_, f64>) -> Self {
        if more.ncols() == 0 {
            return self;
        }
        let (bands, own) = self.vectors.dim();
        let vectors = Array2::from_shape_fn((bands, own + more.ncols()), |(b, i)| {
            if i < own { self.vectors[[b, i]] } else { more[[b, i - own]] }
        });
        let leverage = vectors.map_axis(Axis(1), |row| row.dot(&row));
        Self { vectors, leverage }
    }

    /// Returns the number of spectra.
    pub(crate) fn dimension(&self) -> usize {
        self.vectors.ncols()
    }

    /// Returns what is left of the noise of a band whose residual has this mean square.
    pub(crate) fn deviation(&self, band: usize, square: f64) -> f64 {
        (square.max(0.0) / (1.0 - self.leverage[band].min(MOST_LEVERAGE))).sqrt()
    }
}

/// Returns the moments of the cube whose bands are multiplied by `factors`.
pub(crate) fn whiten(moments: ArrayView2<'_, f64>, factors: &Array1<f64>) -> Array2<f64> {
    Array2::from_shape_fn(moments.dim(), |(i, j)| factors[i] * moments[[i, j]] * factors[j])
}

/// Estimates the noise of each band from moments within lines, beginning with a guess.
///
/// # Errors
/// As [`symmetric_eigen`].
pub(crate) fn refine(moments: &Moments, guess: &Array1<f64>) -> Result<(Array1<f64>, Basis)> {
    let (within, freedom) = moments.within();
    let mut sigma = guess.clone();
    let mut basis = Basis::of(within.view(), &inverse(&sigma), freedom)?;
    for _ in 0..2 {
        let white = whiten(within.view(), &inverse(&sigma)) / freedom.max(1) as f64;
        // The diagonal of P C P with P = I - E Eᵀ.
        let image = white.dot(&basis.vectors); // C E
        let core = basis.vectors.t().dot(&image); // Eᵀ C E
        for band in 0..sigma.len() {
            let row = basis.vectors.row(band);
            let square =
                white[[band, band]] - 2.0 * row.dot(&image.row(band)) + row.dot(&core.dot(&row));
            sigma[band] *= basis.deviation(band, square);
        }
        floor(&mut sigma);
        basis = Basis::of(within.view(), &inverse(&sigma), freedom)?;
    }
    Ok((sigma, basis))
}

/// Keeps the noise of each band that has any from falling far below the median.
pub(crate) fn floor(sigma: &mut Array1<f64>) {
    let mut sorted: Vec<f64> = sigma.iter().copied().filter(|&x| x > 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(&median) = sorted.get(sorted.len() / 2) else { return };
    sigma.mapv_inplace(|x| if x > 0.0 { x.max(LEAST_SIGMA * median) } else { 0.0 });
}

/// Returns one over each value, or 0 for 0.
pub(crate) fn inverse(sigma: &Array1<f64>) -> Array1<f64> {
    sigma.mapv(|x| if x > 0.0 { 1.0 / x } else { 0.0 })
}
