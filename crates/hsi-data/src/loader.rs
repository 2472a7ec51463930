//! A loader that works ahead of its consumer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{fmt, vec};

use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};

/// How far and with how many threads a [`Loader`] works ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderConfig {
    /// Threads; with none, items are made when they are asked for.
    pub workers: usize,
    /// Items that may be under way or wait for the consumer; at least one is, if there are
    /// workers.
    pub prefetch: usize,
}

impl Default for LoaderConfig {
    /// One worker a processor core, two items ahead for each.
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self { workers, prefetch: 2 * workers }
    }
}

/// A worker of a [`Loader`] panicked while it made an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("making item {index} panicked: {message}")]
pub struct LoaderPanic {
    /// The index that was given to the closure.
    pub index: usize,
    /// What the panic said.
    pub message: String,
}

type Make<T, E> = dyn Fn(usize) -> Result<T, E> + Send + Sync;

/// An iterator over `make(index)` for a list of indices, in order, made ahead on its own threads.
///
/// `make` is a pure function of the index, so the items do not depend on the number of workers.
/// An error is yielded in its place and ends the iteration, and so does a panic. Dropping the
/// loader cancels what has not begun. Parallel code inside `make` runs on the loader's threads.
///
/// ```
/// use hsi_data::{Error, Loader, LoaderConfig};
///
/// let config = LoaderConfig { workers: 2, prefetch: 4 };
/// let squares = Loader::new(vec![3, 1, 2], |i| Ok::<_, Error>(i * i), config);
/// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [9, 1, 4]);
/// # Ok::<(), Error>(())
/// ```
pub struct Loader<T, E> {
    make: Arc<Make<T, E>>,
    indices: vec::IntoIter<usize>,
    workers: Option<Workers<T, E>>,
    ended: bool,
}

struct Workers<T, E> {
    pool: ThreadPool,
    prefetch: usize,
    cancelled: Arc<AtomicBool>,
    sender: Sender<(usize, Result<T, E>)>,
    receiver: Receiver<(usize, Result<T, E>)>,
    /// Items that came before their turn, by position.
    early: BTreeMap<usize, Result<T, E>>,
    /// Position of the next item to be given to a worker, and to the consumer.
    next_in: usize,
    next_out: usize,
}

impl<T, E> Loader<T, E>
where
    T: Send + 'static,
    E: From<LoaderPanic> + Send + 'static,
{
    /// Begins to make the items. If no threads can be had, items are made when asked for.
    pub fn new(
        indices: Vec<usize>,
        make: impl Fn(usize) -> Result<T, E> + Send + Sync + 'static,
        config: LoaderConfig,
    ) -> Self {
        let threads = config.workers.min(indices.len());
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("hsi-loader-{i}"));
        let pool = if threads > 0 { builder.build().ok() } else { None };
        let workers = pool.map(|pool| {
            let (sender, receiver) = channel();
            Workers {
                pool,
                prefetch: config.prefetch.max(1),
                cancelled: Arc::new(AtomicBool::new(false)),
                sender,
                receiver,
                early: BTreeMap::new(),
                next_in: 0,
                next_out: 0,
            }
        });
        let mut loader =
            Self { make: Arc::new(make), indices: indices.into_iter(), workers, ended: false };
        loader.refill();
        loader
    }

    /// Gives work to the threads until as much is under way as is allowed.
    fn refill(&mut self) {
        let Some(workers) = &mut self.workers else {
            return;
        };
        while workers.next_in - workers.next_out < workers.prefetch {
            let Some(index) = self.indices.next() else {
                return;
            };
            let position = workers.next_in;
            workers.next_in += 1;
            let (make, sender) = (Arc::clone(&self.make), workers.sender.clone());
            let cancelled = Arc::clone(&workers.cancelled);
            workers.pool.spawn_fifo(move || {
                if !cancelled.load(Ordering::Relaxed) {
                    // The consumer may have gone meanwhile, which is no error.
                    sender.send((position, make_caught(&*make, index))).ok();
                }
            });
        }
    }

    fn take(&mut self) -> Option<Result<T, E>> {
        let Some(workers) = &mut self.workers else {
            return self.indices.next().map(|index| make_caught(&*self.make, index));
        };
        if workers.next_out == workers.next_in {
            return None;
        }
        let item = loop {
            if let Some(item) = workers.early.remove(&workers.next_out) {
                break item;
            }
            let (position, item) = workers.receiver.recv().ok()?;
            workers.early.insert(position, item);
        };
        workers.next_out += 1;
        self.refill();
        Some(item)
    }
}

impl<T, E> Iterator for Loader<T, E>
where
    T: Send + 'static,
    E: From<LoaderPanic> + Send + 'static,
{
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.take();
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
            self.cancel();
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let under_way = self.workers.as_ref().map_or(0, |w| w.next_in - w.next_out);
        let left = if self.ended { 0 } else { self.indices.len() + under_way };
        (0, Some(left))
    }
}

impl<T, E> Loader<T, E> {
    fn cancel(&self) {
        if let Some(workers) = &self.workers {
            workers.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl<T, E> Drop for Loader<T, E> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T, E> fmt::Debug for Loader<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("workers", &self.workers.as_ref().map(|w| w.pool.current_num_threads()))
            .field("not_begun", &self.indices.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

fn make_caught<T, E: From<LoaderPanic>>(make: &Make<T, E>, index: usize) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(|| make(index))).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "no message".to_owned());
        Err(E::from(LoaderPanic { index, message }))
    })
}

/// The numbers below `len` in an order that depends on the seed and the epoch alone, on every
/// machine: Fisher and Yates' shuffle with the ChaCha stream `epoch` of `seed`.
pub fn shuffled(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        // The high half of a product is below its second factor; its bias is beyond notice.
        let other = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, other as usize);
    }
    order
}
