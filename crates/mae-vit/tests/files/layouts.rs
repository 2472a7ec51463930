//! Files that fit, and files that fit in part.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use grad_ops::Dense;
use mae_vit::{
    Encoder, Error, FrontEnd, Layout, LoadMode, LoadReport, PositionEmbedding, Preset, Resized,
    VitConfig, load_encoder, resize_positions,
};

use crate::{Tensors, assert_close, config, data, golden};

fn strict(name: &str, config: &VitConfig) -> (Tensors, LoadReport) {
    load_encoder(data(name), config, LoadMode::Strict).unwrap()
}

fn error(name: &str, config: &VitConfig, mode: LoadMode) -> Error {
    load_encoder(data(name), config, mode).map(|_| ()).unwrap_err()
}

#[test]
fn every_layout_gives_the_same_encoder() {
    let want = golden("timm.safetensors");
    let cases = [
        ("timm.safetensors", Layout::Timm, "", 0),
        ("timm.pth", Layout::Timm, "", 2),
        ("mae.pth", Layout::Mae, "", 20),
        ("fine_tuned.pth", Layout::FineTuned, "encoder.vit.", 2),
        ("views.pth", Layout::Prefixed, "module.", 0),
    ];
    for (name, layout, prefix, ignored) in cases {
        let (tensors, report) = strict(name, &config());
        assert_eq!((report.layout, report.prefix.as_str()), (layout, prefix), "{name}");
        assert_eq!(report.ignored.len(), ignored, "{name}: {:?}", report.ignored);
        assert_eq!((report.missing.len(), report.unexpected.len()), (0, 0), "{name}");
        assert_eq!(report.loaded.len(), want.len(), "{name}");
        assert_eq!(report.resized, None);
        assert_eq!(tensors.len(), want.len(), "{name}");
        for (key, tensor) in &want {
            assert_close(&tensors[key], tensor, 0.0);
        }
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        Encoder::new(&config(), &Dense, vb).unwrap();
    }
}

#[test]
fn the_spectral_adapter_comes_with_its_encoder() {
    let config = VitConfig { in_channels: 100, front_end: FrontEnd::SpectralAdapter, ..config() };
    let (tensors, report) = strict("spectral_earth.pth", &config);
    assert_eq!((report.layout, report.prefix.as_str()), (Layout::SpectralEarth, "vit_core."));
    assert_eq!(report.ignored.len(), 3, "{:?}", report.ignored);
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let encoder = Encoder::new(&config, &Dense, vb).unwrap();
    let golden = golden("spectral_earth.safetensors");
    let tokens = encoder.forward_t(&golden["images"], false).unwrap().tokens;
    assert_close(&tokens, &golden["tokens"], 1e-4);

    let parameters: Vec<_> = encoder.parameters().into_iter().chain(encoder.buffers()).collect();
    assert_eq!(parameters.len(), report.loaded.len());
    assert!(parameters.iter().all(|p| report.loaded.contains(&p.name)));

    // Without the adapter the model cannot be used, and the message says what is left over.
    let plain = error("spectral_earth.pth", &super::config(), LoadMode::Strict);
    let Error::Names { missing, unexpected, .. } = &plain else { panic!("{plain}") };
    assert_eq!((missing.len(), unexpected.len()), (0, 18));
    assert!(plain.to_string().contains("and 12 more"), "{plain}");
}

#[test]
fn positions_follow_the_grid() {
    let config = VitConfig { image_size: 20, ..config() };
    let (tensors, report) = strict("timm.pth", &config);
    assert_eq!(report.resized, Some(Resized { from: (2, 2), to: (5, 5) }));
    let want = resize_positions(&golden("timm.safetensors")["pos_embed"], (5, 5)).unwrap();
    assert_close(&tensors["pos_embed"], &want, 0.0);
    assert_eq!(
        report.to_string(),
        "timm layout: 18 tensors loaded, 0 missing, 0 unexpected, 2 ignored, \
         position embedding resized from 2 x 2 to 5 x 5 patches"
    );
}

