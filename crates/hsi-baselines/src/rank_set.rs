//! A set of ranks that slides: it finds its k-th smallest member near where it was before.

const WORD: usize = u64::BITS as usize;

/// Members are bits; the word that held the last answer is remembered.
#[derive(Debug)]
pub(crate) struct RankSet {
    words: Vec<u64>,
    /// The word that held the last answer.
    pivot: usize,
    /// Number of members in the words before the pivot.
    below: usize,
}

impl RankSet {
    /// Makes an empty set for ranks under `ranks`.
    pub(crate) fn new(ranks: usize) -> Self {
        Self { words: vec![0; ranks.div_ceil(WORD)], pivot: 0, below: 0 }
    }

    /// Removes every member.
    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.below = 0;
    }

    /// Adds a rank that is no member.
    #[inline]
    pub(crate) fn insert(&mut self, rank: u32) {
        let word = rank as usize / WORD;
        self.words[word] ^= 1 << (rank as usize % WORD);
        self.below += usize::from(word < self.pivot);
    }

    /// Removes a rank that is a member.
    #[inline]
    pub(crate) fn remove(&mut self, rank: u32) {
        let word = rank as usize / WORD;
        self.words[word] ^= 1 << (rank as usize % WORD);
        self.below -= usize::from(word < self.pivot);
    }

    /// Returns the member with exactly `k` smaller ones; there must be more than `k` members.
    #[inline]
    pub(crate) fn select(&mut self, k: usize) -> usize {
        while self.below > k {
            self.pivot -= 1;
            self.below -= self.words[self.pivot].count_ones() as usize;
        }
        loop {
            let here = self.words[self.pivot].count_ones() as usize;
            if self.below + here > k {
                break;
            }
            self.below += here;
            self.pivot += 1;
        }
        let mut word = self.words[self.pivot];
        for _ in self.below..k {
            word &= word - 1;
        }
        self.pivot * WORD + word.trailing_zeros() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_like_a_sorted_list_while_it_slides() {
        // Every residue once, in a scattered order.
        let order: Vec<u32> = (0..1000).map(|i| i * 373 % 1000).collect();
        let mut set = RankSet::new(1000);
        for width in [1, 2, 63, 300] {
            set.clear();
            order[..width].iter().for_each(|&rank| set.insert(rank));
            for start in 0..order.len() - width {
                let mut sorted = order[start..start + width].to_vec();
                sorted.sort_unstable();
                for k in [width / 2, 0, width - 1] {
                    assert_eq!(set.select(k), sorted[k] as usize);
                }
                set.remove(order[start]);
                set.insert(order[start + width]);
            }
        }
    }
}
