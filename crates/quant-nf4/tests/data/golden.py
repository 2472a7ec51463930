"""Writes `golden.safetensors` beside it, the oracle of `tests/formats/golden.rs`.

What `bitsandbytes.functional.quantize_4bit` gives on the CPU for the tensors below, and PyTorch's
mean, on one thread. Written with bitsandbytes 0.50.2, torch 2.15.0 and safetensors 0.8.0.

A case is called `<tensor>/<type>/<dtype>/<block size>/<nested: 0 or 1>`; the tensor itself stands
under `<tensor>`.
"""

import pathlib

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(3)
SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
tensors = {}


def record(name, xs, kind, dtype, size, nested):
    codes, state = F.quantize_4bit(xs.to(DTYPES[dtype]), blocksize=size, quant_type=kind,
                                   compress_statistics=nested)
    case = f"{name}/{kind}/{dtype}/{size}/{int(nested)}"
    tensors[case] = codes
    tensors[case + ".absmax"] = state.absmax
    if nested:
        tensors[case + ".nested_absmax"] = state.state2.absmax
        tensors[case + ".offset"] = state.offset.reshape(1)


def normal(*shape):
    return torch.randn(shape) * 0.05


def midpoints(kind):
    values = F.get_4bit_type(kind, device="cpu").sort().values
    middle = (values[:-1] + values[1:]) / 2
    around = torch.cat([middle, middle.nextafter(torch.tensor(2.0)),
                        middle.nextafter(torch.tensor(-2.0)), torch.tensor([1.0])])
    return torch.cat([around, torch.zeros(64 - len(around)), around * 0.37, -around])


inputs = {
    "normal": normal(31, 35),
    "one": torch.tensor([-0.3]),
    "two": torch.tensor([1e-3, 0.5]),
    "ties_nf4": midpoints("nf4"),
    "ties_fp4": midpoints("fp4"),
    "zeros": torch.zeros(130),
    "signed_zeros": torch.tensor([0.0, -0.0] * 50 + [1e-30]),
    "denormal": torch.cat([torch.full((64,), 1e-40), torch.tensor([1e-45, -3e-39] * 40),
                           torch.tensor([1.2e-38, 9e-39])]),
    "least": torch.cat([torch.linspace(-1e-38, 1e-38, 64), torch.linspace(0, 2e-38, 33)]),
    "large": torch.cat([torch.linspace(-1, 1, 96) * 1.1e38, torch.tensor([1.2e38])]),
    "outlier": torch.cat([torch.full((100,), 1e-6), torch.tensor([1e4]), normal(100)]),
    "negative": -normal(200).abs() - 1,
}
for name, xs in inputs.items():
    tensors[name] = xs
    for kind in ("nf4", "fp4"):
        for nested in (False, True):
            record(name, xs, kind, "f32", 64, nested)
for dtype in DTYPES:
    for size in SIZES:
        record("normal", inputs["normal"], "nf4", dtype, size, size != 32)
    record("normal", inputs["normal"], "fp4", dtype, 128, True)

# 700 blocks by formula: three nested blocks, the last one not full.
index = torch.arange(22_387, dtype=torch.float64)
many = ((index * 7919 % 10007) / 5003.5 - 1) * (1 + (index // 32 * 31) % 97) / 50
codes, state = F.quantize_4bit(many.float(), blocksize=32, quant_type="nf4",
                               compress_statistics=True)
tensors["many.codes"] = codes
tensors["many.absmax"] = state.absmax
tensors["many.nested_absmax"] = state.state2.absmax
tensors["many.offset"] = state.offset.reshape(1)
tensors["map.signed"] = F.create_dynamic_map(signed=True)
tensors["map.unsigned"] = F.create_dynamic_map(signed=False)

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: x.contiguous() for name, x in tensors.items()}, path)
print(path.stat().st_size, "bytes")
