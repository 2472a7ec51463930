//! Maintenance tasks of the workspace, run as `cargo xtask <task>`.

mod bench;
mod ci;
mod grid;
mod hostile;
mod results;
mod tidy;
mod workspace;

use std::process::ExitCode;

use crate::workspace::Usage;

const USAGE: &str = "\
usage: cargo xtask <task>

  ci                        everything that continuous integration runs, cheapest first
  tidy                      what compilers do not check: edges, documents, sources, results
  bench [NAME..] [options]  measures against the peers and stores results/<name>.json
      --quick               one short round, nothing stored
      --rounds N            rounds of ours and peer in turn (default 5, at least 3)
      --threads N           threads of both sides (default: all cores)
  grid [options] -- FLAGS   `train` with FLAGS for every rank and head, and a table
      --ranks 4,8,16        ranks of the adapters
      --heads fc,conv,residual,unet
      --save-dir runs/grid  a folder a run, and grid.md
  hostile [FORMAT..]        forged files of every format: no panic, bounded memory
      --cases N             cases of each format (default 100000)
  results [--check]         renders results/*.json into docs/results.md, or compares
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => ci::run(),
        ["tidy"] => tidy::run(),
        ["bench", options @ ..] => bench::run(options),
        ["grid", options @ ..] => grid::run(options),
        ["hostile", options @ ..] => hostile::run(options),
        ["results"] => results::write(),
        ["results", "--check"] => results::check(),
        ["help" | "-h" | "--help"] => {
            eprint!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}
