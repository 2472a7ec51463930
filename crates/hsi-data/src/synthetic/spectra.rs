//! Parametric reflectance spectra.
//!
//! # References
//! - Positions of absorptions: R. N. Clark, "Spectroscopy of Rocks and Minerals, and Principles of
//!   Spectroscopy", Manual of Remote Sensing, 1999; P. J. Curran, "Remote sensing of foliar
//!   chemistry", Remote Sensing of Environment 30, 1989.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Kinds of material that a scene can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Crop,
    Tree,
    DryPlant,
    Soil,
    Water,
    Pavement,
    Roof,
}

/// A bell curve of height one.
fn bell(nm: f32, centre: f32, width: f32) -> f32 {
    let t = (nm - centre) / width;
    (-0.5 * t * t).exp()
}

/// A step of height one.
fn step(nm: f32, centre: f32, width: f32) -> f32 {
    1.0 / (1.0 + (-(nm - centre) / width).exp())
}

/// Draws a material and evaluates its reflectance, within 0.001 to 0.9, at the wavelengths.
pub(super) fn draw(kind: Kind, wavelengths_nm: &[f32], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let exotic = matches!(kind, Kind::Roof | Kind::Soil | Kind::Pavement);
    let curve: Box<dyn Fn(f32) -> f32> = if exotic && rng.random::<f32>() < 0.2 {
        Box::new(any_smooth(rng))
    } else {
        match kind {
            Kind::Crop => Box::new(green_plant(rng, 0.34..0.58)),
            Kind::Tree => Box::new(green_plant(rng, 0.22..0.42)),
            Kind::DryPlant => Box::new(dry_plant(rng)),
            Kind::Soil => Box::new(soil(rng)),
            Kind::Water => Box::new(water(rng)),
            Kind::Pavement => Box::new(pavement(rng)),
            Kind::Roof => match rng.random_range(0..4) {
                0 => Box::new(red_tile(rng)),
                1 => Box::new(metal(rng)),
                2 => Box::new(pavement(rng)),
                _ => Box::new(concrete(rng)),
            },
        }
    };
    let twist = distortion(rng);
    wavelengths_nm.iter().map(|&nm| (curve(nm) * twist(nm)).clamp(0.001, 0.9)).collect()
}

/// Green leaves over some ground: pigments, red edge, and the absorptions of leaf water.
fn green_plant(rng: &mut ChaCha8Rng, nir: std::ops::Range<f32>) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let plateau = draw(nir.start, nir.end);
    let (blue, red, green) = (draw(0.015, 0.04), draw(0.02, 0.06), draw(0.025, 0.075));
    let (edge, edge_width) = (draw(702.0, 724.0), draw(10.0, 17.0));
    let (tilt, leaf_water) = (draw(-0.02, 0.10), draw(0.6, 1.25));
    let (swir1, swir2) = (draw(0.50, 0.75), draw(0.24, 0.44));
    let cellulose = draw(0.0, 0.06);
    move |nm| {
        let visible = blue + (red - blue) * step(nm, 610.0, 25.0) + green * bell(nm, 553.0, 32.0);
        let drop =
            1.0 - (1.0 - swir1) * step(nm, 1330.0, 45.0) - (swir1 - swir2) * step(nm, 1880.0, 45.0);
        let absorbed = (1.0 - 0.07 * leaf_water * bell(nm, 975.0, 26.0))
            * (1.0 - 0.14 * leaf_water * bell(nm, 1195.0, 42.0))
            * (1.0 - (0.58 * leaf_water).min(0.85) * bell(nm, 1450.0, 52.0))
            * (1.0 - (0.66 * leaf_water).min(0.92) * bell(nm, 1940.0, 60.0))
            * (1.0 - 0.22 * leaf_water * step(nm, 2330.0, 60.0))
            * (1.0 - cellulose * bell(nm, 2100.0, 45.0));
        let infrared =
            plateau * (1.0 + tilt * ((nm - 780.0) / 300.0).clamp(0.0, 1.0)) * drop * absorbed;
        visible * drop + (infrared - visible * drop) * step(nm, edge, edge_width)
    }
}

/// Straw, dry grass and stubble: rising, with cellulose and lignin absorptions.
fn dry_plant(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (base, top) = (draw(0.03, 0.08), draw(0.20, 0.40));
    let (centre, width) = (draw(640.0, 760.0), draw(90.0, 150.0));
    let (cellulose, lignin, moisture) = (draw(0.08, 0.22), draw(0.06, 0.16), draw(0.1, 0.45));
    let (chlorophyll, decline) = (draw(0.0, 0.3), draw(0.15, 0.35));
    move |nm| {
        (base + (top - base) * step(nm, centre, width))
            * (1.0 - chlorophyll * bell(nm, 672.0, 16.0))
            * (1.0 - decline * step(nm, 1950.0, 160.0))
            * (1.0 - 0.5 * moisture * bell(nm, 1450.0, 55.0))
            * (1.0 - 0.7 * moisture * bell(nm, 1935.0, 60.0))
            * (1.0 - cellulose * bell(nm, 2105.0, 42.0))
            * (1.0 - lignin * bell(nm, 2300.0, 38.0))
    }
}

