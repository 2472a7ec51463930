//! What is drawn, looked at by its pixels.

use hsi_pictures::{
    Canvas, Comparison, Error, FalseColor, Gallery, LineChart, Palette, Panel, Scale, Series, Tile,
    error_color, signed_color,
};
use ndarray::Array3;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn ramp() -> Array3<f32> {
    Array3::from_shape_fn((4, 6, 5), |(b, r, c)| (b + r * 5 + c) as f32)
}

#[test]
fn false_colour_puts_bands_where_they_belong() -> TestResult {
    let mut cube = Array3::zeros((3, 10, 10));
    cube.index_axis_mut(ndarray::Axis(0), 2).column_mut(7).fill(1.0);
    let colors = FalseColor { bands: [2, 1, 0] };
    let picture = colors.draw(cube.view(), &colors.stretch(cube.view())?)?;
    assert_eq!(picture.pixel(7, 0), Some([255, 0, 0]), "column 7 of band 2 is red");
    assert_eq!(picture.pixel(0, 7), Some([0, 0, 0]));
    let missing = FalseColor { bands: [0, 1, 3] }.stretch(cube.view());
    assert!(matches!(missing, Err(Error::Band { band: 3, bands: 3 })));
    Ok(())
}

#[test]
fn a_comparison_shows_where_the_error_is() -> TestResult {
    let (clean, mut other) = (ramp(), ramp());
    other.slice_mut(ndarray::s![.., 0, 0]).mapv_inplace(|v| v + 10.0);
    let panel = |label: &str, cube| Panel { label: label.to_owned(), cube };
    let comparison = Comparison {
        title: "bands 3, 2, 1".into(),
        colors: FalseColor { bands: [2, 1, 0] },
        reference: panel("clean", clean.view()),
        others: vec![panel("noisy", other.view())],
        error_limit: 10.0,
    };
    let picture = comparison.draw()?;
    let bright = error_color(1.0);
    let count = (0..picture.height())
        .flat_map(|y| (0..picture.width()).map(move |x| (x, y)))
        .filter(|&(x, y)| picture.pixel(x, y) == Some(bright))
        .count();
    assert!((64..96).contains(&count), "one pixel of 8 x 8 and the end of the scale: {count}");
    let short = Array3::zeros((4, 6, 4));
    let wrong = Comparison { others: vec![panel("short", short.view())], ..comparison }.draw();
    assert!(matches!(wrong, Err(Error::Shape { .. })));
    Ok(())
}

#[test]
fn charts_draw_any_finite_data_and_refuse_none() -> TestResult {
    let cases = [
        ("one point", false, vec![(1.0, 2.0)]),
        ("constant", true, vec![(1.0, 0.5), (2.0, 0.5)]),
        ("huge", false, vec![(0.0, -1e30), (1.0, 1e30)]),
        ("gaps", true, vec![(1.0, f64::NAN), (2.0, 0.0), (3.0, 1e-9), (4.0, 1e3)]),
        ("tiny", false, vec![(0.0, 1e-300), (1.0, 2e-300)]),
    ];
    for (name, log_y, points) in cases {
        let chart =
            LineChart { log_y, series: vec![Series::new(name, points)], ..LineChart::default() };
        chart.draw(320, 200).map_err(|e| format!("{name}: {e}"))?;
    }
    let empty = LineChart {
        series: vec![Series::new("none", vec![(f64::NAN, 1.0)])],
        ..LineChart::default()
    };
    assert!(matches!(empty.draw(320, 200), Err(Error::Empty(_))));
    Ok(())
}

#[test]
fn png_files_appear_whole_or_not_at_all() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.png");
    Canvas::new(3, 2, [1, 2, 3]).write_png(&path)?;
    let decoder = png_size(&path)?;
    assert_eq!(decoder, (3, 2));
    let nowhere = folder.path().join("no/such/folder/a.png");
    assert!(matches!(Canvas::new(1, 1, [0; 3]).write_png(nowhere), Err(Error::Write { .. })));
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

/// Width and height from the header chunk.
fn png_size(path: &std::path::Path) -> Result<(u32, u32), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    let number = |at: usize| -> Result<u32, Box<dyn std::error::Error>> {
        Ok(u32::from_be_bytes(bytes.get(at..at + 4).ok_or("short file")?.try_into()?))
    };
    Ok((number(16)?, number(20)?))
}

#[test]
fn a_gallery_holds_its_tiles_and_their_scale() -> TestResult {
    let values = ndarray::array![[-2.0f32, 0.0], [f32::NAN, 2.0]];
    let map = Palette::Signed.draw(values.view(), 2.0);
    assert_eq!(map.pixel(1, 0), Some([255; 3]), "zero is white");
    assert_eq!(map.pixel(0, 1), Some([128; 3]), "no number is grey");
    assert_eq!(map.pixel(1, 1), Some(signed_color(1.0)));
    assert_eq!(map.pixel(0, 0), Some(signed_color(-1.0)));
    let scale = Scale { label: "difference".into(), palette: Palette::Signed, limit: 2.0 };
    let gallery = Gallery {
        title: "two rows".into(),
        rows: vec![
            vec![Some(Tile::new("map", map.clone())), None],
            vec![None, Some(Tile::new("chart", Canvas::new(300, 200, [9, 8, 7])))],
        ],
        scale: Some(scale),
    };
    let picture = gallery.draw()?;
    let count = |color| {
        let all = (0..picture.height()).flat_map(|y| (0..picture.width()).map(move |x| (x, y)));
        all.filter(|&(x, y)| picture.pixel(x, y) == Some(color)).count()
    };
    assert_eq!(count([9, 8, 7]), 300 * 200, "large pictures keep their size");
    assert_eq!(count([128; 3]), 64 * 64, "small ones are zoomed 64 times at most");
    assert!(count(signed_color(1.0)) > 64 * 64, "the scale reaches the limit");
    assert!(matches!(Gallery::default().draw(), Err(Error::Empty(_))));
    Ok(())
}

#[test]
fn a_legend_does_not_run_into_the_axis() -> TestResult {
    let line = |i: usize| Series::new(format!("line {i}"), vec![(0.0, i as f64), (1.0, 1.0)]);
    let chart = LineChart {
        y_label: "a long caption of the vertical axis".into(),
        series: (0..16).map(line).collect(),
        ..LineChart::default()
    };
    let with = chart.draw(480, 300)?;
    let bare = LineChart { series: vec![Series::new("", vec![(0.0, 0.0), (1.0, 15.0)])], ..chart };
    let without = bare.draw(480, 300)?;
    let caption = |picture: &Canvas| -> Vec<_> {
        (0..12 + Canvas::text_width(&bare.y_label)).map(|x| picture.pixel(x, 38)).collect()
    };
    assert_eq!(caption(&with), caption(&without));
    Ok(())
}
