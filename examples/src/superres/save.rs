//! The result as a file.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use hsi_data::{Axes, Compression, Cube, CubeMeta, Format, SampleType, SaveOptions};
use ndarray::{Array2, Array3};
use spectralift::PercentileRange;

use super::args::{FileType, OutputArgs, OutputScale};
use super::case::Label;

/// Name of the array in files that name arrays.
const VARIABLE: &str = "SR_image";

impl FileType {
    fn format(self) -> Format {
        match self {
            Self::Numpy => Format::Npy,
            Self::Matlab => Format::Mat5,
            Self::H5 => Format::Hdf5,
        }
    }
}

/// Where a result goes, checked before anything is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    path: PathBuf,
    axes: Axes,
    format: Format,
    scale: OutputScale,
}

impl Target {
    /// The file that the arguments name, or the default one of a case.
    ///
    /// # Errors
    /// When it is one of the inputs, a folder, or in a folder that is not there, or its extension
    /// is that of another type.
    pub fn new(
        args: &OutputArgs,
        label: &Label,
        msi_bands: usize,
        inputs: &[&Path],
    ) -> Result<Self> {
        let format = args.output_file_type.format();
        ensure!(args.output_axes != Axes::Auto, "`output-axes` should be hwb, bhw or hbw");
        let extension = format.extensions().first().copied().unwrap_or_default();
        let Some(path) = &args.output else {
            let path = args.save_dir.join(format!("{}.{extension}", name(label, msi_bands)));
            return Ok(Self { path, axes: args.output_axes, format, scale: args.output_scale });
        };
        let shown = path.display();
        let given = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if !given.as_deref().is_some_and(|given| format.extensions().contains(&given)) {
            bail!("the output `{shown}` should end in .{extension}, as --output-file-type says");
        }
        if path.is_dir() {
            bail!("the output `{shown}` is a folder");
        }
        let same = |input: &Path| {
            input.canonicalize().ok().is_some_and(|input| path.canonicalize().ok() == Some(input))
        };
        if inputs.iter().any(|input| same(input)) {
            bail!("the output `{shown}` is an input, which would be lost");
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let folder = folder.display();
            bail!("the output `{shown}` cannot be written: there is no folder `{folder}`");
        }
        Ok(Self { path: path.clone(), axes: args.output_axes, format, scale: args.output_scale })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a result of [0, 1]; pixels without data get the nodata value of the input.
    ///
    /// The scale and offset that lead to the physical values of the input are in the metadata.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(
        &self,
        mut image: Array3<f32>,
        missing: Option<&Array2<bool>>,
        meta: &CubeMeta,
        range: &PercentileRange,
    ) -> Result<()> {
        let mut meta = CubeMeta { source: None, ..meta.clone() };
        match self.scale {
            OutputScale::Input => range.denormalize_in_place(image.view_mut()),
            OutputScale::Unit => {
                let (scale, offset) = (meta.scale.unwrap_or(1.0), meta.offset.unwrap_or(0.0));
                meta.scale = Some(scale * (range.high - range.low));
                meta.offset = Some(scale * range.low + offset);
            }
        }
        match missing {
            None => meta.nodata = None,
            Some(mask) => {
                let nodata = *meta.nodata.get_or_insert(f64::NAN) as f32;
                for mut band in image.outer_iter_mut() {
                    band.zip_mut_with(mask, |value, &missing| {
                        if missing {
                            *value = nodata;
                        }
                    });
                }
            }
        }
        let options = SaveOptions {
            format: Some(self.format),
            dtype: Some(SampleType::F32),
            axes: self.axes,
            compression: (self.format == Format::Hdf5)
                .then_some(Compression::Deflate { level: 4, filter: true }),
            variable: (self.format != Format::Npy).then(|| VARIABLE.to_owned()),
            ..SaveOptions::default()
        };
        Ok(hsi_data::save(&Cube::new(image, meta)?, &self.path, &options)?)
    }
}

/// `SR_SCENE_PSF_4x_4_bands`, as the published results are called.
fn name(label: &Label, msi_bands: usize) -> String {
    let psf = if label.psf.is_empty() { String::new() } else { format!("_{}", label.psf) };
    let ratio = label.ratio.map_or(String::new(), |ratio| format!("_{ratio}x"));
    format!("SR_{}{psf}{ratio}_{msi_bands}_bands", label.scene)
}
