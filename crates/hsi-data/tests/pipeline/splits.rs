//! Splits: their laws, their errors, and the lists that come with the data.

use std::collections::BTreeSet;
use std::fs;

use hsi_data::{Dataset, Error, HySpecNet, Result, Split, SplitKind, SplitSource};
use ndarray::Array3;
use proptest::prelude::*;
use tempfile::TempDir;

use super::datasets::hyspecnet;

/// Samples with a tile and a patch each, and nothing in them.
struct Named(Vec<(usize, usize)>);

impl Dataset for Named {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn bands(&self) -> usize {
        1
    }
    fn size(&self) -> (usize, usize) {
        (1, 1)
    }
    fn get(&self, _: usize) -> Result<Array3<f32>> {
        Ok(Array3::zeros((1, 1, 1)))
    }
    fn name(&self, index: usize) -> String {
        format!("sample-{index}")
    }
    fn group(&self, index: usize) -> String {
        format!("tile-{}", self.0[index].0)
    }
    fn patch(&self, index: usize) -> String {
        format!("tile-{}-patch-{}", self.0[index].0, self.0[index].1)
    }
    fn wavelengths_nm(&self) -> Option<Vec<f32>> {
        None
    }
}

fn one_sample_a_patch(tiles: usize, patches: usize) -> Named {
    Named((0..tiles * patches).map(|i| (i / patches, i % patches)).collect())
}

const KINDS: [SplitKind; 3] = [SplitKind::Easy, SplitKind::Hard, SplitKind::Random];

proptest! {
    #[test]
    fn parts_are_disjoint_cover_everything_and_keep_units_together(
        samples in prop::collection::vec((0_usize..12, 0_usize..6), 1..150),
        seed in any::<u64>(),
    ) {
        let dataset = Named(samples);
        for kind in KINDS {
            let Ok(split) = Split::new(&dataset, kind, seed) else {
                let unit = |i| if kind == SplitKind::Hard { dataset.group(i) } else { dataset.patch(i) };
                let units: BTreeSet<String> = (0..dataset.len()).map(unit).collect();
                prop_assert!(units.len() < 3, "{kind} refused {} units", units.len());
                continue;
            };
            prop_assert_eq!(&split, &Split::new(&dataset, kind, seed)?);
            let mut all = [&split.train[..], &split.val, &split.test].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..dataset.len()).collect::<Vec<_>>());
            let parts = [&split.train, &split.val, &split.test];
            let patches = parts.map(|part| part.iter().map(|&i| dataset.patch(i)).collect::<BTreeSet<_>>());
            let tiles = parts.map(|part| part.iter().map(|&i| dataset.group(i)).collect::<BTreeSet<_>>());
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                prop_assert!(patches[a].is_disjoint(&patches[b]));
                prop_assert!(kind != SplitKind::Hard || tiles[a].is_disjoint(&tiles[b]));
            }
        }
    }
}

#[test]
fn shares_are_those_of_the_kind() -> Result<()> {
    let dataset = one_sample_a_patch(20, 10);
    for (kind, wanted) in KINDS.into_iter().zip([[140, 40, 20], [140, 40, 20], [160, 20, 20]]) {
        let split = Split::new(&dataset, kind, 1)?;
        assert_eq!([split.train.len(), split.val.len(), split.test.len()], wanted, "{kind}");
        assert_eq!(split.source, SplitSource::Seeded { seed: 1 });
        assert_ne!(split, Split::new(&dataset, kind, 2)?);
        assert_eq!(kind.name().parse::<SplitKind>()?, kind);
    }
    assert!(matches!("tile".parse::<SplitKind>(), Err(Error::Parse { .. })));
    // Three units are enough, and so train is never smaller than another part.
    let split = Split::new(&one_sample_a_patch(3, 1), SplitKind::Hard, 9)?;
    assert_eq!([split.train.len(), split.val.len(), split.test.len()], [1, 1, 1]);
    Ok(())
}

#[test]
fn an_empty_part_is_an_error_with_the_counts() {
    for tiles in [0, 1, 2] {
        let error =
            Split::new(&one_sample_a_patch(tiles, 5), SplitKind::Hard, 1).expect_err("empty");
        assert!(matches!(error, Error::EmptySplit { units, .. } if units == tiles));
    }
    let error = Split::new(&one_sample_a_patch(1, 3), SplitKind::Hard, 1).expect_err("one tile");
    assert_eq!(
        error.to_string(),
        "the hard split leaves no sample for `val`: 3 samples in 1 tiles give 3 for train, 0 for \
         val, 0 for test"
    );
}

#[test]
fn the_lists_of_a_dataset_come_first() -> Result<()> {
    let folder = TempDir::new().expect("temporary folder");
    hyspecnet(folder.path(), &[2, 2], (1, 4, 4));
    let easy = folder.path().join("splits/easy");
    fs::create_dir_all(&easy).expect("folder");
    let list = |part: &str, patches: &[(usize, usize)]| {
        let line =
            |(t, p): &(usize, usize)| format!("TILE{t}/TILE{t}-Y{p}/TILE{t}-Y{p}-DATA.npy\r\n");
        let text: String = patches.iter().map(line).collect();
        fs::write(easy.join(format!("{part}.csv")), text).expect("list");
    };
    list("train", &[(1, 0), (7, 7)]);
    list("val", &[(0, 1)]);
    list("test", &[(0, 0), (8, 8)]);
    let dataset = HySpecNet::open(folder.path(), None)?;
    let split = Split::new(&dataset, SplitKind::Easy, 3)?;
    assert_eq!(split.source, SplitSource::Official { missing: 2 });
    assert_eq!((split.train, split.val, split.test), (vec![2], vec![1], vec![0]));
    // Patches that are cut smaller go where their patch goes.
    let split = Split::new(&HySpecNet::open(folder.path(), Some(2))?, SplitKind::Easy, 3)?;
    assert_eq!((split.train, split.val), (vec![8, 9, 10, 11], vec![4, 5, 6, 7]));
    // There are no lists for these.
    let random = Split::new(&dataset, SplitKind::Random, 3)?;
    assert_eq!(random.source, SplitSource::Seeded { seed: 3 });

    list("test", &[(9, 9)]);
    let error = Split::new(&dataset, SplitKind::Easy, 3).expect_err("nothing left");
    assert!(matches!(error, Error::EmptySplit { part: "test", .. }), "{error}");
    list("test", &[(0, 0), (1, 0)]);
    let error = Split::new(&dataset, SplitKind::Easy, 3).expect_err("twice");
    assert!(matches!(error, Error::SplitFile { line: 2, .. }), "{error}");
    fs::write(easy.join("test.csv"), "nonsense\n").expect("list");
    let error = Split::new(&dataset, SplitKind::Easy, 3).expect_err("nonsense");
    assert!(matches!(error, Error::SplitFile { line: 1, .. }), "{error}");
    fs::remove_file(easy.join("test.csv")).expect("removed");
    assert!(matches!(Split::new(&dataset, SplitKind::Easy, 3), Err(Error::Io { .. })));
    Ok(())
}
