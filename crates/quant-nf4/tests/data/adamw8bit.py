"""Writes `adamw8bit.safetensors` beside it, the oracle of `tests/formats/adamw.rs`.

Four steps of `bitsandbytes.optim.AdamW8bit` on the CPU, for a parameter of 8-bit moments and a small
one. Parameters and gradients are those of `number` below, which the test computes as well.
Written with bitsandbytes 0.50.2, torch 2.15.0 and safetensors 0.8.0.
"""

import pathlib

import bitsandbytes as bnb
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
STEPS = 4
SETTINGS = dict(lr=0.02, betas=(0.85, 0.97), eps=1e-6, weight_decay=0.1)


def number(count, seed):
    """Numbers of varying magnitude, exact in f32, with a block of zeros and zeros in between."""
    index = torch.arange(count, dtype=torch.int64)
    mixed = (index * 7919 + seed * 104729) % 20011
    xs = (mixed.double() - 10005) / 4096 / 2.0 ** (index % 7).double()
    xs[(index // 256 == 2) | (index % 11 == 3)] = 0
    return xs.float()


tensors = {}
for name, count in (("large", 4500), ("small", 300)):
    param = torch.nn.Parameter(number(count, 0))
    optimizer = bnb.optim.AdamW8bit([param], **SETTINGS)
    for step in range(1, STEPS + 1):
        param.grad = number(count, step)
        optimizer.step()
        tensors[f"{name}/{step}"] = param.detach().clone()
    for key in ("state1", "state2", "absmax1", "absmax2"):
        if key in optimizer.state[param]:
            tensors[f"{name}/{key}"] = optimizer.state[param][key]

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: x.contiguous() for name, x in tensors.items()}, path)
print(path.stat().st_size, "bytes")
