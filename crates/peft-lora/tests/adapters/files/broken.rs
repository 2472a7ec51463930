//! Files that are damaged, contradict themselves, or use what is not implemented.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use peft_lora::{AdapterState, LoraConfig, PeftOptions, Result, Target};
use serde_json::{Value, json};

use super::{random_state, read};

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";

/// Writes a good adapter, lets `damage` change it, and gives the error of reading it.
#[track_caller]
fn error_after(damage: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter");
    random_state(LoraConfig::rank(2)).write_peft(&path, &PeftOptions::default()).unwrap();
    damage(&path);
    let error = read(&path, &PeftOptions::default()).unwrap_err();
    error.to_string().replace(&path.display().to_string(), "DIR")
}

fn edit_config(path: &Path, field: &str, value: Value) {
    let text = std::fs::read(path.join(CONFIG)).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config[field] = value;
    std::fs::write(path.join(CONFIG), config.to_string()).unwrap();
}

/// Changes the tensors; what else stands in the file is lost.
fn edit_tensors(path: &Path, edit: impl FnOnce(&mut HashMap<String, Tensor>)) {
    let file = path.join(TENSORS);
    let mut tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
    edit(&mut tensors);
    candle_core::safetensors::save(&tensors, file).unwrap();
}

type Edit = Box<dyn FnOnce(&mut HashMap<String, Tensor>)>;

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn unsupported_settings_are_named() {
    for (field, value, expected) in [
        ("peft_type", json!("IA3"), "`peft_type` = \"IA3\" is not supported, expected `LORA`"),
        ("bias", json!("all"), "`bias` = \"all\" is not supported, expected `none`"),
        (
            "fan_in_fan_out",
            json!(true),
            "`fan_in_fan_out` = true is not supported, expected it not to be used",
        ),
        (
            "init_lora_weights",
            json!("pissa_niter_4"),
            "`init_lora_weights` = \"pissa_niter_4\" is not supported, \
             expected one that leaves the base as it is",
        ),
        (
            "layer_replication",
            json!([[0, 2]]),
            "`layer_replication` = [[0,2]] is not supported, expected it not to be used",
        ),
        (
            "alpha_pattern",
            json!({"blocks.[01].attn.qkv": 3}),
            "`alpha_pattern` = blocks.[01].attn.qkv is not supported, \
             expected names of layers, not regular expressions",
        ),
        (
            "target_modules",
            json!(["attn.proj"]),
            "`encoder.blocks.0.attn.qkv` has an adapter and is no target",
        ),
        (
            "rank_pattern",
            json!({"attn.qkv": 5}),
            "`encoder.blocks.0.attn.qkv.lora_A.weight` should have rank 5, got 6",
        ),
        ("modules_to_save", json!(["patch_embed"]), "`patch_embed` is missing"),
        ("lora_alpha", json!(-1.0), "`alpha` should be positive and finite, got `-1`"),
        ("lora_dropout", json!(1.5), "`dropout` should be in [0, 1), got `1.5`"),
    ] {
        let got = error_after(|path| edit_config(path, field, value));
        assert_eq!(got, expected, "{field}");
    }
    for (field, value) in [("r", json!("8")), ("lora_alpha", Value::Null), ("r", json!(-1))] {
        let got = error_after(|path| edit_config(path, field, value));
        let start = "`DIR/adapter_config.json` is not a valid configuration of a LoRA adapter: ";
        assert!(got.starts_with(start), "{got}");
    }
}

#[test]
fn settings_that_change_nothing_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter");
    random_state(LoraConfig::rank(2)).write_peft(&path, &PeftOptions::default()).unwrap();
    edit_config(&path, "target_modules", json!("all-linear"));
    edit_config(&path, "layer_replication", json!([]));
    edit_config(&path, "init_lora_weights", json!("gaussian"));
    edit_config(&path, "modules_to_save", Value::Null);
    edit_config(&path, "a_field_of_the_future", json!(7));
    let state = read(&path, &PeftOptions::default()).unwrap();
    assert_eq!(state.config().targets.len(), 2);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let qkv = "base_model.model.encoder.blocks.1.attn.qkv";
    let insert = |name: String, tensor: Tensor| -> Edit {
        Box::new(move |tensors| drop(tensors.insert(name, tensor)))
    };
    let lost = format!("{qkv}.lora_B.weight");
    let nan = (zeros(&[24, 6]) / 0.0).unwrap();
    let cases: [(Edit, &str); 8] = [
        (
            Box::new(move |tensors| drop(tensors.remove(&lost))),
            "`encoder.blocks.1.attn.qkv.lora_B.weight` is missing",
        ),
        (
            insert(format!("{qkv}.lora_A.weight"), zeros(&[7, 8])),
            "`encoder.blocks.1.attn.qkv.lora_B.weight` should be (out_features, 7), got [24, 6]",
        ),
        (
            insert(format!("{qkv}.lora_A.weight"), zeros(&[8])),
            "`encoder.blocks.1.attn.qkv.lora_A.weight` should be (r, in_features), got [8]",
        ),
        (
            insert(format!("{qkv}.lora_B.bias"), zeros(&[24])),
            "unexpected tensors: `encoder.blocks.1.attn.qkv.lora_B.bias`",
        ),
        (
            insert(format!("{qkv}.base_layer.weight"), zeros(&[24, 8])),
            "unexpected tensors: `base_model.model.encoder.blocks.1.attn.qkv.base_layer.weight`",
        ),
        (
            insert(format!("{qkv}.lora_magnitude_vector"), zeros(&[24])),
            "unexpected tensors: `encoder.blocks.1.attn.qkv.lora_magnitude_vector`",
        ),
        (
            insert(format!("{qkv}.lora_B.weight"), nan),
            "`encoder.blocks.1.attn.qkv.lora_B.weight` holds numbers that are not finite",
        ),
        (insert("model.x".into(), zeros(&[1])), "unexpected tensors: `model.x`"),
    ];
    for (edit, expected) in cases {
        assert_eq!(error_after(|path| edit_tensors(path, edit)), expected);
    }
}

