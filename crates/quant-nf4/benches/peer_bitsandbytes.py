"""Times bitsandbytes on the operations of `examples/quant_nf4_bench.rs`; prints the same JSON lines.

    python3 peer_bitsandbytes.py [--threads N] [--only NAME]

The product is `bitsandbytes.matmul_4bit` in f32, which dequantises the weight and multiplies.
"""

import argparse
import json
import logging
import os
import time

import torch

logging.disable(logging.WARNING)

import bitsandbytes as bnb  # noqa: E402
import bitsandbytes.functional as F  # noqa: E402

WEIGHTS = [(1152, 384), (384, 384), (1536, 384), (4096, 4096)]
SECONDS = 0.1 if "HSI_BENCH_QUICK" in os.environ else 0.5


def measure(run):
    """Median and minimum in ms of at least five runs and half a second, after one that does not
    count."""
    run()
    times = []
    while len(times) < 5 or (sum(times) < SECONDS and len(times) < 500):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3, min(times) * 1e3


def report(op, shape, direction, times):
    line = {"op": op, "shape": list(shape), "direction": direction,
            "threads": torch.get_num_threads(), "dtype": "f32", "median_ms": round(times[0], 4),
            "min_ms": round(times[1], 4),
            "library": f"bitsandbytes {bnb.__version__}, torch {torch.__version__}"}
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    def wanted(name):
        return args.only in (None, name)

    for out, inner in WEIGHTS:
        weight = torch.randn(out, inner) * 0.02

        def quantize():
            return F.quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=True)

        codes, state = quantize()
        if wanted("quantize"):
            report("quantize", (out, inner), "forward", measure(quantize))
        if wanted("dequantize"):
            report("dequantize", (out, inner), "forward",
                   measure(lambda: F.dequantize_4bit(codes, state)))
        for rows in (1025, 1):
            if not wanted("matmul_4bit"):
                continue
            xs = torch.randn(rows, inner)
            ones = torch.ones(rows, out)

            def forward():
                with torch.no_grad():
                    bnb.matmul_4bit(xs, codes, quant_state=state)

            tracked = xs.clone().requires_grad_()

            def both():
                torch.autograd.grad(bnb.matmul_4bit(tracked, codes, quant_state=state), tracked, ones)

            report("matmul_4bit", (rows, inner, out), "forward", measure(forward))
            report("matmul_4bit", (rows, inner, out), "forward+backward", measure(both))
    if wanted("adamw8bit"):
        param = torch.nn.Parameter(torch.randn(12_000_000) * 0.1)
        param.grad = torch.randn(12_000_000) * 0.1
        optimizer = bnb.optim.AdamW8bit([param])
        report("adamw8bit", param.shape, "step", measure(optimizer.step))


if __name__ == "__main__":
    main()
