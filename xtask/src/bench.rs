//! `bench`: ours and a peer in turn, under the same settings.
//!
//! Both sides are programs that print one JSON object a line,
//! `{"op", "shape", "direction", "threads", "dtype", "median_ms"}`; `results/README.md` describes
//! them and the file that comes out.

mod machine;
mod record;

use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Usage};
use record::{Line, Runs};
pub(crate) use record::{Record, Row, Side};

/// A measurement: two programs that print the same rows.
struct Benchmark {
    name: &'static str,
    title: &'static str,
    /// Run once before the clock starts: builds what `ours` runs.
    prepare: &'static [&'static str],
    ours: &'static [&'static str],
    peer: &'static [&'static str],
    settings: &'static [&'static str],
}

/// The command that builds or runs an example of a package.
macro_rules! example {
    ($verb:literal, $package:literal, $example:literal) => {
        &["cargo", $verb, "--release", "-q", "-p", $package, "--example", $example]
    };
}

/// All benchmarks. Later work adds its own here.
const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "grad-ops",
        title: "Operations of grad-ops against PyTorch on the CPU",
        prepare: example!("build", "grad-ops", "grad_ops_bench"),
        ours: example!("run", "grad-ops", "grad_ops_bench"),
        peer: &["python3", "crates/grad-ops/benches/peer_torch.py"],
        settings: &["both sides: warm, median over repetitions in one process, CPU"],
    },
    Benchmark {
        name: "quant-nf4",
        title: "4-bit weights and 8-bit AdamW against bitsandbytes on the CPU",
        prepare: example!("build", "quant-nf4", "quant_nf4_bench"),
        ours: example!("run", "quant-nf4", "quant_nf4_bench"),
        peer: &["python3", "crates/quant-nf4/benches/peer_bitsandbytes.py"],
        settings: &[
            "NF4, blocks of 64, double quantisation; AdamW over 12 million parameters",
            "both sides: warm, median over repetitions in one process, CPU",
        ],
    },
    Benchmark {
        name: "formats",
        title: "Conversion ENVI to GeoTIFF to HDF5 against spectral, rasterio and h5py",
        prepare: example!("build", "hsi-data", "hsi_data_bench"),
        ours: example!("run", "hsi-data", "hsi_data_bench"),
        peer: &["python3", "crates/hsi-data/benches/peer_python.py"],
        settings: &[
            "ENVI bsq; GeoTIFF in tiles of 256 x 256 a band, deflate 6 with predictor 2; HDF5 in \
             chunks of 8 x 256 x 256, deflate 6 with shuffle",
            "h5py packs on one thread, whatever the number",
            "both sides: files in the folder for temporary files, read and written by windows; ours \
             ends with an error above 500 MB",
        ],
    },
    Benchmark {
        name: "spectralift",
        title: "Training of the spectral network against PyTorch on the CPU",
        prepare: example!("build", "spectralift", "spectralift_bench"),
        ours: example!("run", "spectralift", "spectralift_bench"),
        peer: &["python3", "crates/spectralift/benches/peer_torch.py"],
        settings: &[
            "shape: pixels x multispectral bands x hidden features x bands",
            "both sides: one whole training a row and round, full batch, Adam, one cycle, CPU",
        ],
    },
    Benchmark {
        name: "hsi-baselines",
        title: "Classical denoisers against HyDe on a cube of 202 bands and 128 x 128 pixels",
        prepare: example!("build", "hsi-baselines", "hsi_baselines_bench"),
        ours: example!("run", "hsi-baselines", "hsi_baselines_bench"),
        peer: &["python3", "crates/hsi-baselines/benches/peer_hyde.py"],
        settings: &[
            "ours: the corrected variants, median of 3 runs after one that does not count",
            "peer: its defaults, rank 10 for WSRRR, 6 features for OTVCA, one run a round",
        ],
    },
];

/// Variables that set the number of threads, for both sides.
const THREAD_VARIABLES: [&str; 4] =
    ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CANDLE_NUM_THREADS"];

/// Asks the programs for fewer repetitions.
const QUICK_VARIABLE: &str = "HSI_BENCH_QUICK";

/// Fewest rounds that are stored.
const LEAST_ROUNDS: usize = 3;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    names: Vec<String>,
    quick: bool,
    rounds: usize,
    threads: usize,
}

impl Options {
    fn parse(words: &[&str], cores: usize) -> Result<Self, Usage> {
        let mut options = Self { names: Vec::new(), quick: false, rounds: 5, threads: cores };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut number = |least: usize| {
                let value = words.next().and_then(|value| value.parse().ok());
                let value = value.filter(|value| *value >= least);
                value.ok_or_else(|| Usage(format!("`{word}` takes a number of at least {least}")))
            };
            match word {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = number(LEAST_ROUNDS)?,
                "--threads" => options.threads = number(1)?,
                name if BENCHMARKS.iter().any(|b| b.name == name) => {
                    options.names.push(name.to_owned());
                }
                other => {
                    let known: Vec<&str> = BENCHMARKS.iter().map(|b| b.name).collect();
                    let known = known.join("`, `");
                    return Err(Usage(format!("no benchmark `{other}`, there are `{known}`")));
                }
            }
        }
        if options.quick {
            options.rounds = 1;
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|n| n == name)
    }
}

