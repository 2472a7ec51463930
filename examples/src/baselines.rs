//! Classical methods by the names of a command line.

use anyhow::Result;
use hsi_baselines::Denoiser;

/// The methods of lists of descriptions, joined by commas; `all` stands for every method.
///
/// # Errors
/// When there is no such method, or an option of it cannot be used.
pub fn by_names(lists: &[String]) -> Result<Vec<Box<dyn Denoiser>>> {
    let mut all = Vec::new();
    for name in lists.iter().flat_map(|list| hsi_baselines::split_descriptions(list)) {
        if name.trim() == "all" {
            for name in hsi_baselines::names() {
                all.push(hsi_baselines::by_name(name)?);
            }
        } else {
            all.push(hsi_baselines::by_name(name)?);
        }
    }
    Ok(all)
}
