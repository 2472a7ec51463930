"""Writes `state_dict.safetensors` beside it: 4-bit layers as bitsandbytes saves them.

`plain.dense` and `nested.dense` are what bitsandbytes dequantises. With the argument `--load FILE`
it reads a file that quant-nf4 wrote (`examples/quant_nf4.rs --save FILE`) instead, with
`Params4bit.from_prequantized`, and compares the weight with the tensor `dense` in that file.
Written with bitsandbytes 0.50.2, torch 2.15.0 and safetensors 0.8.0.
"""

import pathlib
import sys

import bitsandbytes as bnb
import bitsandbytes.functional as F
import torch
from bitsandbytes.nn import Params4bit
from safetensors.torch import load_file, save_file


def write():
    torch.manual_seed(11)
    tensors = {}
    for name, kind, size, nested, dtype in (("plain", "fp4", 32, False, torch.bfloat16),
                                            ("nested", "nf4", 64, True, torch.float32)):
        weight = (torch.randn(45, 36) * 0.05).to(dtype)
        codes, state = F.quantize_4bit(weight, blocksize=size, quant_type=kind,
                                       compress_statistics=nested)
        tensors[f"{name}.weight"] = codes
        for key, value in state.as_dict(packed=True).items():
            tensors[f"{name}.weight.{key}"] = value
        tensors[f"{name}.dense"] = F.dequantize_4bit(codes, state)
    tensors["plain.bias"] = torch.arange(45.0)
    path = pathlib.Path(__file__).with_suffix(".safetensors")
    save_file({name: x.contiguous() for name, x in tensors.items()}, path)
    print(path.stat().st_size, "bytes")


def load(path):
    tensors = load_file(path)
    codes = tensors.pop("fc.weight")
    parts = {key.removeprefix("fc.weight."): x for key, x in tensors.items()
             if key.startswith("fc.weight.")}
    weight = Params4bit.from_prequantized(codes, parts, device="cpu")
    dense = F.dequantize_4bit(weight.data, weight.quant_state)
    assert dense.shape == tensors["dense"].shape, (dense.shape, tensors["dense"].shape)
    assert torch.equal(dense, tensors["dense"]), (dense - tensors["dense"]).abs().max()
    print("bitsandbytes", bnb.__version__, "reads the same numbers")


if sys.argv[1:2] == ["--load"]:
    load(sys.argv[2])
else:
    write()
