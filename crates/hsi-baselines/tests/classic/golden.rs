//! Whole methods and their parts against small arrays of numpy, PyWavelets and scikit-image.

use std::path::Path;

use hsi_baselines::wavelet::{Wavelet, WaveletTransform};
use hsi_baselines::{SplitBregman, by_name};
use ndarray::{Array2, Array3, Dimension, s};
use ndarray_npy::read_npy;

use crate::support::relative;

fn golden<D: Dimension>(name: &str) -> ndarray::Array<f32, D> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    read_npy(folder.join(format!("{name}.npy"))).unwrap()
}

#[test]
fn methods_equal_their_second_form() {
    let scene: Array3<f32> = golden("scene");
    let last = scene.view().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
    for (name, method) in [
        ("hyres", "hyres"),
        ("forpdn", "forpdn"),
        ("wsrrr", "wsrrr:rank=3"),
        ("otvca", "otvca:features=3"),
    ] {
        let expected: Array3<f32> = golden(&format!("scene_{name}"));
        let method = by_name(method).unwrap();
        let got = method.denoise(scene.view()).unwrap();
        let error = relative(got.view(), expected.view());
        assert!(error < 2e-5, "{name}: {error}");
        // Channel-last memory seen band first.
        let again = method.denoise(last.view().permuted_axes([2, 0, 1])).unwrap();
        assert_eq!(got, again, "{name}");
        assert!(again.is_standard_layout());
    }
}

#[test]
fn methods_do_not_depend_on_the_number_of_threads() {
    let scene: Array3<f32> = golden("scene");
    for name in ["hyres", "forpdn", "wsrrr:iterations=5", "otvca:features=9"] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| by_name(name).unwrap().denoise(scene.view()).unwrap())
        };
        assert_eq!(run(1), run(3), "{name}");
    }
}

#[test]
fn parts_equal_pywavelets_and_scikit_image() {
    let scene: Array3<f32> = golden("scene");
    let transform = WaveletTransform::new(Wavelet::daubechies(6).unwrap(), 3, (20, 24)).unwrap();
    let expected: Array2<f32> = golden("coefficients");
    let got = transform.forward(scene.slice(s![..1, .., ..])).unwrap();
    assert!(relative(got.view(), expected.view()) < 1e-6);
    let expected: Array3<f32> = golden("bregman");
    let tv = SplitBregman { weight: 10.0, ..SplitBregman::default() };
    let got = tv.denoise(scene.slice(s![..3, .., ..])).unwrap();
    assert!(relative(got.view(), expected.view()) < 1e-6);
}