/// Runs the benchmarks that are named, or all.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options::parse(words, cores)?;
    for benchmark in BENCHMARKS.iter().filter(|b| options.wants(b.name)) {
        let record = measure(benchmark, &options)
            .with_context(|| format!("benchmark `{}` failed", benchmark.name))?;
        write!(std::io::stdout(), "{}", record.table())?;
        if options.quick {
            eprintln!("a quick run: nothing stored");
        } else {
            let path = workspace::root().join("results").join(format!("{}.json", benchmark.name));
            let text = serde_json::to_string_pretty(&record)? + "\n";
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            eprintln!("stored `{}`; `cargo xtask results` renders it", path.display());
        }
    }
    Ok(())
}

/// Runs both sides in turn and compares them.
fn measure(benchmark: &Benchmark, options: &Options) -> Result<Record> {
    lines(benchmark.prepare, options).context("cannot prepare")?;
    let (mut ours, mut peer) = (Runs::default(), Runs::default());
    let mut skipped = None;
    for round in 1..=options.rounds {
        eprintln!("{}: round {round} of {}", benchmark.name, options.rounds);
        ours.add(lines(benchmark.ours, options)?)?;
        if skipped.is_some() {
            continue;
        }
        match lines(benchmark.peer, options) {
            Ok(lines) => peer.add(lines)?,
            Err(error) if round == 1 => {
                let reason = format!("{error:#}");
                eprintln!("{}: the peer cannot run, no ratios: {reason}", benchmark.name);
                skipped = Some(reason);
            }
            Err(error) => return Err(error.context("the peer ran once and now fails")),
        }
    }
    for key in peer.keys().filter(|key| !ours.has(key)) {
        eprintln!("{}: only the peer has the row {key}, left out", benchmark.name);
    }
    Ok(Record {
        bench: benchmark.name.to_owned(),
        title: benchmark.title.to_owned(),
        date: machine::today(),
        commit: machine::commit(),
        machine: machine::describe(),
        threads: THREAD_VARIABLES.iter().map(|v| ((*v).to_owned(), options.threads)).collect(),
        settings: benchmark.settings.iter().map(|s| (*s).to_owned()).collect(),
        rounds: options.rounds,
        ours: Side {
            command: benchmark.ours.join(" "),
            library: ours.library().map(str::to_owned),
            skipped: None,
        },
        peer: Side {
            command: benchmark.peer.join(" "),
            library: peer.library().map(str::to_owned),
            skipped,
        },
        rows: record::rows(&ours, &peer),
    })
}

/// Runs one side and reads the lines that it prints.
fn lines(command: &[&str], options: &Options) -> Result<Vec<Line>> {
    let Some((program, args)) = command.split_first() else {
        return Ok(Vec::new());
    };
    let shown = command.join(" ");
    let program = if *program == "cargo" { workspace::cargo() } else { (*program).into() };
    let mut child = Command::new(program);
    child.args(args).current_dir(workspace::root());
    child.envs(THREAD_VARIABLES.iter().map(|v| (*v, options.threads.to_string())));
    if options.quick {
        child.env(QUICK_VARIABLE, "1");
    }
    let output = child.output().with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
        bail!("`{shown}` failed ({}): {}", output.status, last.trim());
    }
    record::parse(&String::from_utf8(output.stdout)?)
        .with_context(|| format!("cannot read the output of `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let parse = |words: &[&str]| Options::parse(words, 8).map_err(|e| e.to_string());
        let all = parse(&[]).expect("no options");
        assert_eq!((all.rounds, all.threads, all.quick), (5, 8, false));
        assert!(all.wants("grad-ops"));
        let some = parse(&["grad-ops", "--threads", "1", "--rounds", "3"]).expect("options");
        assert_eq!((some.rounds, some.threads), (3, 1));
        assert!(some.wants("grad-ops") && !some.wants("other"));
        assert_eq!(parse(&["--quick"]).expect("quick").rounds, 1);
        for (words, want) in [
            (
                vec!["other"],
                "no benchmark `other`, there are `grad-ops`, `quant-nf4`, `formats`, `spectralift`, `hsi-baselines`",
            ),
            (vec!["--rounds", "2"], "`--rounds` takes a number of at least 3"),
            (vec!["--threads"], "`--threads` takes a number of at least 1"),
        ] {
            assert_eq!(parse(&words), Err(want.to_owned()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn both_sides_run_in_turn_and_a_missing_peer_leaves_no_ratio() {
        const OURS: &str = r#"{"op":"a","shape":[1,2],"direction":"forward","threads":1,"dtype":"f32","median_ms":2}"#;
        const PEER: &str = r#"{"op":"a","shape":"1x2","direction":"forward","threads":1,"dtype":"f32","median_ms":4}"#;
        let mut benchmark = Benchmark {
            name: "echo",
            title: "Echo",
            prepare: &[],
            ours: &["echo", OURS],
            peer: &["echo", PEER],
            settings: &[],
        };
        let options = Options::parse(&["--rounds", "3"], 1).expect("options");
        let record = measure(&benchmark, &options).expect("both run");
        assert_eq!((record.rows.len(), record.rows[0].ratio), (1, Some(0.5)));
        assert_eq!((record.rounds, record.peer.skipped), (3, None));

        benchmark.peer = &["false"];
        let record = measure(&benchmark, &options).expect("ours runs");
        assert_eq!((record.rows[0].ours_ms, record.rows[0].ratio), (2.0, None));
        assert!(record.peer.skipped.expect("a reason").starts_with("`false` failed"));

        benchmark.ours = &["false"];
        assert!(measure(&benchmark, &options).is_err());
    }

    #[test]
    fn a_side_that_is_missing_is_an_error_with_its_reason() {
        let options = Options::parse(&[], 1).expect("no options");
        let error = lines(&["no-such-program-anywhere", "x"], &options).expect_err("missing");
        assert!(format!("{error:#}").starts_with("cannot run `no-such-program-anywhere x`"));
    }
}
