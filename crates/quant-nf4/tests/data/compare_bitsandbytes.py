"""Compares quant-nf4 with bitsandbytes on random and adversarial tensors, byte for byte.

    python3 compare_bitsandbytes.py [--cases 300] [--seed 0]

Runs `cargo run --release -p quant-nf4 --example quant_nf4_compare` once on all of them. PyTorch
runs on one thread, as its mean of many numbers depends on their number. Checked with bitsandbytes
0.50.2, torch 2.15.0 and safetensors 0.8.0.
"""

import argparse
import json
import pathlib
import random
import subprocess
import tempfile

import bitsandbytes.functional as F
import torch
from safetensors.torch import load_file, save_file

SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def draw(rng):
    """A tensor of random kind and size."""
    count = rng.choice((1, 2, 31, 33, 255, 4095, 4097, rng.randint(1, 60_000),
                        rng.randint(1, 1_500_000) if rng.random() < 0.2 else 77))
    kind = rng.choice(("normal", "uniform", "wide", "tiny", "sparse", "ties", "constant", "steps"))
    xs = torch.randn(count)
    if kind == "uniform":
        xs = torch.rand(count) * 2 - 1
    elif kind == "wide":
        xs = xs * torch.exp(torch.randn(count) * 12)
    elif kind == "tiny":
        xs = xs * 10.0 ** rng.uniform(-46, -36)
    elif kind == "sparse":
        xs = xs * (torch.rand(count) < 0.02)
    elif kind == "ties":
        codes = F.get_4bit_type(rng.choice(("nf4", "fp4")), device="cpu").sort().values
        middle = (codes[:-1] + codes[1:]) / 2
        xs = middle[torch.randint(0, 15, (count,))]
        xs[::32] = 1.0
        xs = xs * 2.0 ** rng.randint(-30, 30)
    elif kind == "constant":
        xs = torch.full((count,), rng.uniform(-2, 2))
    elif kind == "steps":
        xs = xs.round() * 0.01
    return kind, torch.nan_to_num(xs, nan=0.0, posinf=3e38, neginf=-3e38)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    cases, kinds = {}, {}
    for index in range(args.cases):
        kind, xs = draw(rng)
        dtype = rng.choice(DTYPES)
        xs = xs.clamp(-torch.finfo(dtype).max, torch.finfo(dtype).max).to(dtype)
        name = f"{index}/{rng.choice(('nf4', 'fp4'))}/{rng.choice(SIZES)}/{rng.randint(0, 1)}"
        cases[name], kinds[name] = xs, kind
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.safetensors", pathlib.Path(folder) / "out.safetensors"
        save_file(cases, source)
        subprocess.run(["cargo", "run", "--release", "-q", "-p", "quant-nf4", "--example",
                        "quant_nf4_compare", str(source), str(target)], check=True)
        ours = load_file(target)
    different = 0
    for name, xs in cases.items():
        _, quant_type, size, nested = name.split("/")
        codes, state = F.quantize_4bit(xs, blocksize=int(size), quant_type=quant_type,
                                       compress_statistics=nested == "1")
        parts = state.as_dict(packed=True)
        wrong = [] if torch.equal(codes, ours[name]) else ["codes"]
        for key, value in parts.items():
            got = ours[f"{name}.{key}"]
            if "quant_state" in key:
                left, right = (json.loads(bytes(x.tolist())) for x in (value, got))
                same = left == right
            else:
                same = torch.equal(value.view(torch.uint8), got.view(torch.uint8))
            if not same:
                wrong.append(key)
        if wrong:
            different += 1
            print(f"{name} {kinds[name]} {tuple(xs.shape)} {xs.dtype}: {', '.join(wrong)}")
    print(f"{len(cases)} cases, {different} different")
    raise SystemExit(different > 0)


if __name__ == "__main__":
    main()
