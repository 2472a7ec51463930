//! Dropout: its statistics, and that a mask is a function of seed, path, moment and element.

use candle_core::{DType, Tensor, Var};
use grad_ops::LinearLayer;
use peft_lora::{LoraConfig, LoraLinear, Moment, Target};

use crate::common::{Store, assert_close, normal, numbers};

const SIZE: usize = 64;

/// A layer whose output is `xs` plus its dropped inputs: an identity under an identity adapter.
fn probe(dropout: f64, seed: u64, path: &str, moment: &Moment, target: &Target) -> LoraLinear {
    let identity = Tensor::eye(SIZE, DType::F64, &candle_core::Device::Cpu).unwrap();
    let config = LoraConfig { r: SIZE, alpha: SIZE as f64, dropout, ..LoraConfig::rank(1) };
    let slices = target.form.slices();
    let names = match slices {
        1 => vec![("lora_A.weight".to_owned(), "lora_B.weight".to_owned())],
        n => (0..n).map(|i| (format!("lora_A.{i}"), format!("lora_B.{i}"))).collect(),
    };
    let pairs = names.into_iter().flat_map(|(a, b)| [a, b]);
    let tensors = pairs.map(|name| (format!("{path}.{name}"), identity.clone())).collect();
    let weight = Tensor::cat(&vec![&identity; slices], 0).unwrap();
    let base = std::sync::Arc::new(grad_ops::Linear::new(weight, None));
    let vb = Store::holding(&tensors).builder(DType::F64).pp(path);
    LoraLinear::load(base, &config, target, seed, moment, vb).unwrap()
}

/// The dropped inputs over the inputs, for inputs of ones.
fn mask(layer: &LoraLinear, rows: usize) -> Vec<f64> {
    let xs = Tensor::ones((rows, SIZE), DType::F64, &candle_core::Device::Cpu).unwrap();
    numbers(&(layer.forward_t(&xs, true).unwrap() - &xs).unwrap())
}

#[test]
fn elements_are_dropped_independently_with_the_given_probability() {
    let moment = Moment::new();
    for p in [0.1, 0.5, 0.9] {
        let mask = mask(&probe(p, 7, "a.b", &moment, &Target::plain("b")), 4096);
        let n = mask.len() as f64;
        let kept = 1.0 / (1.0 - p);
        assert!(mask.iter().all(|&x| x == 0.0 || (x - kept).abs() < 1e-12));
        let dropped = |x: f64| f64::from(u8::from(x == 0.0));
        let share = mask.iter().map(|&x| dropped(x)).sum::<f64>() / n;
        // Four standard errors.
        let error = 4.0 * (p * (1.0 - p) / n).sqrt();
        assert!((share - p).abs() < error, "{share}, not {p}");
        for lag in [1, 2, SIZE] {
            let pairs = mask.iter().zip(&mask[lag..]).map(|(&x, &y)| dropped(x) * dropped(y));
            let both = pairs.sum::<f64>() / (n - lag as f64);
            assert!((both - p * p).abs() < 2.0 * error, "lag {lag}: {both}, not {}", p * p);
        }
    }
}

#[test]
fn masks_are_addressed_by_seed_path_and_moment() {
    let moment = Moment::new();
    let layer = probe(0.5, 7, "a.b", &moment, &Target::plain("b"));
    let first = mask(&layer, 8);
    assert_eq!(first, mask(&layer, 8), "the same moment");
    moment.set(1);
    let second = mask(&layer, 8);
    assert_ne!(first, second, "another moment");
    moment.set(0);
    assert_eq!(first, mask(&layer, 8), "the first moment again");
    assert_eq!(first[..4 * SIZE], mask(&layer, 4), "fewer elements");
    let again = Moment::new();
    assert_eq!(first, mask(&probe(0.5, 7, "a.b", &again, &Target::plain("b")), 8));
    assert_ne!(first, mask(&probe(0.5, 8, "a.b", &again, &Target::plain("b")), 8), "seed");
    assert_ne!(first, mask(&probe(0.5, 7, "c.b", &again, &Target::plain("b")), 8), "path");
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let moment = Moment::new();
    let layer = probe(0.5, 7, "a.b", &moment, &Target::plain("b"));
    let [single, several] = [1, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| mask(&layer, 3000))
    });
    assert!(single == several);
}

#[test]
fn slices_share_one_mask() {
    let moment = Moment::new();
    let layer = probe(0.5, 7, "a.b", &moment, &Target::split("b", [true; 3]));
    let xs = Tensor::ones((5, SIZE), DType::F64, &candle_core::Device::Cpu).unwrap();
    let ys = layer.forward_t(&xs, true).unwrap();
    let slices = ys.chunk(3, 1).unwrap();
    assert_close(&slices[0], &slices[1], 0.0, "query and key");
    assert_close(&slices[0], &slices[2], 0.0, "query and value");
    let plain = probe(0.5, 7, "a.b", &moment, &Target::plain("b"));
    assert_close(&slices[0], &plain.forward_t(&xs, true).unwrap(), 1e-12, "a fused adapter");
}

