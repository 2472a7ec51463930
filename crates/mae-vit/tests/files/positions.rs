//! Position embeddings on another grid.

use candle_core::{DType, Device, Tensor};
use mae_vit::{Error, resize_positions, sin_cos_positions};

use crate::{assert_close, golden};

#[test]
fn resizing_equals_torch() {
    let golden = golden("positions.safetensors");
    let embedding = &golden["embedding"];
    for grid in [(7, 7), (3, 3), (2, 9), (1, 1)] {
        let resized = resize_positions(embedding, grid).unwrap();
        assert_close(&resized, &golden[&format!("{}x{}", grid.0, grid.1)], 1e-5);
    }
    assert_close(&resize_positions(embedding, (4, 4)).unwrap(), embedding, 0.0);
}

#[test]
fn only_square_grids_with_cls_are_resized() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    for rows in [0, 1, 4, 16, 18] {
        let error = resize_positions(&zeros(&[1, rows, 8]), (2, 2)).unwrap_err();
        assert!(matches!(error, Error::PositionRows { rows: got } if got == rows), "{error}");
    }
    assert!(matches!(resize_positions(&zeros(&[17, 8]), (2, 2)), Err(Error::Shape { .. })));
    assert!(matches!(resize_positions(&zeros(&[2, 17, 8]), (2, 2)), Err(Error::Shape { .. })));
    assert!(matches!(resize_positions(&zeros(&[1, 17, 8]), (0, 2)), Err(Error::Config { .. })));
    assert_eq!(resize_positions(&zeros(&[1, 17, 0]), (2, 2)).unwrap().dims(), [1, 5, 0]);
}

#[test]
fn fixed_positions_equal_those_of_mae() {
    let positions = sin_cos_positions(12, (3, 3), DType::F32, &Device::Cpu).unwrap();
    assert_close(&positions, &golden("positions.safetensors")["sin_cos"], 1e-6);
    assert!(matches!(
        sin_cos_positions(10, (3, 3), DType::F32, &Device::Cpu),
        Err(Error::Config { field: "dim", .. })
    ));
}
