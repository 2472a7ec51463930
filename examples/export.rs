//! Turns trained models into the files of others, and back.
//!
//! ```console
//! $ cargo run --release --example export -- runs/train model.safetensors
//! $ cargo run --release --example export -- runs/train adapter --form peft
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use clap::{Parser, ValueEnum};
use hsi_examples::app::Invocation;
use hsi_examples::method::base_weights;
use hsi_examples::output::{print_error, print_line};
use hsi_train::checkpoint::{self, Kind, Restored};
use hsi_train::{
    Checkpoints, DenoisingModel, ENCODER, Form, HEAD, Method, ModelConfig, PretrainedEncoder,
    QuantModules, Quantization, WeightsMode, merge,
};
use peft_lora::{AdapterState, PeftOptions};
use quant_nf4::{QuantConfig, QuantType, read_state_dict};

/// Writes a trained model for use elsewhere, or takes what others wrote.
#[derive(Debug, Parser)]
#[command(name = "export", args_override_self = true)]
struct Arguments {
    /// Run of `train` or one of its checkpoints; for `--form checkpoint` the folder of an adapter
    /// of HF peft, for `--form timm` a file of 4-bit weights
    input: PathBuf,
    /// File or folder to write
    output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value = "model")]
    form: Output,
    /// Number type of merged weights: f32, bf16, nf4, fp4. The last two add the error of
    /// quantisation, which is printed
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Numbers,
    /// Which layers of merged weights are 4 bits wide: qkv-proj, all
    #[arg(long, default_value = "qkv-proj")]
    quant_modules: QuantModules,
    /// Pretrained encoder below the adapters, where it was moved since training; for `--form
    /// checkpoint` the one that the adapter belongs to
    #[arg(long)]
    weights: Option<PathBuf>,
    /// For `--form checkpoint`: run of `train` whose head and sizes the model gets
    #[arg(long)]
    head_from: Option<PathBuf>,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One safetensors file, adapters merged, which `denoise` and `evaluate` take as --checkpoint
    Model,
    /// The adapters, as a folder of HF peft over the timm encoder
    Peft,
    /// The 4-bit weights below the adapters, under the keys of bitsandbytes, for the timm encoder
    Bitsandbytes,
    /// A checkpoint of `train`, from an adapter of HF peft
    Checkpoint,
    /// The encoder in f32 under timm's names, for `train --weights`, from 4-bit weights
    Timm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Numbers {
    F32,
    Bf16,
    Nf4,
    Fp4,
}

fn main() -> ExitCode {
    hsi_examples::run(export)
}

fn export(args: Arguments, _: Invocation) -> Result<()> {
    check_places(&args)?;
    match args.form {
        Output::Model => write_model(&args),
        Output::Peft => write_peft(&args),
        Output::Bitsandbytes => write_bitsandbytes(&args),
        Output::Checkpoint => write_checkpoint(&args),
        Output::Timm => write_timm(&args),
    }
}

