//! Input that cannot be used: one sentence, exit code 2, nothing half-written.

use anyhow::Result;
use ndarray::Array3;

use crate::place::{ENCODER, PRETRAIN, Place, SCENES, TRAIN, smooth};

/// An `.npy` file of any type and shape.
fn npy(descr: &str, shape: &str, payload: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + payload, 0);
    bytes
}

/// A folder with a model `m` for 8 bands, and cubes of which only `good.npy` can be used.
fn with_bad_cubes() -> Result<Place> {
    let place = Place::new()?;
    place.ok(&format!("{TRAIN} --save-dir m"))?;
    place.write_npy("good.npy", &smooth(8, 24, 24))?;
    place.write("truncated.npy", &place.bytes("good.npy")?[..9000])?;
    place.write("header.npy", &place.bytes("good.npy")?[..20])?;
    place.write("nothing.npy", [])?;
    place.write("text.npy", "8 16 16")?;
    place.write("unicode.npy", npy("<U1", "(8, 16, 16)", 4 * 2048))?;
    place.write("object.npy", npy("|O", "(8, 16, 16)", 8 * 2048))?;
    place.write("complex.npy", npy("<c8", "(8, 16, 16)", 8 * 2048))?;
    place.write("flat.npy", npy("<f4", "(8, 256)", 4 * 2048))?;
    place.write("deep.npy", npy("<f4", "(1, 8, 16, 16)", 4 * 2048))?;
    place.write("hollow.npy", npy("<f4", "(8, 0, 16)", 0))?;
    place.write("huge.npy", npy("<f4", "(4294967296, 4294967296, 4294967296)", 64))?;
    place.write_npy("seven.npy", &smooth(7, 24, 24))?;
    let mut cube = smooth(8, 24, 24);
    cube[[3, 4, 5]] = f32::NAN;
    place.write_npy("nan.npy", &cube)?;
    place.write_npy("nans/nan.npy", &cube)?;
    place.write_npy("sidecar.npy", &smooth(8, 24, 24))?;
    place.write("sidecar.json", r#"{"wavelengths_nm": [400, 500]}"#)?;
    place.write_npy("small.npy", &smooth(8, 5, 6))?;
    std::fs::create_dir(place.at("empty"))?;
    Ok(place)
}

/// Files and what is said of them besides their names.
const BAD_CUBES: [(&str, &str); 14] = [
    ("missing.npy", ""),
    ("empty", "no cube"),
    ("truncated.npy", "9000"),
    ("header.npy", "header"),
    ("nothing.npy", "format"),
    ("text.npy", "format"),
    ("unicode.npy", "<U1"),
    ("object.npy", "|O"),
    ("complex.npy", "<c8"),
    ("flat.npy", "three axes"),
    ("deep.npy", "three axes"),
    ("hollow.npy", "0 rows"),
    ("huge.npy", ""),
    ("sidecar.npy", "wavelengths_nm"),
];

#[test]
fn cubes_that_cannot_be_used_are_refused_by_every_program() -> Result<()> {
    let place = with_bad_cubes()?;
    let programs = [
        "evaluate --checkpoint m --save-dir s --data",
        "train --method full --head fc --save-dir s --data",
        "pretrain --save-dir s --data",
    ];
    for (file, word) in BAD_CUBES {
        let stem = file.trim_end_matches(".npy");
        for method in ["--checkpoint m", "--baseline median"] {
            let line = format!("denoise {file} out.npy {method} --save-dir s");
            place.refused(&line, &[stem, word])?;
        }
        for program in programs {
            place.refused(&format!("{program} {file}"), &[stem, word])?;
        }
    }
    // NaN in a sample is found when it is read; the sentence says where.
    let words = ["nan", "band 3, row 4, column 5"];
    place.refused("denoise nan.npy out.npy --checkpoint m --save-dir s", &words)?;
    place.refused("evaluate --checkpoint m --save-dir s --data nan.npy", &words)?;
    place.refused("evaluate --baseline median --save-dir s --data nans", &words)?;
    let cut = format!("--data nan.npy --image-size 8 --num-epochs 1 {ENCODER} --save-dir s");
    place.refused(&format!("train --method full --head fc {cut}"), &["nan", "not finite"])?;
    place.refused(&format!("pretrain {cut} --decoder-dim 16"), &["nan", "not finite"])?;

    let words = ["takes 8 bands", "`seven.npy` has 7"];
    place.refused("denoise seven.npy out.npy --checkpoint m --save-dir s", &words)?;
    place.refused("evaluate --checkpoint m --data seven.npy --save-dir s", &words)?;
    let words = ["at least 8 x 8 pixels", "5 x"];
    place.refused("evaluate --checkpoint m --data small.npy --save-dir s", &words)?;
    place.refused(
        "denoise small.npy out.npy --baseline median --add-noise paper --save-dir s",
        &words,
    )
}

#[test]
fn places_that_cannot_be_written_to_are_refused() -> Result<()> {
    let place = with_bad_cubes()?;
    place.write("file", "x")?;
    for folder in ["file", "file/below"] {
        let words = ["cannot be made", folder];
        place.refused(&format!("{TRAIN} --save-dir {folder}"), &words)?;
        place.refused(&format!("{PRETRAIN} --save-dir {folder}"), &words)?;
        place.refused(&format!("evaluate --checkpoint m {SCENES} --save-dir {folder}"), &words)?;
        let line = format!("denoise good.npy out.npy --checkpoint m --save-dir {folder}");
        place.refused(&line, &words)?;
    }
    let good = place.bytes("good.npy")?;
    for (pair, words) in [
        ("good.npy out.gif", &["`out.gif`", "npy"][..]),
        ("good.npy out", &["`out`", "npy"]),
        ("good.npy no/such/out.npy", &["`no/such/out.npy`", "no folder `no/such`"]),
        ("good.npy file/out.npy", &["`file/out.npy`"]),
        ("good.npy empty", &["`empty`", "is a folder"]),
        ("good.npy good.npy", &["`good.npy`", "is the input"]),
        ("good.npy ./empty/../good.npy", &["is the input"]),
        ("nans file", &["`file`", "is a file"]),
    ] {
        place.refused(&format!("denoise {pair} --baseline median --save-dir s"), words)?;
        assert!(!place.at("s").exists(), "{pair}: refused before anything was made");
    }
    assert_eq!(good, place.bytes("good.npy")?);
    Ok(())
}

#[test]
fn settings_that_cannot_be_used_are_refused() -> Result<()> {
    let place = with_bad_cubes()?;
    let training: [(&str, &[&str]); 35] = [
        ("--image-size 18", &["18 x 18", "4 x 4"]),
        ("--patch-size 0", &["0 x 0"]),
        ("--patch-size 8", &["unet", "patch size", "8"]),
        ("--image-size 4 --head fc", &["8 x 8", "4 x 4"]),
        ("--image-size 0", &["rows"]),
        ("--bands 0", &["empty"]),
        ("--batch-size 0", &["`batch-size`", "at least 1"]),
        ("--batch-size -3", &["--batch-size", "-3"]),
        ("--batch-size many", &["--batch-size", "many"]),
        ("--gradient-accumulation-steps 0", &["`gradient-accumulation-steps`"]),
        ("--num-epochs 0", &["`num-epochs`"]),
        ("--num-workers 0", &["`num-workers`"]),
        ("--learning-rate 0", &["`learning-rate`"]),
        ("--head-lr -1", &["-1"]),
        ("--weight-decay -1", &["`weight-decay`", "-1"]),
        ("--weight-decay nan", &["`weight-decay`", "NaN"]),
        ("--max-grad-norm 0", &["`max-grad-norm`"]),
        ("--min-delta nan", &["`min-delta`"]),
        ("--heads 3", &["heads", "16 and 3"]),
        ("--method lora2", &["`method`", "`lora2`"]),
        ("--head none", &["--head", "`none`", "`unet`"]),
        ("--preset giant", &["--preset", "`giant`"]),
        ("--split tile", &["--split", "`tile`", "`hard`"]),
        ("--noise salt", &["--noise", "`salt`", "`gaussian:SIGMA`"]),
        ("--noise gaussian:lots", &["--noise", "`lots`"]),
        ("--noise gaussian:0.1 --noise-std 0.2", &["--noise-std", "`gaussian:0.1`"]),
        ("--noise-std -1", &["-1"]),
        ("--normalisation min-max", &["--normalisation", "`min-max`"]),
        ("--optimizer sgd", &["--optimizer", "sgd", "adamw"]),
        ("--data synthetic:0", &["--data", "`synthetic:0`"]),
        ("--data synthetic:99999999999", &["`synthetic:99999999999`"]),
        ("--bands 99999999999", &["99999999999 bands"]),
        ("--image-size 4294967296", &["4294967296 x"]),
        ("--data synthetic:2", &["easy split", "`val`"]),
        ("--data good.npy --image-size 8 --stride 4 --split hard", &["hard split", "1 tiles"]),
    ];
    for (flags, words) in training {
        place.refused(&format!("{TRAIN} --save-dir s {flags}"), words)?;
        assert!(!place.at("s").exists(), "{flags}: refused before anything was made");
    }
    let others: [(&str, &[&str]); 15] = [
        ("pretrain --mask-ratio 1", &["`mask_ratio`"]),
        ("pretrain --decoder-dim 17", &["`decoder_dim`"]),
        ("pretrain --normalisation from-noisy", &["`oracle`"]),
        ("pretrain --image-size 18", &["18 x 18"]),
        ("evaluate", &["--checkpoint", "--baseline"]),
        ("evaluate --baseline mean", &["`mean`", "`median`"]),
        ("evaluate --baseline median:2x2x2", &["odd"]),
        ("evaluate --baseline median --normalisation sometimes", &["`sometimes`"]),
        ("evaluate --baseline median --image-size 7", &["8 x 8", "7 x 7"]),
        ("evaluate --baseline median --part val", &["--part", "--split"]),
        ("evaluate --checkpoint m --bands 9", &["takes 8 bands", "has 9"]),
        ("evaluate --checkpoint m --device gpu", &["--device", "gpu"]),
        ("evaluate --baseline median --split hard --data synthetic:1", &["hard split"]),
        ("evaluate --baseline median --noise-std nan", &["sigma"]),
        ("evaluate --baseline median --data good.npy --image-size 25", &["25"]),
    ];
    for (line, words) in others {
        let (program, flags) = line.split_once(' ').unwrap_or((line, ""));
        let pretrain = if program == "pretrain" { ENCODER } else { "" };
        place.refused(&format!("{program} {SCENES} {pretrain} --save-dir s {flags}"), words)?;
        assert!(!place.at("s").exists(), "{line}: refused before anything was made");
    }
    for (flags, words) in [
        ("", &["--checkpoint", "--baseline"][..]),
        ("--checkpoint m --baseline median", &["not both"]),
        ("--baseline mean", &["`mean`"]),
        ("--checkpoint m --normalisation oracle", &["`oracle`", "`from-noisy`"]),
        ("--checkpoint m --normalisation fixed:1:0", &["--normalisation", "`fixed:1:0`"]),
        ("--checkpoint m --add-noise salt", &["--add-noise", "`salt`"]),
        ("--checkpoint m --batch-size 0", &["`batch-size`"]),
        ("--checkpoint m --overlap 16", &["`overlap`", "16"]),
        ("--checkpoint m --axes bwh", &["--axes", "`bwh`"]),
        ("--checkpoint m --nodata none", &["--nodata", "none"]),
    ] {
        place.refused(&format!("denoise good.npy out.npy --save-dir s {flags}"), words)?;
        assert!(!place.at("s").exists(), "{flags}: refused before anything was made");
    }
    Ok(())
}

#[test]
fn cubes_cannot_be_too_small_for_anything_but_scores() -> Result<()> {
    let place = Place::new()?;
    place.write_npy("one.npy", &Array3::from_elem((1, 1, 1), 7.0f32))?;
    place.ok("denoise one.npy out.npy --baseline median")?;
    assert_eq!(place.cube("out.npy")?.view()[[0, 0, 0]], 7.0);
    Ok(())
}
