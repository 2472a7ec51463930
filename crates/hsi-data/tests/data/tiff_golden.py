"""Small TIFF files written by tifffile and by GDAL (rasterio).

    python tiff_golden.py

Every sample is `100 band + 10 row + column`, as `value` in the tests; types of 8 bits hold it
modulo 100, and negative samples do not occur but for nodata. The names say writer, type, layout
(strips or tiles, planar or pixel by pixel), compression and predictor.
Made with tifffile 2026.3.3, imagecodecs 2026.3.6, rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.
"""

import pathlib

import numpy as np
import rasterio
import tifffile
from rasterio.transform import Affine

HERE = pathlib.Path(__file__).parent / "tiff"
BANDS, ROWS, COLS = 3, 37, 21
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
PACKINGS = [(None, 0), ("zlib", 0), ("zlib", 1), ("lzw", 0), ("lzw", 1), ("zstd", 0), ("zstd", 1), ("packbits", 0)]


def cube(code, bands=BANDS, rows=ROWS, cols=COLS):
    b, r, c = np.indices((bands, rows, cols))
    values = 100 * b + 10 * r + c
    return (values % 100 if code[1] == "1" else values).astype(code)


def by_tifffile():
    turn = 0
    for code in TYPES:
        for layout in ["strip", "tile"]:
            for planar in ["separate", "contig"]:
                packing, filtered = PACKINGS[turn % len(PACKINGS)]
                order = "<>"[turn // 3 % 2]
                big = turn % 5 == 0
                turn += 1
                predictor = None
                if filtered:
                    predictor = 3 if code[0] == "f" else 2
                # Of floating-point numbers the other predictor too.
                if code == "f4" and planar == "contig" and filtered:
                    predictor = 2
                samples = cube(code)
                if planar == "contig":
                    samples = samples.transpose(1, 2, 0)
                name = f"t_{code}_{layout}_{planar}_{packing}_{predictor or 1}_{'big' if order == '>' else 'little'}{'_64' if big else ''}"
                tifffile.imwrite(
                    HERE / f"{name}.tif", samples, bigtiff=big, byteorder=order, photometric="minisblack",
                    planarconfig=planar, compression=packing, predictor=predictor, metadata=None,
                    software=False, tile=(16, 16) if layout == "tile" else None,
                    rowsperstrip=7 if layout == "strip" else None,
                )
    # Every way of packing with its predictors, in one type each.
    for code, layout in [("i2", "strip"), ("f4", "tile"), ("f8", "strip")]:
        for packing in ["zlib", "lzw", "zstd"]:
            predictor = 2 if code == "i2" else 3
            for planar in ["separate", "contig"]:
                samples = cube(code)
                if planar == "contig":
                    samples = samples.transpose(1, 2, 0)
                tifffile.imwrite(
                    HERE / f"p_{code}_{layout}_{planar}_{packing}_{predictor}.tif", samples,
                    photometric="minisblack", planarconfig=planar, compression=packing, predictor=predictor,
                    metadata=None, software=False, tile=(16, 16) if layout == "tile" else None,
                    rowsperstrip=7 if layout == "strip" else None,
                )
    # Bands as images of their own.
    tifffile.imwrite(HERE / "pages.tif", cube("i2"), photometric="minisblack", metadata=None, compression="zlib")
    # What is refused.
    tifffile.imwrite(HERE / "bad_complex.tif", cube("u1").astype("c8"), photometric="minisblack", planarconfig="separate", metadata=None)
    tifffile.imwrite(HERE / "bad_bits.tif", cube("u1") > 50, photometric="minisblack", planarconfig="separate", metadata=None)
    tifffile.imwrite(HERE / "bad_jpeg.tif", cube("u1").transpose(1, 2, 0), photometric="rgb", compression="jpeg", metadata=None)


def by_gdal():
    for interleave in ["band", "pixel"]:
        with rasterio.open(
            HERE / f"gdal_{interleave}.tif", "w", driver="GTiff", width=COLS, height=ROWS, count=BANDS,
            dtype="int16", compress="deflate", predictor=2, interleave=interleave, crs="EPSG:32633",
            transform=Affine(30, 0, 366975, 0, -30, 5808045), nodata=-32768, blockysize=8,
        ) as file:
            file.write(cube("i2"))
            file.update_tags(sensor="a <made up> one", start_time="2022-07-24T10:45:26")
            file.update_tags(ns="ENVI", interleave="bsq")
            for band, (nm, width) in enumerate([(418.24, 6.99561), (551.0, 7.5), (700.5, 8.25)], 1):
                file.update_tags(band, wavelength=str(nm), wavelength_units="Nanometers", fwhm=str(width),
                                 bbl=str(int(band != 2)), cloud=f"{band} %")
            file.descriptions = ["blue", "green", "red & more"]
            file.scales = [1e-4] * 3
            file.offsets = [0.5] * 3
    # Rotated, in degrees, GDAL's own names of wavelengths, never written tiles.
    with rasterio.open(
        HERE / "gdal_sparse.tif", "w", driver="GTiff", width=40, height=40, count=2, dtype="float32",
        tiled=True, blockxsize=16, blockysize=16, compress="zstd", predictor=3, crs="EPSG:4326",
        transform=Affine(0.1, 0.02, 10, 0.03, -0.1, 50), nodata=float("nan"), SPARSE_OK=True,
    ) as file:
        file.write(np.full((2, 16, 16), 7, "f4"), window=rasterio.windows.Window(16, 0, 16, 16))
        for band, nm in enumerate([500, 600], 1):
            file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(nm / 1e3), FWHM_UM="0.01")
        file.scales = [1.0, 2.0]
    # Coordinates of centres of pixels.
    with rasterio.Env(GTIFF_POINT_GEO_IGNORE="FALSE"), rasterio.open(
        HERE / "gdal_point.tif", "w", driver="GTiff", width=4, height=5, count=1, dtype="uint8", crs="EPSG:32633",
        transform=Affine(30, 0, 366975, 0, -30, 5808045),
    ) as file:
        file.write(cube("u1", 1, 5, 4))
        file.update_tags(AREA_OR_POINT="Point")


def main():
    HERE.mkdir(exist_ok=True)
    for old in HERE.glob("*.tif"):
        old.unlink()
    by_tifffile()
    by_gdal()


main()
