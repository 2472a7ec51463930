//! The operations and the shapes with which the tests run them.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use grad_ops::{Bf16Weight, PackedWeight, Result, composed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

type Function = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Sync>;

/// An operation with the shapes of its arguments.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) shapes: Vec<Vec<usize>>,
    /// The operation at the root of the crate.
    pub(crate) fused: Function,
    /// The one put together from candle's operations.
    pub(crate) composed: Function,
}

fn case(
    name: &str,
    shapes: &[&[usize]],
    fused: impl Fn(&[Tensor]) -> Result<Tensor> + Sync + 'static,
    composed: impl Fn(&[Tensor]) -> Result<Tensor> + Sync + 'static,
) -> Case {
    Case {
        name: format!("{name} {shapes:?}"),
        shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
        fused: Box::new(fused),
        composed: Box::new(composed),
    }
}

fn linear(rows: &[usize], inner: usize, out: usize, bias: bool) -> Case {
    let xs = [rows, &[inner]].concat();
    let shapes: &[&[usize]] = &[&xs, &[out, inner], &[out]];
    case(
        "linear",
        &shapes[..if bias { 3 } else { 2 }],
        |args| grad_ops::linear(&args[0], &args[1], args.get(2)),
        |args| composed::linear(&args[0], &args[1], args.get(2)),
    )
}

/// The weight is no argument: it gets no gradient.
fn packed_linear(rows: &[usize], inner: usize, out: usize, bias: bool) -> Case {
    let xs = [rows, &[inner]].concat();
    let shapes: &[&[usize]] = &[&xs, &[out]];
    let weight: Arc<dyn PackedWeight> =
        Arc::new(Bf16Weight::new(&normal(&[out, inner], 5)).unwrap());
    let same = Arc::clone(&weight);
    case(
        &format!("packed_linear to {out}"),
        &shapes[..if bias { 2 } else { 1 }],
        move |args| grad_ops::packed_linear(&args[0], &weight, args.get(1)),
        move |args| composed::packed_linear(&args[0], &*same, args.get(1)),
    )
}

fn low_rank_add(rows: &[usize], slices: &'static [bool], features: usize, rank: usize) -> Case {
    let on = slices.iter().filter(|&&on| on).count();
    let base = [rows, &[slices.len() * features]].concat();
    let h = [rows, &[on * rank]].concat();
    case(
        &format!("low_rank_add {slices:?}"),
        &[&base, &h, &[on * features, rank]],
        move |args| grad_ops::low_rank_add(&args[0], &args[1], &args[2], slices),
        move |args| composed::low_rank_add(&args[0], &args[1], &args[2], slices),
    )
}

/// A function that keeps an inner value: an affine map of a rectified input.
fn recompute(rows: &[usize], inner: usize, out: usize) -> Case {
    let f = |xs: &Tensor, weight: &Tensor| grad_ops::linear(&grad_ops::relu(xs)?, weight, None);
    let xs = [rows, &[inner]].concat();
    case(
        "recompute",
        &[&xs, &[out, inner]],
        move |args| grad_ops::recompute(&args[0], &args[1], f),
        move |args| f(&args[0], &args[1]),
    )
}

fn layer_norm(xs: &[usize]) -> Case {
    let width = xs[xs.len() - 1];
    case(
        "layer_norm",
        &[xs, &[width], &[width]],
        |args| grad_ops::layer_norm(&args[0], &args[1], &args[2], 1e-6),
        |args| composed::layer_norm(&args[0], &args[1], &args[2], 1e-6),
    )
}

fn elementwise(xs: &[usize]) -> [Case; 3] {
    let unary =
        |name: &str, fused: fn(&Tensor) -> Result<Tensor>, other: fn(&Tensor) -> Result<Tensor>| {
            case(name, &[xs], move |args| fused(&args[0]), move |args| other(&args[0]))
        };
    [
        unary("gelu", grad_ops::gelu, composed::gelu),
        unary("relu", grad_ops::relu, composed::relu),
        unary("softmax", grad_ops::softmax_last_dim, composed::softmax_last_dim),
    ]
}

fn attention(batch: usize, tokens: usize, heads: usize, dim: usize) -> Case {
    case(
        &format!("attention of {heads}"),
        &[&[batch, tokens, 3 * heads * dim]],
        move |args| grad_ops::attention(&args[0], heads),
        move |args| composed::attention(&args[0], heads),
    )
}

fn conv3x3(xs: [usize; 4], out: usize, bias: bool, rectify: bool) -> Case {
    let shapes: &[&[usize]] = &[&xs, &[out, xs[1], 3, 3], &[out]];
    case(
        if rectify { "conv3x3 relu" } else { "conv3x3" },
        &shapes[..if bias { 3 } else { 2 }],
        move |args| grad_ops::conv3x3(&args[0], &args[1], args.get(2), rectify),
        move |args| composed::conv3x3(&args[0], &args[1], args.get(2), rectify),
    )
}

fn conv_transpose(xs: [usize; 4], out: usize, bias: bool) -> Case {
    let shapes: &[&[usize]] = &[&xs, &[xs[1], out, 2, 2], &[out]];
    case(
        "conv_transpose2x2",
        &shapes[..if bias { 3 } else { 2 }],
        |args| grad_ops::conv_transpose2x2(&args[0], &args[1], args.get(2)),
        |args| composed::conv_transpose2x2(&args[0], &args[1], args.get(2)),
    )
}

fn max_pool(xs: [usize; 4]) -> Case {
    case(
        "max_pool2x2",
        &[&xs],
        |args| grad_ops::max_pool2x2(&args[0]),
        |args| composed::max_pool2x2(&args[0]),
    )
}

