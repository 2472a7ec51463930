//! Flags from files, and flags by the names of the published programs.

use anyhow::Result;
use serde_json::Value;

use crate::place::{ENCODER, Place, SCENES};

#[test]
fn files_of_three_forms_supply_flags_and_the_command_line_wins() -> Result<()> {
    let place = Place::new()?;
    let flags = [
        ("method", "\"full\""),
        ("data_path", "\"synthetic:12\""),
        ("bands", "8"),
        ("image-size", "16"),
        ("dim", "16"),
        ("depth", "1"),
        ("heads", "2"),
        ("mlp_dim", "32"),
        ("head_type", "\"conv\""),
        ("head_width", "8"),
        ("num_epochs", "1"),
        ("batch_size", "3"),
        ("learning_rate", "2e-3"),
        ("max-grad-norm", "0.5"),
        ("noise", "\"gaussian:0.1+stripe:0.25\""),
        ("empty_cache", "true"),
        ("spectral_adapter", "false"),
        ("visualize_every", "0"),
    ];
    let lines = |between: &str, end: &str| -> String {
        flags.map(|(name, value)| format!("{name}{between}{value}")).join(end)
    };
    place.write("c.yaml", format!("# all flags\n{}\n", lines(": ", "\n")))?;
    place.write("c.toml", lines(" = ", "\n"))?;
    let quoted = flags.map(|(name, value)| format!("\"{name}\": {value}")).join(", ");
    place.write("c.json", format!("{{ {quoted} }}"))?;
    let mut settings = Vec::new();
    for file in ["c.yaml", "c.toml", "c.json"] {
        let said = place.ok(&format!("train --config {file} --batch-size 5 --save-dir s"))?;
        assert!(said.stderr.contains("--empty-cache"), "{}", said.stderr);
        let run: Value = place.json("s/run.json")?;
        let settings_now = &run["settings"];
        assert_eq!(settings_now["loop"]["batch_size"], 5, "the command line wins");
        assert_eq!(settings_now["loop"]["max_grad_norm"], 0.5);
        assert_eq!(settings_now["model"]["head"]["kind"], "conv");
        assert_eq!(settings_now["model"]["encoder"]["mlp_dim"], 32);
        let command = run["command"].to_string();
        assert!(command.contains("--learning-rate=0.002"), "{command}");
        settings.push(settings_now.clone());
        std::fs::remove_dir_all(place.at("s"))?;
    }
    assert!(settings.windows(2).all(|pair| pair[0] == pair[1]));

    place.write("e.yaml", "baseline: [median, 'median:3x3x1']\nnormalisation: oracle\n")?;
    let line = "evaluate --data synthetic:2 --bands 8 --image-size 16 --config e.yaml --save-dir e";
    place.ok(line)?;
    let metrics: Value = place.json("e/metrics.json")?;
    assert_eq!(metrics["rows"].as_array().map(Vec::len), Some(3), "a list becomes a list");
    Ok(())
}

#[test]
fn published_names_of_flags_are_understood() -> Result<()> {
    let place = Place::new()?;
    place.ok(
        "pretrain --data_path synthetic:12 --bands 8 --image_size 16 --dim 16 --depth 1 --heads 2 \
         --mlp_dim 32 --num_epochs 1 --batch_size 4 --decoder_dim 16 --decoder_depth 1 \
         --decoder_heads 2 --save_dir p_x",
    )?;
    place.ok(
        "train --method full --data_path=synthetic:12 --bands 8 --image_size=16 --dim 16 --depth 1 \
         --heads 2 --mlp_dim=32 --head_type fc --batch_size 4 --gradient_accumulation_steps 1 \
         --num_epochs 1 --visualize_every 0 --weights_path p_x --learning_rate 1e-3 --head_lr 1e-3 \
         --min_delta 0 --weight_decay 0 --num_workers 1 --save_dir m_x",
    )?;
    assert!(place.at("m_x/metrics.json").is_file(), "values keep their underscores");
    Ok(())
}

#[test]
fn configurations_that_cannot_be_used_are_refused() -> Result<()> {
    let place = Place::new()?;
    let base = format!("train --method full {SCENES} {ENCODER} --head fc --save-dir s");
    let cases: [(&str, &str, &[&str]); 12] = [
        ("a.yaml", "batchsize: 4", &["`batchsize`", "`a.yaml`", "`train`"]),
        ("a.toml", "bogus = false", &["`bogus`"]),
        ("a.json", r#"{"bogus": null}"#, &["`bogus`"]),
        ("a.yaml", "config: b.yaml", &["`config`", "`a.yaml`"]),
        ("a.yaml", "batch-size: {value: 4}", &["`batch-size`", "one value"]),
        ("a.yaml", "batch-size: four", &["four", "--batch-size"]),
        ("a.yaml", "empty-cache: maybe", &["maybe", "--empty-cache"]),
        ("a.yaml", "a: [", &["`a.yaml`"]),
        ("a.toml", "x = 1\ny = [", &["`a.toml`", "line 2"]),
        ("a.json", "{", &["`a.json`"]),
        ("a.json", "[1]", &["`a.json`", "table"]),
        ("a.ini", "x", &["`a.ini`", ".yaml"]),
    ];
    for (file, text, words) in cases {
        place.write(file, text)?;
        place.refused(&format!("{base} --config {file}"), words)?;
        place.refused(&format!("{base} --config={file}"), words)?;
    }
    place.refused(&format!("{base} --config missing.yaml"), &["`missing.yaml`"])?;
    place.refused(&format!("{base} --config"), &["--config"])?;
    assert!(!place.at("s").exists());
    Ok(())
}
