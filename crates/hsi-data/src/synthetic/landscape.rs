//! What lies where: the share of each material in each pixel, and how brightly it is lit.

use std::ops::Range;

use rand::Rng;

use super::config::SceneConfig;
use super::field::{cell, hash, lerp, noise, octaves, smooth, unit};
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

const CROPS: Range<usize> = 0..4;
const SOILS: Range<usize> = 4..7;
const DRY: Range<usize> = 7..9;
const TREES: Range<usize> = 9..12;
const ROOFS: Range<usize> = 12..17;
const PAVED: Range<usize> = 17..19;
const WATER: Range<usize> = 19..21;

/// Share of each material in a pixel; they sum to one.
pub(super) type Shares = [f32; COUNT];

/// A pixel of the landscape.
pub(super) struct Pixel {
    pub(super) shares: Shares,
    /// Factor on the reflectance: slopes, moisture, gaps between crowns.
    pub(super) gain: f32,
    /// How much of the direct light is blocked, 0 to 1.
    pub(super) shade: f32,
}

/// A road, railway or ditch: a wavy line.
struct Line {
    angle: (f32, f32),
    offset: f32,
    wave: (f32, f32, f32),
    width: f32,
    material: usize,
}

impl Line {
    /// Share of a pixel that the line covers.
    fn cover(&self, x: f32, y: f32) -> f32 {
        let (across, along) = turn(x, y, self.angle);
        let (height, rate, phase) = self.wave;
        let distance = across - self.offset - height * (rate * along + phase).sin();
        (0.5 * self.width + 0.5 - distance.abs()).clamp(0.0, self.width.min(1.0))
    }
}

/// A turned rectangle with a roof.
struct Building {
    centre: (f32, f32),
    half: (f32, f32),
    angle: (f32, f32),
    roof: usize,
    /// Brightness: some roofs are tilted to the sun, or new.
    gain: f32,
    height: f32,
}

/// Everything drawn for one scene.
pub(super) struct Landscape {
    seed: u64,
    texture: f32,
    /// Turning and stretching of the fields.
    field_angle: (f32, f32),
    field_size: (f32, f32),
    field_jitter: f32,
    hedges: f32,
    /// Share of bare and dry fields against green ones.
    bare: f32,
    dry: f32,
    zone_size: f32,
    /// Noise level above which woods, towns and water begin.
    woods: f32,
    towns: f32,
    water: f32,
    /// Rivers wind along a level of the noise, lakes lie above it.
    river: bool,
    shore: f32,
    block_size: f32,
    block_angle: (f32, f32),
    /// How much blocks differ from the average of their district.
    town_mix: f32,
    town_green: f32,
    crown_size: f32,
    relief: f32,
    relief_size: f32,
    clouds: f32,
    cloud_size: f32,
    sun: (f32, f32),
    lines: Vec<Line>,
    buildings: Vec<Building>,
    /// Buildings near each row of squares of `GRID` pixels.
    grid: Vec<Vec<u32>>,
    grid_cols: usize,
}

