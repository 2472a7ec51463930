//! Synthetic scenes: laws of the generator, and what makes them like real ones.

use hsi_data::bands::nearest_band;
use hsi_data::synthetic::LandCover;
use hsi_data::{BandRange, Error, Result, SceneConfig, generate};
use ndarray::{ArrayView2, Axis, s};

fn correlation(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> f32 {
    let (ma, mb) = (a.mean().unwrap_or(0.0), b.mean().unwrap_or(0.0));
    let cross: f32 = a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum();
    let square = |x: ArrayView2<'_, f32>, m: f32| x.iter().map(|x| (x - m).powi(2)).sum::<f32>();
    cross / (square(a, ma) * square(b, mb)).sqrt().max(f32::MIN_POSITIVE)
}

#[test]
fn a_scene_depends_on_its_configuration_and_seed_alone() -> Result<()> {
    let config = SceneConfig::vnir(12).sized(33, 17);
    let scene = generate(&config, 5)?;
    assert_eq!((scene.bands(), scene.rows(), scene.cols()), (12, 33, 17));
    assert_eq!(scene.meta().wavelengths_nm.as_deref(), Some(&config.wavelengths_nm[..]));
    assert_ne!(scene.view(), generate(&config, 6)?.view());
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    for threads in [1, 3] {
        let again = pool(threads).expect("threads").install(|| generate(&config, 5))?;
        assert_eq!(scene, again, "{threads} threads");
    }
    Ok(())
}

#[test]
fn reflectance_is_within_physical_bounds_at_any_size() -> Result<()> {
    for (seed, (rows, cols)) in
        [(1, 1), (1, 40), (40, 1), (7, 90), (64, 64)].into_iter().enumerate()
    {
        for config in [SceneConfig::enmap_202(), SceneConfig::with_bands(1)?] {
            let scene = generate(&config.sized(rows, cols), seed as u64)?;
            scene.check_finite()?;
            assert!(scene.view().iter().all(|&v| (0.0..1.5).contains(&v)));
        }
    }
    Ok(())
}

#[test]
fn scenes_are_structured_as_real_ones_are() -> Result<()> {
    let config = SceneConfig::enmap_202();
    let nm = &config.wavelengths_nm;
    let bands = [490.0, 660.0, 860.0, 1650.0, 2200.0].map(|at| nearest_band(nm, at).unwrap_or(0));
    let (mut next, mut far, mut levels, mut spread) = (0.0, 0.0, 0.0, 0.0);
    let scenes = 12;
    for seed in 0..scenes {
        let scene = generate(&config, seed)?;
        let range = BandRange::of(scene.view());
        let unit = range.normalize(scene.view())?;
        for band in bands {
            let plane = unit.index_axis(Axis(0), band);
            next += correlation(plane.slice(s![.., 1..]), plane.slice(s![.., ..-1]));
            far += correlation(plane.slice(s![.., 16..]), plane.slice(s![.., ..-16]));
            levels += plane.mean().unwrap_or(0.0);
            spread += plane.std(0.0);
        }
        // Neighbouring bands are nearly alike, the red and the near infrared are not.
        let view = scene.view();
        let plane = |band| view.index_axis(Axis(0), band);
        assert!(correlation(plane(10), plane(11)) > 0.99);
        assert!(correlation(plane(bands[1]), plane(bands[2])) < 0.9);
    }
    let count = scenes as f32 * bands.len() as f32;
    let (next, far, levels, spread) = (next / count, far / count, levels / count, spread / count);
    // Patches of EnMAP have 0.84 to 0.90, about 0.07, 0.15 to 0.6 and 0.10 to 0.25.
    assert!((0.80..0.96).contains(&next), "neighbouring pixels: {next}");
    assert!((-0.2..0.4).contains(&far), "pixels 16 apart: {far}");
    assert!((0.2..0.5).contains(&levels), "mean of a band: {levels}");
    assert!((0.1..0.25).contains(&spread), "deviation of a band: {spread}");
    Ok(())
}

#[test]
fn the_land_decides_the_spectra() -> Result<()> {
    let only = |woods, water| {
        let land = LandCover { fields: 0.0, woods, towns: 0.0, water };
        let config = SceneConfig { land, shadows: 0.0, ..SceneConfig::enmap_202() };
        generate(&config, 3)
    };
    let at = |nm: f32| nearest_band(&SceneConfig::enmap_202().wavelengths_nm, nm).unwrap_or(0);
    let mean = |cube: &hsi_data::Cube, nm: f32| {
        cube.view().index_axis(Axis(0), at(nm)).mean().unwrap_or(f32::NAN)
    };
    let woods = only(1.0, 0.0)?;
    assert!(mean(&woods, 860.0) > 4.0 * mean(&woods, 670.0), "red edge");
    assert!(mean(&woods, 550.0) > mean(&woods, 670.0), "green peak");
    assert!(mean(&woods, 970.0) < mean(&woods, 1080.0), "leaf water");
    assert!(mean(&woods, 1650.0) > 1.3 * mean(&woods, 2200.0), "decline");
    let water = only(0.0, 1.0)?;
    assert!(mean(&water, 860.0) < 0.06 && mean(&water, 560.0) > mean(&water, 860.0));
    Ok(())
}

#[test]
fn configurations_that_make_no_sense_are_named() -> Result<()> {
    let good = SceneConfig::vnir(4);
    let land = LandCover { fields: 0.0, woods: 0.0, towns: 0.0, water: 0.0 };
    for (config, wanted) in [
        (SceneConfig { wavelengths_nm: vec![], ..good.clone() }, "wavelengths_nm"),
        (SceneConfig { wavelengths_nm: vec![500.0, f32::NAN], ..good.clone() }, "wavelengths_nm"),
        (SceneConfig { wavelengths_nm: vec![3000.0], ..good.clone() }, "wavelengths_nm"),
        (good.clone().sized(0, 4), "rows"),
        (good.clone().sized(4, 0), "cols"),
        (good.clone().sized(usize::MAX, 2), "rows"),
        (SceneConfig { parcel_px: 0.0, ..good.clone() }, "parcel_px"),
        (SceneConfig { texture: f32::NAN, ..good.clone() }, "texture"),
        (SceneConfig { shadows: -1.0, ..good.clone() }, "shadows"),
        (SceneConfig { land, ..good.clone() }, "land"),
    ] {
        match generate(&config, 1) {
            Err(Error::Config { field, .. }) => assert_eq!(field, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    assert!(SceneConfig::with_bands(0).is_err());
    let json = serde_json::to_string(&good).expect("JSON");
    assert_eq!(serde_json::from_str::<SceneConfig>(&json).expect("JSON"), good);
    for (bands, last) in [(48, 1000.0), (202, 2445.53), (150, 2450.0)] {
        let config = SceneConfig::with_bands(bands)?;
        assert_eq!(config.bands(), bands);
        assert!((config.wavelengths_nm[bands - 1] - last).abs() < 0.01);
    }
    Ok(())
}
