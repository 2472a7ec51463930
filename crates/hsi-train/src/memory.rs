//! Where the bytes of training go.
//!
//! A program that installs [`CountingAllocator`] knows how many heap bytes it holds and held at
//! most; the trainer then reports its peak in parts. Without it the parts that follow from tensor
//! sizes are still known, the activations and the counted peak are not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static PEAK_EVER: AtomicUsize = AtomicUsize::new(0);

/// The system allocator, counting.
///
/// ```
/// use hsi_train::memory::{CountingAllocator, live_bytes};
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// let before = live_bytes();
/// let block = vec![0u8; 1 << 20];
/// assert!(live_bytes() >= before + block.len());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    if live > PEAK.load(Relaxed) {
        PEAK.fetch_max(live, Relaxed);
        PEAK_EVER.fetch_max(live, Relaxed);
    }
}

fn shrink(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is passed on to the system allocator unchanged; only sizes are counted.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc`.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc_zeroed`.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `realloc`.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            // Where the block moves, both copies exist for a moment; that is not counted.
            grow(new_size);
            shrink(layout.size());
        }
        moved
    }
}

/// Heap bytes held now; 0 where [`CountingAllocator`] is not installed.
pub fn live_bytes() -> usize {
    LIVE.load(Relaxed)
}

/// The most heap bytes held since [`reset_peak`]; 0 where the allocator is not installed.
pub fn peak_bytes() -> usize {
    PEAK.load(Relaxed)
}

/// The most heap bytes held since the program started.
pub fn peak_bytes_ever() -> usize {
    PEAK_EVER.load(Relaxed)
}

/// Starts a new measurement of the peak.
pub fn reset_peak() {
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

/// Whether this program counts its allocations.
pub fn is_counting() -> bool {
    PEAK_EVER.load(Relaxed) > 0
}

/// Peak memory of an optimiser step, in bytes, by what it is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemoryParts {
    /// All parameters as stored.
    pub weights: usize,
    /// Gradients of the trained parameters, accumulated over the micro-batches.
    pub gradients: usize,
    /// Moments of the optimiser.
    pub optimizer: usize,
    /// What forward and backward keep and use besides: measured as the highest rise of the heap
    /// during a step, less the gradients that arose in it. 0 where allocations are not counted.
    pub activations: usize,
    /// Batches that are prepared ahead.
    pub data: usize,
    /// Peak of the heap over the same step, everything included; 0 where it is not counted.
    pub counted_peak: usize,
}

impl MemoryParts {
    /// Sum of the parts.
    pub fn sum(&self) -> usize {
        self.weights + self.gradients + self.optimizer + self.activations + self.data
    }

    /// What else the peak holds: a data set in memory, scratch space of threads, the program.
    pub fn other(&self) -> usize {
        self.counted_peak.saturating_sub(self.sum())
    }
}

/// Measures one optimiser step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepProbe {
    live_at_start: usize,
}

impl StepProbe {
    pub(crate) fn start() -> Self {
        reset_peak();
        Self { live_at_start: live_bytes() }
    }

    /// `new_gradients`: bytes of the gradients that did not exist yet at the start.
    pub(crate) fn finish(self, new_gradients: usize, mut parts: MemoryParts) -> MemoryParts {
        if is_counting() {
            parts.counted_peak = peak_bytes();
            let rise = parts.counted_peak.saturating_sub(self.live_at_start);
            parts.activations = rise.saturating_sub(new_gradients);
        }
        parts
    }
}
