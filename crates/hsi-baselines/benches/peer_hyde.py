"""Times HyDe on the cube of `examples/hsi_baselines_bench.rs`; prints the same JSON lines, one run each.

    python3 peer_hyde.py [--only NAME]

Versions used: hyde-images 0.4.3, torch 2.15.0, PyWavelets 1.9.0, scikit-image 0.26, bm3d 4.0.3.
"""

import argparse
import json
import os
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count()))

import hyde  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(threads)
BANDS, SIDE = 202, 128
OPERATIONS = [
    ("hyres", lambda x: hyde.HyRes()(x)),
    ("forpdn", lambda x: hyde.FORPDN_SURE()(x)),
    ("wsrrr", lambda x: hyde.WSRRR()(x, rank=10)),
    ("otvca", lambda x: hyde.OTVCA()(x, features=6, num_itt=10, lam=0.01)),
    ("fasthyde", lambda x: hyde.FastHyDe()(x, noise_type="additive", iid=True, k_subspace=10)),
    ("hyminor", lambda x: hyde.HyMiNoR()(x, lam=10)),
]


def noise(index):
    total = np.zeros(index.shape, np.uint32)
    x = index * np.uint32(3)
    for _ in range(3):
        x = x + np.uint32(1)
        h = x * np.uint32(0x9E3779B1)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(0x85EBCA77)
        h ^= h >> np.uint32(13)
        for shift in (0, 8, 16, 24):
            total += (h >> np.uint32(shift)) & np.uint32(255)
    return (total.astype(np.float32) - np.float32(1530)) / np.float32(256)


def cube():
    unit = np.float32(6 / SIDE)
    z, x, y = np.meshgrid(np.arange(BANDS, dtype=np.float32) * np.float32(0.03),
                          np.arange(SIDE, dtype=np.float32) * unit,
                          np.arange(SIDE, dtype=np.float32) * unit, indexing="ij")
    clean = (0.5 + 0.15 * np.sin(z) * np.cos(x + y) + 0.1 * np.cos(2 * z) * np.sin(x * y * 0.5)
             + 0.1 * np.cos(0.5 * z) * np.sin(2 * x - y))
    index = np.arange(BANDS * SIDE * SIDE, dtype=np.uint32).reshape(BANDS, SIDE, SIDE)
    noisy = (clean + 0.1 * noise(index)).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(noisy.transpose(1, 2, 0)))


parser = argparse.ArgumentParser()
parser.add_argument("--only")
only = parser.parse_args().only
noisy = cube()
for name, run in OPERATIONS:
    if only not in (None, name):
        continue
    image = noisy.clone()
    start = time.perf_counter()
    run(image)
    seconds = time.perf_counter() - start
    print(json.dumps({
        "op": name, "shape": [BANDS, SIDE, SIDE], "direction": "denoise", "threads": threads,
        "dtype": "f32", "median_ms": 1e3 * seconds,
        "library": "hyde-images 0.4.3",
    }), flush=True)
