//! The dimension of the signal subspace.
//!
//! J. Bioucas-Dias, J. Nascimento, "Hyperspectral Subspace Identification", IEEE TGRS 46(8), 2008.

use ndarray::{Array1, Array2, ArrayView3};

use crate::linalg::symmetric_eigen;
use crate::{NoiseEstimate, Result, Variant, estimate_noise};

/// The subspace in which the signal of a cube lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Subspace {
    /// Orthonormal spectra as columns, `[bands, dimension]`, the one that matters most first; each
    /// of arbitrary sign.
    pub basis: Array2<f64>,
    /// What each eigenvector of the signal costs if it is kept, in descending order of its
    /// eigenvalue; the negative ones are kept.
    pub costs: Array1<f64>,
    /// What was added to the noise variance of each band to keep it away from zero.
    pub regulariser: f64,
}

impl Subspace {
    /// Returns the number of dimensions; 0 if all is noise.
    pub fn dimension(&self) -> usize {
        self.basis.ncols()
    }

    /// Finds the subspace that minimises the mean square error of the projection.
    ///
    /// With the eigenvectors `e_i` of the second moments of the signal (cube less noise), those are
    /// kept for which `2 e_iᵀ R_w e_i < e_iᵀ R_y e_i`, where `R_y` are the moments of the cube and
    /// `R_w` those of the noise, a diagonal matrix. To each noise variance 1e-5 of the mean moment
    /// of the signal is added; [`Variant::Hyde`] takes the sum over all elements of the matrix for
    /// its trace.
    ///
    /// # Errors
    /// [`Error::Decomposition`](crate::Error::Decomposition) if the moments have overflown.
    pub fn of(noise: &NoiseEstimate, variant: Variant) -> Result<Self> {
        let bands = noise.sigma.len();
        let pixels = noise.pixels as f64;
        let keep = Array2::eye(bands) - &noise.residual;
        let signal = keep.dot(&noise.moments).dot(&keep.t()) / pixels;
        let eigen = symmetric_eigen(signal.view())?;
        let regulariser = match variant {
            Variant::Corrected => signal.diag().sum(),
            Variant::Hyde => signal.sum(),
        } / bands as f64
            / 1e5;
        let seen = noise.moments.dot(&eigen.vectors);
        let costs = Array1::from_shape_fn(bands, |i| {
            let vector = eigen.vectors.column(i);
            let energy = vector.dot(&seen.column(i)) / pixels;
            let noise = vector.iter().zip(&noise.variance).map(|(e, v)| e * e * (v + regulariser));
            2.0 * noise.sum::<f64>() - energy
        });
        let mut kept: Vec<usize> = (0..bands).filter(|&i| costs[i] < 0.0).collect();
        kept.sort_by(|&i, &j| costs[i].total_cmp(&costs[j]));
        let basis =
            Array2::from_shape_fn((bands, kept.len()), |(b, i)| eigen.vectors[[b, kept[i]]]);
        Ok(Self { basis, costs, regulariser })
    }
}

/// Finds the signal subspace of a cube (HySime); see [`Subspace::of`].
///
/// # Shapes
/// `cube`: `[bands, rows, cols]`.
///
/// # Errors
/// [`Error::Empty`](crate::Error::Empty) or [`Error::NonFinite`](crate::Error::NonFinite) for a
/// cube that cannot be used.
///
/// # Examples
/// ```
/// use ndarray::Array3;
///
/// // Two spectra in changing proportions, and noise from a fixed sequence.
/// let mut state = 1_u32;
/// let cube = Array3::from_shape_fn((8, 20, 20), |(b, r, c)| {
///     state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
///     r as f32 * 0.05 + (c * b) as f32 * 0.01 + 0.02 * noise
/// });
/// assert_eq!(hsi_baselines::hysime(cube.view())?.dimension(), 2);
/// # Ok::<(), hsi_baselines::Error>(())
/// ```
pub fn hysime(cube: ArrayView3<'_, f32>) -> Result<Subspace> {
    Subspace::of(&estimate_noise(cube)?, Variant::default())
}
