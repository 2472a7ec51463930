//! Arguments that say how a cube file is read, and words for parts of a cube.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hsi_data::{Axes, OpenOptions, QualityMask};

/// How a cube file is read, for formats that leave it open.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reading")]
pub struct FileArgs {
    /// Name of the variable, in files that hold several (MATLAB, HDF5)
    #[arg(long)]
    pub variable: Option<String>,
    /// Rows and columns of a cube that is stored as a matrix of pixels, such as 100x100
    #[arg(long, value_parser = pair, value_name = "ROWSxCOLS")]
    pub reshape: Option<(usize, usize)>,
    /// Order of the axes of the file: bhw (band first), hwb (band last) or hbw [default: what the
    /// file says, or the custom of its format]
    #[arg(long)]
    pub axes: Option<Axes>,
    /// Value of pixels without data [default: what the file says]
    #[arg(long, allow_negative_numbers = true)]
    pub nodata: Option<f64>,
    /// Quality layers of an EnMAP product whose flagged pixels count as having no data: cloud,
    /// cloudshadow, haze, cirrus, snow. Defective pixels always do
    #[arg(long, value_delimiter = ',', value_name = "MASK,..")]
    pub quality_masks: Vec<QualityMask>,
}

impl FileArgs {
    /// The options for opening a file.
    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            axes: self.axes.unwrap_or_default(),
            variable: self.variable.clone(),
            nodata: self.nodata,
            reshape: self.reshape,
            quality_masks: self.quality_masks.clone(),
            ..OpenOptions::default()
        }
    }
}

/// Two sizes joined by `x`.
///
/// # Errors
/// When the text is not of that form.
pub fn pair(text: &str) -> Result<(usize, usize)> {
    let sizes = sizes(text, "ROWSxCOLS")?;
    let &[rows, cols] = sizes.as_slice() else { bail!("should be ROWSxCOLS, such as 100x100") };
    Ok((rows, cols))
}

/// Three sizes joined by `x`: bands, rows, columns.
///
/// # Errors
/// When the text is not of that form.
pub fn triple(text: &str) -> Result<[usize; 3]> {
    let sizes = sizes(text, "BANDSxROWSxCOLS")?;
    sizes.try_into().map_err(|_| anyhow::anyhow!("should be BANDSxROWSxCOLS, such as 8x64x64"))
}

fn sizes(text: &str, form: &str) -> Result<Vec<usize>> {
    text.split('x')
        .map(|size| match size.trim().parse() {
            Ok(0) | Err(_) => bail!("should be {form}, of numbers from 1"),
            Ok(size) => Ok(size),
        })
        .collect()
}

/// A window of pixels, `ROW:ROW,COL:COL`, counted from 0, the ends left out.
///
/// # Errors
/// When the text is not of that form.
pub fn window(text: &str) -> Result<[Range<usize>; 2]> {
    let range = |text: &str| {
        let (start, end) = text.trim().split_once(':')?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    let window = text.split_once(',').and_then(|(rows, cols)| Some([range(rows)?, range(cols)?]));
    window.context("should be FIRST:END,FIRST:END of rows and columns, such as 0:512,100:612")
}

/// Some of the bands of a cube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bands {
    /// Those that are not flagged as bad.
    Good,
    /// HySpecNet's 202 of EnMAP's 224.
    HySpecNet,
    /// Ranges, both ends taken, in this order.
    Ranges(Vec<(usize, usize)>),
}

impl std::str::FromStr for Bands {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "good" => return Ok(Self::Good),
            "hyspecnet" => return Ok(Self::HySpecNet),
            _ => {}
        }
        let range = |part: &str| -> Option<(usize, usize)> {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        let ranges = ranges.context(
            "should be `good`, `hyspecnet`, or bands from 0 and ranges of them, such as 0-9,12",
        )?;
        if let Some((first, last)) = ranges.iter().find(|(first, last)| first > last) {
            bail!("the range {first}-{last} is empty");
        }
        Ok(Self::Ranges(ranges))
    }
}

impl Bands {
    /// The bands of a cube of so many.
    ///
    /// # Errors
    /// When the cube does not have them.
    pub fn of(&self, bands: usize, bad: Option<&[bool]>) -> Result<Vec<usize>> {
        match self {
            Self::Good => {
                let is_good = |&band: &usize| bad.is_none_or(|bad| bad.get(band) != Some(&true));
                let good: Vec<usize> = (0..bands).filter(is_good).collect();
                ensure!(!good.is_empty(), "every band is flagged as bad");
                Ok(good)
            }
            Self::HySpecNet => {
                let all = hsi_data::bands::ENMAP_BANDS;
                ensure!(bands == all, "`hyspecnet` chooses from {all} bands, the cube has {bands}");
                Ok(hsi_data::bands::hyspecnet_202().to_vec())
            }
            Self::Ranges(ranges) => {
                if let Some((_, last)) = ranges.iter().find(|(_, last)| *last >= bands) {
                    bail!("band {last} is out of range for {bands} bands");
                }
                Ok(ranges.iter().flat_map(|&(first, last)| first..=last).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_cube_are_read() -> Result<()> {
        assert_eq!(pair("10x20")?, (10, 20));
        assert_eq!(triple("8x64x32")?, [8, 64, 32]);
        assert_eq!(window("0:5,10:20")?, [0..5, 10..20]);
        for bad in ["10", "0x5", "axb", "1x2x3", "10x"] {
            assert!(pair(bad).is_err(), "{bad}");
        }
        for bad in ["", "1:2", "1-2,3-4", "1:2,3:"] {
            assert!(window(bad).is_err(), "{bad}");
        }
        let bands: Bands = "5,0-2".parse()?;
        assert_eq!(bands.of(6, None)?, [5, 0, 1, 2]);
        assert!(bands.of(5, None).is_err());
        let good: Bands = "good".parse()?;
        assert_eq!(good.of(3, Some(&[false, true, false]))?, [0, 2]);
        assert!(good.of(1, Some(&[true])).is_err());
        let enmap: Bands = "hyspecnet".parse()?;
        assert_eq!(enmap.of(224, None)?.len(), 202);
        assert!(enmap.of(202, None).is_err());
        for bad in ["", "a", "3-1", "1,,2", "-1", "18446744073709551616"] {
            assert!(bad.parse::<Bands>().is_err(), "{bad}");
        }
        Ok(())
    }
}
