"""Checks what tifffile and GDAL (rasterio) read from TIFF files that this crate wrote.

    WRITE_TIFF=/some/folder cargo test -p hsi-data --test files every_form_that_is_written
    python check_tiff.py /some/folder

Made with tifffile 2026.3.3, imagecodecs 2026.3.6, rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.
"""

import pathlib
import sys

import numpy as np
import rasterio
import tifffile
from rasterio.transform import Affine


def expected(code):
    b, r, c = np.indices((3, 37, 21))
    values = 100 * b + 10 * r + c
    if code == "b1":
        return (values % 100 > 50).astype("u1")
    return (values % 100 if code[1] == "1" else values).astype(code)


def main():
    count = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tif")):
        whole = expected(path.name[:2])
        samples = tifffile.imread(path)
        if samples.shape != whole.shape:
            samples = samples.transpose(2, 0, 1)
        assert samples.dtype.newbyteorder("=") == whole.dtype, (path, samples.dtype)
        assert np.array_equal(samples, whole), path
        count += 1
        # GDAL 3.10 has no type for half precision, reads it as float32.
        with rasterio.open(path) as file:
            assert np.array_equal(file.read(), whole), path
            assert file.crs.to_epsg() == 32633, path
            assert file.transform == Affine(30, 0, 300000, 0, -30, 5800000), path
            assert file.nodata == 99, path
            assert file.scales == (1e-4,) * 3 and file.offsets == (0.5,) * 3, path
            assert file.descriptions == ("a & b", "<c>", "d"), (path, file.descriptions)
            for band, nm, width, bbl in [(1, "418.24", "6.99561", "1"), (2, "423.874", "0.1", "0"), (3, "2445.53", "12", "1")]:
                tags = file.tags(band)
                assert (tags["wavelength"], tags["fwhm"], tags["bbl"]) == (nm, width, bbl), (path, tags)
                assert tags["wavelength_units"] == "Nanometers", path
                micrometres = float(file.tags(band, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"])
                assert abs(micrometres - float(nm) / 1e3) < 1e-12, path
    assert count == 12 * 7 * 2, count
    print(f"{count} files are read alike")


main()
