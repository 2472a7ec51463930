//! Killed, stopped, finished: what a run continues from.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use hsi_train::EpochRecord;
use hsi_train::checkpoint::{self, Kind};

use crate::place::{PRETRAIN, Place, TRAIN};

/// Epochs that the last checkpoint of a run has, if there is one.
fn epochs_done(place: &Place, run: &str) -> usize {
    let last = checkpoint::open(&place.at(run).join("last"), Kind::Denoiser, true);
    last.map_or(0, |last| last.manifest.state.epoch)
}

/// Starts a run and kills it (SIGKILL) so many milliseconds, less than an epoch takes, after its
/// last checkpoint has so many epochs.
fn killed(place: &Place, line: &str, run: &str, epochs: usize, after: u64) -> Result<()> {
    let mut command = place.command(line)?;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let start = Instant::now();
    while epochs_done(place, run) < epochs {
        if let Some(status) = child.try_wait()? {
            bail!("`{line}` ended by itself: {status}");
        }
        ensure!(start.elapsed() < Duration::from_secs(60), "`{line}` makes no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(after));
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn a_run_killed_again_and_again_ends_as_if_it_had_not_been() -> Result<()> {
    let place = Place::new()?;
    let epochs = 40;
    let line = format!(
        "{TRAIN} --num-epochs {epochs} --patience 0 --gradient-accumulation-steps 2 \
         --schedule cosine --max-grad-norm 1"
    );
    place.ok(&format!("{line} --save-dir whole"))?;
    let mut flags = "--save-dir broken";
    for (at, after) in [(1, 0), (3, 3), (6, 8)] {
        killed(&place, &format!("{line} {flags}"), "broken", at, after)?;
        let done = epochs_done(&place, "broken");
        ensure!(done >= at && done < epochs, "killed after {done} epochs of {epochs}");
        ensure!(!place.at("broken/metrics.json").exists());
        flags = "--resume-from broken";
    }
    let said = place.ok(&format!("{line} {flags}"))?;
    assert!(said.stderr.contains("is continued after epoch"), "{}", said.stderr);
    for file in ["last/model.safetensors", "last/optimizer.safetensors", "best/model.safetensors"] {
        let (whole, broken) =
            (place.bytes(format!("whole/{file}"))?, place.bytes(format!("broken/{file}"))?);
        ensure!(whole == broken, "`{file}` differs");
    }
    let losses = |run: &str| -> Result<Vec<_>> {
        let history: Vec<EpochRecord> = place.json(&format!("{run}/history.json"))?;
        Ok(history.iter().map(|r| (r.epoch, r.steps, r.train, r.validation, r.best)).collect())
    };
    assert_eq!(losses("whole")?, losses("broken")?);
    assert!(place.at("broken/metrics.json").exists());
    Ok(())
}

#[test]
fn a_changed_setting_is_named_and_refused() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    let before = place.bytes("m/last/model.safetensors")?;
    for (flag, name) in [
        ("--learning-rate 0.5", "learning_rate"),
        ("--head-lr 0.5", "head_lr"),
        ("--batch-size 2", "batch_size"),
        ("--gradient-accumulation-steps 1", "gradient_accumulation_steps"),
        ("--weight-decay 0", "weight_decay"),
        ("--max-grad-norm 1", "max_grad_norm"),
        ("--schedule cosine", "schedule"),
        ("--seed 1", "seed"),
        ("--dim 32", "model.encoder.dim"),
        ("--head fc --head-width 8", "width"),
        ("--method frozen", "model.method"),
        ("--noise none", "protocol.noise"),
        ("--normalisation from-noisy", "protocol.normalisation"),
        ("--split random", "protocol.split"),
        ("--data synthetic:13", "protocol.data"),
    ] {
        place.refused(&format!("{TRAIN} --resume-from m --save-dir s {flag}"), &[name])?;
        assert!(!place.at("s").exists(), "{flag}");
    }
    for (path, words) in [
        ("missing", &["`missing`", "not exist"][..]),
        ("m/best", &["`m/best`", "`last`"]),
        ("m/last/model.safetensors", &["`m/last/model.safetensors`"]),
    ] {
        place.refused(&format!("{TRAIN} --resume-from {path} --save-dir s"), words)?;
    }
    assert_eq!(before, place.bytes("m/last/model.safetensors")?);
    // What does not change the course of training may be changed.
    place.ok(&format!("{TRAIN} --resume-from m --num-epochs 3 --num-workers 1 --patience 7"))?;
    assert_eq!(epochs_done(&place, "m"), 3);
    Ok(())
}

#[test]
fn a_finished_run_says_so_and_scores_again() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    let files = ["last/model.safetensors", "best/model.safetensors"];
    let before = files.map(|file| place.bytes(format!("m/{file}")).ok());
    let said = place.ok(&format!("{TRAIN} --resume-from m/last"))?;
    assert!(said.stderr.contains("nothing is left to train"), "{}", said.stderr);
    assert!(said.stdout.contains("| full unet |"), "{}", said.stdout);
    // Elsewhere: the best checkpoint comes along, also where a better one is never found.
    place.ok(&format!("{TRAIN} --resume-from m --save-dir other"))?;
    for run in ["m", "other"] {
        assert_eq!(before, files.map(|file| place.bytes(format!("{run}/{file}")).ok()), "{run}");
        assert!(place.at(run).join("metrics.json").is_file());
    }
    Ok(())
}

#[test]
fn a_run_that_stopped_early_stays_stopped_until_it_is_given_patience() -> Result<()> {
    let place = Place::new()?;
    let line = format!("{TRAIN} --num-epochs 9 --min-delta 1e9");
    let said = place.ok(&format!("{line} --patience 1 --save-dir m"))?;
    assert!(said.stdout.contains("stopped after epoch 2"), "{}", said.stdout);
    place.ok(&format!("{line} --patience 1 --resume-from m"))?;
    assert_eq!(epochs_done(&place, "m"), 2);
    place.ok(&format!("{line} --patience 3 --resume-from m"))?;
    assert_eq!(epochs_done(&place, "m"), 4);
    Ok(())
}

#[test]
fn pretraining_is_continued_too() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{PRETRAIN} --num-epochs 3 --save-dir whole"))?;
    place.ok(&format!("{PRETRAIN} --num-epochs 1 --save-dir parts"))?;
    place.ok(&format!("{PRETRAIN} --num-epochs 3 --resume-from parts"))?;
    let file = "last/model.safetensors";
    ensure!(place.bytes(format!("whole/{file}"))? == place.bytes(format!("parts/{file}"))?);
    place.refused(&format!("{PRETRAIN} --resume-from parts --seed 7 --save-dir s"), &["seed"])
}

#[test]
fn a_loss_that_is_not_a_number_names_the_batch() -> Result<()> {
    let place = Place::new()?;
    let words = ["NaN", "epoch 1", "`synthetic-"];
    place.refused(&format!("{TRAIN} --learning-rate 1e30 --save-dir s"), &words)?;
    place.refused(&format!("{PRETRAIN} --learning-rate 1e30 --save-dir s"), &words)
}
