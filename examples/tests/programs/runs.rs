//! From training to scores: what the programs write, and what they take from each other.

use std::process::Stdio;

use anyhow::{Result, ensure};
use hsi_train::{EpochRecord, Report};
use serde_json::Value;

use crate::place::{ENCODER, PRETRAIN, Place, SCENES, TRAIN};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn methods(report: &Report) -> Vec<&str> {
    report.rows.iter().map(|row| row.method.as_str()).collect()
}

#[test]
fn training_leaves_scores_curves_pictures_and_checkpoints() -> Result<()> {
    let place = Place::new()?;
    let said = place.ok(&format!("{TRAIN} --visualize-every 2 --save-dir runs/a"))?;
    assert!(said.stdout.contains("epoch   2") && said.stdout.contains("| full unet |"));

    let report: Report = place.json("runs/a/metrics.json")?;
    assert_eq!(methods(&report), ["noisy", "full unet"]);
    assert_eq!(report.protocol.noise, hsi_noise::NoisePipeline::paper().to_string());
    assert_eq!(report.protocol.normalisation, "oracle");
    let row = &report.rows[1];
    assert!(row.psnr_db.is_finite() && row.samples >= 1 && row.uiqi.is_some());
    assert_eq!(row.parameters, row.trainable_parameters);
    assert!(row.train_seconds.is_some() && row.peak_bytes.is_some());

    let run: Value = place.json("runs/a/run.json")?;
    assert_eq!(run["settings"]["loop"]["batch_size"], 4);
    assert_eq!(run["settings"]["model"]["encoder"]["dim"], 16);
    let history: Vec<EpochRecord> = place.json("runs/a/history.json")?;
    assert_eq!(history.len(), 2);

    for picture in [
        "loss_curves.png",
        "psnr_curves.png",
        "samples/epoch_0002/sample_000.png",
        "test/sample_000.png",
    ] {
        let bytes = place.bytes(format!("runs/a/{picture}"))?;
        assert!(bytes.starts_with(PNG) && bytes.len() > 1000, "{picture}");
    }
    assert!(!place.at("runs/a/samples/epoch_0001").exists(), "only every second epoch");
    let events: Vec<_> = std::fs::read_dir(place.at("runs/a/tensorboard"))?.collect();
    assert_eq!(events.len(), 1);
    let file = events.into_iter().next().expect("one file")?.path();
    let bytes = std::fs::read(&file)?;
    let tag = b"psnr_db/validation";
    assert_eq!(bytes.windows(tag.len()).filter(|window| window == tag).count(), 2, "two epochs");
    for file in ["best/model.safetensors", "last/optimizer.safetensors", "last/checkpoint.json"] {
        assert!(place.at("runs/a").join(file).is_file(), "{file}");
    }

    // Once more into the same folder: said, and allowed.
    let again = place.ok(&format!("{TRAIN} --save-dir runs/a --seed 1"))?;
    assert!(again.stderr.contains("`runs/a`"), "{}", again.stderr);
    Ok(())
}

#[test]
fn models_and_baselines_are_scored_side_by_side() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir a"))?;
    let scenes = "--data synthetic:3 --bands 8 --image-size 20";
    let line = format!("evaluate --checkpoint a --baseline median {scenes}");
    let said = place.ok(&line)?;
    assert!(said.stdout.contains("| median (from-noisy)"), "{}", said.stdout);
    // The default folder.
    let report: Report = place.json("runs/evaluate/metrics.json")?;
    assert_eq!(methods(&report), ["noisy", "median", "full unet"].repeat(2));
    assert!(report.rows.iter().all(|row| row.samples == 3 && row.mse > 0.0));
    let modes: Vec<_> = report.rows.iter().filter_map(|row| row.normalisation.clone()).collect();
    assert_eq!(modes[0], "oracle");
    assert_eq!(modes[5], "from-noisy");
    assert!(report.rows[1].psnr_db > report.rows[0].psnr_db, "a median filter removes noise");
    for picture in ["oracle/sample_000.png", "from-noisy/sample_002.png"] {
        assert!(place.bytes(format!("runs/evaluate/{picture}"))?.starts_with(PNG), "{picture}");
    }

    // Images without any error have no finite PSNR; the figures are still read back.
    place.ok(&format!("evaluate --baseline median {scenes} --noise none --save-dir e"))?;
    let report: Report = place.json("e/metrics.json")?;
    assert!(report.rows[0].psnr_db.is_infinite(), "{:?}", report.rows[0]);
    assert!(report.rows[0].mse == 0.0);

    // The part that training did not see scores as training's own table says.
    let test = place.ok(&format!(
        "evaluate --checkpoint a {SCENES} --split easy --part test --normalisation oracle \
         --save-dir t"
    ))?;
    assert!(test.stderr.is_empty(), "{}", test.stderr);
    let (trained, scored): (Report, Report) =
        (place.json("a/metrics.json")?, place.json("t/metrics.json")?);
    assert_eq!(trained.rows[1].psnr_db, scored.rows[1].psnr_db);
    let all = place.ok(&format!("evaluate --checkpoint a {SCENES} --save-dir t"))?;
    assert!(all.stderr.contains("--split"), "training samples are scored: {}", all.stderr);
    Ok(())
}

