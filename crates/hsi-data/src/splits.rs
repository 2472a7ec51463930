//! Splits into train, validation and test.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loader::shuffled;

/// How samples are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitKind {
    /// 70 / 20 / 10 by patch: patches of one tile may fall into different parts.
    Easy,
    /// 70 / 20 / 10 by tile: no tile is in two parts.
    Hard,
    /// 80 / 10 / 10 by patch.
    Random,
}

impl SplitKind {
    /// Name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Hard => "hard",
            Self::Random => "random",
        }
    }

    /// Shares of train and validation in percent; test has the rest.
    fn percent(self) -> (usize, usize) {
        match self {
            Self::Easy | Self::Hard => (70, 20),
            Self::Random => (80, 10),
        }
    }

    fn unit(self) -> &'static str {
        if self == Self::Hard { "tiles" } else { "patches" }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SplitKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Easy, Self::Hard, Self::Random].into_iter().find(|kind| kind.name() == text).ok_or(
            Error::Parse {
                what: "kind of split",
                value: text.to_owned(),
                expected: "`easy`, `hard` or `random`",
            },
        )
    }
}

/// Where a split comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitSource {
    /// The lists that came with the dataset.
    Official {
        /// Listed patches that are not on disk, and so in no part.
        missing: usize,
    },
    /// Dealt out by a seed.
    Seeded {
        /// The seed.
        seed: u64,
    },
}

/// Indices of the samples of each part, ascending; no sample is in two parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Samples to train on.
    pub train: Vec<usize>,
    /// Samples to choose a model by.
    pub val: Vec<usize>,
    /// Samples to report.
    pub test: Vec<usize>,
    /// Where the split comes from.
    pub source: SplitSource,
}

impl Split {
    /// Splits a dataset: by the lists that came with it when it has some of this kind, otherwise
    /// by the seed.
    ///
    /// The shares of validation and test are rounded down but at least one patch (easy, random)
    /// or tile (hard) each; train has the rest.
    ///
    /// # Errors
    /// [`Error::EmptySplit`] if a part would hold no sample, [`Error::SplitFile`] if the
    /// dataset's lists cannot be used.
    pub fn new(dataset: &dyn Dataset, kind: SplitKind, seed: u64) -> Result<Self> {
        let unit = |index| {
            if kind == SplitKind::Hard { dataset.group(index) } else { dataset.patch(index) }
        };
        let mut units: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in 0..dataset.len() {
            units.entry(unit(index)).or_default().push(index);
        }
        let count = units.len();
        let split = match dataset.official_split(kind)? {
            Some(split) => split,
            None => Self::deal(units.into_values().collect(), kind, seed),
        };
        let [train, val, test] = [&split.train, &split.val, &split.test].map(Vec::len);
        let parts = [("train", train), ("val", val), ("test", test)];
        match parts.into_iter().find(|&(_, samples)| samples == 0) {
            None => Ok(split),
            Some((part, _)) => Err(Error::EmptySplit {
                kind: kind.name(),
                part,
                samples: dataset.len(),
                units: count,
                unit: kind.unit(),
                train,
                val,
                test,
            }),
        }
    }

    fn deal(units: Vec<Vec<usize>>, kind: SplitKind, seed: u64) -> Self {
        let count = units.len();
        let (_, val_percent) = kind.percent();
        let test_percent = 100 - kind.percent().0 - val_percent;
        let test = (count * test_percent / 100).max(1).min(count.saturating_sub(1));
        let val = (count * val_percent / 100).max(1).min(count.saturating_sub(test + 1));
        let order = shuffled(count, seed, 0);
        let part = |from: usize, to: usize| {
            let mut part: Vec<usize> =
                order[from..to].iter().flat_map(|&unit| units[unit].iter().copied()).collect();
            part.sort_unstable();
            part
        };
        let train = count - val - test;
        Self {
            train: part(0, train),
            val: part(train, train + val),
            test: part(train + val, count),
            source: SplitSource::Seeded { seed },
        }
    }
}
