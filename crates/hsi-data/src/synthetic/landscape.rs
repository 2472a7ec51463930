//! What is drawn for a scene: its kinds of land, roads and buildings.

use std::ops::Range;

use rand::Rng;

use super::config::SceneConfig;
use super::field::{hash, octaves, smooth};
use super::spectra::Kind;

/// Materials of a scene, by kind.
pub(super) const MATERIALS: [(Kind, usize); 7] = [
    (Kind::Crop, 4),
    (Kind::Soil, 3),
    (Kind::DryPlant, 2),
    (Kind::Tree, 3),
    (Kind::Roof, 5),
    (Kind::Pavement, 2),
    (Kind::Water, 2),
];

/// Number of materials of a scene.
pub(super) const COUNT: usize = 21;

pub(super) const CROPS: Range<usize> = 0..4;
pub(super) const SOILS: Range<usize> = 4..7;
pub(super) const DRY: Range<usize> = 7..9;
pub(super) const TREES: Range<usize> = 9..12;
pub(super) const ROOFS: Range<usize> = 12..17;
pub(super) const PAVED: Range<usize> = 17..19;
pub(super) const WATER: Range<usize> = 19..21;

/// A road, railway or ditch: a wavy line.
pub(super) struct Line {
    pub(super) angle: (f32, f32),
    pub(super) offset: f32,
    pub(super) wave: (f32, f32, f32),
    pub(super) width: f32,
    pub(super) material: usize,
}

impl Line {
    /// Share of a pixel that the line covers.
    pub(super) fn cover(&self, x: f32, y: f32) -> f32 {
        let (across, along) = turn(x, y, self.angle);
        let (height, rate, phase) = self.wave;
        let distance = across - self.offset - height * (rate * along + phase).sin();
        (0.5 * self.width + 0.5 - distance.abs()).clamp(0.0, self.width.min(1.0))
    }
}

/// A turned rectangle with a roof.
pub(super) struct Building {
    pub(super) centre: (f32, f32),
    pub(super) half: (f32, f32),
    pub(super) angle: (f32, f32),
    pub(super) roof: usize,
    /// Brightness: some roofs are tilted to the sun, or new.
    pub(super) gain: f32,
    pub(super) height: f32,
}

/// Everything drawn for one scene.
pub(super) struct Landscape {
    pub(super) seed: u64,
    pub(super) texture: f32,
    /// Turning and stretching of the fields.
    pub(super) field_angle: (f32, f32),
    pub(super) field_size: (f32, f32),
    pub(super) field_jitter: f32,
    pub(super) hedges: f32,
    /// Share of bare and dry fields against green ones.
    pub(super) bare: f32,
    pub(super) dry: f32,
    pub(super) zone_size: f32,
    /// Noise level above which woods, towns and water begin.
    pub(super) woods: f32,
    pub(super) towns: f32,
    pub(super) water: f32,
    /// Rivers wind along a level of the noise, lakes lie above it.
    pub(super) river: bool,
    pub(super) shore: f32,
    pub(super) block_size: f32,
    pub(super) block_angle: (f32, f32),
    /// How much blocks differ from the average of their district.
    pub(super) town_mix: f32,
    pub(super) town_green: f32,
    pub(super) crown_size: f32,
    pub(super) relief: f32,
    pub(super) relief_size: f32,
    pub(super) clouds: f32,
    pub(super) cloud_size: f32,
    pub(super) sun: (f32, f32),
    pub(super) lines: Vec<Line>,
    pub(super) buildings: Vec<Building>,
    /// Buildings near each row of squares of `GRID` pixels.
    pub(super) grid: Vec<Vec<u32>>,
    pub(super) grid_cols: usize,
}

/// Side of a square of the building index.
pub(super) const GRID: usize = 16;

fn direction(rng: &mut impl Rng) -> (f32, f32) {
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    (cos, sin)
}

