"""Times PyTorch on the operations of `examples/grad_ops_bench.rs`; prints the same JSON lines.

    python3 peer_torch.py [--threads N] [--only NAME]
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F


def attention(qkv, heads=6):
    b, n, c = qkv.shape
    q, k, v = qkv.reshape(b, n, 3, heads, c // 3 // heads).permute(2, 0, 3, 1, 4).unbind(0)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c // 3)


def conv(xs, weight, bias):
    return F.relu(F.conv2d(xs, weight, bias, padding=1), inplace=True)


def layer_norm(xs, weight, bias):
    return F.layer_norm(xs, weight.shape, weight, bias, 1e-6)


def conv_transpose(xs, weight, bias):
    return F.conv_transpose2d(xs, weight, bias, stride=2)


def upsample(xs):
    return F.interpolate(xs, scale_factor=4, mode="bilinear", align_corners=False)


OPERATIONS = [
    ("linear", [(1025, 384), (1536, 384), (1536,)], F.linear),
    ("linear", [(1025, 1536), (384, 1536), (384,)], F.linear),
    ("linear", [(65536, 64), (64, 64), (64,)], F.linear),
    ("layer_norm", [(1025, 384), (384,), (384,)], layer_norm),
    ("gelu", [(1025, 1536)], F.gelu),
    ("relu", [(1, 256, 128, 128)], F.relu),
    ("softmax", [(6, 1025, 1025)], lambda xs: F.softmax(xs, -1)),
    ("attention6", [(1, 1025, 1152)], attention),
    ("conv3x3", [(1, 256, 64, 64), (256, 256, 3, 3), (256,)], conv),
    ("conv3x3", [(1, 256, 128, 128), (256, 256, 3, 3), (256,)], conv),
    ("conv3x3", [(4, 64, 64, 64), (64, 64, 3, 3), (64,)], conv),
    ("conv3x3", [(1, 512, 16, 16), (512, 512, 3, 3), (512,)], conv),
    ("conv_transpose2x2", [(1, 256, 64, 64), (256, 128, 2, 2), (128,)], conv_transpose),
    ("max_pool2x2", [(1, 256, 128, 128)], lambda xs: F.max_pool2d(xs, 2)),
    ("upsample4", [(1, 384, 32, 32)], upsample),
    ("mse_loss", [(1, 202, 128, 128), (1, 202, 128, 128)], F.mse_loss),
]


def measure(run):
    """Median and minimum in ms of at least five runs and a second, after one that does not count."""
    run()
    times = []
    while len(times) < 5 or (sum(times) < 1.0 and len(times) < 200):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3, min(times) * 1e3


def report(op, shape, direction, times):
    line = {"op": op, "shape": list(shape), "direction": direction,
            "threads": torch.get_num_threads(), "dtype": "f32", "median_ms": round(times[0], 4),
            "min_ms": round(times[1], 4)}
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for name, shapes, operation in OPERATIONS:
        if args.only not in (None, name):
            continue
        leaves = [(torch.randn(shape) * 0.1).requires_grad_() for shape in shapes]
        with torch.no_grad():
            forward = measure(lambda: operation(*leaves))
        ys = operation(*leaves)
        ones = torch.ones_like(ys)
        backward = measure(lambda: torch.autograd.grad(ys, leaves, ones, retain_graph=True))
        report(name, shapes[0], "forward", forward)
        report(name, shapes[0], "backward", backward)
    if args.only in (None, "adamw"):
        param = torch.randn(20_000_000).requires_grad_()
        param.grad = torch.randn(20_000_000)
        optimizer = torch.optim.AdamW([param])
        report("adamw", param.shape, "step", measure(optimizer.step))


if __name__ == "__main__":
    main()
