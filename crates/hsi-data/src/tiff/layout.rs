//! Where the samples of a cube lie in a TIFF file.

use super::codec::Method;
use super::directory::{Directory, Input};
use super::predict::Predictor;
use super::tag;
use crate::fault::{Fault, Parsed, bad, unsupported};
use crate::meta::SampleType;

/// A strip or tile: its address and its bytes in the file. Without bytes it was never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) at: u64,
    pub(super) len: u64,
}

/// Strips or tiles of a cube.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Bands, rows, columns; none of them zero.
    pub(super) shape: [usize; 3],
    pub(super) dtype: SampleType,
    /// Bands that lie together in each pixel of a chunk: one, or all.
    pub(super) together: usize,
    pub(super) method: Method,
    pub(super) predictor: Predictor,
    /// Rows and columns of a chunk; those of strips are as wide as the cube.
    pub(super) size: [usize; 2],
    pub(super) tiled: bool,
    /// Row by row, one plane after the other.
    pub(super) chunks: Vec<Chunk>,
}

impl Layout {
    /// Reads the layout of the cube: of the first image, and of those that are bands of it because
    /// they have one sample a pixel and the same size.
    pub(super) fn read(input: &Input, directories: &[Directory]) -> Parsed<Self> {
        let full: Vec<&Directory> = directories
            .iter()
            .filter_map(|directory| match directory.integer(input, tag::SUBFILE) {
                // Overviews and masks are no bands.
                Ok(Some(kind)) if kind & 5 != 0 => None,
                Ok(_) => Some(Ok(directory)),
                Err(fault) => Some(Err(fault)),
            })
            .collect::<Parsed<_>>()?;
        let Some((first, others)) = full.split_first() else {
            return bad!("there are only overviews and masks");
        };
        let mut room = input.bytes.len() / 4;
        let mut cube = Self::image(input, first, &mut room)?;
        if cube.shape[0] > 1 {
            return Ok(cube);
        }
        for other in others {
            let band = Self::image(input, other, &mut room)?;
            if band.shape != [1, cube.shape[1], cube.shape[2]] {
                return unsupported!(
                    "images of different sizes, {:?} and {:?},",
                    &cube.shape[1..],
                    band.shape
                );
            }
            let same = Self { shape: cube.shape, chunks: Vec::new(), ..band.clone() }
                == Self { chunks: Vec::new(), ..cube.clone() };
            if !same {
                return unsupported!("bands that are stored in different ways");
            }
            cube.shape[0] += 1;
            cube.chunks.extend(band.chunks);
        }
        Ok(cube)
    }

    /// The layout of one image. `room` is how many chunks there may still be.
    fn image(input: &Input, directory: &Directory, room: &mut u64) -> Parsed<Self> {
        let size = |tag: u16, name: &str| -> Parsed<usize> {
            let value = directory.integer(input, tag)?;
            let value = value.ok_or_else(|| Fault::Bad(format!("the {name} is missing")))?;
            match usize::try_from(value) {
                Ok(0) => bad!("the {name} is zero"),
                Ok(value) if value <= 1 << 31 => Ok(value),
                _ => bad!("the {name} is {value}"),
            }
        };
        let (rows, cols) = (size(tag::HEIGHT, "height")?, size(tag::WIDTH, "width")?);
        let one = |tag: u16, usual: u64| -> Parsed<u64> {
            Ok(directory.integer(input, tag)?.unwrap_or(usual))
        };
        let bands = one(tag::SAMPLES, 1)?;
        if bands == 0 || bands > u64::from(u16::MAX) {
            return bad!("{bands} samples a pixel");
        }
        let bands = bands as usize;
        let bits = directory.same(input, tag::BITS)?.unwrap_or(1);
        let format = directory.same(input, tag::SAMPLE_FORMAT)?.unwrap_or(1);
        let dtype = sample_type(bits, format)?;
        let planar = match one(tag::PLANAR, 1)? {
            1 => false,
            2 => true,
            other => return bad!("planar configuration {other}"),
        };
        if one(tag::FILL_ORDER, 1)? != 1 {
            return unsupported!("the reversed order of bits");
        }
        let method = Method::from_code(one(tag::COMPRESSION, 1)?)?;
        if one(tag::PHOTOMETRIC, 1)? == 6 {
            return unsupported!("YCbCr color");
        }
        let predictor = match (one(tag::PREDICTOR, 1)?, method) {
            // It belongs to the ways of packing that it was made for.
            (_, Method::None | Method::PackBits) | (1, _) => Predictor::None,
            (2, _) => Predictor::Samples,
            (3, _) if dtype.is_float() => Predictor::Bytes,
            (3, _) => return bad!("the floating-point predictor on `{dtype}`"),
            (other, _) => return unsupported!("predictor {other}"),
        };
        let tiled = directory.has(tag::TILE_WIDTH) || directory.has(tag::TILE_OFFSETS);
        let size = if tiled {
            [size(tag::TILE_HEIGHT, "height of tiles")?, size(tag::TILE_WIDTH, "width of tiles")?]
        } else {
            let height = one(tag::ROWS_PER_STRIP, u64::MAX)?;
            if height == 0 {
                return bad!("strips of no rows");
            }
            [usize::try_from(height).unwrap_or(rows).min(rows), cols]
        };
        let together = if planar { 1 } else { bands };
        let planes = bands / together;
        let per_plane = rows.div_ceil(size[0]) as u64 * cols.div_ceil(size[1]) as u64;
        let count = per_plane.checked_mul(planes as u64).ok_or("too many strips or tiles")?;
        // Each needs at least four bytes of a table.
        *room = room
            .checked_sub(count)
            .ok_or_else(|| format!("{count} strips or tiles do not fit into the file"))?;
        let chunks = Self::chunks(input, directory, tiled, count)?;
        let shape = [bands, rows, cols];
        Ok(Self { shape, dtype, together, method, predictor, size, tiled, chunks })
    }

