//! TIFF and GeoTIFF.
//!
//! The directories are parsed here rather than by a library: a cube is read by windows and bands,
//! from interleaved or planar strips and tiles, and no forged file may panic or allocate more than
//! it should.
//!
//! # References
//! - Adobe, "TIFF Revision 6.0", 1992; "TIFF Technical Note 3", 2005 (floating-point predictor).
//! - OGC 19-008r4, "GeoTIFF Standard 1.1", 2019.
//! - GDAL's GTiff driver for `GDAL_METADATA` and `GDAL_NODATA`.

mod codec;
mod directory;
mod geo;
mod items;
mod layout;
mod meta;
mod predict;
mod read;
mod write;
mod write_tags;

pub(crate) use read::TiffReader;
pub(crate) use write::TiffWriter;

/// Whether a file starts as a TIFF does, classic or big.
pub(crate) fn is_tiff(head: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| head.starts_with(*mark))
}

/// Tags that are read or written.
mod tag {
    pub(super) const SUBFILE: u16 = 254;
    pub(super) const WIDTH: u16 = 256;
    pub(super) const HEIGHT: u16 = 257;
    pub(super) const BITS: u16 = 258;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const FILL_ORDER: u16 = 266;
    pub(super) const DESCRIPTION: u16 = 270;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const SAMPLES: u16 = 277;
    pub(super) const ROWS_PER_STRIP: u16 = 278;
    pub(super) const STRIP_COUNTS: u16 = 279;
    pub(super) const PLANAR: u16 = 284;
    pub(super) const PREDICTOR: u16 = 317;
    pub(super) const TILE_WIDTH: u16 = 322;
    pub(super) const TILE_HEIGHT: u16 = 323;
    pub(super) const TILE_OFFSETS: u16 = 324;
    pub(super) const TILE_COUNTS: u16 = 325;
    pub(super) const EXTRA_SAMPLES: u16 = 338;
    pub(super) const SAMPLE_FORMAT: u16 = 339;
    pub(super) const PIXEL_SCALE: u16 = 33550;
    pub(super) const TIE_POINT: u16 = 33922;
    pub(super) const TRANSFORM: u16 = 34264;
    pub(super) const GEO_KEYS: u16 = 34735;
    pub(super) const GEO_DOUBLES: u16 = 34736;
    pub(super) const GEO_TEXT: u16 = 34737;
    pub(super) const GDAL_METADATA: u16 = 42112;
    pub(super) const GDAL_NODATA: u16 = 42113;
    /// Texts that are kept as they are: document, maker, model, software, date, artist, host,
    /// copyright.
    pub(super) const KEPT: [u16; 8] = [269, 271, 272, 305, 306, 315, 316, 33432];
}