#[test]
fn a_pretrained_encoder_is_where_training_starts() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{PRETRAIN} --save-dir p"))?;
    let metrics: Value = place.json("p/metrics.json")?;
    assert_eq!(metrics["epochs"], 2);
    assert!(place.json::<Report>("p/metrics.json")?.rows.is_empty(), "the one form of reports");
    assert!(place.bytes("p/loss_curves.png")?.starts_with(PNG));

    let first_loss = |folder: &str| -> Result<f64> {
        let history: Vec<EpochRecord> = place.json(&format!("{folder}/history.json"))?;
        Ok(history[0].train.loss)
    };
    place.ok(&format!("{TRAIN} --save-dir random"))?;
    let weights = "p/best/model.safetensors";
    for (folder, flags) in [
        ("run", "--weights p"),
        ("file", "--weights p/best/model.safetensors"),
        ("blocks", "--weights p --weights-mode blocks"),
        ("frozen", "--weights p --method frozen"),
    ] {
        let said = place.ok(&format!("{TRAIN} {flags} --save-dir {folder}"))?;
        assert!(said.stdout.contains("tensors loaded from `p"), "{flags}: {}", said.stdout);
        assert!(first_loss(folder)? != first_loss("random")?, "{flags} changed nothing");
    }
    assert_eq!(first_loss("run")?, first_loss("file")?, "a run and its file are the same");
    assert!(first_loss("run")? != first_loss("blocks")?);

    // The frozen encoder is the pretrained one to the byte.
    let read = |path: &str| -> Result<_> {
        let device = candle_core::Device::Cpu;
        Ok(candle_core::safetensors::load(place.at(path), &device)?)
    };
    let (pretrained, trained) = (read(weights)?, read("frozen/best/model.safetensors")?);
    for (name, tensor) in &trained {
        let Some(name) = name.strip_prefix("encoder.") else { continue };
        let values = |t: &candle_core::Tensor| t.flatten_all()?.to_vec1::<f32>();
        ensure!(values(tensor)? == values(&pretrained[name])?, "`{name}` was changed");
    }
    let report: Report = place.json("frozen/metrics.json")?;
    let row = &report.rows[1];
    assert_eq!(row.method, "frozen unet");
    assert!(row.trainable_parameters < row.parameters, "{row:?}");
    Ok(())
}

#[test]
fn every_head_and_other_noises_train() -> Result<()> {
    let place = Place::new()?;
    let base = format!("train --method full {SCENES} {ENCODER} --num-epochs 1 --batch-size 4");
    for flags in [
        "--head fc --noise gaussian:0.05+stripe:0.5 --normalisation from-noisy",
        "--head conv --head-width 8 --noise-std 0.1 --stripe-intensity 0.2 --split random",
        "--head residual --schedule cosine --max-grad-norm 1 --checkpoint-every 1 --split hard",
        "--head unet --head-width 8 --device cpu --dtype f32 --empty-cache --num-workers 1",
    ] {
        place.ok(&format!("{base} {flags} --visualize-samples 0 --save-dir s"))?;
    }
    assert!(place.at("s/epoch-0001/checkpoint.json").is_file(), "--checkpoint-every 1");
    Ok(())
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() -> Result<()> {
    let place = Place::new()?;
    let mut command = place.command(&format!("{TRAIN} --save-dir s"))?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait()?.code(), Some(0));
    assert!(place.at("s/metrics.json").is_file());
    Ok(())
}
