//! The loader: order, bounds, errors, panics, and stopping early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hsi_data::{Error, Loader, LoaderConfig, Result, SceneConfig, generate, shuffled};

#[derive(Debug, PartialEq)]
enum Failure {
    Made(usize),
    Panicked(String),
}

impl From<hsi_data::LoaderPanic> for Failure {
    fn from(panic: hsi_data::LoaderPanic) -> Self {
        Self::Panicked(panic.to_string())
    }
}

fn configs() -> impl Iterator<Item = LoaderConfig> {
    let of = |workers| [0, 1, 3, 100].map(|prefetch| LoaderConfig { workers, prefetch });
    [0, 1, 2, 5].into_iter().flat_map(of)
}

#[test]
fn items_come_in_order_for_any_number_of_workers() {
    for config in configs() {
        let indices = shuffled(40, 1, 2);
        let make = |index: usize| {
            // Later items are ready sooner.
            std::thread::sleep(Duration::from_micros(40 - index as u64));
            Ok::<_, Failure>(index)
        };
        let loader = Loader::new(indices.clone(), make, config);
        assert_eq!(loader.size_hint(), (0, Some(40)));
        let items: std::result::Result<Vec<usize>, Failure> = loader.collect();
        assert_eq!(items, Ok(indices), "{config:?}");
        let mut none = Loader::new(Vec::new(), Ok::<usize, Failure>, config);
        assert_eq!(none.next(), None);
    }
}

#[test]
fn samples_are_the_same_bytes_for_any_number_of_workers() -> Result<()> {
    let scenes = |workers| {
        let make = |index: usize| {
            let config = SceneConfig::vnir(5).sized(20, 20);
            Ok::<_, Error>(generate(&config, index as u64)?.into_array())
        };
        Loader::new((0..6).collect(), make, LoaderConfig { workers, prefetch: 4 })
            .collect::<Result<Vec<_>>>()
    };
    let one = scenes(0)?;
    assert_eq!(scenes(1)?, one);
    assert_eq!(scenes(4)?, one);
    Ok(())
}

#[test]
fn errors_and_panics_are_yielded_in_their_place_and_end_the_iteration() {
    for config in configs() {
        let make = |index: usize| if index == 3 { Err(Failure::Made(3)) } else { Ok(index) };
        let items: Vec<_> = Loader::new((0..9).collect(), make, config).collect();
        assert_eq!(items, [Ok(0), Ok(1), Ok(2), Err(Failure::Made(3))], "{config:?}");

        let make = |index: usize| {
            assert!(index != 2, "no item {index}");
            Ok::<_, Failure>(index)
        };
        let mut loader = Loader::new((0..9).collect(), make, config);
        assert_eq!((loader.next(), loader.next()), (Some(Ok(0)), Some(Ok(1))));
        let message = "making item 2 panicked: no item 2".to_owned();
        assert_eq!(loader.next(), Some(Err(Failure::Panicked(message))), "{config:?}");
        assert_eq!((loader.next(), loader.next()), (None, None));
    }
}

#[test]
fn no_more_is_begun_than_may_be_ahead_and_dropping_stops_the_work() {
    let begun = Arc::new(AtomicUsize::new(0));
    let make = {
        let begun = Arc::clone(&begun);
        move |index: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            Ok::<_, Failure>(index)
        }
    };
    let mut loader =
        Loader::new((0..1000).collect(), make, LoaderConfig { workers: 2, prefetch: 3 });
    for _ in 0..5 {
        loader.next();
        assert!(begun.load(Ordering::SeqCst) <= 5 + 3);
    }
    // The workers get ahead by themselves, and wait there.
    while begun.load(Ordering::SeqCst) < 5 + 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(begun.load(Ordering::SeqCst), 5 + 3);
    drop(loader);
    std::thread::sleep(Duration::from_millis(20));
    assert!(begun.load(Ordering::SeqCst) <= 5 + 3);
}

#[test]
fn shuffles_are_permutations_of_seed_and_epoch() {
    for len in [0, 1, 2, 100] {
        let mut order = shuffled(len, 7, 1);
        assert_eq!(order, shuffled(len, 7, 1));
        order.sort_unstable();
        assert_eq!(order, (0..len).collect::<Vec<_>>());
    }
    assert_ne!(shuffled(100, 7, 1), shuffled(100, 7, 2));
    assert_ne!(shuffled(100, 7, 1), shuffled(100, 8, 1));
    // The first place is taken by every number about equally often.
    let mut counts = [0; 5];
    for epoch in 0..5000 {
        counts[shuffled(5, 3, epoch)[0]] += 1;
    }
    assert!(counts.iter().all(|count| (880..1120).contains(count)), "{counts:?}");
}
