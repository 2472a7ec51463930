//! Bands by wavelength: EnMAP's table, the 202 bands of HySpecNet-11k, and bands for pictures.

use std::sync::LazyLock;

use crate::error::{Error, Result};

/// Centre wavelengths of EnMAP's 224 bands in nanometres: 91 of the VNIR camera, then 133 of the
/// SWIR camera, which begins below the end of the first.
#[rustfmt::skip]
pub const ENMAP_224_WAVELENGTHS_NM: [f32; 224] = [
    418.240, 423.874, 429.294, 434.528, 439.603, 444.549, 449.391, 454.159,
    458.884, 463.584, 468.265, 472.934, 477.599, 482.265, 486.941, 491.633,
    496.349, 501.094, 505.870, 510.678, 515.519, 520.397, 525.313, 530.268,
    535.265, 540.305, 545.391, 550.525, 555.710, 560.947, 566.239, 571.587,
    576.995, 582.464, 587.997, 593.596, 599.267, 605.011, 610.833, 616.737,
    622.732, 628.797, 634.919, 641.100, 647.341, 653.643, 660.007, 666.435,
    672.927, 679.485, 686.110, 692.804, 699.567, 706.401, 713.307, 720.282,
    727.324, 734.431, 741.601, 748.833, 756.124, 763.472, 770.876, 778.333,
    785.843, 793.402, 801.010, 808.665, 816.367, 824.112, 831.901, 839.731,
    847.601, 855.509, 863.455, 871.433, 879.442, 887.478, 895.537, 903.617,
    911.715, 919.827, 927.951, 936.082, 944.217, 952.355, 960.495, 968.638,
    976.783, 984.932, 993.083, 902.257, 911.872, 921.624, 931.512, 941.530,
    951.677, 961.948, 972.341, 982.851, 993.475, 1_004.21, 1_015.05, 1026.000,
    1_037.05, 1_048.19, 1_059.42, 1_070.74, 1_082.14, 1_093.62, 1_105.17, 1_116.79,
    1_128.47, 1_140.2, 1_151.98, 1_163.81, 1_175.67, 1_187.56, 1_199.48, 1_211.42,
    1_223.37, 1_235.34, 1_247.31, 1_259.3, 1_271.29, 1_283.29, 1_295.28, 1_307.27,
    1_319.25, 1_331.22, 1_343.18, 1_355.13, 1_367.06, 1_378.96, 1_390.84, 1_461.46,
    1_473.1, 1_484.69, 1_496.24, 1_507.75, 1_519.22, 1_530.64, 1_542.02, 1_553.36,
    1_564.65, 1_575.9, 1_587.1, 1_598.26, 1_609.36, 1_620.43, 1_631.44, 1_642.41,
    1_653.33, 1_664.2, 1_675.03, 1_685.8, 1_696.53, 1_707.2, 1_717.83, 1_728.4,
    1_738.93, 1_749.4, 1_759.83, 1_939.44, 1_948.98, 1_958.49, 1_967.95, 1_977.37,
    1_986.74, 1_996.07, 2_005.36, 2_014.61, 2_023.82, 2_032.99, 2_042.11, 2_051.19,
    2_060.24, 2_069.24, 2_078.21, 2_087.13, 2_096.01, 2_104.86, 2_113.67, 2_122.44,
    2_131.17, 2_139.87, 2_148.52, 2_157.15, 2_165.73, 2_174.28, 2_182.79, 2_191.27,
    2_199.71, 2_208.12, 2_216.5, 2_224.84, 2_233.14, 2_241.42, 2_249.66, 2_257.86,
    2_266.04, 2_274.18, 2_282.29, 2_290.37, 2_298.42, 2_306.44, 2_314.42, 2_322.37,
    2_330.29, 2_338.19, 2_346.05, 2_353.88, 2_361.68, 2_369.45, 2_377.19, 2_384.9,
    2_392.58, 2_400.23, 2_407.85, 2_415.45, 2_423.01, 2_430.55, 2_438.05, 2_445.53,
];

/// Bands of an EnMAP product.
pub const ENMAP_BANDS: usize = 224;

/// Bands of HySpecNet-11k.
pub const HYSPECNET_BANDS: usize = 202;

static HYSPECNET: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..126).chain(141..160).chain(167..224).collect());

/// Indices, counted from zero, of the 202 of EnMAP's 224 bands that HySpecNet-11k keeps.
///
/// Counted from one they are B1 to B126, B142 to B160 and B168 to B224: those outside the strong
/// water-vapour bands.
///
/// # References
/// - M. H. P. Fuchs, B. Demir, "HySpecNet-11k: A Large-Scale Hyperspectral Dataset for
///   Benchmarking Learning-Based Hyperspectral Image Compression Methods", IGARSS 2023.
pub fn hyspecnet_202() -> &'static [usize] {
    &HYSPECNET
}