/// Side of a square of the building index.
const GRID: usize = 16;

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
        let land = [
            config.land.fields,
            config.land.woods,
            config.land.towns,
            config.land.water,
        ]
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
            hedges: if rng.random::<f32>() < 0.5 {
                rng.random_range(0.0..0.8)
            } else {
                0.0
            },
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
                let through = (
                    rng.random_range(-0.5..0.5) * cols,
                    rng.random_range(-0.5..0.5) * rows,
                );
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
                    material: if earth {
                        pick(rng, SOILS)
                    } else {
                        pick(rng, PAVED)
                    },
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
            let centre = (
                rng.random_range(0.0..cols as f32),
                rng.random_range(0.0..rows as f32),
            );
            let turned = if rng.random::<f32>() < 0.8 {
                self.block_angle
            } else {
                direction(rng)
            };
            let size = rng.random_range(-1.0_f32..1.7).exp2();
            let long = rng.random_range(0.0_f32..1.2).exp2();
            let building = Building {
                centre,
                half: (0.5 * size * long, 0.5 * size),
                angle: turned,
                roof: pick(rng, ROOFS),
                gain: 0.85 + 0.9 * rng.random::<f32>().powi(2),
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
    fn stream(&self, nth: u64) -> u64 {
        hash(self.seed.wrapping_add(nth << 32))
    }

    fn zone(&self, x: f32, y: f32, nth: u64, size: f32) -> f32 {
        octaves(x / size, y / size, self.stream(nth), 4, 0.5)
    }

    fn town_cover(&self, x: f32, y: f32) -> f32 {
        // Nothing to look at when no noise can reach the level.
        if self.towns > 5.0 {
            return 0.0;
        }
        smooth((self.zone(x, y, 11, 0.8 * self.zone_size) - self.towns) * 6.0 + 0.5)
    }

    fn water_cover(&self, x: f32, y: f32) -> f32 {
        if self.water > 5.0 {
            return 0.0;
        }
        let level = self.zone(x, y, 13, self.zone_size);
        // A river is a narrow band around the level 0, wider where there is more water.
        let depth = if self.river {
            0.10 - 0.08 * self.water - level.abs()
        } else {
            level - self.water
        };
        (depth * self.zone_size * self.shore + 0.5).clamp(0.0, 1.0)
    }

    /// The pixel at a column and row.
    pub(super) fn pixel(&self, x: f32, y: f32) -> Pixel {
        let mut pixel = Pixel {
            shares: [0.0; COUNT],
            gain: 1.0,
            shade: 0.0,
        };
        self.field(x, y, &mut pixel);
        let woods =
            (self.zone(x, y, 12, self.zone_size) - self.woods) * self.zone_size * self.shore + 0.5;
        cover(&mut pixel, woods.clamp(0.0, 1.0), |pixel| {
            self.wood(x, y, pixel);
        });
        cover(&mut pixel, self.town_cover(x, y), |pixel| {
            self.town(x, y, pixel);
        });
        for line in &self.lines {
            cover(&mut pixel, line.cover(x, y), |pixel| {
                pixel.shares[line.material] += 1.0;
            });
        }
        cover(&mut pixel, self.water_cover(x, y), |pixel| {
            self.lake(x, y, pixel)
        });
        self.houses(x, y, &mut pixel);
        self.light(x, y, &mut pixel);
        pixel
    }

    /// A field: one or two materials, its own brightness, texture along and within it.
    fn field(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let (u, v) = turn(x, y, self.field_angle);
        let (su, sv) = self.field_size;
        let Self { texture, .. } = *self;
        let found = cell(u / su, v / sv, self.field_jitter, self.stream(21));
        let draw = |nth| unit(found.bits, nth);
        let of = |range: Range<usize>, nth| choose(&range, draw(nth));
        let kind = draw(1);
        let (main, other, mixed) = if kind < self.bare {
            (of(SOILS, 2), of(DRY, 3), 0.35 * draw(4))
        } else if kind < self.bare + (1.0 - self.bare) * self.dry {
            (of(DRY, 2), of(CROPS, 3), 0.6 * draw(4))
        } else {
            (
                of(CROPS, 2),
                if draw(5) < 0.5 {
                    of(SOILS, 3)
                } else {
                    of(CROPS, 3)
                },
                0.7 * draw(4),
            )
        };
        let patchy = octaves(x / 6.0, y / 6.0, self.stream(22) ^ found.bits, 4, 0.7);
        let mixed = (mixed + 0.3 * texture * draw(6) * patchy).clamp(0.0, 1.0);
        pixel.shares[main] += 1.0 - mixed;
        pixel.shares[other] += mixed;
        pixel.gain =
            lerp(0.82, 1.18, draw(7)) * (1.0 + 0.05 * texture * noise(x, y, self.stream(23)));
        let border = self.hedges * smooth(1.4 - found.edge * su.min(sv));
        if border > 0.0 {
            let hedge = choose(&TREES, draw(8));
            cover(pixel, border, |pixel| pixel.shares[hedge] += 1.0);
        }
    }

    /// A wood: stands of one or two species, crowns with dark gaps, clearings.
    fn wood(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let Self {
            seed: _,
            texture,
            crown_size,
            ..
        } = *self;
        let stand = cell(x / 14.0, y / 14.0, 0.9, self.stream(31));
        let draw = |nth| unit(stand.bits, nth);
        let (main, other) = (choose(&TREES, draw(1)), choose(&TREES, draw(2)));
        let patchy = octaves(x / 5.0, y / 5.0, self.stream(32), 3, 0.8);
        let mixed = (0.5 * draw(3) + 0.5 * texture * patchy).clamp(0.0, 1.0);
        let clearing = smooth((octaves(x / 9.0, y / 9.0, self.stream(33), 2, 0.6) - 0.55) * 4.0);
        pixel.shares[main] += (1.0 - mixed) * (1.0 - clearing);
        pixel.shares[other] += mixed * (1.0 - clearing);
        pixel.shares[choose(&DRY, draw(4))] += clearing;
        let crowns = octaves(x / crown_size, y / crown_size, self.stream(34), 2, 0.7);
        pixel.gain = lerp(0.85, 1.1, draw(5)) * (1.0 + 0.09 * texture * crowns);
        pixel.shade = (0.08 - 0.12 * texture * crowns).clamp(0.0, 0.5) * (1.0 - clearing);
    }

    /// A settlement: blocks of a few pixels, each a mixture of roofs, pavement and gardens.
    fn town(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let Self { texture, .. } = *self;
        let (u, v) = turn(x, y, self.block_angle);
        let block = cell(
            u / self.block_size,
            v / self.block_size,
            0.5,
            self.stream(41),
        );
        let district = cell(x / 16.0, y / 16.0, 0.9, self.stream(42));
        let draw = |nth| unit(block.bits, nth);
        let green = (self.town_green + 0.6 * (unit(district.bits, 1) - 0.5)).clamp(0.05, 0.9);
        // Most roofs of a district are alike.
        let roof = if draw(1) < 0.6 {
            choose(&ROOFS, unit(district.bits, 2))
        } else {
            choose(&ROOFS, draw(2))
        };
        let garden = if draw(3) < 0.5 {
            choose(&TREES, draw(4))
        } else {
            choose(&CROPS, draw(4))
        };
        let grain = noise(x * 0.9, y * 0.9, self.stream(43));
        let plants =
            (green + self.town_mix * (draw(5) - 0.5) + 0.15 * texture * grain).clamp(0.0, 1.0);
        let built = (1.0 - plants)
            * lerp(
                0.5 - 0.4 * self.town_mix,
                0.5 + 0.4 * self.town_mix,
                draw(6),
            );
        pixel.shares[garden] += plants;
        pixel.shares[roof] += built;
        pixel.shares[choose(&PAVED, draw(7))] += 1.0 - plants - built;
        pixel.gain = lerp(0.88, 1.12, draw(8)) * (1.0 + 0.05 * texture * grain);
        pixel.shade = 0.3 * draw(9) * built;
    }

    fn lake(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let mixed = (0.5 + 0.8 * self.zone(x, y, 14, 1.5 * self.zone_size)).clamp(0.0, 1.0);
        pixel.shares[WATER.start] += 1.0 - mixed;
        pixel.shares[WATER.start + 1] += mixed;
        pixel.gain = 1.0 + 0.04 * self.texture * noise(x, y, self.stream(51));
    }

    fn houses(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let square = y.max(0.0) as usize / GRID * self.grid_cols + x.max(0.0) as usize / GRID;
        for &nth in self.grid.get(square).into_iter().flatten() {
            let house = &self.buildings[nth as usize];
            let (dx, dy) = (x - house.centre.0, y - house.centre.1);
            let inside = |dx, dy| {
                let (u, v) = turn(dx, dy, house.angle);
                let along =
                    (house.half.0 + 0.5 - u.abs()).clamp(0.0, (2.0 * house.half.0).min(1.0));
                along * (house.half.1 + 0.5 - v.abs()).clamp(0.0, (2.0 * house.half.1).min(1.0))
            };
            let shadow = inside(
                dx - house.height * self.sun.0,
                dy - house.height * self.sun.1,
            );
            pixel.shade = pixel.shade.max(0.8 * shadow);
            cover(pixel, inside(dx, dy), |pixel| {
                pixel.shares[house.roof] += 1.0;
                pixel.gain = house.gain;
            });
        }
    }

    /// Slopes turned to or from the sun, and shadows of clouds with soft edges.
    fn light(&self, x: f32, y: f32, pixel: &mut Pixel) {
        if self.relief > 0.0 {
            let relief = octaves(
                x / self.relief_size,
                y / self.relief_size,
                self.stream(61),
                3,
                0.5,
            );
            pixel.gain *= 1.0 + self.relief * relief;
        }
        if self.clouds > 0.0 {
            let cloud = self.zone(x, y, 15, self.cloud_size);
            pixel.shade = pixel.shade.max(self.clouds * smooth((cloud - 0.15) * 3.0));
        }
    }
}

/// Coordinates in axes turned by a direction.
fn turn(x: f32, y: f32, (cos, sin): (f32, f32)) -> (f32, f32) {
    (cos * x + sin * y, cos * y - sin * x)
}

fn choose(range: &Range<usize>, unit: f32) -> usize {
    (range.start + (unit * range.len() as f32) as usize).min(range.end - 1)
}

/// Lays something over a share of a pixel.
fn cover(pixel: &mut Pixel, share: f32, paint: impl FnOnce(&mut Pixel)) {
    if share <= 0.0 {
        return;
    }
    let mut over = Pixel {
        shares: [0.0; COUNT],
        gain: 1.0,
        shade: 0.0,
    };
    paint(&mut over);
    for (under, over) in pixel.shares.iter_mut().zip(over.shares) {
        *under = lerp(*under, over, share);
    }
    pixel.gain = lerp(pixel.gain, over.gain, share);
    pixel.shade = lerp(pixel.shade, over.shade, share);
}
