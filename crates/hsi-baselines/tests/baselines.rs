//! The baselines against scipy and a direct computation, the registry, and bad input.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hsi_baselines::{Denoiser, Error, MedianFilter, all, by_name, names, split_descriptions};
use ndarray::{Array3, s};
use ndarray_npy::read_npy;
use proptest::prelude::*;

/// Numbers in [0, 1) from a small generator, in steps of 1 / `levels`.
fn noise(shape: (usize, usize, usize), levels: u64) -> Array3<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    Array3::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (((state >> 40) * levels) >> 24) as f32 / levels as f32
    })
}

/// The definition: collect, sort, take the middle.
fn direct(cube: &Array3<f32>, filter: MedianFilter) -> Array3<f32> {
    let mirror = |i: isize, n: usize| {
        let place = i.rem_euclid(2 * n as isize) as usize;
        if place < n { place } else { 2 * n - 1 - place }
    };
    let reach = |center: usize, extent: usize, n: usize| {
        let start = center as isize - (extent / 2) as isize;
        (start..start + extent as isize).map(move |i| mirror(i, n))
    };
    let (bands, rows, cols) = cube.dim();
    Array3::from_shape_fn(cube.dim(), |(b, r, c)| {
        let mut values = Vec::new();
        for b in reach(b, filter.bands, bands) {
            for r in reach(r, filter.rows, rows) {
                values.extend(reach(c, filter.cols, cols).map(|c| cube[[b, r, c]]));
            }
        }
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    })
}

#[test]
fn the_median_filter_equals_scipy() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let cases = [
        ("cube", "5x5x9"),
        ("cube", "3x3x3"),
        ("cube", "1x1x5"),
        ("cube", "7x3x1"),
        ("cube", "15x13x31"),
        ("cube", "1x1x1"),
        ("ties", "5x5x9"),
        ("ties", "3x5x1"),
    ];
    for (name, window) in cases {
        let cube: Array3<f32> = read_npy(data.join(format!("{name}.npy"))).unwrap();
        let expected: Array3<f32> =
            read_npy(data.join(format!("median_{name}_{window}.npy"))).unwrap();
        let filter: MedianFilter = window.parse().unwrap();
        assert_eq!(filter.denoise(cube.view()).unwrap(), expected, "{name} {window}");
        // Channel-last memory seen band first.
        let last = cube.view().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
        let again = filter.denoise(last.view().permuted_axes([2, 0, 1])).unwrap();
        assert_eq!(again, expected, "{name} {window}");
        assert!(again.is_standard_layout());
    }
}

