//! Where queries, keys and values lie.

use rayon::prelude::*;

use crate::kernel::Real;
use crate::kernel::gemm::Mat;

/// The sizes of an attention layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    pub(crate) dim: usize,
}

/// What a head has for each token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Query,
    Key,
    Value,
}

impl Sizes {
    /// Elements of a token in the output; the input has three times as many.
    pub(crate) fn width(self) -> usize {
        self.heads * self.dim
    }

    /// Queries whose scores are treated together: the scores should stay in the cache.
    pub(crate) fn block(self) -> usize {
        let block = ((1 << 16) / self.tokens).clamp(8, 64);
        self.tokens.div_ceil(self.tokens.div_ceil(block))
    }

    /// Columns of the scores: the tokens and some that do not exist, whose number makes the
    /// products fast.
    pub(crate) fn columns(self) -> usize {
        self.tokens.next_multiple_of(16)
    }

    /// Queries, keys or values `(tokens, dim)` of one head of one sample, from a token on.
    pub(crate) fn part<T>(
        self,
        qkv: &[T],
        (sample, head): (usize, usize),
        role: Role,
        tokens: std::ops::Range<usize>,
    ) -> Mat<'_, T> {
        let start = (sample * self.tokens + tokens.start) * 3 * self.width()
            + role as usize * self.width()
            + head * self.dim;
        Mat::strided(&qkv[start..], (tokens.len(), self.dim), (3 * self.width(), 1))
    }

    /// The keys or values of all heads transposed, `(batch, heads, dim, columns)`: products run
    /// faster along rows. Tokens that do not exist have zeros.
    pub(crate) fn transposed<T: Real>(self, qkv: &[T], role: Role) -> Vec<T> {
        const BLOCK: usize = 16;
        let columns = self.columns();
        let mut all = vec![T::zero(); self.batch * self.width() * columns];
        all.par_chunks_mut(self.dim * columns).enumerate().for_each(|(index, to)| {
            let (sample, head) = (index / self.heads, index % self.heads);
            let start = sample * self.tokens * 3 * self.width()
                + role as usize * self.width()
                + head * self.dim;
            for first in (0..self.tokens).step_by(BLOCK) {
                let last = (first + BLOCK).min(self.tokens);
                for (dim, row) in to.chunks_exact_mut(columns).enumerate() {
                    for (token, x) in (first..last).zip(&mut row[first..last]) {
                        *x = qkv[start + token * 3 * self.width() + dim];
                    }
                }
            }
        });
        all
    }
}
