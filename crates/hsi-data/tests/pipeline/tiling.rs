//! Tiles cover every image and blend back into it.

use hsi_data::{Blender, Error, Result, Tiling};
use ndarray::{Array3, s};
use proptest::prelude::*;

use super::scramble;

proptest! {
    #[test]
    fn blending_what_was_cut_restores_the_image(
        (rows, cols) in (1_usize..70, 1_usize..70),
        tile in 1_usize..33,
        overlap in 0_usize..33,
    ) {
        let overlap = overlap % tile;
        let image = scramble((2, rows, cols));
        let tiling = Tiling::new(rows, cols, tile, overlap)?;
        let mut blender = Blender::new(2, rows, cols);
        for tile in tiling.tiles() {
            let cut = tiling.extract(image.view(), tile)?;
            prop_assert_eq!(cut.dim(), (2, tiling.tile_size(), tiling.tile_size()));
            let inside = image.slice(s![
                ..,
                tile.row..tile.row + tile.rows,
                tile.col..tile.col + tile.cols
            ]);
            prop_assert_eq!(cut.slice(s![.., ..tile.rows, ..tile.cols]), inside);
            blender.add(tile, cut.view())?;
        }
        prop_assert_eq!(blender.finish()?, image);
    }

    #[test]
    fn neighbours_overlap_as_much_as_was_asked(
        (rows, cols) in (1_usize..500, 1_usize..500),
        tile in 2_usize..65,
        overlap in 0_usize..64,
    ) {
        let overlap = overlap % tile;
        let tiling = Tiling::new(rows, cols, tile, overlap)?;
        let mut starts: Vec<usize> = tiling.tiles().iter().map(|tile| tile.row).collect();
        starts.dedup();
        for pair in starts.windows(2) {
            prop_assert!(pair[0] < pair[1] && pair[0] + tile - pair[1] >= overlap);
        }
        // No more tiles than needed.
        let wanted = if rows <= tile { 1 } else { (rows - overlap).div_ceil(tile - overlap) };
        prop_assert_eq!(starts.len(), wanted);
    }
}

#[test]
fn tiles_that_differ_fade_into_each_other() -> Result<()> {
    let tiling = Tiling::new(8, 24, 16, 8)?;
    assert_eq!(tiling.tiles().len(), 2);
    let mut blender = Blender::new(1, 8, 24);
    for (tile, level) in tiling.tiles().iter().zip([0.0, 1.0]) {
        blender.add(tile, Array3::from_elem((1, 16, 16), level).view())?;
    }
    let image = blender.finish()?;
    let row: Vec<f32> = image.slice(s![0, 3, ..]).to_vec();
    assert!(row[..8].iter().all(|&v| v == 0.0) && row[16..].iter().all(|&v| v == 1.0));
    assert!(row.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 0.21));
    assert!((row[11] + row[12] - 1.0).abs() < 1e-6);
    Ok(())
}

#[test]
fn small_images_are_reflected_as_numpy_does() -> Result<()> {
    let image = Array3::from_shape_fn((1, 1, 3), |(_, _, c)| c as f32);
    let tiling = Tiling::new(1, 3, 8, 2)?;
    let cut = tiling.extract(image.view(), &tiling.tiles()[0])?;
    // numpy.pad([0, 1, 2], (0, 5), mode="reflect")
    for row in 0..8 {
        assert_eq!(cut.slice(s![0, row, ..]).to_vec(), [0., 1., 2., 1., 0., 1., 2., 1.]);
    }
    Ok(())
}

#[test]
fn misuse_is_an_error() -> Result<()> {
    for (rows, cols, tile, overlap) in [(0, 4, 4, 0), (4, 0, 4, 0), (4, 4, 0, 0), (4, 4, 4, 4)] {
        assert!(matches!(Tiling::new(rows, cols, tile, overlap), Err(Error::Config { .. })));
    }
    let tiling = Tiling::new(10, 10, 4, 1)?;
    let (first, last) = (&tiling.tiles()[0], &tiling.tiles()[tiling.tiles().len() - 1]);
    let other = scramble((1, 9, 10));
    assert!(matches!(tiling.extract(other.view(), first), Err(Error::Shape { .. })));
    let small = Tiling::new(5, 5, 4, 1)?;
    assert!(matches!(small.extract(scramble((1, 5, 5)).view(), last), Err(Error::Window { .. })));
    let mut blender = Blender::new(1, 10, 10);
    let tile = scramble((1, 4, 4));
    assert!(matches!(blender.add(first, scramble((2, 4, 4)).view()), Err(Error::Shape { .. })));
    assert!(matches!(blender.add(first, scramble((1, 3, 4)).view()), Err(Error::Shape { .. })));
    blender.add(first, tile.view())?;
    let error = blender.finish().expect_err("one tile");
    assert!(matches!(error, Error::Uncovered { pixels: 84, total: 100 }), "{error}");
    Ok(())
}
