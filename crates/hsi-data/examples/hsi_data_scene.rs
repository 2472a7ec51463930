//! Makes a synthetic scene and writes it as `.npy` with its metadata.
//!
//! ```console
//! $ cargo run --release -p hsi-data --example hsi_data_scene -- scene.npy 202 128 42
//! ```

use std::error::Error;

use hsi_data::{SaveOptions, SceneConfig, generate, save};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_else(|| "scene.npy".to_owned());
    let mut number = |default: u64| words.next().map_or(Ok(default), |word| word.parse());
    let (bands, side, seed) = (number(202)? as usize, number(128)? as usize, number(42)?);
    let config = SceneConfig::with_bands(bands)?.sized(side, side);
    save(&generate(&config, seed)?, &path, &SaveOptions::default())?;
    eprintln!("wrote {bands} bands of {side} x {side} pixels, seed {seed}, to `{path}`");
    Ok(())
}
