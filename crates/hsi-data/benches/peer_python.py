"""Times spectral, rasterio and h5py on the conversions of `examples/hsi_data_bench.rs`; prints the
same JSON lines. Windows of rows are read and written, so that memory is bounded.

    pip install spectral rasterio h5py
    python3 peer_python.py
"""

import json
import os
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import rasterio
import spectral
from rasterio.windows import Window

quick = "HSI_BENCH_QUICK" in os.environ
bands, rows, cols = (32, 300, 300) if quick else (224, 1000, 1000)
threads = int(os.environ.get("RAYON_NUM_THREADS", os.cpu_count()))
STEP = 256


def scene(first, height):
    b = np.arange(bands, dtype=np.int64)[:, None, None]
    r = np.arange(first, first + height, dtype=np.int64)[None, :, None]
    c = np.arange(cols, dtype=np.int64)[None, None, :]
    smooth = 2000 + 4 * b + np.abs((r + 2 * c) % 1000 - 500)
    bits = np.int64(0xFFFFFFFF)
    noise = (r * 73856093 & bits) ^ (c * 19349663 & bits) ^ (b * 83492791 & bits)
    return (smooth + (noise >> 13 & 31)).astype(np.int16)


def say(direction, start):
    library = f"spectral {spectral.__version__}, rasterio {rasterio.__version__}"
    line = {
        "op": "convert", "shape": [bands, rows, cols], "direction": direction, "dtype": "i16",
        "threads": threads, "median_ms": (time.perf_counter() - start) * 1e3,
        "library": f"{library}, h5py {h5py.__version__}",
    }
    print(json.dumps(line), flush=True)


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    meta = dict(lines=rows, samples=cols, bands=bands, interleave="bsq")
    meta |= {"data type": 2, "byte order": 0, "header offset": 0}
    image = spectral.envi.create_image(str(folder / "scene.hdr"), meta, ext=".img")
    memory = image.open_memmap(interleave="bsq", writable=True)
    for first in range(0, rows, 20):
        memory[:, first:first + 20] = scene(first, min(20, rows - first))
    memory.flush()
    del memory, image

    start = time.perf_counter()
    source = spectral.open_image(str(folder / "scene.hdr")).open_memmap(interleave="bsq")
    form = dict(driver="GTiff", count=bands, height=rows, width=cols, dtype="int16")
    form |= dict(tiled=True, blockxsize=256, blockysize=256, interleave="band")
    form |= dict(compress="deflate", zlevel=6, predictor=2, num_threads=threads, bigtiff="if_safer")
    with rasterio.open(folder / "scene.tif", "w", **form) as out:
        for first in range(0, rows, STEP):
            height = min(STEP, rows - first)
            window = Window(0, first, cols, height)
            out.write(np.ascontiguousarray(source[:, first:first + height]), window=window)
    say("envi-tiff", start)

    start = time.perf_counter()
    with rasterio.open(folder / "scene.tif", num_threads=threads) as source:
        with h5py.File(folder / "scene.h5", "w") as file:
            chunks = (min(8, bands), min(256, rows), min(256, cols))
            out = file.create_dataset(
                "cube", (bands, rows, cols), "i2", chunks=chunks, compression="gzip",
                compression_opts=6, shuffle=True,
            )
            for first in range(0, rows, STEP):
                height = min(STEP, rows - first)
                out[:, first:first + height] = source.read(window=Window(0, first, cols, height))
    say("tiff-hdf5", start)
