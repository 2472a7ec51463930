//! What training leaves for the eye: curves, history, TensorBoard scalars.

use std::path::PathBuf;

use hsi_pictures::{LineChart, Series};

use crate::Result;
use crate::files::{create_dir, write_json};
use crate::tensorboard::ScalarWriter;
use crate::trainer::{EpochRecord, Scores};

const WIDTH: usize = 800;
const HEIGHT: usize = 460;

/// Writes `loss_curves.png`, `psnr_curves.png`, `history.json` and `tensorboard/` into a folder.
#[derive(Debug)]
pub(crate) struct Curves {
    folder: PathBuf,
    scalars: ScalarWriter,
}

impl Curves {
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        create_dir(&folder)?;
        let scalars = ScalarWriter::new(&folder.join("tensorboard"))?;
        Ok(Self { folder, scalars })
    }

    /// Writes the curves of all epochs so far and the scalars of the last one.
    pub(crate) fn write(&mut self, history: &[EpochRecord]) -> Result<()> {
        let Some(last) = history.last() else {
            return Ok(());
        };
        write_json(&self.folder.join("history.json"), &history)?;
        let mut scalars =
            vec![("loss/train", last.train.loss), ("loss/validation", last.validation.loss)];
        let psnr = [("psnr_db/train", last.train), ("psnr_db/validation", last.validation)];
        scalars.extend(psnr.iter().filter_map(|(tag, s)| s.psnr_db.map(|psnr| (*tag, psnr))));
        scalars.push(("seconds/epoch", last.seconds));
        self.scalars.write(last.epoch, &scalars)?;

        let loss = chart("Loss by epoch", "loss", true, history, |scores| Some(scores.loss));
        // A run whose losses are all 0 has nothing to show on a logarithmic axis.
        if history.iter().any(|record| record.train.loss > 0.0 || record.validation.loss > 0.0) {
            loss.draw(WIDTH, HEIGHT)?.write_png(self.folder.join("loss_curves.png"))?;
        }
        if last.validation.psnr_db.is_some() {
            let psnr = chart("PSNR by epoch", "PSNR (dB)", false, history, |scores| scores.psnr_db);
            psnr.draw(WIDTH, HEIGHT)?.write_png(self.folder.join("psnr_curves.png"))?;
        }
        Ok(())
    }
}

fn chart(
    title: &str,
    y_label: &str,
    log_y: bool,
    history: &[EpochRecord],
    value: impl Fn(Scores) -> Option<f64>,
) -> LineChart {
    let points = |scores: fn(&EpochRecord) -> Scores| -> Vec<(f64, f64)> {
        let all = history.iter();
        all.filter_map(|record| Some((record.epoch as f64, value(scores(record))?))).collect()
    };
    LineChart {
        title: title.to_owned(),
        x_label: "epoch".to_owned(),
        y_label: y_label.to_owned(),
        log_y,
        series: vec![
            Series::new("train", points(|record| record.train)),
            Series::new("validation", points(|record| record.validation)),
        ],
    }
}