/// Bare soil: a rising slope with iron, moisture, clay and carbonate.
fn soil(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (top, rate) = (draw(0.12, 0.40), draw(350.0, 900.0));
    let (floor, iron, moisture) = (draw(0.08, 0.2), draw(0.0, 0.18), draw(0.0, 0.5));
    let (clay, carbonate) = (draw(0.02, 0.14), draw(0.0, 0.1));
    move |nm| {
        top * (floor + (1.0 - floor) * (1.0 - (-(nm - 380.0).max(0.0) / rate).exp()))
            * (1.0 - 1.3 * iron * bell(nm, 500.0, 50.0))
            * (1.0 - iron * bell(nm, 880.0, 70.0))
            * (1.0 - 0.35 * moisture * step(nm, 1380.0, 120.0))
            * (1.0 - 0.35 * moisture * bell(nm, 1440.0, 50.0))
            * (1.0 - (0.1 + 0.5 * moisture) * bell(nm, 1930.0, 55.0))
            * (1.0 - clay * bell(nm, 2205.0, 24.0))
            * (1.0 - carbonate * bell(nm, 2340.0, 30.0))
    }
}

/// Lakes and rivers: a low green hump, black in the infrared, some glint.
fn water(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (turbidity, hump) = (draw(0.008, 0.07), draw(545.0, 585.0));
    let (algae, glint) = (draw(0.0, 0.35), draw(0.001, 0.014));
    let (deep, fade) = (draw(0.004, 0.02), draw(35.0, 70.0));
    move |nm| {
        let lit = deep * bell(nm, 430.0, 90.0)
            + turbidity
                * (bell(nm, hump, 70.0) + 0.5 * bell(nm, 650.0, 60.0))
                * (1.0 - algae * bell(nm, 672.0, 14.0))
            + turbidity * algae * 0.6 * bell(nm, 705.0, 12.0);
        glint + lit * (1.0 - 0.97 * step(nm, 735.0, fade * 0.5))
    }
}

/// Asphalt and gravel: dark, slowly rising, with hydrocarbons.
fn pavement(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (dark, rise, rate) = (draw(0.05, 0.14), draw(0.02, 0.15), draw(400.0, 1100.0));
    let (tar, bound) = (draw(0.0, 0.06), draw(0.0, 0.12));
    move |nm| {
        (dark + rise * (1.0 - (-(nm - 400.0).max(0.0) / rate).exp()))
            * (1.0 - tar * bell(nm, 2310.0, 30.0))
            * (1.0 - bound * bell(nm, 1930.0, 50.0))
    }
}

/// Concrete and light gravel: bright from the red on, with carbonate.
fn concrete(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (low, high) = (draw(0.09, 0.22), draw(0.20, 0.46));
    let (centre, carbonate, bound) = (draw(500.0, 620.0), draw(0.02, 0.12), draw(0.05, 0.25));
    let decline = draw(0.0, 0.3);
    move |nm| {
        (low + (high - low) * step(nm, centre, 90.0))
            * (1.0 - decline * step(nm, 1800.0, 250.0))
            * (1.0 - 0.4 * bound * bell(nm, 1440.0, 45.0))
            * (1.0 - bound * bell(nm, 1930.0, 55.0))
            * (1.0 - carbonate * bell(nm, 2335.0, 30.0))
    }
}

/// Fired clay: the iron edge in the green, a dip at 870 nm, bright in the infrared.
fn red_tile(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (low, high, edge) = (draw(0.05, 0.10), draw(0.22, 0.42), draw(565.0, 600.0));
    let (iron, slope, bound) = (draw(0.04, 0.16), draw(0.0, 0.35), draw(0.0, 0.12));
    move |nm| {
        (low + (high - low) * step(nm, edge, 24.0))
            * (1.0 - iron * bell(nm, 870.0, 60.0))
            * (1.0 + slope * ((nm - 900.0) / 900.0).clamp(0.0, 1.0))
            * (1.0 - bound * bell(nm, 1930.0, 50.0))
    }
}

/// Metal and membrane roofs: nearly flat, dark to very bright.
fn metal(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let mut draw = |low: f32, high: f32| rng.random_range(low..high);
    let (level, slope) = (draw(0.12, 0.58), draw(-0.4, 0.3));
    let (dip, centre) = (draw(0.0, 0.15), draw(800.0, 1000.0));
    move |nm| level * (1.0 + slope * (nm - 400.0) / 2100.0) * (1.0 - dip * bell(nm, centre, 120.0))
}

/// A random smooth curve: a level and a few wide bells, up or down.
fn any_smooth(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let level = rng.random_range(0.08..0.35_f32);
    let bells: Vec<(f32, f32, f32)> = (0..rng.random_range(3..8))
        .map(|_| {
            let height = rng.random_range(-0.6..0.9);
            (height, rng.random_range(400.0..2450.0), rng.random_range(30.0..350.0))
        })
        .collect();
    move |nm| {
        let factor: f32 = bells.iter().map(|&(h, centre, width)| h * bell(nm, centre, width)).sum();
        level * (1.0 + factor).max(0.1)
    }
}

/// A smooth factor near one, so that no two materials of a kind are alike in form.
fn distortion(rng: &mut ChaCha8Rng) -> impl Fn(f32) -> f32 + use<> {
    let bells: [(f32, f32, f32); 4] = std::array::from_fn(|_| {
        let height = rng.random_range(-0.08..0.08);
        (height, rng.random_range(400.0..2450.0), rng.random_range(60.0..400.0))
    });
    move |nm| 1.0 + bells.iter().map(|&(h, centre, width)| h * bell(nm, centre, width)).sum::<f32>()
}
