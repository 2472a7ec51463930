//! Gradients against finite differences and against candle's own operations, and what must hold
//! for every operation: any memory layout, any number of threads, nothing for frozen arguments.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use candle_core::{DType, Tensor, Var};
use common::{arguments, assert_close, large, numbers, objective, run, small};

#[test]
fn gradients_agree_with_finite_differences() {
    const STEP: f64 = 1e-5;
    for case in small() {
        let args = arguments(&case, DType::F64);
        let (_, grads) = run(&*case.fused, &args);
        for (index, grad) in grads.iter().enumerate() {
            let base = numbers(&args[index]);
            let value = |element: usize, step: f64| {
                let mut moved = base.clone();
                moved[element] += step;
                let mut args = args.clone();
                args[index] =
                    Tensor::from_vec(moved, args[index].shape(), args[index].device()).unwrap();
                objective(&(case.fused)(&args).unwrap()).to_scalar::<f64>().unwrap()
            };
            for (element, grad) in numbers(grad).into_iter().enumerate() {
                let slope = (value(element, STEP) - value(element, -STEP)) / (2.0 * STEP);
                assert!(
                    (grad - slope).abs() <= 1e-8 * (1.0 + slope.abs()),
                    "{}: argument {index}, element {element}: {grad}, not {slope}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn fused_and_composed_forms_agree() {
    for case in small().into_iter().chain(large()) {
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
            let args = arguments(&case, dtype);
            let exact = arguments(&case, DType::F32);
            let exact: Vec<_> = exact.iter().map(|arg| arg.to_dtype(DType::F64).unwrap()).collect();
            let expected = run(&*case.composed, if dtype == DType::F64 { &args } else { &exact });
            let got = run(&*case.fused, &args);
            assert_close(&got.0, &expected.0, tolerance, &case.name);
            for (index, (got, expected)) in got.1.iter().zip(&expected.1).enumerate() {
                assert_close(got, expected, tolerance, &format!("{}, argument {index}", case.name));
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let pools =
        [1, 4].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    for case in large() {
        let args = arguments(&case, DType::F32);
        let [single, several] = pools.each_ref().map(|pool| {
            pool.install(|| {
                let (ys, grads) = run(&*case.fused, &args);
                grads.iter().chain([&ys]).map(numbers).collect::<Vec<_>>()
            })
        });
        assert!(single == several, "{}", case.name);
    }
}

#[test]
fn memory_layout_does_not_matter() {
    for case in small() {
        let args = arguments(&case, DType::F32);
        let (ys, grads) = run(&*case.fused, &args);
        for (index, arg) in args.iter().enumerate() {
            // The dimensions in reverse order, and a part of a larger tensor.
            let reversed: Vec<usize> = (0..arg.rank()).rev().collect();
            let turned =
                Var::from_tensor(&arg.permute(reversed.clone()).unwrap().contiguous().unwrap())
                    .unwrap();
            let padded = Tensor::cat(&[&arg.zeros_like().unwrap(), arg], 0).unwrap();
            let padded = Var::from_tensor(&padded).unwrap();
            let rows = arg.dims()[0];
            for (var, view) in [
                (&turned, turned.permute(reversed.clone()).unwrap()),
                (&padded, padded.narrow(0, rows, rows).unwrap()),
            ] {
                let mut args = args.clone();
                args[index] = view;
                let got = (case.fused)(&args).unwrap();
                assert!(numbers(&got) == numbers(&ys), "{}", case.name);
                let grad = objective(&got).backward().unwrap().remove(var).unwrap();
                let grad = if var.dims() == padded.dims() && std::ptr::eq(var, &raw const padded) {
                    grad.narrow(0, rows, rows).unwrap()
                } else {
                    grad.permute(reversed.clone()).unwrap()
                };
                assert!(numbers(&grad) == numbers(&grads[index]), "{}", case.name);
            }
        }
    }
}

#[test]
fn frozen_arguments_get_no_gradient() {
    for case in small() {
        let args = arguments(&case, DType::F32);
        let (_, expected) = run(&*case.fused, &args);
        for trained in 0..args.len() {
            let mut args = args.clone();
            let var = Var::from_tensor(&args[trained]).unwrap();
            args[trained] = var.as_tensor().clone();
            let grads = objective(&(case.fused)(&args).unwrap()).backward().unwrap();
            for (index, arg) in args.iter().enumerate() {
                match grads.get(arg) {
                    Some(grad) => {
                        assert_eq!(index, trained, "{}", case.name);
                        assert!(numbers(grad) == numbers(&expected[index]), "{}", case.name);
                    }
                    None => assert_ne!(index, trained, "{}", case.name),
                }
            }
        }
    }
}

#[test]
fn a_gradient_that_is_broadcast_or_used_twice_arrives() {
    for case in small() {
        let args = arguments(&case, DType::F64);
        let var = Var::from_tensor(&args[0]).unwrap();
        let mut given = args.clone();
        given[0] = var.as_tensor().clone();
        let ys = (case.fused)(&given).unwrap();
        let once = ys.sum_all().unwrap().backward().unwrap().remove(&var).unwrap();
        let twice = (&ys + &ys).unwrap().sum_all().unwrap().backward().unwrap();
        let twice = twice.get(&var).unwrap();
        assert_close(twice, &(once * 2.0).unwrap(), 1e-12, &case.name);
    }
}

#[test]
fn numbers_that_are_none_stay_visible() {
    for case in small() {
        let mut args = arguments(&case, DType::F32);
        args[0] = args[0].affine(f64::NAN, 0.0).unwrap();
        let ys = (case.fused)(&args).unwrap();
        assert!(numbers(&ys).iter().all(|y| y.is_nan()), "{}", case.name);
    }
}