#[test]
fn a_parameter_that_is_stored_whole_is_added_to_the_modules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter");
    random_state(LoraConfig::rank(2)).write_peft(&path, &PeftOptions::default()).unwrap();
    edit_tensors(&path, |tensors| {
        tensors.insert("base_model.model.encoder.pos_embed".into(), zeros(&[1, 5, 8]));
    });
    let state = read(&path, &PeftOptions::default()).unwrap();
    assert_eq!(state.config().modules_to_save, ["encoder.pos_embed"]);
    assert!(state.saved().contains_key("encoder.pos_embed"));
}

#[test]
fn matrices_that_are_no_longer_block_diagonal_are_refused() {
    let error = error_after(|path| {
        // The bytes are changed in place: the file still says that slices were fused.
        let file = path.join(TENSORS);
        let mut bytes = std::fs::read(&file).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let text: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let tensor = &text["base_model.model.encoder.blocks.0.attn.qkv.lora_B.weight"];
        let start = tensor["data_offsets"][0].as_u64().unwrap() as usize + 8 + header;
        // The last column of the first row.
        bytes[start + 5 * 4..start + 6 * 4].copy_from_slice(&1f32.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
    });
    assert_eq!(
        error,
        "`encoder.blocks.0.attn.qkv.lora_B.weight` is not block diagonal, as its file says; \
         read it without splitting to keep it fused"
    );
}

#[test]
fn damaged_files_are_errors_and_no_panics() {
    for file in [CONFIG, TENSORS] {
        let got = error_after(|path| std::fs::remove_file(path.join(file)).unwrap());
        assert!(got.starts_with(&format!("`DIR/{file}`: ")), "{got}");
        for keep in [0, 1, 7, 8, 9, 100, 1000] {
            let got = error_after(|path| {
                let bytes = std::fs::read(path.join(file)).unwrap();
                assert!(keep < bytes.len() || file == CONFIG);
                std::fs::write(path.join(file), &bytes[..keep.min(bytes.len() - 3)]).unwrap();
            });
            assert!(got.starts_with(&format!("`DIR/{file}` is not a valid ")), "{keep}: {got}");
        }
    }
    let got = error_after(|path| std::fs::write(path.join(TENSORS), [0xff; 64]).unwrap());
    assert!(got.starts_with("`DIR/adapter_model.safetensors` is not a valid "), "{got}");
}

#[test]
fn states_that_contradict_their_configuration_are_refused() {
    let state = random_state(LoraConfig::rank(2));
    let tensors = state.tensors();
    let check = |config: LoraConfig, expected: &str| {
        let result: Result<_> = AdapterState::from_tensors(&config, tensors.clone());
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    check(
        LoraConfig::rank(3),
        "`encoder.blocks.0.attn.proj.lora_A.weight` should have rank 3, got 2",
    );
    check(
        LoraConfig { targets: vec![Target::plain("attn.proj")], ..LoraConfig::rank(2) },
        "`encoder.blocks.0.attn.qkv` has an adapter and is no target",
    );
    check(LoraConfig::fused(2), "`encoder.blocks.0.attn.qkv.lora_A.weight` is missing");
    let two = Target::split("attn.qkv", [true, true, false]);
    check(
        LoraConfig { targets: vec![two, Target::plain("attn.proj")], ..LoraConfig::rank(2) },
        "unexpected tensors: `encoder.blocks.0.attn.qkv.lora_A.2`, \
         `encoder.blocks.0.attn.qkv.lora_B.2`",
    );
    check(
        LoraConfig { use_dora: true, ..LoraConfig::rank(2) },
        "`encoder.blocks.0.attn.proj.lora_magnitude_vector` is missing",
    );
    check(
        LoraConfig { modules_to_save: vec!["norm".into()], ..LoraConfig::rank(2) },
        "`norm` is missing",
    );
}