#[test]
fn gradient_goes_through_the_same_mask() {
    let moment = Moment::new();
    let layer = probe(0.5, 7, "a.b", &moment, &Target::plain("b"));
    let xs = Var::from_tensor(&normal(&[70, SIZE], 3)).unwrap();
    let ys = layer.forward_t(&xs, true).unwrap();
    // The moment of the forward pass counts, not that of the backward pass.
    let expected = mask(&layer, 70);
    moment.set(5);
    let grads = ys.sum_all().unwrap().backward().unwrap();
    let grad = (grads.get(&xs).unwrap() - 1.0).unwrap();
    for (got, expected) in numbers(&grad).into_iter().zip(expected) {
        assert!((got - expected).abs() < 1e-12);
    }
}

#[test]
fn pairs_get_the_gradients_of_dropped_inputs() {
    let (target, moment) = (Target::split("b", [true, false]), Moment::new());
    let config = LoraConfig { r: 3, alpha: 6.0, dropout: 0.5, ..LoraConfig::rank(1) };
    let shapes = [("a.b.lora_A.0", vec![3, SIZE]), ("a.b.lora_B.0", vec![5, 3])];
    let vars = shapes.map(|(name, shape)| (name, Var::from_tensor(&normal(&shape, 8)).unwrap()));
    let tensors = vars.iter().map(|(name, var)| ((*name).to_owned(), var.as_tensor().clone()));
    let vb = Store::holding(&tensors.collect()).builder(DType::F64).pp("a.b");
    let base = std::sync::Arc::new(grad_ops::Linear::new(normal(&[10, SIZE], 9), None));
    let layer = LoraLinear::load(base, &config, &target, 7, &moment, vb).unwrap();
    let xs = normal(&[70, SIZE], 3);
    let weights = normal(&[70, 10], 4);
    let ys = layer.forward_t(&xs, true).unwrap();
    let grads = (ys * &weights).unwrap().sum_all().unwrap().backward().unwrap();

    let plain = probe(0.5, 7, "a.b", &moment, &Target::plain("b"));
    let dropped = (plain.forward_t(&xs, true).unwrap() - &xs).unwrap();
    let dys = (weights.narrow(1, 0, 5).unwrap().contiguous().unwrap() * 2.0).unwrap();
    let [a, b] = vars.each_ref().map(|(_, var)| var.as_detached_tensor());
    let h = dropped.matmul(&a.t().unwrap()).unwrap();
    let expected = [
        dys.matmul(&b).unwrap().t().unwrap().matmul(&dropped).unwrap(),
        dys.t().unwrap().matmul(&h).unwrap(),
    ];
    for ((name, var), expected) in vars.iter().zip(&expected) {
        assert_close(grads.get(var).unwrap(), expected, 1e-12, name);
    }
}

#[test]
fn inference_drops_nothing() {
    let layer = probe(0.5, 7, "a.b", &Moment::new(), &Target::plain("b"));
    let xs = normal(&[3, SIZE], 3);
    assert_close(&layer.forward_t(&xs, false).unwrap(), &(&xs * 2.0).unwrap(), 1e-12, "inference");
}

#[test]
fn dora_drops_what_the_magnitudes_scale() {
    // y = base(x) + (s - 1) · W · d(x) + s · scale · B · A · d(x), as HF peft computes it.
    let identity = Tensor::eye(SIZE, DType::F64, &candle_core::Device::Cpu).unwrap();
    let magnitude = normal(&[SIZE], 4);
    let bias = normal(&[SIZE], 5);
    let tensors = [
        ("a.b.lora_A.weight", identity.clone()),
        ("a.b.lora_B.weight", identity.clone()),
        ("a.b.lora_magnitude_vector", magnitude.clone()),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into();
    let config = LoraConfig {
        r: SIZE,
        alpha: SIZE as f64,
        dropout: 0.5,
        use_dora: true,
        ..LoraConfig::rank(1)
    };
    let base = std::sync::Arc::new(grad_ops::Linear::new(identity, Some(bias.clone())));
    let vb = Store::holding(&tensors).builder(DType::F64).pp("a.b");
    let (target, moment) = (Target::plain("b"), Moment::new());
    let layer = LoraLinear::load(base, &config, &target, 7, &moment, vb).unwrap();
    let xs = normal(&[9, SIZE], 6);
    let dropped = probe(0.5, 7, "a.b", &moment, &target).forward_t(&xs, true).unwrap();
    let dropped = (dropped - &xs).unwrap();
    let scale = (magnitude / 2.0).unwrap();
    let changed = dropped.broadcast_mul(&((&scale * 2.0).unwrap() - 1.0).unwrap()).unwrap();
    let expected = (xs.broadcast_add(&bias).unwrap() + changed).unwrap();
    assert_close(&layer.forward_t(&xs, true).unwrap(), &expected, 1e-12, "dora");
}
