"""Checks what `inspect` says of files that scipy, h5py, tifffile, rasterio and SPy wrote: every type in
every layout, byte order and compression that they have.

    cargo build -p hsi-examples --example inspect
    python check_reading.py ../../../../target/debug/examples/inspect

Made with numpy 2.4, scipy 1.17, h5py 3.16, tifffile 2026.3.3, rasterio 1.4.4 and spectral 0.25.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import rasterio
import scipy.io
import spectral.io.envi as envi
import tifffile
from rasterio.transform import Affine

BANDS, ROWS, COLS = 5, 23, 17
NM = [400 + 10 * band for band in range(BANDS)]
BASE = np.random.default_rng(0).integers(0, 100, (BANDS, ROWS, COLS))
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]


def cube(code):
    return (BASE * 0.25 if code[0] == "f" else BASE).astype(code)


def matlab(folder):
    for code, packed in itertools.product(INTEGERS + ["f4", "f8"], [False, True]):
        name = f"{code}_{packed}.mat"
        fields = {"cube": cube(code).transpose(1, 2, 0), "wavelength": np.array(NM, "f8")}
        scipy.io.savemat(folder / name, fields, do_compression=packed)
        yield name, code


def hdf5(folder):
    packings = [(None, False), ("gzip", False), ("gzip", True), ("lzf", False), ("lzf", True)]
    codes = INTEGERS + ["f2", "f4", "f8"]
    for code, order, (packing, shuffle) in itertools.product(codes, "<>", packings):
        name = f"{code}_{'big' if order == '>' else 'little'}_{packing}_{shuffle}.h5"
        with h5py.File(folder / name, "w") as file:
            data = file.create_dataset(
                "scene/reflectance", data=cube(code).astype(order + code), compression=packing,
                shuffle=shuffle, chunks=(2, 8, 8) if packing else None, fletcher32=bool(packing),
            )
            data.attrs["wavelengths"] = np.array(NM, "f8")
        yield name, code


def by_tifffile(folder):
    for code, order, planar, tile, packing, big in itertools.product(
        INTEGERS + ["f2", "f4", "f8"], "<>", ["separate", "contig"], [None, (16, 16)],
        [None, "zlib", "lzw", "zstd"], [False, True],
    ):
        for predictor in [None] if packing is None else [None, 3 if code[0] == "f" else 2]:
            name = "_".join(map(str, [code, ord(order), planar, bool(tile), packing, predictor, big])) + ".tif"
            samples = cube(code) if planar == "separate" else cube(code).transpose(1, 2, 0)
            tifffile.imwrite(
                folder / name, np.ascontiguousarray(samples).astype(order + code), byteorder=order,
                planarconfig=planar, photometric="minisblack", tile=tile, compression=packing,
                predictor=predictor, bigtiff=big, rowsperstrip=None if tile else 5, metadata=None,
            )
            yield name, code


def by_gdal(folder):
    for code, interleave, tiled, packing, predictor, big in itertools.product(
        INTEGERS + ["f4", "f8"], ["band", "pixel"], [False, True],
        ["none", "deflate", "lzw", "zstd"], [1, 2, 3], ["YES", "NO"],
    ):
        if packing == "none" and predictor > 1 or predictor == 3 and code[0] != "f":
            continue
        name = "_".join(map(str, ["gdal", code, interleave, tiled, packing, predictor, big])) + ".tif"
        with rasterio.open(
            folder / name, "w", driver="GTiff", width=COLS, height=ROWS, count=BANDS,
            dtype=np.dtype(code).name, interleave=interleave, tiled=tiled, blockxsize=16,
            blockysize=16, compress=packing, predictor=predictor, BIGTIFF=big, crs="EPSG:32633",
            transform=Affine(30, 0, 3e5, 0, -30, 58e5),
        ) as file:
            file.write(cube(code))
            for band, nm in enumerate(NM):
                file.update_tags(band + 1, wavelength=str(nm), wavelength_units="Nanometers")
        yield name, code


def by_spy(folder):
    fields = {
        "wavelength": NM, "wavelength units": "Nanometers",
        "map info": ["UTM", "1", "1", "300000", "5800000", "30", "30", "33", "North", "WGS-84"],
    }
    codes = ["u1", "i2", "i4", "f4", "f8", "u2", "u4", "i8", "u8"]
    for code, interleave, order in itertools.product(codes, ["bsq", "bil", "bip"], [0, 1]):
        name = f"{code}_{interleave}_{order}.hdr"
        envi.save_image(
            str(folder / name), cube(code).transpose(1, 2, 0), dtype=code, interleave=interleave,
            byteorder=order, metadata=fields, ext=".img",
        )
        yield name, code


def check(program, path, code, has_nm, has_map):
    said = subprocess.run([program, path, "--json"], capture_output=True, text=True, check=True)
    facts, samples = json.loads(said.stdout), cube(code).astype("f8")
    assert facts["shape"] == [BANDS, ROWS, COLS], (path.name, facts)
    assert np.dtype(facts["sample_type"]) == np.dtype(code), (path.name, facts)
    assert facts["range"] == {"min": samples.min(), "max": samples.max()}, (path.name, facts)
    assert abs(facts["mean"] - samples.mean()) < 1e-9, (path.name, facts)
    assert not has_nm or facts["wavelengths"] == {"min": 400, "max": 440, "unit": "nm"}, path.name
    if has_map:
        assert facts["epsg"] == 32633, (path.name, facts)
        assert facts["transform"] == [3e5, 30, 0, 58e5, 0, -30], (path.name, facts)


def main():
    count = 0
    writers = [
        (matlab, True, False), (hdf5, True, False), (by_tifffile, False, False),
        (by_gdal, True, True), (by_spy, True, True),
    ]
    for write, has_nm, has_map in writers:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, code in write(folder):
                check(sys.argv[1], folder / name, code, has_nm, has_map)
                count += 1
    print(f"{count} files are read as they were written")


main()