#[test]
fn tiles_leave_no_seams() {
    // More than one tile along every axis, in each direction of sliding.
    let window = |rows, cols, bands| MedianFilter { rows, cols, bands };
    let cases = [
        ((270, 18, 19), window(3, 3, 5)),
        ((17, 5, 275), window(1, 5, 3)),
        ((2, 263, 18), window(5, 1, 1)),
        ((20, 37, 35), window(3, 3, 3)),
    ];
    for (shape, filter) in cases {
        let cube = noise(shape, 1 << 20) - 0.5;
        assert!(
            filter.denoise(cube.view()).unwrap() == direct(&cube, filter),
            "{shape:?} {filter}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_size_and_window_equal_the_definition(
        shape in (1..7usize, 1..7usize, 1..7usize),
        halves in (0..5usize, 0..5usize, 0..5usize),
        levels in 2..50u64,
    ) {
        let cube = noise(shape, levels) - 0.4;
        let filter = MedianFilter {
            rows: 2 * halves.0 + 1,
            cols: 2 * halves.1 + 1,
            bands: 2 * halves.2 + 1,
        };
        prop_assert_eq!(filter.denoise(cube.view()).unwrap(), direct(&cube, filter));
    }
}

#[test]
fn threads_do_not_matter() {
    let cube = noise((20, 40, 33), 1 << 20);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| MedianFilter::default().denoise(cube.view()).unwrap())
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn a_monotone_map_commutes_with_the_median() {
    let cube = noise((9, 12, 10), 1 << 20) - 0.5;
    let filter = MedianFilter::default();
    let cubed = filter.denoise(cube.mapv(|x| x * x * x).view()).unwrap();
    assert_eq!(cubed, filter.denoise(cube.view()).unwrap().mapv(|x| x * x * x));
    assert_eq!(filter.denoise((-&cube).view()).unwrap(), -filter.denoise(cube.view()).unwrap());
}

#[test]
fn baselines_are_found_by_name() {
    let cube = noise((9, 12, 10), 1 << 20);
    for (description, filter) in [
        ("median", MedianFilter::default()),
        (" Median ", MedianFilter::default()),
        ("median:5x5x9", MedianFilter::default()),
        ("median: 3x5X1", MedianFilter { rows: 3, cols: 5, bands: 1 }),
        ("median: bands = 1, rows=3", MedianFilter { rows: 3, cols: 5, bands: 1 }),
    ] {
        let baseline = by_name(description).unwrap();
        assert_eq!(baseline.name(), description.replace(' ', "").to_lowercase());
        let expected = filter.denoise(cube.view()).unwrap();
        assert_eq!(baseline.denoise(cube.view()).unwrap(), expected, "{description}");
        assert_eq!(filter.to_string().parse::<MedianFilter>().unwrap(), filter);
    }
    let cases = [
        ("mean", "unknown baseline `mean`, expected one of `auto`, `median`"),
        ("", "unknown baseline ``, expected"),
        ("median+", "unknown baseline `median+`"),
        ("median+mean", "unknown baseline `mean`"),
        ("median:5x5", "baseline `median` is written `median[:ROWSxCOLSxBANDS]`, got `5x5`"),
        ("median:5x5x9x1", "got `5x5x9x1`"),
        ("median:", "got ``"),
        ("median:5x-5x9", "got `5x-5x9`"),
        ("median:rows=x", "is written `median[:rows=5,cols=5,bands=9]`, got `rows=x`"),
        ("median:height=3", "got `height=3`"),
        ("median:rows=3,rows=5", "got `rows=3,rows=5`"),
        ("median:4x5x9", "should span an odd number of rows between 1 and 255, got 4"),
        ("median:5x0x9", "should span an odd number of cols between 1 and 255, got 0"),
        ("median:bands=257", "should span an odd number of bands between 1 and 255, got 257"),
    ];
    for (description, expected) in cases {
        let got = by_name(description).unwrap_err().to_string();
        assert!(got.contains(expected), "`{description}`: {got}");
    }
}

#[test]
fn the_registry_lists_what_it_builds() {
    for entry in all() {
        let defaults = entry.form().replace("[:", ":").replace(']', "");
        assert_eq!(by_name(entry.name).unwrap().name(), entry.name);
        assert_eq!(by_name(&defaults).unwrap().name(), defaults);
        assert_eq!(names().contains(&entry.name), !entry.is_stage);
    }
    let list = "median,hyres:levels=3,wavelet=4+median:rows=3,cols=1,median:3x3x5,a";
    let expected = ["median", "hyres:levels=3,wavelet=4+median:rows=3,cols=1", "median:3x3x5", "a"];
    assert_eq!(split_descriptions(list), expected);
}

#[test]
fn chains_run_from_left_to_right() {
    let cube = noise((9, 12, 10), 1 << 20);
    let chain = by_name("median:3x3x1+median:1x1x3").unwrap();
    assert_eq!(chain.name(), "median:3x3x1+median:1x1x3");
    let first = by_name("median:3x3x1").unwrap().denoise(cube.view()).unwrap();
    let second = by_name("median:1x1x3").unwrap().denoise(first.view()).unwrap();
    assert_eq!(chain.denoise(cube.view()).unwrap(), second);
}

#[test]
fn bad_cubes_and_windows_are_errors() {
    let filter = MedianFilter::default();
    for shape in [(0, 4, 4), (3, 0, 4), (3, 4, 0)] {
        let got = filter.denoise(Array3::zeros(shape).view());
        let expected = Error::Empty { shape: [shape.0, shape.1, shape.2] };
        assert_eq!(got, Err(expected));
    }
    let mut cube = noise((3, 4, 5), 100);
    cube[[2, 1, 3]] = f32::NEG_INFINITY;
    let expected = Error::NonFinite { band: 2, row: 1, col: 3, value: f32::NEG_INFINITY };
    assert_eq!(filter.denoise(cube.view()), Err(expected));
    cube[[2, 1, 3]] = f32::NAN;
    let got = filter.denoise(cube.view()).unwrap_err().to_string();
    assert_eq!(got, "every value should be finite, got NaN at band 2, row 1, column 3");
    let good = cube.slice(s![..2, .., ..]);
    for (rows, cols, bands) in [(0, 5, 9), (5, 2, 9), (5, 5, usize::MAX)] {
        let got = MedianFilter { rows, cols, bands }.denoise(good);
        assert!(matches!(got, Err(Error::Window { .. })), "{got:?}");
    }
    // The largest window on the smallest cubes.
    let filter = MedianFilter { rows: 1, cols: 255, bands: 255 };
    let one = Array3::from_elem((1, 1, 1), 0.5);
    assert_eq!(filter.denoise(one.view()).unwrap(), one);
}

/// What a cube of odd content is made of.
fn odd_cubes(shape: (usize, usize, usize)) -> Vec<(&'static str, Array3<f32>)> {
    let plain = noise(shape, 1 << 20);
    let mut some_constant = plain.clone();
    let mut equal = plain.clone();
    let first = plain.slice(s![0, .., ..]).to_owned();
    for b in 0..shape.0 {
        match b % 3 {
            0 => some_constant.slice_mut(s![b, .., ..]).fill(0.0),
            1 => some_constant.slice_mut(s![b, .., ..]).fill(0.7),
            _ => equal.slice_mut(s![b, .., ..]).assign(&first),
        }
    }
    let mut spike = Array3::zeros(shape);
    spike[[shape.0 / 2, shape.1 / 2, shape.2 / 2]] = 1.0;
    vec![
        ("zeros", Array3::zeros(shape)),
        ("constant", Array3::from_elem(shape, -0.3)),
        ("some bands constant", some_constant),
        ("some bands equal", equal),
        ("one value", spike),
        ("two values", noise(shape, 2)),
        ("huge", plain.mapv(|x| (x - 0.5) * 1e38)),
        ("large", plain.mapv(|x| x * 1e9)),
        ("tiny", plain.mapv(|x| x * 1e-38)),
        ("plain", plain),
    ]
}

#[test]
fn no_cube_makes_a_baseline_panic_or_return_what_is_not_a_number() {
    let shapes = [
        (1, 1, 1),
        (1, 7, 5),
        (1, 20, 17),
        (2, 2, 2),
        (2, 5, 6),
        (3, 1, 9),
        (3, 3, 3),
        (4, 2, 7),
        (4, 4, 4),
        (5, 5, 1),
        (5, 6, 7),
        (6, 1, 1),
        (6, 7, 3),
        (7, 7, 7),
        (8, 33, 2),
        (60, 3, 3),
    ];
    let others = [
        "hyres:variant=hyde",
        "forpdn:variant=hyde",
        "forpdn:levels=0,search=linear",
        "otvca:variant=hyde",
        "otvca:features=50,normalize=true",
        "wsrrr:variant=hyde,iterations=20",
        "wsrrr:rank=50,levels=8",
        "destripe+hyres+limit",
        "destripe+unclip+otvca",
        "median+fasthyde",
    ];
    for name in all().iter().map(|entry| entry.name).chain(others) {
        let baseline = by_name(name).unwrap();
        for shape in shapes {
            for (content, cube) in odd_cubes(shape) {
                let case = format!("{name} {shape:?} {content}");
                match baseline.denoise(cube.view()) {
                    Ok(result) => {
                        assert_eq!(result.dim(), shape, "{case}");
                        assert!(result.iter().all(|x| x.is_finite()), "{case}");
                    }
                    // Values at an end of the range of numbers.
                    Err(Error::Overflow { .. } | Error::Decomposition { .. })
                        if matches!(content, "huge" | "tiny") => {}
                    Err(error) => panic!("{case}: {error}"),
                }
            }
            let mut cube = noise(shape, 100);
            // The one for missing values takes NaN for such.
            let bad = if name == "fasthyin" { f32::INFINITY } else { f32::NAN };
            cube[[shape.0 - 1, shape.1 - 1, 0]] = bad;
            let got = baseline.denoise(cube.view());
            assert!(matches!(got, Err(Error::NonFinite { .. })), "{name} {shape:?}");
        }
        for shape in [(0, 3, 3), (3, 0, 3), (3, 3, 0)] {
            let got = baseline.denoise(Array3::zeros(shape).view());
            assert!(matches!(got, Err(Error::Empty { .. })), "{name} {shape:?}");
        }
    }
}
