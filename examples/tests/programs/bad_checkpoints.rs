//! Checkpoints that are not, or are of something else.

use anyhow::Result;

use crate::place::{PRETRAIN, Place, SCENES, TRAIN, smooth};

#[test]
fn checkpoints_of_something_else_are_refused() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    place.ok(&format!("{PRETRAIN} --save-dir p"))?;
    place.write_npy("in.npy", &smooth(8, 16, 16))?;
    place.write("file", "x")?;
    std::fs::create_dir(place.at("empty"))?;
    for (path, words) in [
        ("missing", &["`missing`", "does not exist"][..]),
        ("empty", &["`empty`", "checkpoint.json"]),
        ("file", &["`file`", "no safetensors file"]),
        ("m/best/model.safetensors", &["`m/best/model.safetensors`"]),
        ("p", &["`p/best`", "denoising model", "masked autoencoder"]),
    ] {
        place
            .refused(&format!("denoise in.npy out.npy --checkpoint {path} --save-dir s"), words)?;
        place.refused(&format!("evaluate --checkpoint {path} {SCENES} --save-dir s"), words)?;
    }
    for (path, words) in [
        ("missing", &["`missing` is not a pretrained encoder"][..]),
        ("empty", &["`empty`", "masked autoencoder"]),
        ("file", &["`file`"]),
        ("m", &["`m/best`", "masked autoencoder"]),
        ("in.npy", &["`in.npy`"]),
        ("p --bands 9", &["`in_channels`", "= 8", "9"]),
        ("p --dim 32", &["`dim`", "= 16", "32"]),
        ("p --depth 2", &["`depth`", "= 1"]),
        ("p --patch-size 8", &["`patch_size`", "= 4"]),
        ("p/best/model.safetensors --dim 32", &["`p/best/model.safetensors`", "[1, 1, 32]"]),
    ] {
        place.refused(&format!("{TRAIN} --weights {path} --save-dir s"), words)?;
    }
    Ok(())
}

#[test]
fn damaged_checkpoints_are_refused() -> Result<()> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    place.ok(&format!("{TRAIN} --dim 32 --save-dir other"))?;
    place.ok(&format!("{PRETRAIN} --save-dir p"))?;
    place.write_npy("in.npy", &smooth(8, 16, 16))?;
    let config = String::from_utf8(place.bytes("m/best/checkpoint.json")?)?;
    let weights = place.bytes("m/best/model.safetensors")?;
    let changed = |from: &str, to: &str| -> Vec<u8> {
        assert!(config.contains(from), "{config}");
        config.replace(from, to).into_bytes()
    };
    let mut garbled = weights.clone();
    garbled[8..40].fill(b'x');
    // What the folder holds, and what the sentence should name besides the folder.
    let cases: [(&str, Option<Vec<u8>>, &str); 16] = [
        ("checkpoint.json", Some(b"{".to_vec()), "checkpoint.json"),
        ("checkpoint.json", Some(Vec::new()), "checkpoint.json"),
        ("checkpoint.json", Some(b"{}".to_vec()), "checkpoint.json"),
        ("checkpoint.json", Some(vec![0xff, 0xfe, 0]), "checkpoint.json"),
        ("checkpoint.json", Some(changed("\"format\": 1", "\"format\": 99")), "format 99"),
        ("checkpoint.json", Some(changed("\"depth\": 1", "\"depth\": 2")), "encoder.blocks.1."),
        ("checkpoint.json", Some(changed("\"dim\": 16", "\"dim\": 32")), "head.embed_dim"),
        ("checkpoint.json", Some(changed("\"heads\": 2", "\"heads\": 3")), "heads"),
        ("checkpoint.json", Some(changed("\"patch_size\": 4", "\"patch_size\": 0")), "0 x 0"),
        ("checkpoint.json", Some(changed("\"mlp_dim\": 32", "\"mlp_dim\": 64")), "mlp.fc1"),
        ("model.safetensors", None, "model.safetensors"),
        ("model.safetensors", Some(Vec::new()), "model.safetensors"),
        ("model.safetensors", Some(weights[..weights.len() / 2].to_vec()), "model.safetensors"),
        ("model.safetensors", Some(garbled), "model.safetensors"),
        ("model.safetensors", Some(place.bytes("other/best/model.safetensors")?), "[32"),
        ("model.safetensors", Some(place.bytes("p/best/model.safetensors")?), "missing `encoder."),
    ];
    for (file, content, word) in cases {
        place.copy_run("m/best", "bad/best")?;
        let path = format!("bad/best/{file}");
        match content {
            Some(content) => place.write(&path, content)?,
            None => std::fs::remove_file(place.at(&path))?,
        }
        let line = "denoise in.npy out.npy --checkpoint bad --save-dir s";
        place.refused(line, &["`bad/best", word])?;
    }
    // The same on the way to go on with training.
    for (file, word) in [
        ("checkpoint.json", "checkpoint.json"),
        ("model.safetensors", "model.safetensors"),
        ("optimizer.safetensors", "optimizer.safetensors"),
    ] {
        place.copy_run("m/last", "bad/last")?;
        place.write(&format!("bad/last/{file}"), &weights[..100])?;
        place.refused(&format!("{TRAIN} --resume-from bad --save-dir s"), &["`bad/last", word])?;
        let stranger = place.bytes("other/last/model.safetensors")?;
        if file != "checkpoint.json" {
            place.write(&format!("bad/last/{file}"), stranger)?;
            place.refused(&format!("{TRAIN} --resume-from bad --save-dir s"), &["bad/last"])?;
        }
    }
    Ok(())
}
