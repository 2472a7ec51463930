//! One table of many settings, scenes and seeds.

use anyhow::{Context, Result};
use hsi_train::Report;
use serde_json::Value;

use super::{QUICK, scene, with_scene};

#[test]
fn a_sweep_writes_a_table_with_its_failures() -> Result<()> {
    let place = with_scene()?;
    let lists = "--psfs gaussian,delta --ratios 2,24 --band-counts 3,4 --model affine";
    let said = place.ok(&format!("superres --input scene.npy --sweep {lists} {QUICK}"))?;
    assert!(said.stdout.contains("8 settings, 4 failed"), "{}", said.stdout);
    assert!(said.stderr.contains("24x"), "one pixel is too few: {}", said.stderr);
    let csv = String::from_utf8(place.bytes("s/sweep.csv")?)?;
    assert_eq!(csv.lines().count(), 1 + 4 * 2 + 4, "bicubic and affine, and failures: {csv}");
    assert_eq!(csv.matches(",success,").count(), 8);
    let page = String::from_utf8(place.bytes("s/sweep.md")?)?;
    assert!(page.contains("| delta | 2 | 3 | affine | 0."), "{page}");
    let report: Value = place.json("s/metrics.json")?;
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(8));
    // From a file, as a list.
    place.write("c.yaml", "psfs: [gaussian]\nratios: [2, 3]\nsweep: true\ncompare: none\n")?;
    place.ok(&format!("superres --input scene.npy --config c.yaml {QUICK}"))?;
    assert_eq!(String::from_utf8(place.bytes("s/sweep.csv")?)?.lines().count(), 3);
    Ok(())
}

#[test]
fn a_sweep_takes_scenes_and_seeds() -> Result<()> {
    let place = with_scene()?;
    place.write_npy("b/cube.npy", &scene(16, 22, 26))?;
    place.ok(&format!(
        "superres --sweep --scenes scene.npy,b/cube.npy --seeds 3,1,2 --model affine --compare \
         bicubic {QUICK}"
    ))?;
    let csv = String::from_utf8(place.bytes("s/sweep.csv")?)?;
    let rmse = |scene: &str| -> Vec<f64> {
        let rows = csv.lines().filter(|row| row.starts_with(&format!("{scene},strict,affine,")));
        // Shapes in quotes have commas of their own: counted from the end.
        rows.filter_map(|row| row.rsplit(',').nth(8)?.parse().ok()).collect()
    };
    let report: Value = place.json("s/metrics.json")?;
    let rows = report["rows"].as_array().context("rows")?;
    let names: Vec<_> = rows.iter().map(|row| (&row["scene"], &row["method"])).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(rows.iter().all(|row| row["seeds"] == 3 && row["ratio"] == 2), "{rows:?}");
    for (scene, row) in [("scene", &rows[1]), ("b", &rows[3])] {
        let mut values = rmse(scene);
        assert_eq!((values.len(), &row["scene"]), (3, &Value::from(scene)));
        values.sort_by(f64::total_cmp);
        assert!(values[0] < values[2], "seeds draw other noise: {values:?}");
        assert_eq!(row["rmse"], values[1]);
    }
    // A seed of a sweep is that of a run of its own.
    place.ok(&format!("superres --input scene.npy --seed 2 --model affine {QUICK}"))?;
    let single: Report = place.json("s/metrics.json")?;
    assert!(rmse("scene").contains(&single.rows[1].rmse));
    Ok(())
}
