"""Writes `golden.safetensors`: the heads in PyTorch, their outputs and gradients.

Two groups of cases, computed in f64 and stored in f32:

* `tiny.<case>.*`: heads of a few channels, with all weights (`w.<key>`, the keys being those of the
  module's `state_dict`), the features `x`, the output `y`, and of the loss `sum(y * r)` the
  gradients `dx` and `d.<key>`; `r` is `fill("r", ..)`.
* `full.<head>.*`: heads of the published size. Weights and features are `fill(<key>, ..)`, the same
  on both sides to the bit; of `y` and `dx` every STRIDE-th and DX_STRIDE-th element is stored.

Run: python3 golden.py
"""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

STRIDE = 331
DX_STRIDE = 11


def hash32(n, salt):
    """The integer hash `lowbias32` of n consecutive numbers after `salt`."""
    h = np.arange(n, dtype=np.uint32) + np.uint32(salt)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def fnv1a(name):
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) % 2**32
    return h


def fill(name, shape, scale):
    """Numbers in [-scale, scale) that depend on the name and the index only."""
    unit = (hash32(math.prod(shape), fnv1a(name)) >> np.uint32(8)).astype(np.float32)
    unit = unit / np.float32(2**23) - np.float32(1)
    return torch.from_numpy((unit * np.float32(scale)).reshape(shape)).double()


def scale_of(name, shape):
    """He scale for weights, 0.1 for biases, 1 for all else."""
    if name.endswith("weight"):
        return math.sqrt(6.0 / math.prod(shape[1:]))
    return 0.1 if name.endswith("bias") else 1.0


def conv(i, o):
    return nn.Conv2d(i, o, 3, padding=1)


def up4(x):
    return nn.functional.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)


class Fc(nn.Module):
    def __init__(self, d, c, p=4):
        super().__init__()
        self.c, self.p = c, p
        self.fc = nn.Linear(d, c * p * p)

    def forward(self, x):
        """One patch after the other, as the oracle of the single matmul."""
        b, _, h, w = x.shape
        p = self.p
        image = x.new_zeros(b, self.c, h * p, w * p)
        for i in range(h):
            for j in range(w):
                patch = self.fc(x[:, :, i, j]).reshape(b, self.c, p, p)
                image[:, :, i * p : i * p + p, j * p : j * p + p] = patch
        return image


class Conv(nn.Module):
    def __init__(self, d, c, w=512):
        super().__init__()
        self.conv = nn.Sequential(conv(d, w), nn.ReLU(), conv(w, c))

    def forward(self, x):
        return self.conv(up4(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.net = nn.Sequential(conv(c, c), nn.ReLU(), conv(c, c))

    def forward(self, x):
        return x + self.net(x)


class Residual(nn.Module):
    def __init__(self, d, c):
        super().__init__()
        self.initial_conv = conv(d, c)
        self.res_blocks = nn.Sequential(Block(c), Block(c), Block(c))

    def forward(self, x):
        return self.res_blocks(self.initial_conv(up4(x)))


class Unet(nn.Module):
    def __init__(self, d, c, w=256):
        super().__init__()
        self.initial_conv = nn.Sequential(conv(d, w), nn.ReLU())
        self.down1 = nn.Sequential(conv(w, w), nn.ReLU(), nn.MaxPool2d(2))
        self.down2 = nn.Sequential(conv(w, 2 * w), nn.ReLU(), nn.MaxPool2d(2))
        self.bottom = nn.Sequential(conv(2 * w, 2 * w), nn.ReLU(), conv(2 * w, 2 * w), nn.ReLU())
        self.up2 = nn.ConvTranspose2d(2 * w, 2 * w, 2, stride=2)
        self.conv_up2 = nn.Sequential(conv(3 * w, w), nn.ReLU())
        self.up1 = nn.ConvTranspose2d(w, w, 2, stride=2)
        self.conv_up1 = nn.Sequential(conv(2 * w, w), nn.ReLU())
        self.final = conv(w, c)

    def forward(self, x):
        x0 = self.initial_conv(up4(x))
        x1 = self.down1(x0)
        x2 = self.bottom(self.down2(x1))
        x1 = self.conv_up2(torch.cat([self.up2(x2), x1], 1))
        return self.final(self.conv_up1(torch.cat([self.up1(x1), x0], 1)))


def run(module, x_shape):
    module = module.double()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            parameter.copy_(fill(key, parameter.shape, scale_of(key, parameter.shape)))
    x = fill("x", x_shape, 1.0).requires_grad_()
    y = module(x)
    (y * fill("r", y.shape, 1.0)).sum().backward()
    return module, x, y


def main():
    out = {}

    def store(name, tensor):
        out[name] = tensor.detach().contiguous().numpy().astype(np.float32)

    tiny = {
        "fc": (Fc(5, 3), (2, 5, 2, 3)),
        "fc_patch3": (Fc(5, 3, p=3), (2, 5, 3, 1)),
        "conv": (Conv(5, 3, w=4), (2, 5, 2, 3)),
        "residual": (Residual(5, 3), (2, 5, 3, 1)),
        "unet": (Unet(5, 3, w=3), (2, 5, 1, 3)),
    }
    for case, (module, x_shape) in tiny.items():
        module, x, y = run(module, x_shape)
        for name, tensor in {"x": x, "y": y, "dx": x.grad}.items():
            store(f"tiny.{case}.{name}", tensor)
        for key, parameter in module.named_parameters():
            store(f"tiny.{case}.w.{key}", parameter)
            store(f"tiny.{case}.d.{key}", parameter.grad)

    full = {"fc": Fc(384, 202), "conv": Conv(384, 202), "residual": Residual(384, 202), "unet": Unet(384, 202)}
    for case, module in full.items():
        module, x, y = run(module, (1, 384, 2, 3))
        print(case, sum(p.numel() for p in module.parameters()), "y std", y.std().item())
        store(f"full.{case}.y", y.flatten()[::STRIDE])
        store(f"full.{case}.dx", x.grad.flatten()[::DX_STRIDE])

    path = Path(__file__).with_name("golden.safetensors")
    save_file(out, path, metadata={"torch": torch.__version__, "numpy": np.__version__})
    print(path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
