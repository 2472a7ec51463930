//! What lies where: the share of each material in each pixel, and how brightly it is lit.

use std::ops::Range;

use super::field::{cell, lerp, noise, octaves, smooth, unit};
use super::landscape::{
    COUNT, CROPS, DRY, GRID, Landscape, PAVED, ROOFS, SOILS, TREES, WATER, turn,
};

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

impl Pixel {
    const EMPTY: Self = Self { shares: [0.0; COUNT], gain: 1.0, shade: 0.0 };
}

impl Landscape {
    /// The pixel at a column and row.
    pub(super) fn pixel(&self, x: f32, y: f32) -> Pixel {
        let mut pixel = Pixel::EMPTY;
        let wet = self.water_cover(x, y);
        if wet < 1.0 {
            self.land(x, y, &mut pixel);
        }
        cover(&mut pixel, wet, |pixel| self.lake(x, y, pixel));
        self.houses(x, y, &mut pixel);
        self.light(x, y, &mut pixel);
        pixel
    }

    /// Fields, over them woods, over them towns, over them roads. What is hidden is not looked at.
    fn land(&self, x: f32, y: f32, pixel: &mut Pixel) {
        let town = self.town_cover(x, y);
        if town < 1.0 {
            let wooded = self.wood_cover(x, y);
            if wooded < 1.0 {
                self.field(x, y, pixel);
            }
            cover(pixel, wooded, |pixel| self.wood(x, y, pixel));
        }
        cover(pixel, town, |pixel| self.town(x, y, pixel));
        for line in &self.lines {
            cover(pixel, line.cover(x, y), |pixel| pixel.shares[line.material] += 1.0);
        }
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
            (of(CROPS, 2), if draw(5) < 0.5 { of(SOILS, 3) } else { of(CROPS, 3) }, 0.7 * draw(4))
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
        let Self { texture, crown_size, .. } = *self;
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
        let block = cell(u / self.block_size, v / self.block_size, 0.5, self.stream(41));
        let district = cell(x / 16.0, y / 16.0, 0.9, self.stream(42));
        let draw = |nth| unit(block.bits, nth);
        let green = (self.town_green + 0.6 * (unit(district.bits, 1) - 0.5)).clamp(0.05, 0.9);
        // Most roofs of a district are alike.
        let roof = if draw(1) < 0.6 {
            choose(&ROOFS, unit(district.bits, 2))
        } else {
            choose(&ROOFS, draw(2))
        };
        let garden = if draw(3) < 0.5 { choose(&TREES, draw(4)) } else { choose(&CROPS, draw(4)) };
        let grain = noise(x * 0.9, y * 0.9, self.stream(43));
        let plants =
            (green + self.town_mix * (draw(5) - 0.5) + 0.15 * texture * grain).clamp(0.0, 1.0);
        let built =
            (1.0 - plants) * lerp(0.5 - 0.4 * self.town_mix, 0.5 + 0.4 * self.town_mix, draw(6));
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
            let shadow = inside(dx - house.height * self.sun.0, dy - house.height * self.sun.1);
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
            let relief =
                octaves(x / self.relief_size, y / self.relief_size, self.stream(61), 3, 0.5);
            pixel.gain *= 1.0 + self.relief * relief;
        }
        if self.clouds > 0.0 {
            let cloud = self.zone(x, y, 15, self.cloud_size);
            pixel.shade = pixel.shade.max(self.clouds * smooth((cloud - 0.15) * 3.0));
        }
    }
}

fn choose(range: &Range<usize>, unit: f32) -> usize {
    (range.start + (unit * range.len() as f32) as usize).min(range.end - 1)
}

/// Lays something over a share of a pixel.
fn cover(pixel: &mut Pixel, share: f32, paint: impl FnOnce(&mut Pixel)) {
    if share <= 0.0 {
        return;
    }
    let mut over = Pixel::EMPTY;
    paint(&mut over);
    for (under, over) in pixel.shares.iter_mut().zip(over.shares) {
        *under = lerp(*under, over, share);
    }
    pixel.gain = lerp(pixel.gain, over.gain, share);
    pixel.shade = lerp(pixel.shade, over.shade, share);
}
