//! Adapters from training to use: `train`, `export`, `evaluate`, and the tables.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::place::{ENCODER, PRETRAIN, Place, SCENES};

/// A run of training in a moment.
fn train(method: &str) -> String {
    format!(
        "train {SCENES} {ENCODER} --head unet --head-width 8 --num-epochs 2 --batch-size 4 \
         --visualize-every 0 --lora-lr 1e-2 --method {method} --weights encoder --save-dir {method}"
    )
}

/// PSNR of the model of a checkpoint, in dB.
fn psnr_db(place: &Place, checkpoint: &str) -> Result<f64> {
    let data = "--data synthetic:3 --bands 8 --image-size 16 --normalisation oracle --pictures 0";
    place.ok(&format!("evaluate --checkpoint {checkpoint} {data} --save-dir scores"))?;
    let report: Value = serde_json::from_slice(&place.bytes("scores/metrics.json")?)?;
    report["rows"][1]["psnr_db"].as_f64().context("a row of the model")
}

#[test]
fn adapters_are_trained_exported_and_read_back() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{PRETRAIN} --save-dir encoder"))?;
    for method in ["lora", "qlora"] {
        place.ok(&train(method))?;
        let trained = psnr_db(&place, method)?;
        for (dtype, within) in [("f32", 1e-3), ("bf16", 0.1), ("nf4", 1.0)] {
            let said = place.ok(&format!("export {method} {dtype}.safetensors --dtype {dtype}"))?;
            ensure!(said.stdout.contains("2 adapters merged"), "{}", said.stdout);
            ensure!(said.stdout.contains("quantising adds") == (dtype == "nf4"), "{}", said.stdout);
            let merged = psnr_db(&place, &format!("{dtype}.safetensors"))?;
            ensure!((merged - trained).abs() < within, "{method} {dtype}: {merged} and {trained}");
        }
        // To an adapter of peft, and back with the same head: the same model.
        place.ok(&format!("export {method} {method}-peft --form peft"))?;
        place.ok(&format!("export {method}-peft back --form checkpoint --head-from {method}"))?;
        ensure!((psnr_db(&place, "back")? - trained).abs() < 1e-3, "{method} came back otherwise");
    }
    // 4-bit weights of the encoder, and the encoder they stand for, which can be trained on.
    place.ok("export qlora base.safetensors --form bitsandbytes")?;
    let said = place.ok("export base.safetensors timm.safetensors --form timm")?;
    ensure!(said.stdout.contains("2 weights unpacked"), "{}", said.stdout);
    let again = train("lora").replace("--weights encoder", "--weights timm.safetensors");
    place.ok(&again.replace("--save-dir lora", "--save-dir again"))?;
    Ok(())
}

#[test]
fn what_cannot_be_exported_is_refused() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{PRETRAIN} --save-dir encoder"))?;
    place.ok(&format!("{PRETRAIN} --save-dir other --seed 7"))?;
    for method in ["lora", "frozen"] {
        place.ok(&train(method))?;
    }
    place.ok("export lora peft --form peft")?;
    for (line, words) in [
        ("export nothing x.safetensors", &["`nothing`", "not exist"][..]),
        ("export lora x.bin", &["`x.bin`", ".safetensors"]),
        ("export lora lora", &["`lora`", "is the input"]),
        ("export lora x.safetensors --weights other", &["SHA-256"]),
        ("export lora x.safetensors --weights nowhere", &["`nowhere`", "not exist"]),
        ("export frozen x --form peft", &["`frozen`", "no adapters"]),
        ("export lora x.safetensors --form bitsandbytes", &["`lora`", "no 4-bit weights"]),
        ("export lora x --form peft --dtype bf16", &["--dtype"]),
        ("export peft x --form checkpoint", &["--head-from"]),
        ("export lora x --form checkpoint --head-from lora", &["adapter_config.json"]),
    ] {
        place.refused(line, words)?;
        ensure!(!place.at("x").exists() && !place.at("x.safetensors").exists(), "`{line}`");
    }
    Ok(())
}

#[test]
fn tables_stand_beside_the_published_figures() -> Result<()> {
    let place = Place::new()?;
    let small = "--preset tiny --side 16 --channels 8 --head fc --steps 1";
    let place_of = |name: &str| format!("--save-dir {name}");
    let said = place.run(&format!("tables --table 7.1 {small} {}", place_of("costs")))?;
    ensure!(said.code == Some(0), "{}", said.stderr);
    for words in ["| full ", "| frozen ", "| lora ", "| qlora ", "31,787,338, 12,396,490, 2.9"] {
        ensure!(said.stdout.contains(words), "no `{words}` in {}", said.stdout);
    }
    let data = "--data synthetic:2 --bands 8 --image-size 16 --baseline median,hyres";
    let said = place.run(&format!("tables --table 7.3 {data} {}", place_of("scores")))?;
    ensure!(said.code == Some(0), "{}", said.stderr);
    let row = |name: &str| {
        let start = format!("| {name} ");
        said.stdout.lines().find(|line| line.starts_with(&start)).unwrap_or_default()
    };
    ensure!(row("median").contains("not published"), "{}", said.stdout);
    ensure!(row("hyres").contains("21.55 (HyRes)"), "{}", said.stdout);
    ensure!(row("hyres").contains("synthetic:2"), "{}", said.stdout);
    place.refused("tables --table 7.2", &["7.2", "--data"])?;
    place.refused("tables --table 7.1 --steps 0", &["steps"])?;
    Ok(())
}
