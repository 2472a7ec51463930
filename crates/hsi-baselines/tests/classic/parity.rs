//! Whole methods against stored outputs of HyDe and of an independent re-implementation.

use hsi_baselines::by_name;
use ndarray::Array3;

use crate::support::References;

/// Largest absolute difference that a stored output may have; cubes lie in [0, 1].
const EXACT: f32 = 1e-3;

fn compare(references: &References, input: &str, output: &str, method: &str, limit: f32) {
    let noisy: Array3<f32> = references.cube(&format!("{input}_noisy"));
    let expected: Array3<f32> = references.cube(&format!("{input}__{output}"));
    let got = by_name(method).unwrap().denoise(noisy.view()).unwrap();
    let worst = (&got - &expected).iter().fold(0.0, |max: f32, x| max.max(x.abs()));
    println!("{input} {output} {method}: {worst:e}");
    assert!(worst < limit, "{input} {output} {method}: {worst}");
}

#[test]
fn outputs_equal_the_references() {
    let Some(references) = References::find() else { return };
    // HyDe runs FORPDN in f32.
    let cases = [
        ("OTVCA_fixed", "otvca", EXACT),
        ("OTVCA_hyde", "otvca:variant=hyde", EXACT),
        ("FORPDN_fixed", "forpdn:search=linear", EXACT),
        ("FORPDN_SURE_hyde", "forpdn:variant=hyde", 2e-3),
        ("HyRes_fixed", "hyres", EXACT),
        ("HyRes_hyde", "hyres:variant=hyde", EXACT),
    ];
    for input in ["s32_g005", "s32_g010", "s32_paper", "odd_g010"] {
        for (output, method, limit) in cases {
            compare(&references, input, output, method, limit);
        }
    }
    for input in ["s32_g005", "s32_g010", "s32_paper"] {
        compare(&references, input, "FORPDN_fixlog", "forpdn", EXACT);
    }
}
