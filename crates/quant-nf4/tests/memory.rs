//! No dense copy of a quantised weight stays, shown by counting heap bytes.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use grad_ops::{Dense, LinearFactory, LinearSpec};
use quant_nf4::{QuantConfig, Quantize, QuantizedTensor};

/// Counts the bytes that are allocated, and the most there were.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(live, Ordering::SeqCst);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Makes a weight when it is asked for, as a file that is mapped does.
struct Source;

impl SimpleBackend for Source {
    fn get(
        &self,
        shape: Shape,
        _name: &str,
        _init: Init,
        _dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let numbers = (0..shape.elem_count()).map(|i| (i as f32 * 0.37).sin() * 0.05);
        Tensor::from_iter(numbers, device)?.reshape(shape)
    }

    fn get_unchecked(
        &self,
        name: &str,
        _dtype: DType,
        _device: &Device,
    ) -> candle_core::Result<Tensor> {
        Err(candle_core::Error::CannotFindTensor { path: name.to_owned() })
    }

    fn contains_tensor(&self, _name: &str) -> bool {
        true
    }
}

/// Bytes that stay after `f`, and the most there were meanwhile, above what was there before.
fn measure<R>(f: impl FnOnce() -> R) -> (R, usize, usize) {
    let before = LIVE.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let result = f();
    let live = LIVE.load(Ordering::SeqCst).saturating_sub(before);
    (result, live, PEAK.load(Ordering::SeqCst).saturating_sub(before))
}

#[test]
fn no_dense_copy_stays() {
    const SIZE: usize = 2048;
    const DENSE: usize = SIZE * SIZE * 4;
    const THREADS: usize = 2;
    /// A panel of 256 KiB a thread and what the matrix products pack.
    const SCRATCH: usize = THREADS * (1 << 20);
    let rows = 64;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().unwrap();
    pool.install(|| {
        // Tables that all tensors share are made with the first one.
        drop(QuantizedTensor::quantize_slice(&[1.0], &[1], &QuantConfig::default()).unwrap());
        let factory = Quantize::new(Dense, QuantConfig::default(), |_| true).unwrap();
        let vb = VarBuilder::from_backend(Box::new(Source), DType::F32, Device::Cpu);
        let spec = LinearSpec { in_features: SIZE, out_features: SIZE, bias: false };
        let (layer, live, peak) = measure(|| factory.linear(spec, vb.pp("fc")).unwrap());
        assert!(peak >= DENSE, "the dense weight was there: {peak}");
        assert!(live < SIZE * SIZE * 17 / 32, "after building: {live}");

        let xs = Var::from_tensor(&Tensor::ones((rows, SIZE), DType::F32, &Device::Cpu).unwrap())
            .unwrap();
        // The first call leaves the buffers of the matrix products behind.
        drop(layer.forward_t(&xs, true).unwrap());
        let activations = rows * SIZE * 4;
        let (ys, live, peak) = measure(|| layer.forward_t(&xs, true).unwrap());
        assert!(live < activations + (1 << 16), "after the forward pass: {live}");
        assert!(peak < activations + SCRATCH, "in the forward pass: {peak}");

        let loss = ys.sum_all().unwrap();
        drop(loss.backward().unwrap());
        let (grads, live, peak) = measure(|| loss.backward().unwrap());
        assert!(grads.get(&xs).is_some());
        // Gradients of the output, of the input and their sums.
        assert!(live < 3 * activations + (1 << 16), "after the backward pass: {live}");
        assert!(peak < 5 * activations + SCRATCH, "in the backward pass: {peak}");
        assert!(5 * activations + SCRATCH < DENSE / 3, "a dense copy would be seen");
    });
}
