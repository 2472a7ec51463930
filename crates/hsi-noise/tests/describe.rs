//! Descriptions: parsing, printing, configuration files, and what is said about bad ones.
#![allow(clippy::unwrap_used)]

use hsi_noise::{Error, NoiseModel, NoisePipeline};
use proptest::prelude::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn message(description: &str) -> String {
    match description.parse::<NoisePipeline>() {
        Ok(pipeline) => format!("parsed as {pipeline:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn descriptions_parse() -> TestResult {
    let stripe = |intensity, fraction| NoiseModel::Stripe { fraction, intensity };
    let clip = NoiseModel::Clip { min: 0.0, max: 1.0 };
    let cases = [
        ("none", vec![]),
        ("paper", NoisePipeline::paper().0),
        (" Paper ", NoisePipeline::paper().0),
        ("gaussian:0.1", vec![NoiseModel::Gaussian { sigma: 0.1 }]),
        ("gaussian:0.05+stripe:0.5", vec![NoiseModel::Gaussian { sigma: 0.05 }, stripe(0.5, 0.4)]),
        ("stripe", vec![stripe(0.5, 0.4)]),
        ("stripe:0.3:0.2", vec![stripe(0.3, 0.2)]),
        ("deadline:0.05", vec![NoiseModel::DeadLine { fraction: 0.05 }]),
        ("impulse:0.1", vec![NoiseModel::Impulse { fraction: 0.1 }]),
        ("poisson:255", vec![NoiseModel::Poisson { peak: 255.0 }]),
        ("niid:0.05:0.2", vec![NoiseModel::NonIid { sigma_min: 0.05, sigma_max: 0.2 }]),
        ("snr: 20", vec![NoiseModel::Snr { snr_db: 20.0 }]),
        ("clip", vec![clip]),
        ("SNR:-5 + clip:0:1", vec![NoiseModel::Snr { snr_db: -5.0 }, clip]),
        (
            "paper+deadline:0.1",
            [NoisePipeline::paper().0, vec![NoiseModel::DeadLine { fraction: 0.1 }]].concat(),
        ),
    ];
    for (description, models) in cases {
        let pipeline: NoisePipeline = description.parse()?;
        assert_eq!(pipeline.0, models, "{description}");
        assert_eq!(pipeline.to_string().parse::<NoisePipeline>()?, pipeline, "{description}");
    }
    Ok(())
}

#[test]
fn errors_say_what_is_wrong() {
    let cases = [
        ("", "has an empty part"),
        ("gaussian:0.1++clip", "has an empty part"),
        ("gausian:0.1", "unknown noise model `gausian`, expected `paper`, `none`"),
        ("gausian:0.1", "`niid:SIGMA_MIN:SIGMA_MAX`, `snr:DB`, `clip[:MIN:MAX]`"),
        ("gaussian", "`gaussian` is written `gaussian:SIGMA`, got 0 parameter(s)"),
        ("gaussian:0.1:2", "got 2 parameter(s)"),
        ("clip:1", "`clip` is written `clip[:MIN:MAX]`, got 1 parameter(s)"),
        ("stripe:0.5:0.4:0.3", "`stripe[:INTENSITY[:FRACTION]]`, got 3 parameter(s)"),
        ("gaussian:abc", "parameter sigma of noise model `gaussian` should be a number, got `abc`"),
        (
            "gaussian:-0.1",
            "sigma of noise model `gaussian` should be a finite number of at least 0, got -0.1",
        ),
        ("gaussian:nan", "got NaN"),
        ("gaussian:1e39", "should be a finite number"),
        ("stripe:0.5:1.5", "fraction of noise model `stripe` should be between 0 and 1, got 1.5"),
        ("deadline:inf", "should be between 0 and 1, got inf"),
        ("poisson:0", "above 0, got 0"),
        (
            "niid:0.2:0.1",
            "sigma_max of noise model `niid` should be a finite number of at least sigma_min",
        ),
        ("snr:1000", "between -300 and 300 dB"),
        ("clip:1:0", "max of noise model `clip` should be a finite number above min, got 0"),
        ("none+clip", "unknown noise model `none`"),
    ];
    for (description, expected) in cases {
        let got = message(description);
        assert!(got.contains(expected), "`{description}`: {got}");
    }
}

#[test]
fn bad_parameters_change_nothing() {
    let mut cube = ndarray::Array3::from_elem((1, 2, 2), 0.5_f32);
    let noise = NoisePipeline(vec![
        NoiseModel::Gaussian { sigma: 0.1 },
        NoiseModel::Clip { min: 1.0, max: f64::NAN },
    ]);
    assert!(matches!(noise.apply(cube.view(), 0, 0), Err(Error::Parameter { .. })));
    assert!(noise.apply_in_place(&mut cube, 0, 0).is_err());
    assert_eq!(cube, ndarray::Array3::from_elem((1, 2, 2), 0.5));
}

#[derive(serde::Deserialize)]
struct Config {
    noise: NoisePipeline,
}

#[test]
fn configurations_hold_text_or_models() -> TestResult {
    let cases = [
        ("noise: paper", "paper"),
        ("noise: none", "none"),
        ("noise: gaussian:0.1+stripe", "gaussian:0.1+stripe:0.5:0.4"),
        ("noise: [gaussian:0.1, clip]", "gaussian:0.1+clip:0:1"),
        ("noise: []", "none"),
        ("noise: { kind: snr, snr_db: 20 }", "snr:20"),
        (
            "noise:\n- { kind: gaussian, sigma: 1 }\n- kind: stripe\n- paper",
            "gaussian:1+stripe:0.5:0.4+gaussian:0.27+stripe:0.5:0.4+clip:0:1",
        ),
        (
            "noise:\n- { kind: niid, sigma_min: 0.1, sigma_max: 0.2 }\n- kind: clip\n  max: 2.0",
            "niid:0.1:0.2+clip:0:2",
        ),
        ("noise: [{ kind: deadline, fraction: 0.1 }]", "deadline:0.1"),
    ];
    for (yaml, expected) in cases {
        let config: Config = yaml_serde::from_str(yaml).map_err(|e| format!("{yaml}: {e}"))?;
        assert_eq!(config.noise.to_string(), expected, "{yaml}");
    }
    Ok(())
}

#[test]
fn bad_configurations_say_what_is_wrong() {
    let cases = [
        ("noise: papper", "unknown noise model `papper`"),
        ("noise: 3", "a noise description such as `paper`"),
        ("noise: [{ kind: gauss, sigma: 1 }]", "unknown variant `gauss`"),
        ("noise: [{ kind: gaussian }]", "missing field `sigma`"),
        ("noise: [{ kind: gaussian, sigma: 1, mean: 2 }]", "unknown field `mean`"),
        ("noise: [{ kind: gaussian, sigma: -1 }]", "at least 0"),
        ("noise: [[paper]]", "a noise model, as text or as a map with the key `kind`"),
    ];
    for (yaml, expected) in cases {
        let got = match yaml_serde::from_str::<Config>(yaml) {
            Ok(config) => format!("read as {}", config.noise),
            Err(error) => error.to_string(),
        };
        assert!(got.contains(expected), "`{yaml}`: {got}");
    }
}

fn model() -> impl Strategy<Value = NoiseModel> {
    let sigma = 0.0..1e6_f64;
    let share = 0.0..=1.0_f64;
    prop_oneof![
        sigma.clone().prop_map(|sigma| NoiseModel::Gaussian { sigma }),
        (share.clone(), sigma.clone())
            .prop_map(|(fraction, intensity)| NoiseModel::Stripe { fraction, intensity }),
        share.clone().prop_map(|fraction| NoiseModel::DeadLine { fraction }),
        share.prop_map(|fraction| NoiseModel::Impulse { fraction }),
        (1e-9..1e9_f64).prop_map(|peak| NoiseModel::Poisson { peak }),
        (sigma.clone(), sigma).prop_map(|(sigma_min, more)| NoiseModel::NonIid {
            sigma_min,
            sigma_max: sigma_min + more
        }),
        (-300.0..300.0_f64).prop_map(|snr_db| NoiseModel::Snr { snr_db }),
        (-1e6..1e6_f64, 1e-3..1e6_f64)
            .prop_map(|(min, width)| NoiseModel::Clip { min, max: min + width }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_and_lists_round_trip(models in proptest::collection::vec(model(), 0..6)) {
        let pipeline = NoisePipeline(models);
        prop_assert_eq!(&pipeline.to_string().parse::<NoisePipeline>().unwrap(), &pipeline);
        let text = serde_json::to_string(&pipeline).unwrap();
        prop_assert_eq!(&serde_json::from_str::<NoisePipeline>(&text).unwrap(), &pipeline);
        let list = yaml_serde::to_string(&pipeline.0).unwrap();
        prop_assert_eq!(&yaml_serde::from_str::<NoisePipeline>(&list).unwrap(), &pipeline);
    }

    #[test]
    fn any_text_gives_a_pipeline_or_an_error(text in "[a-z0-9:+. -]{0,40}") {
        if let Ok(pipeline) = text.parse::<NoisePipeline>() {
            prop_assert!(pipeline.validate().is_ok());
        }
    }
}