#[test]
fn other_sizes_are_told() {
    let bands = error("timm.pth", &VitConfig { in_channels: 202, ..config() }, LoadMode::Strict);
    assert!(matches!(bands, Error::CheckpointBands { expected: 202, got: 3, .. }), "{bands}");
    let patch = VitConfig { patch_size: 2, ..config() };
    let patch = error("timm.pth", &patch, LoadMode::Partial);
    assert!(
        matches!(&patch, Error::TensorShape { name, got, .. }
            if name == "patch_embed.proj.weight" && *got == [8, 3, 4, 4]),
        "{patch}"
    );
    let wide = VitConfig { dim: 16, ..config() };
    let wide = error("timm.safetensors", &wide, LoadMode::Strict);
    assert!(matches!(&wide, Error::TensorShape { name, .. } if name == "cls_token"), "{wide}");

    let deep = error("timm.pth", &VitConfig { depth: 2, ..config() }, LoadMode::Strict);
    let Error::Names { missing, unexpected, .. } = &deep else { panic!("{deep}") };
    assert_eq!((missing.len(), unexpected.len()), (12, 0));
    assert!(missing.iter().all(|name| name.starts_with("blocks.1.")));
    let no_bias = VitConfig { qkv_bias: false, ..config() };
    let no_bias = error("fine_tuned.pth", &no_bias, LoadMode::Strict);
    let Error::Names { unexpected, .. } = &no_bias else { panic!("{no_bias}") };
    assert_eq!(unexpected, &["encoder.vit.blocks.0.attn.qkv.bias"]);
    let invalid = error("timm.pth", &VitConfig { heads: 3, ..config() }, LoadMode::Strict);
    assert!(matches!(invalid, Error::Config { field: "dim", .. }));
}

#[test]
fn blocks_alone_fit_any_number_of_bands() {
    let config = VitConfig { in_channels: 202, image_size: 32, ..config() };
    let (tensors, report) = load_encoder(data("mae.pth"), &config, LoadMode::BlocksOnly).unwrap();
    assert_eq!(tensors.len(), 14);
    assert!(tensors.keys().all(|name| name.starts_with("blocks.0.") || name.starts_with("norm.")));
    let left = ["cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"];
    assert_eq!(report.missing, left);
    assert!(report.ignored.contains(&"patch_embed.proj.weight".to_owned()));
    let deep = VitConfig { depth: 2, ..config };
    let deep = error("mae.pth", &deep, LoadMode::BlocksOnly);
    assert!(matches!(&deep, Error::Names { missing, .. } if missing.len() == 12), "{deep}");
}

#[test]
fn parts_are_loaded_on_demand() {
    let deep = VitConfig { depth: 2, ..config() };
    let (tensors, report) = load_encoder(data("timm.pth"), &deep, LoadMode::Partial).unwrap();
    assert_eq!((tensors.len(), report.missing.len()), (18, 12));
    let plain = VitConfig { in_channels: 128, ..config() };
    let (_, report) = load_encoder(data("spectral_earth.pth"), &plain, LoadMode::Partial).unwrap();
    assert_eq!(report.unexpected.len(), 18);
}

#[test]
fn fixed_positions_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.any");
    let mut tensors = golden("timm.safetensors");
    tensors.remove("pos_embed");
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let missing = load_encoder(&path, &config(), LoadMode::Strict).map(|_| ()).unwrap_err();
    assert!(matches!(&missing, Error::Names { missing, .. } if missing == &["pos_embed"]));
    let fixed = VitConfig { position: PositionEmbedding::SinCos, ..config() };
    let (tensors, report) = load_encoder(&path, &fixed, LoadMode::Strict).unwrap();
    assert_eq!((tensors.len(), report.missing.len()), (17, 0));
    assert!(strict("mae.pth", &fixed).0.contains_key("pos_embed"));
}

#[test]
fn names_of_the_model_are_those_expected() {
    // A file written from the encoder's own parameters loads strictly, below any prefix.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    for (preset, prefix) in [(Preset::Tiny, "encoder"), (Preset::Small, "")] {
        let config = VitConfig { depth: 1, ..VitConfig::preset(preset, 16, 4, 7) };
        let zeros = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let zeros = if prefix.is_empty() { zeros } else { zeros.pp(prefix) };
        let encoder = Encoder::new(&config, &Dense, zeros).unwrap();
        let own: Tensors = encoder.parameters().into_iter().map(|p| (p.name, p.tensor)).collect();
        candle_core::safetensors::save(&own, &path).unwrap();
        let (tensors, report) = load_encoder(&path, &config, LoadMode::Strict).unwrap();
        assert_eq!(tensors.len(), own.len());
        assert!(tensors.values().all(|tensor| tensor.dtype() == DType::F32));
        assert!(!report.layout.to_string().is_empty());
    }
}

#[test]
fn lora_weights_are_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    let mut tensors = golden("timm.safetensors");
    let lora = Tensor::zeros((4, 8), DType::F32, &Device::Cpu).unwrap();
    tensors.insert("blocks.0.attn.qkv.lora_A.0".to_owned(), lora);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    for mode in [LoadMode::Strict, LoadMode::BlocksOnly] {
        let error = load_encoder(&path, &config(), mode).map(|_| ()).unwrap_err();
        let Error::Names { missing, unexpected, .. } = &error else { panic!("{error}") };
        assert_eq!((missing.len(), unexpected.len()), (0, 1));
    }
}
