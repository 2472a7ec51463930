//! Progress bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use hsi_train::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::print_error;

/// Seconds between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Shows how far some long work is.
#[derive(Debug)]
pub struct Bar {
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Bar {
    /// A bar, not yet shown.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::hidden();
            let style = ProgressStyle::with_template("{msg:28} [{bar:32}] {pos}/{len}  eta {eta}");
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar
        });
        Self { bar, last_line: Instant::now() }
    }

    /// Shows that `done` of `total` are done.
    pub fn show(&mut self, message: &str, done: usize, total: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_owned());
            if bar.length() != Some(total as u64) || bar.position() > done as u64 {
                bar.reset();
                bar.set_length(total as u64);
            }
            bar.set_position(done as u64);
            if done == total {
                bar.reset();
                bar.finish_and_clear();
            }
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            print_error(&format!("{message}: {done} of {total}"));
        }
    }

    /// Shows the progress of training.
    pub fn training(&mut self, progress: &Progress) {
        let pass = if progress.validation { "validation" } else { "training" };
        let message = format!("epoch {} {pass} loss {:.5}", progress.epoch, progress.loss);
        self.show(&message, progress.done, progress.total);
    }
}
