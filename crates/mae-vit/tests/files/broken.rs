//! Files that are no weights, or no longer.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mae_vit::{Error, FrontEnd, LoadMode, VitConfig, load_encoder};

use crate::{Tensors, config, data, golden};

fn load(path: &Path) -> Result<usize, Error> {
    load_encoder(path, &config(), LoadMode::Strict).map(|(tensors, _)| tensors.len())
}

#[test]
fn what_is_no_file_of_weights_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none.pth")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
    assert!(load(folder.path()).is_err());

    let legacy = load(&data("legacy.pth")).unwrap_err();
    assert!(matches!(legacy, Error::UnknownFormat { .. }));
    assert!(legacy.to_string().contains("before version 1.6"), "{legacy}");

    let path = folder.path().join("file.pth");
    for content in [&b""[..], b"P", b"hello, this is a text", &[0; 64]] {
        fs::write(&path, content).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, Error::UnknownFormat { hint: "", .. }), "{error}");
    }
    fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}").unwrap();
    assert!(matches!(load(&path), Err(Error::Corrupt { .. })));
}

#[test]
fn files_without_one_transformer_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let zeros = Tensor::zeros(8, DType::F32, &Device::Cpu).unwrap();
    let save = |names: &[&str]| {
        let tensors: Tensors = names.iter().map(|n| ((*n).to_owned(), zeros.clone())).collect();
        candle_core::safetensors::save(&tensors, &path).unwrap();
    };
    save(&["decoder_blocks.0.norm1.weight", "conv.weight"]);
    let error = load(&path).unwrap_err();
    assert!(matches!(&error, Error::NoEncoder { found, .. } if found.len() == 2));
    assert!(error.to_string().contains("`conv.weight`"), "{error}");
    save(&[]);
    assert!(matches!(load(&path), Err(Error::NoEncoder { .. })));
    save(&["a.blocks.0.norm1.weight", "b.blocks.0.norm1.weight"]);
    assert!(
        matches!(load(&path), Err(Error::SeveralEncoders { prefixes, .. }) if prefixes.len() == 2)
    );

    let mut tensors = golden("timm.safetensors");
    let whole = Tensor::zeros((1, 1, 8), DType::I64, &Device::Cpu).unwrap();
    tensors.insert("cls_token".to_owned(), whole);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    assert!(matches!(load(&path), Err(Error::Unsupported { .. })));
    for rows in [1, 4, 6] {
        let rows = Tensor::zeros((1, rows, 8), DType::F32, &Device::Cpu).unwrap();
        let mut tensors = golden("timm.safetensors");
        tensors.insert("pos_embed".to_owned(), rows);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        assert!(matches!(load(&path), Err(Error::TensorShape { name, .. }) if name == "pos_embed"));
    }
}

#[test]
fn truncated_files_are_errors_at_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pth");
    for name in ["timm.pth", "views.pth", "timm.safetensors"] {
        let bytes = fs::read(data(name)).unwrap();
        assert_eq!(load(&data(name)).unwrap(), 18);
        for len in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
            fs::write(&path, &bytes[..len]).unwrap();
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, Error::Corrupt { .. } | Error::UnknownFormat { .. }),
                "{name} cut at {len}: {error}"
            );
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pth");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let adapted = VitConfig { front_end: FrontEnd::SpectralAdapter, in_channels: 100, ..config() };
    for name in ["timm.pth", "mae.pth", "views.pth", "timm.safetensors", "spectral_earth.pth"] {
        let bytes = fs::read(data(name)).unwrap();
        // The pickle, the headers and the directory are in the first and last part of a file.
        let head = bytes.len().min(4500);
        for round in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(4) {
                let at = if round % 2 == 0 { random(head) } else { bytes.len() - 1 - random(head) };
                damaged[at] = if random(2) == 0 { 0xff } else { random(256) as u8 };
            }
            fs::write(&path, &damaged).unwrap();
            for config in [&config(), &adapted] {
                let _ = load_encoder(&path, config, LoadMode::Partial).map_err(|e| e.to_string());
            }
        }
    }
}