/// Says what cannot be written before anything is read.
fn check_places(args: &Arguments) -> Result<()> {
    let (input, output) = (&args.input, &args.output);
    if !input.exists() {
        bail!("the input `{}` does not exist", input.display());
    }
    let same = matches!((input.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same {
        bail!("the output `{}` is the input, which would be lost", output.display());
    }
    let folder = matches!(args.form, Output::Peft | Output::Checkpoint);
    if folder && output.is_file() {
        bail!("the output `{}` is a file, a folder is to be written", output.display());
    }
    if !folder && output.is_dir() {
        bail!("the output `{}` is a folder, a file is to be written", output.display());
    }
    if !folder && output.extension().is_none_or(|extension| extension != "safetensors") {
        bail!("the output `{}` should end in .safetensors", output.display());
    }
    if args.form != Output::Model && args.dtype != Numbers::F32 {
        bail!("--dtype is for merged weights, `--form model`");
    }
    Ok(())
}

fn restored(args: &Arguments) -> Result<(Restored, checkpoint::Checkpoint)> {
    let checkpoint = checkpoint::open(&args.input, Kind::Denoiser, false)?;
    let checkpoint = checkpoint.over(args.weights.as_deref());
    Ok((checkpoint.build(&Device::Cpu)?, checkpoint))
}

fn write_model(args: &Arguments) -> Result<()> {
    let (restored, checkpoint) = restored(args)?;
    let four_bits = |quant_type| {
        let config = QuantConfig { quant_type, ..QuantConfig::default() };
        Form::Quantized(Quantization { config, modules: args.quant_modules })
    };
    let form = match args.dtype {
        Numbers::F32 => Form::F32,
        Numbers::Bf16 => Form::Bf16,
        Numbers::Nf4 => four_bits(QuantType::Nf4),
        Numbers::Fp4 => four_bits(QuantType::Fp4),
    };
    let merged = merge(&restored, form)?;
    if let Some(report) = &merged.report {
        print_line(&format!(
            "{} adapters merged, {} parameters replaced, largest change {:.3e}{}",
            report.layers,
            report.replaced,
            report.max_abs_change,
            report.most_changed.as_ref().map_or(String::new(), |path| format!(" in `{path}`"))
        ));
    }
    if let Some(error) = &merged.error {
        print_line(&format!(
            "quantising adds an error of {:.3e} (root mean square, {:.2} % of the weights), at most \
             {:.3e} in `{}`",
            error.rmse,
            100.0 * error.relative,
            error.max_abs_err,
            error.worst
        ));
    }
    let protocol = checkpoint.manifest.protocol;
    checkpoint::write_file(&args.output, &merged.config, protocol, &merged.tensors)?;
    wrote(&args.output, bytes(&merged.tensors));
    Ok(())
}

fn write_peft(args: &Arguments) -> Result<()> {
    let checkpoint = checkpoint::open(&args.input, Kind::Denoiser, false)?;
    let config: ModelConfig = checkpoint.model()?;
    let Some(lora) = &config.lora else {
        bail!(
            "`{}` has no adapters: it was trained with the method `{}`",
            args.input.display(),
            config.method
        );
    };
    // The files alone: what lies below the adapters is not needed.
    let state = AdapterState::from_tensors(lora, checkpoint.tensors(&Device::Cpu)?)?;
    state.write_peft(&args.output, &PeftOptions::below(ENCODER))?;
    print_line(&format!(
        "{} adapters, {} whole parameters; the head is not part of an adapter",
        state.layers().len(),
        state.saved().len()
    ));
    wrote(&args.output, bytes(&state.tensors()));
    Ok(())
}

fn write_bitsandbytes(args: &Arguments) -> Result<()> {
    let (restored, _) = restored(args)?;
    if restored.model.config().quantization.is_none() {
        bail!("`{}` has no 4-bit weights: only `qlora` keeps them", args.input.display());
    }
    let of_encoder = |(name, tensor): (String, Tensor)| {
        let name = name.strip_prefix(ENCODER)?.to_owned();
        (!peft_lora::is_adapter_parameter(&name)).then_some((name, tensor))
    };
    let tensors: BTreeMap<_, _> =
        restored.params.tensors().into_iter().filter_map(of_encoder).collect();
    save(&args.output, &tensors)?;
    wrote(&args.output, bytes(&tensors));
    Ok(())
}

fn write_timm(args: &Arguments) -> Result<()> {
    let read =
        read_state_dict(&args.input).with_context(|| format!("`{}`", args.input.display()))?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &read.quantized {
        tensors.insert(name.clone(), tensor.dequantize()?.to_dtype(DType::F32)?);
    }
    let quantized = tensors.len();
    for (name, tensor) in read.others {
        tensors.insert(name, tensor.to_dtype(DType::F32)?);
    }
    print_line(&format!("{quantized} weights unpacked from 4 bits"));
    save(&args.output, &tensors)?;
    wrote(&args.output, bytes(&tensors));
    Ok(())
}

/// Puts an adapter of HF peft over an encoder, and the head of a run on it.
fn write_checkpoint(args: &Arguments) -> Result<()> {
    let Some(run) = &args.head_from else {
        bail!("an adapter has no head: --head-from names a run of `train` that has one");
    };
    let head_from = checkpoint::open(run, Kind::Denoiser, false)?;
    let old: ModelConfig = head_from.model()?;
    let options = PeftOptions::below(ENCODER);
    let state = AdapterState::read_peft(&args.input, &options, &Device::Cpu)?;
    let method = if old.quantization.is_some() { Method::Qlora } else { Method::Lora };
    let mut config = ModelConfig { method, lora: Some(state.config().clone()), ..old };
    let seed = head_from.manifest.base.as_ref().map_or(0, |base| base.seed);
    let own = head_from.manifest.base.as_ref().and_then(|base| base.weights.clone());
    let Some(weights) = args.weights.clone().or(own) else {
        bail!("--weights should name the pretrained encoder that the adapter belongs to");
    };
    let pretrained =
        PretrainedEncoder::load(&weights, &config.encoder, WeightsMode::All, &Device::Cpu)?;
    config.encoder = pretrained.config;
    print_line(&pretrained.line);
    let params = config.params(seed, DType::F32, &Device::Cpu);
    params.provide(pretrained.tensors)?;
    let head = head_from.tensors(&Device::Cpu)?.into_iter();
    params.provide(head.filter(|(name, _)| name.starts_with(HEAD)))?;
    params.provide(state.tensors())?;
    DenoisingModel::new(&config, &params)?;
    params.check_complete(&args.input, true)?;
    let base = base_weights(&config, &params, Some(&weights), WeightsMode::All)?;
    let protocol = head_from.manifest.protocol.clone();
    let key = serde_json::Value::Null;
    let mut checkpoints = Checkpoints::new(&args.output, Kind::Denoiser, &config, protocol, key)?;
    if let Some(base) = base {
        checkpoints = checkpoints.over(base);
    }
    checkpoints.write_best(&params)?;
    print_error("note: the head was trained with other adapters: train on, or expect less of it");
    wrote(&args.output, params.count().trainable * size_of::<f32>());
    Ok(())
}

fn save(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    hsi_train::files::write_atomic(path, |temporary| {
        let all = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        Ok(candle_core::safetensors::save(&all, temporary)?)
    })?;
    Ok(())
}

fn bytes(tensors: &BTreeMap<String, Tensor>) -> usize {
    tensors.values().map(|tensor| tensor.elem_count() * tensor.dtype().size_in_bytes()).sum()
}

fn wrote(path: &Path, bytes: usize) {
    let mib = bytes as f64 / f64::from(1 << 20);
    print_line(&format!("{} written, {mib:.1} MiB", path.display()));
}