fn upsample(xs: [usize; 4], factor: usize) -> Case {
    case(
        &format!("upsample_bilinear x{factor}"),
        &[&xs],
        move |args| grad_ops::upsample_bilinear(&args[0], factor),
        move |args| composed::upsample_bilinear(&args[0], factor),
    )
}

fn mse(xs: &[usize]) -> Case {
    case(
        "mse_loss",
        &[xs, xs],
        |args| grad_ops::mse_loss(&args[0], &args[1]),
        |args| composed::mse_loss(&args[0], &args[1]),
    )
}

/// Small shapes: odd, of one row, column, element or token, and more than one sample.
pub(crate) fn small() -> Vec<Case> {
    let mut cases = vec![
        linear(&[3, 5], 7, 4, true),
        linear(&[2], 1, 1, true),
        linear(&[], 5, 3, false),
        linear(&[1, 1], 3, 17, false),
        packed_linear(&[3, 5], 7, 4, true),
        packed_linear(&[2], 1, 1, false),
        packed_linear(&[], 5, 19, true),
        low_rank_add(&[2, 3], &[true, false, true], 4, 2),
        low_rank_add(&[3], &[true], 5, 1),
        low_rank_add(&[], &[false, true], 1, 3),
        recompute(&[2, 3], 4, 5),
        recompute(&[], 3, 1),
        layer_norm(&[2, 3, 7]),
        layer_norm(&[35]),
        layer_norm(&[3, 2]),
        attention(2, 5, 3, 4),
        attention(1, 1, 1, 1),
        attention(1, 9, 2, 3),
        conv3x3([2, 3, 5, 7], 4, true, true),
        conv3x3([1, 2, 1, 6], 3, true, false),
        conv3x3([1, 2, 6, 1], 3, true, true),
        conv3x3([2, 1, 1, 1], 1, false, false),
        conv3x3([1, 4, 3, 2], 2, false, true),
        conv_transpose([2, 3, 3, 5], 2, true),
        conv_transpose([1, 1, 1, 4], 3, false),
        conv_transpose([1, 2, 4, 1], 1, true),
        max_pool([2, 3, 5, 7]),
        max_pool([1, 1, 2, 2]),
        max_pool([1, 2, 3, 8]),
        upsample([2, 2, 3, 5], 4),
        upsample([1, 2, 1, 5], 4),
        upsample([1, 1, 4, 1], 3),
        upsample([1, 1, 1, 1], 2),
        upsample([1, 2, 2, 3], 1),
        mse(&[2, 3, 5]),
        mse(&[1]),
    ];
    cases.extend(elementwise(&[3, 5]));
    cases.extend(elementwise(&[2, 1]));
    cases.extend(elementwise(&[1, 67]));
    cases
}

/// Shapes that are cut into several pieces.
pub(crate) fn large() -> Vec<Case> {
    let mut cases = vec![
        linear(&[2, 550], 70, 90, true),
        linear(&[9001], 8, 9, true),
        linear(&[700], 65, 3, false),
        packed_linear(&[2, 301], 70, 150, true),
        packed_linear(&[3], 600, 530, false),
        packed_linear(&[9], 530, 600, true),
        low_rank_add(&[2, 550], &[true, true, false], 70, 9),
        recompute(&[700], 65, 30),
        layer_norm(&[2, 301, 65]),
        attention(1, 301, 2, 16),
        attention(2, 70, 3, 5),
        attention(2, 33, 8, 4),
        conv3x3([2, 20, 50, 37], 40, true, true),
        conv3x3([1, 3, 9, 700], 5, true, false),
        conv3x3([1, 20, 6, 5], 150, true, true),
        conv_transpose([2, 20, 40, 33], 12, true),
        max_pool([2, 9, 65, 70]),
        upsample([2, 5, 33, 17], 4),
        mse(&[3, 12_345]),
    ];
    cases.extend(elementwise(&[150, 301]));
    cases
}

/// Normally distributed numbers.
pub(crate) fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    let data: Vec<f64> = (0..count).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// Arguments of a case.
pub(crate) fn arguments(case: &Case, dtype: DType) -> Vec<Tensor> {
    let normals = case.shapes.iter().zip(1..).map(|(shape, seed)| normal(shape, seed));
    normals.map(|tensor| tensor.to_dtype(dtype).unwrap()).collect()
}

/// Output and gradients of all arguments, for a fixed gradient of the output.
pub(crate) fn run(
    function: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    args: &[Tensor],
) -> (Tensor, Vec<Tensor>) {
    let vars: Vec<Var> = args.iter().map(|arg| Var::from_tensor(arg).unwrap()).collect();
    let args: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let ys = function(&args).unwrap();
    let grads = objective(&ys).backward().unwrap();
    let grads = vars.iter().map(|var| grads.get(var).unwrap().clone()).collect();
    (ys.detach(), grads)
}

/// A linear function of the output, with fixed weights.
pub(crate) fn objective(ys: &Tensor) -> Tensor {
    let weights = normal(ys.dims(), 99).to_dtype(ys.dtype()).unwrap();
    (ys * weights).unwrap().sum_all().unwrap()
}

/// The elements in double precision.
pub(crate) fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two tensors agree up to `tolerance`, relative to the largest number.
#[track_caller]
pub(crate) fn assert_close(got: &Tensor, expected: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    let (got, expected) = (numbers(got), numbers(expected));
    let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let close = (got - expected).abs() <= tolerance * scale;
        assert!(close, "{what}: element {index} is {got}, not {expected}");
    }
}
