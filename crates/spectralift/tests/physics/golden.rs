//! Values of NumPy and SciPy, from `tests/data/physics.py`.

use ndarray::{Array1, Array2, Array3, Axis};
use serde::Deserialize;
use spectralift::{PercentileRange, Psf, PsfConfig, PsfShape, blur, nonnegative_least_squares};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct Golden {
    convolutions: Vec<Convolution>,
    percentiles: Vec<Percentile>,
    problems: Vec<Problem>,
    airy_disc_2_6_radius_4: Listed,
}

#[derive(Deserialize)]
struct Listed {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Listed {
    fn matrix(&self) -> Result<Array2<f64>, ndarray::ShapeError> {
        Array2::from_shape_vec((self.shape[0], self.shape[1]), self.values.clone())
    }
}

#[derive(Deserialize)]
struct Convolution {
    image: Listed,
    kernel: Listed,
    result: Listed,
}

#[derive(Deserialize)]
struct Percentile {
    values: Listed,
    low: f64,
    high: f64,
    wanted: [f64; 2],
}

#[derive(Deserialize)]
struct Problem {
    matrix: Listed,
    target: Listed,
    solution: Listed,
    residual: f64,
}

fn golden() -> Result<Golden, serde_json::Error> {
    serde_json::from_str(include_str!("../data/physics.json"))
}

fn worst(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).mapv(f64::abs).fold(0.0, |worst, &v| worst.max(v))
}

#[test]
fn convolutions_with_kernels_of_any_size() -> Outcome {
    for case in golden()?.convolutions {
        let image = case.image.matrix()?.mapv(|v| v as f32).insert_axis(Axis(0));
        let ours = blur(image.view(), &Psf::from_kernel(case.kernel.matrix()?)?);
        let ours = ours.index_axis(Axis(0), 0).mapv(f64::from);
        assert!(worst(&ours, &case.result.matrix()?) < 1e-5, "kernel {:?}", case.kernel.shape);
    }
    Ok(())
}

#[test]
fn percentiles_are_those_of_numpy() -> Outcome {
    for case in golden()?.percentiles {
        let values: Vec<f32> = case.values.values.iter().map(|&v| v as f32).collect();
        // As one band, and as one band a value.
        for shape in [(1, 1, values.len()), (values.len(), 1, 1)] {
            let cube = Array3::from_shape_vec(shape, values.clone())?;
            let range = PercentileRange::of(cube.view(), None, (case.low, case.high))?;
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
            assert!(close(range.low, case.wanted[0]), "{range:?} {:?}", case.wanted);
            assert!(close(range.high, case.wanted[1]), "{range:?} {:?}", case.wanted);
        }
    }
    Ok(())
}

#[test]
fn nonnegative_least_squares_finds_the_minimum() -> Outcome {
    for case in golden()?.problems {
        let (matrix, target) = (case.matrix.matrix()?, Array1::from(case.target.values));
        let (gram, moment) = (matrix.t().dot(&matrix), matrix.t().dot(&target));
        let ours = nonnegative_least_squares(gram.view(), moment.view())?;
        let residual = (&target - &matrix.dot(&ours)).mapv(|v| v * v).sum().sqrt();
        assert!((residual - case.residual).abs() < 1e-9, "{residual} {}", case.residual);
        assert!(ours.iter().all(|&v| v >= 0.0));
        let pairs = ours.iter().zip(&case.solution.values);
        // With more columns than rows several solutions may be best.
        let unique = matrix.nrows() >= matrix.ncols();
        assert!(!unique || pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-8);
    }
    Ok(())
}

#[test]
fn the_airy_disc_is_that_of_diffraction() -> Outcome {
    let config = PsfConfig { shape: PsfShape::AiryDisc, sigma: 2.6, radius: 4 };
    let wanted = golden()?.airy_disc_2_6_radius_4.matrix()?;
    assert!(worst(&Psf::new(&config)?.kernel().to_owned(), &wanted) < 1e-12);
    Ok(())
}