/// Centre wavelengths of the 202 bands of HySpecNet-11k in nanometres.
pub fn enmap_202_wavelengths_nm() -> Vec<f32> {
    hyspecnet_202().iter().map(|&band| ENMAP_224_WAVELENGTHS_NM[band]).collect()
}

/// The band whose wavelength is nearest; the first of several, `None` without bands.
pub fn nearest_band(wavelengths_nm: &[f32], wavelength_nm: f32) -> Option<usize> {
    let distance = |band: &usize| (wavelengths_nm[*band] - wavelength_nm).abs();
    (0..wavelengths_nm.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Wavelengths of red, green and blue in pictures, in nanometres.
pub const RGB_NM: [f32; 3] = [660.0, 550.0, 480.0];

/// Bands for red, green and blue.
///
/// Those nearest to [`RGB_NM`] when the wavelengths are known and reach from blue to red (each
/// band within 50 nm of its colour); otherwise the bands at 3/4, 1/2 and 1/4 of the range.
///
/// # Errors
/// [`Error::MetaLength`] if the wavelengths are not one a band, [`Error::BandCount`] for no bands.
pub fn rgb_bands(bands: usize, wavelengths_nm: Option<&[f32]>) -> Result<[usize; 3]> {
    if bands == 0 {
        return Err(Error::BandCount { name: "picture".to_owned(), expected: 1, got: 0 });
    }
    if let Some(list) = wavelengths_nm {
        if list.len() != bands {
            let (expected, got) = (bands, list.len());
            return Err(Error::MetaLength { field: "wavelengths_nm", expected, got });
        }
        let near =
            RGB_NM.map(|nm| nearest_band(list, nm).filter(|&band| (list[band] - nm).abs() <= 50.0));
        if let [Some(red), Some(green), Some(blue)] = near {
            return Ok([red, green, blue]);
        }
    }
    Ok([3, 2, 1].map(|quarters| (bands - 1) * quarters / 4))
}

/// States a choice of bands for a caption, such as `bands 46, 28, 13 (660, 551, 478 nm)`, counted
/// from zero.
pub fn describe_bands(choice: &[usize], wavelengths_nm: Option<&[f32]>) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let bands = list(choice.iter().map(ToString::to_string).collect());
    let nm: Option<Vec<String>> = wavelengths_nm.and_then(|table| {
        choice.iter().map(|&band| table.get(band).map(|nm| format!("{nm:.0}"))).collect()
    });
    match nm {
        Some(nm) => format!("bands {bands} ({} nm)", list(nm)),
        None => format!("bands {bands}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hyspecnet_selection_has_202_bands_without_the_water_vapour() {
        let bands = hyspecnet_202();
        assert_eq!(bands.len(), HYSPECNET_BANDS);
        assert!(bands.windows(2).all(|pair| pair[0] < pair[1]));
        for (nth, band) in [(0, 0), (125, 125), (126, 141), (144, 159), (145, 167), (201, 223)] {
            assert_eq!(bands[nth], band);
        }
        let nm = enmap_202_wavelengths_nm();
        assert!(nm.iter().all(|nm| !(1350.0..1455.0).contains(nm) || *nm < 1361.0));
        assert!(nm.iter().all(|nm| !(1760.0..1930.0).contains(nm)));
    }

    #[test]
    fn pictures_use_red_green_and_blue_when_they_can() -> Result<()> {
        let nm = enmap_202_wavelengths_nm();
        let rgb = rgb_bands(202, Some(&nm))?;
        for (band, wanted) in rgb.into_iter().zip(RGB_NM) {
            assert!((nm[band] - wanted).abs() < 4.0);
        }
        assert_eq!(rgb_bands(5, None)?, [3, 2, 1]);
        assert_eq!(rgb_bands(1, None)?, [0, 0, 0]);
        assert_eq!(rgb_bands(3, Some(&[1000.0, 1500.0, 2000.0]))?, [1, 1, 0]);
        assert!(rgb_bands(0, None).is_err());
        assert!(rgb_bands(2, Some(&[500.0])).is_err());
        assert_eq!(nearest_band(&[], 500.0), None);
        assert_eq!(describe_bands(&[1, 0], Some(&[500.0, 600.4])), "bands 1, 0 (600, 500 nm)");
        Ok(())
    }
}
