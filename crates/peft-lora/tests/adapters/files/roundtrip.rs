//! What is written is read back as it was, fused for peft and cut again.

use std::path::Path;

use peft_lora::{AdapterState, Form, LoraConfig, PeftOptions, Target};

use super::{random_state, read};
use crate::common::{assert_close, forms};

fn configs() -> Vec<LoraConfig> {
    let base = LoraConfig { alpha: 5.0, ..LoraConfig::rank(2) };
    let mut all = vec![
        LoraConfig::all_linear(3),
        LoraConfig::fused(3),
        LoraConfig {
            modules_to_save: vec!["patch_embed".into(), "pos_embed".into()],
            ..base.clone()
        },
        // One suffix is the end of another, with a rank and an alpha of its own.
        LoraConfig {
            targets: vec![
                Target::split("attn.qkv", [true; 3]),
                Target {
                    r: Some(1),
                    alpha: Some(0.3),
                    ..Target::plain("encoder.blocks.1.attn.qkv")
                },
            ],
            ..base.clone()
        },
    ];
    for form in forms().into_iter().filter(|form| 24 % form.slices() == 0) {
        for switches in 0..4 {
            let [use_rslora, use_dora] = [1, 2].map(|bit| switches & bit != 0);
            let target = Target { form: form.clone(), ..Target::plain("attn.qkv") };
            let targets = vec![target, Target::plain("attn.proj")];
            all.push(LoraConfig { use_rslora, use_dora, targets, ..base.clone() });
        }
    }
    all
}

fn options() -> PeftOptions {
    PeftOptions::below("encoder.")
}

/// The tensors are the same, and so is what they add.
fn assert_same(got: &AdapterState, expected: &AdapterState, what: &str) {
    let (tensors, before) = (got.tensors(), expected.tensors());
    assert!(tensors.keys().eq(before.keys()), "{what}");
    for (name, tensor) in &tensors {
        assert_close(tensor, &before[name], 0.0, name);
    }
    assert_same_deltas(got, expected, what);
}

fn assert_same_deltas(got: &AdapterState, expected: &AdapterState, what: &str) {
    assert!(got.layers().keys().eq(expected.layers().keys()), "{what}");
    for (path, layer) in got.layers() {
        let expected = expected.layers()[path].delta().unwrap();
        assert_close(&layer.delta().unwrap(), &expected, 1e-12, path);
    }
}

#[test]
fn slices_are_fused_and_cut_again_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for config in configs() {
        let what = format!("{config:?}");
        let state = random_state(config.clone());
        let path = folder.path().join("adapter");
        state.write_peft(&path, &options()).unwrap();

        let back = read(&path, &options()).unwrap();
        assert_same(&back, &state, &what);
        let mut sorted = config.clone();
        sorted.targets.sort_by(|a, b| a.suffix.cmp(&b.suffix));
        let mut got = back.config().clone();
        got.targets.sort_by(|a, b| a.suffix.cmp(&b.suffix));
        if config.targets.iter().all(|target| target.r.is_none()) {
            assert_eq!(got, sorted, "{what}");
        }

        let fused = read(&path, &PeftOptions { split: false, ..options() }).unwrap();
        assert_same_deltas(&fused, &state, &what);
        for (path, layer) in fused.layers() {
            assert_eq!(*layer.form(), Form::Plain);
            let before = &state.layers()[path];
            let slices = before.form().adapted().len();
            assert_eq!(layer.rank(), slices * before.rank());
            assert!((layer.scale() - before.scale()).abs() < 1e-12, "{what}");
        }
    }
}

#[test]
fn a_state_that_was_read_is_written_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (index, config) in configs().into_iter().enumerate() {
        let state = random_state(config);
        let [first, second] = [0, 1].map(|copy| folder.path().join(format!("{index}-{copy}")));
        state.write_peft(&first, &options()).unwrap();
        read(&first, &options()).unwrap().write_peft(&second, &options()).unwrap();
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let [a, b] = [&first, &second].map(|path| std::fs::read(path.join(file)).unwrap());
            if file.ends_with("json") {
                assert_eq!(String::from_utf8(a), String::from_utf8(b));
            } else {
                assert_eq!(a.len(), b.len());
            }
        }
    }
}

#[test]
fn adapters_of_peft_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    for case in ["peft_patterns", "peft_rslora", "peft_dora"] {
        let state = read(&super::golden(case), &PeftOptions::default()).unwrap();
        let path = folder.path().join(case);
        state.write_peft(&path, &PeftOptions::default()).unwrap();
        assert_same(&read(&path, &PeftOptions::default()).unwrap(), &state, case);
    }
}

#[test]
fn prefix_stands_before_the_names_of_the_model_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter");
    let modules_to_save = vec!["patch_embed".into(), "pos_embed".into()];
    let state = random_state(LoraConfig { modules_to_save, ..LoraConfig::rank(2) });
    state.write_peft(&path, &options()).unwrap();
    let bytes = std::fs::read(path.join("adapter_model.safetensors")).unwrap();
    let names = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for expected in [
        "base_model.model.blocks.0.attn.qkv.lora_A.weight",
        "base_model.model.patch_embed.proj.weight",
        "base_model.model.pos_embed",
    ] {
        assert!(names.names().contains(&expected), "{expected}");
    }
    let text = std::fs::read_to_string(path.join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    // What is no module would not be found by peft.
    assert_eq!(config["modules_to_save"], serde_json::json!(["patch_embed"]));
    assert_eq!(config["rank_pattern"], serde_json::json!({"attn.qkv": 6}));
    assert_eq!(config["alpha_pattern"], serde_json::json!({"attn.qkv": 48}));
    let error = state.write_peft(&path, &PeftOptions::below("vit.")).unwrap_err();
    let expected = "`encoder.blocks.0.attn.proj` does not begin with `vit.`";
    assert_eq!(error.to_string(), expected);
}

fn entries(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).unwrap();
    let mut all: Vec<_> =
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn a_folder_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/adapter");
    let first = random_state(LoraConfig::rank(2));
    first.write_peft(&path, &options()).unwrap();
    assert_eq!(entries(&path), ["adapter_config.json", "adapter_model.safetensors"]);
    assert_eq!(entries(path.parent().unwrap()), ["adapter"]);
    let second = random_state(LoraConfig::fused(3));
    second.write_peft(&path, &options()).unwrap();
    assert_same(&read(&path, &options()).unwrap(), &second, "replaced");
    // A failure leaves what was there.
    first.write_peft(&path, &PeftOptions::below("vit.")).unwrap_err();
    std::fs::write(path.join("notes.txt"), "mine").unwrap();
    let error = first.write_peft(&path, &options()).unwrap_err();
    assert!(error.to_string().ends_with("holds `notes.txt`, which is no part of an adapter"));
    assert_same(&read(&path, &options()).unwrap(), &second, "kept");
    assert_eq!(entries(path.parent().unwrap()), ["adapter"]);
}
