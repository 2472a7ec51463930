//! `--help`: every flag and its default.

use anyhow::{Context, Result, ensure};

use crate::place::Place;

/// Flags of `train`, and their defaults as the help says them.
const TRAIN: [(&str, &str); 33] = [
    ("--method", ""),
    ("--data", ""),
    ("--save-dir", "runs/train"),
    ("--weights", "random"),
    ("--resume-from", ""),
    ("--batch-size", "8"),
    ("--gradient-accumulation-steps", "2"),
    ("--num-epochs", "200"),
    ("--patience", "20"),
    ("--min-delta", "0.0001"),
    ("--visualize-every", "1"),
    ("--head", "unet"),
    ("--device", "auto"),
    ("--dtype", "f32"),
    ("--learning-rate", "0.0001"),
    ("--head-lr", "0.0001"),
    ("--optimizer", "adamw8bit for qlora"),
    ("--lora-lr", "0.001"),
    ("--lora-r", "8"),
    ("--lora-alpha", "16"),
    ("--lora-dropout", "0.1"),
    ("--quant-type", "nf4"),
    ("--double-quant", "on"),
    ("--quant-modules", "qkv-proj"),
    ("--train-embeddings", ""),
    ("--weight-decay", "0.0001"),
    ("--noise", "paper"),
    ("--noise-std", "0.27"),
    ("--stripe-intensity", "0.5"),
    ("--num-workers", "cores"),
    ("--empty-cache", ""),
    ("--normalisation", "oracle"),
    ("--config", ""),
];

/// What the help says of a flag.
fn entry<'a>(help: &'a str, flag: &str) -> Result<&'a str> {
    let start = [" ", "\n"].iter().find_map(|end| help.find(&format!("      {flag}{end}")));
    let rest = &help[start.with_context(|| format!("no `{flag}` in\n{help}"))? + 6..];
    Ok(rest.split("\n      --").next().unwrap_or(rest))
}

#[test]
fn help_names_every_flag_and_its_default() -> Result<()> {
    let place = Place::new()?;
    let help = place.ok("train --help")?.stdout;
    for (flag, default) in TRAIN {
        let entry = entry(&help, flag)?;
        let said = entry.contains(&format!("[default: {default}"));
        ensure!(default.is_empty() || said, "`{flag}`: {entry}");
    }
    let others = [
        (
            "pretrain",
            "--data --save-dir --resume-from --batch-size --gradient-accumulation-steps \
             --num-epochs --patience --min-delta --mask-ratio --decoder-dim --decoder-depth \
             --decoder-heads --learning-rate --weight-decay --num-workers --device --config",
        ),
        (
            "evaluate",
            "--checkpoint --baseline --data --split --part --noise --noise-std --stripe-intensity \
             --normalisation --save-dir --device --config",
        ),
        (
            "denoise",
            "--checkpoint --baseline --add-noise --normalisation --axes --nodata --overlap \
             --batch-size --save-dir --device --config",
        ),
        ("quickstart", ""),
    ];
    for (program, flags) in others {
        let help = place.ok(&format!("{program} --help"))?.stdout;
        for flag in flags.split_whitespace() {
            entry(&help, flag)?;
        }
    }
    Ok(())
}

#[test]
fn misuse_ends_with_code_2() -> Result<()> {
    let place = Place::new()?;
    for line in [
        "train",
        "train --method full",
        "train --bogus",
        "train extra",
        "pretrain",
        "evaluate",
        "denoise",
        "denoise in.npy",
        "denoise a b c --baseline median",
        "quickstart --bogus",
        "quickstart extra",
    ] {
        let said = place.run(line)?;
        ensure!(said.code == Some(2), "`{line}`: {:?}", said.code);
        ensure!(said.stderr.starts_with("error: "), "`{line}`: {}", said.stderr);
        ensure!(!said.stderr.contains("panicked"), "`{line}`: {}", said.stderr);
    }
    Ok(())
}