fn pick(rng: &mut impl Rng, range: Range<usize>) -> usize {
    rng.random_range(range)
}

/// Level of noise (roughly normal with deviation 0.35) that a share of it lies above.
fn threshold(share: f32) -> f32 {
    if share <= 0.0 {
        return 10.0;
    }
    if share >= 1.0 {
        return -10.0;
    }
    let odds = (share / (1.0 - share)).ln();
    -odds / 1.702 * 0.35
}

impl Landscape {
    pub(super) fn draw(config: &SceneConfig, rng: &mut impl Rng) -> Self {
        let (rows, cols) = (config.rows as f32, config.cols as f32);
        let octave = |rng: &mut dyn rand::RngCore, span: f32| rng.random_range(-span..span).exp2();
        let side = config.parcel_px * octave(rng, 1.0);
        let stretch = octave(rng, 0.7);
        // Shares of this scene: those of the configuration, each times a random factor.
        let land = [config.land.fields, config.land.woods, config.land.towns, config.land.water]
            .map(|share| share * (-rng.random_range(0.02_f32..1.0).ln()));
        let total = land.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let [fields, woods, towns, water] = land.map(|share| share / total);
        // Each kind covers the ones before, so the shares are of what is left to it.
        let woods_level = threshold(woods / (fields + woods).max(1e-6));
        let towns_level = threshold(towns / (1.0 - water).max(1e-6));
        let lines = Self::draw_lines(config, towns, rng);
        let mut scene = Self {
            seed: rng.random(),
            texture: config.texture * octave(rng, 0.6),
            field_angle: direction(rng),
            field_size: (side * stretch, side / stretch),
            field_jitter: rng.random_range(0.15..0.9),
            hedges: if rng.random::<f32>() < 0.5 { rng.random_range(0.0..0.8) } else { 0.0 },
            bare: rng.random_range(0.05..0.6),
            dry: rng.random_range(0.05..0.5),
            zone_size: rng.random_range(12.0..48.0) * (rows.min(cols) / 64.0).clamp(0.5, 3.0),
            woods: woods_level,
            towns: towns_level,
            water: threshold(water),
            river: rng.random::<f32>() < 0.5,
            shore: rng.random_range(1.0..3.0),
            block_size: rng.random_range(0.0_f32..1.7).exp2(),
            block_angle: direction(rng),
            town_mix: rng.random_range(0.3..0.9),
            town_green: rng.random_range(0.15..0.65),
            crown_size: rng.random_range(1.1..2.6),
            relief: 0.10 * config.shadows * rng.random::<f32>(),
            relief_size: rng.random_range(6.0..40.0),
            clouds: if rng.random::<f32>() < 0.15 {
                (config.shadows * rng.random_range(0.3..0.8)).min(0.9)
            } else {
                0.0
            },
            cloud_size: rng.random_range(20.0..70.0),
            sun: direction(rng),
            lines,
            buildings: Vec::new(),
            grid: Vec::new(),
            grid_cols: config.cols.div_ceil(GRID),
        };
        scene.build(config, towns, rng);
        scene
    }

    fn draw_lines(config: &SceneConfig, towns: f32, rng: &mut impl Rng) -> Vec<Line> {
        let (rows, cols) = (config.rows as f32, config.cols as f32);
        let span = rows.max(cols);
        let mean = (0.5 + 3.0 * towns + rng.random_range(0.0..2.5)) * (span / 64.0).min(20.0);
        (0..mean as usize)
            .map(|_| {
                let angle = direction(rng);
                let through =
                    (rng.random_range(-0.5..0.5) * cols, rng.random_range(-0.5..0.5) * rows);
                let earth = rng.random::<f32>() < 0.3;
                Line {
                    angle,
                    offset: through.0 * angle.0 + through.1 * angle.1,
                    wave: (
                        rng.random_range(0.0..4.0),
                        std::f32::consts::TAU / rng.random_range(40.0..160.0),
                        rng.random_range(0.0..std::f32::consts::TAU),
                    ),
                    width: rng.random_range(0.25..1.6),
                    material: if earth { pick(rng, SOILS) } else { pick(rng, PAVED) },
                }
            })
            .collect()
    }

