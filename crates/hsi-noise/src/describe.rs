//! The command-line form of noise, `name[:parameter...]` joined by `+`, read and written.

use std::fmt;
use std::str::FromStr;

use crate::model::{CLIP, STRIPE_FRACTION, STRIPE_INTENSITY};
use crate::{Error, NoiseModel, NoisePipeline, Result};

/// Every form that a part of a description can take.
const FORMS: [(&str, &str); 8] = [
    ("gaussian", "gaussian:SIGMA"),
    ("stripe", "stripe[:INTENSITY[:FRACTION]]"),
    ("deadline", "deadline:FRACTION"),
    ("impulse", "impulse:FRACTION"),
    ("poisson", "poisson:PEAK"),
    ("niid", "niid:SIGMA_MIN:SIGMA_MAX"),
    ("snr", "snr:DB"),
    ("clip", "clip[:MIN:MAX]"),
];

/// Lists the known forms, for error messages.
fn known() -> String {
    let forms: Vec<String> = FORMS.iter().map(|(_, form)| format!("`{form}`")).collect();
    format!("`paper`, `none` or a sum (`+`) of {}", forms.join(", "))
}

/// The parameters of one part of a description.
struct Arguments<'a> {
    model: &'static str,
    form: &'static str,
    texts: Vec<&'a str>,
}

impl Arguments<'_> {
    /// Returns the parameters in the order of `spec`, where each has a name and maybe a default.
    fn take<const N: usize>(&self, spec: [(&'static str, Option<f64>); N]) -> Result<[f64; N]> {
        let mut values = [0.0; N];
        for (i, (value, (parameter, default))) in values.iter_mut().zip(spec).enumerate() {
            *value = match (self.texts.get(i), default) {
                (Some(text), _) => text.trim().parse().map_err(|_| Error::NotANumber {
                    model: self.model,
                    parameter,
                    got: (*text).to_owned(),
                })?,
                (None, Some(default)) => default,
                (None, None) => return Err(self.wrong_count()),
            };
        }
        if self.texts.len() > N { Err(self.wrong_count()) } else { Ok(values) }
    }

    fn wrong_count(&self) -> Error {
        Error::ParameterCount { model: self.model, form: self.form, got: self.texts.len() }
    }
}

impl FromStr for NoiseModel {
    type Err = Error;

    /// Reads one model, for example `stripe:0.5:0.4`, and validates it.
    fn from_str(text: &str) -> Result<Self> {
        let mut fields = text.trim().split(':');
        let name = fields.next().unwrap_or_default().trim();
        if name.is_empty() {
            return Err(Error::Empty { description: text.to_owned(), known: known() });
        }
        let lower = name.to_ascii_lowercase();
        let Some(&(model, form)) = FORMS.iter().find(|(known, _)| *known == lower) else {
            return Err(Error::UnknownModel { name: name.to_owned(), known: known() });
        };
        let arguments = Arguments { model, form, texts: fields.collect() };
        let parsed = match model {
            "gaussian" => {
                let [sigma] = arguments.take([("sigma", None)])?;
                Self::Gaussian { sigma }
            }
            "stripe" => {
                let spec =
                    [("intensity", Some(STRIPE_INTENSITY)), ("fraction", Some(STRIPE_FRACTION))];
                let [intensity, fraction] = arguments.take(spec)?;
                Self::Stripe { fraction, intensity }
            }
            "deadline" => {
                let [fraction] = arguments.take([("fraction", None)])?;
                Self::DeadLine { fraction }
            }
            "impulse" => {
                let [fraction] = arguments.take([("fraction", None)])?;
                Self::Impulse { fraction }
            }
            "poisson" => {
                let [peak] = arguments.take([("peak", None)])?;
                Self::Poisson { peak }
            }
            "niid" => {
                let [sigma_min, sigma_max] =
                    arguments.take([("sigma_min", None), ("sigma_max", None)])?;
                Self::NonIid { sigma_min, sigma_max }
            }
            "snr" => {
                let [snr_db] = arguments.take([("snr_db", None)])?;
                Self::Snr { snr_db }
            }
            // Both bounds or none: `clip:1` would leave open which one is meant.
            _ if arguments.texts.is_empty() => Self::Clip { min: CLIP.0, max: CLIP.1 },
            _ => {
                let [min, max] = arguments.take([("min", None), ("max", None)])?;
                Self::Clip { min, max }
            }
        };
        parsed.validate()?;
        Ok(parsed)
    }
}

impl fmt::Display for NoiseModel {
    /// Writes the command-line form with every parameter; parsing it gives the model back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Gaussian { sigma } => write!(f, "{name}:{sigma}"),
            Self::Stripe { fraction, intensity } => write!(f, "{name}:{intensity}:{fraction}"),
            Self::DeadLine { fraction } | Self::Impulse { fraction } => {
                write!(f, "{name}:{fraction}")
            }
            Self::Poisson { peak } => write!(f, "{name}:{peak}"),
            Self::NonIid { sigma_min, sigma_max } => write!(f, "{name}:{sigma_min}:{sigma_max}"),
            Self::Snr { snr_db } => write!(f, "{name}:{snr_db}"),
            Self::Clip { min, max } => write!(f, "{name}:{min}:{max}"),
        }
    }
}

impl FromStr for NoisePipeline {
    type Err = Error;

    /// Reads `paper`, `none`, or models joined by `+`; `paper` may also stand inside a sum.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(Self::none());
        }
        let mut models = Vec::new();
        for part in text.split('+') {
            if part.trim().is_empty() {
                return Err(Error::Empty { description: text.to_owned(), known: known() });
            }
            if part.trim().eq_ignore_ascii_case("paper") {
                models.extend(Self::paper().0);
            } else {
                models.push(part.parse()?);
            }
        }
        Ok(Self(models))
    }
}

impl fmt::Display for NoisePipeline {
    /// Writes `none`, `paper`, or every model joined by `+`; parsing it gives the pipeline back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        if *self == Self::paper() {
            return f.write_str("paper");
        }
        for (i, model) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("+")?;
            }
            write!(f, "{model}")?;
        }
        Ok(())
    }
}