    fn chunks(input: &Input, directory: &Directory, tiled: bool, count: u64) -> Parsed<Vec<Chunk>> {
        let (at, len) = match (tiled, directory.has(tag::TILE_OFFSETS)) {
            (true, true) => (tag::TILE_OFFSETS, tag::TILE_COUNTS),
            // Some programs name the tables of tiles as those of strips.
            _ => (tag::STRIP_OFFSETS, tag::STRIP_COUNTS),
        };
        for tag in [at, len] {
            if directory.count(tag) < count {
                let got = directory.count(tag);
                return bad!("{count} strips or tiles, but tag {tag} has {got} values");
            }
        }
        let (at, len) = (directory.integers(input, at)?, directory.integers(input, len)?);
        let pairs = at.unwrap_or_default().into_iter().zip(len.unwrap_or_default());
        Ok(pairs.map(|(at, len)| Chunk { at, len }).take(count as usize).collect())
    }

    /// Chunks of a plane, down and across.
    pub(super) fn grid(&self) -> [usize; 2] {
        [self.shape[1].div_ceil(self.size[0]), self.shape[2].div_ceil(self.size[1])]
    }

    /// Rows of the chunks at a place down: tiles are always whole.
    pub(super) fn height(&self, down: usize) -> usize {
        if self.tiled {
            self.size[0]
        } else {
            self.size[0].min(self.shape[1] - down * self.size[0])
        }
    }

    /// Bytes of a row of a chunk; `None` if that is impossibly many.
    pub(super) fn row_bytes(&self) -> Option<usize> {
        self.size[1].checked_mul(self.together)?.checked_mul(self.dtype.size())
    }

    /// Bytes of all chunks unpacked; `None` if there are impossibly many.
    pub(super) fn unpacked(&self) -> Option<u64> {
        let rows =
            if self.tiled { self.grid()[0].checked_mul(self.size[0])? } else { self.shape[1] };
        let row = self.row_bytes()?.checked_mul(self.grid()[1])? as u64;
        let planes = (self.shape[0] / self.together) as u64;
        // Room for the same samples in the widest type.
        let all = row.checked_mul(rows as u64)?.checked_mul(planes)?;
        all.checked_mul(8).filter(|&bytes| isize::try_from(bytes).is_ok())?;
        Some(all)
    }
}

fn sample_type(bits: u64, format: u64) -> Parsed<SampleType> {
    Ok(match (format, bits) {
        // Without a definition they are bytes, taken as unsigned.
        (1 | 4, 8) => SampleType::U8,
        (1 | 4, 16) => SampleType::U16,
        (1 | 4, 32) => SampleType::U32,
        (1 | 4, 64) => SampleType::U64,
        (2, 8) => SampleType::I8,
        (2, 16) => SampleType::I16,
        (2, 32) => SampleType::I32,
        (2, 64) => SampleType::I64,
        (3, 16) => SampleType::F16,
        (3, 32) => SampleType::F32,
        (3, 64) => SampleType::F64,
        (5 | 6, bits) => return unsupported!("complex samples of {bits} bits"),
        (1..=4, bits) => return unsupported!("samples of {bits} bits"),
        (format, _) => return bad!("sample format {format}"),
    })
}