    /// Places buildings, more of them in towns.
    fn build(&mut self, config: &SceneConfig, towns: f32, rng: &mut impl Rng) {
        let (rows, cols) = (config.rows, config.cols);
        self.grid = vec![Vec::new(); rows.div_ceil(GRID) * self.grid_cols];
        let tries = (rows * cols) as f32 * (0.002 + 0.012 * towns) * rng.random_range(0.3..1.5);
        for _ in 0..tries as usize {
            let centre = (rng.random_range(0.0..cols as f32), rng.random_range(0.0..rows as f32));
            let turned = if rng.random::<f32>() < 0.8 { self.block_angle } else { direction(rng) };
            let size = rng.random_range(-1.0_f32..1.7).exp2();
            let long = rng.random_range(0.0_f32..1.2).exp2();
            let building = Building {
                centre,
                half: (0.5 * size * long, 0.5 * size),
                angle: turned,
                roof: pick(rng, ROOFS),
                gain: 0.85 + 1.1 * rng.random::<f32>().powi(3),
                height: rng.random_range(0.1..0.9),
            };
            let in_town = self.town_cover(centre.0, centre.1) > 0.5;
            let stands = rng.random::<f32>() < if in_town { 1.0 } else { 0.15 };
            if !stands || self.water_cover(centre.0, centre.1) > 0.3 {
                continue;
            }
            let reach = building.half.0.hypot(building.half.1) + 2.0;
            let squares = |at: f32, size: usize| {
                let last = size.div_ceil(GRID) - 1;
                let low = ((at - reach).max(0.0) as usize / GRID).min(last);
                low..=((at + reach).max(0.0) as usize / GRID).min(last)
            };
            for row in squares(centre.1, rows) {
                for col in squares(centre.0, cols) {
                    self.grid[row * self.grid_cols + col].push(self.buildings.len() as u32);
                }
            }
            self.buildings.push(building);
        }
    }

    /// Seed of the `nth` random function of the scene.
    pub(super) fn stream(&self, nth: u64) -> u64 {
        hash(self.seed.wrapping_add(nth << 32))
    }

    pub(super) fn zone(&self, x: f32, y: f32, nth: u64, size: f32) -> f32 {
        octaves(x / size, y / size, self.stream(nth), 4, 0.5)
    }

    pub(super) fn town_cover(&self, x: f32, y: f32) -> f32 {
        // Nothing to look at when no noise can reach the level.
        if self.towns > 5.0 {
            return 0.0;
        }
        smooth((self.zone(x, y, 11, 0.8 * self.zone_size) - self.towns) * 6.0 + 0.5)
    }

    pub(super) fn wood_cover(&self, x: f32, y: f32) -> f32 {
        if self.woods > 5.0 {
            return 0.0;
        }
        let level = self.zone(x, y, 12, self.zone_size) - self.woods;
        (level * self.zone_size * self.shore + 0.5).clamp(0.0, 1.0)
    }

    pub(super) fn water_cover(&self, x: f32, y: f32) -> f32 {
        if self.water > 5.0 {
            return 0.0;
        }
        let level = self.zone(x, y, 13, self.zone_size);
        // A river is a narrow band around the level 0, wider where there is more water.
        let depth =
            if self.river { 0.10 - 0.08 * self.water - level.abs() } else { level - self.water };
        (depth * self.zone_size * self.shore + 0.5).clamp(0.0, 1.0)
    }
}

/// Coordinates in axes turned by a direction.
pub(super) fn turn(x: f32, y: f32, (cos, sin): (f32, f32)) -> (f32, f32) {
    (cos * x + sin * y, cos * y - sin * x)
}
