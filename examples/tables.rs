//! The tables of the published study, measured here, beside the published figures.
//!
//! ```console
//! $ cargo run --release --example tables -- --table 7.1
//! $ cargo run --release --example tables -- --table 7.2 --data HYSPECNET --split hard
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use hsi_data::DataSpec;
use hsi_examples::app::Invocation;
use hsi_examples::data::{CutArgs, DataArgs};
use hsi_examples::output::{self, print_error, print_line};
use hsi_examples::progress::Bar;
use hsi_examples::tables::{
    AdaptationArgs, DenoisingArgs, MethodsArgs, adaptation_costs, denoising_scores,
    methods_compared,
};
use hsi_train::files::write_json;
use hsi_train::memory::CountingAllocator;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Measures a table of the published study, and prints the published figures beside it.
#[derive(Debug, Parser)]
#[command(name = "tables", args_override_self = true)]
struct Arguments {
    /// 7.1: parameters, bytes and memory of the four methods; 7.2 and 7.3: quality on --data beside
    /// the figures for HySpecNet-11k and for EnMAP; methods: the four methods on the task of
    /// `quickstart`, from a pretrained encoder, over several seeds
    #[arg(long, value_enum)]
    table: Which,
    #[command(flatten)]
    adaptation: AdaptationArgs,
    #[command(flatten)]
    methods: MethodsArgs,
    /// HySpecNet folder, folder of cubes, one cube file, or `synthetic[:N]`, for tables 7.2 and 7.3
    #[arg(long, help_heading = "Data")]
    data: Option<DataSpec>,
    #[command(flatten)]
    cut: CutArgs,
    /// Seed of split, noise and synthetic scenes
    #[arg(long, default_value_t = 42, help_heading = "Data")]
    seed: u64,
    #[command(flatten)]
    denoising: DenoisingArgs,
    /// Where run.json, metrics.json and table.md go [default: runs/tables/<table>]
    #[arg(long)]
    save_dir: Option<PathBuf>,
    /// YAML, TOML or JSON file that supplies any of these flags; the command line wins
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    #[value(name = "7.1")]
    Adaptation,
    #[value(name = "7.2")]
    HySpecNet,
    #[value(name = "7.3")]
    EnMap,
    #[value(name = "methods")]
    Methods,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Adaptation => "7.1",
            Self::HySpecNet => "7.2",
            Self::EnMap => "7.3",
            Self::Methods => "methods",
        }
    }
}

fn main() -> ExitCode {
    hsi_examples::run(tables)
}

/// Why measured memory is not the published one.
const MEMORY_NOTE: &str = "published memory is that of a GPU, with larger batches and the framework's \
caches; here it is the heap of one process, in parts. Activations are the largest part of every \
method; adapters keep the outputs of the layers below them.";

fn tables(args: Arguments, invocation: Invocation) -> Result<()> {
    let name = args.table.name();
    let save_dir = args.save_dir.unwrap_or_else(|| PathBuf::from("runs/tables").join(name));
    let begin = |settings: serde_json::Value| output::begin(&save_dir, &invocation, &settings);
    let denoising = |number| -> Result<_> {
        let Some(data) = args.data.clone() else {
            bail!("table {name} is measured on data: --data names it");
        };
        let data = DataArgs { data, cut: args.cut.clone(), seed: args.seed };
        begin(json!({ "data": data.data.to_string() }))?;
        let mut bar = Bar::new();
        let mut progress = |done, total| bar.show("scored", done, total);
        let (report, table) = denoising_scores(number, &data, &args.denoising, &mut progress)?;
        Ok((json!(report), table))
    };
    let (metrics, table) = match args.table {
        Which::Adaptation => {
            begin(json!({ "side": args.adaptation.side, "channels": args.adaptation.channels,
                "batch_size": args.adaptation.batch_size }))?;
            let measured = |method| print_error(&format!("{method}: measured"));
            let (costs, table) = adaptation_costs(&args.adaptation, measured)?;
            (json!({ "costs": costs }), table)
        }
        Which::Methods => {
            begin(json!({ "seeds": args.methods.seeds }))?;
            let (scores, table) = methods_compared(&args.methods, |score| {
                let (method, seed, psnr) = (&score.method, score.seed, score.row.psnr_db);
                print_error(&format!("{method}, seed {seed}: {psnr:.2} dB"));
            })?;
            (json!({ "scores": scores }), table)
        }
        Which::HySpecNet => denoising(0)?,
        Which::EnMap => denoising(1)?,
    };
    write_json(&save_dir.join("metrics.json"), &metrics)?;
    hsi_train::files::write_text(&save_dir.join("table.md"), &format!("{table}\n"))?;
    print_line(&table.to_string());
    if args.table == Which::Adaptation {
        print_line(MEMORY_NOTE);
    }
    Ok(())
}
