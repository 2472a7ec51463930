"""Makes the golden files of this folder: python3 golden.py

The oracle is timm's vision transformer; the autoencoder, the spectral adapter and the resized
position embedding are written out below on top of torch. Made with torch 2.15.0, timm 1.0.31,
numpy 2, safetensors 0.6 or newer. Every file stays below 100 KB.
"""

import math
from collections import OrderedDict
from functools import partial

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

torch.manual_seed(0)
torch.set_grad_enabled(True)

LayerNorm = partial(nn.LayerNorm, eps=1e-6)


def randomise(module, seed):
    """Fills a module with numbers that leave no term at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in list(module.named_parameters()) + list(module.named_buffers()):
            if not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(0.5 + noise.abs())
            elif "norm" in name and name.endswith("weight"):
                tensor.copy_(1 + 0.3 * noise)
            elif tensor.ndim > 1 and "token" not in name and "pos" not in name:
                tensor.copy_(noise * 1.2 / math.sqrt(tensor[0].numel()))
            else:
                tensor.copy_(0.3 * noise)


def images(shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def contiguous(tensors):
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}


def vit(image, patch, bands, dim, depth, heads, mlp):
    return VisionTransformer(
        img_size=image, patch_size=patch, in_chans=bands, embed_dim=dim, depth=depth,
        num_heads=heads, mlp_ratio=mlp / dim, num_classes=0, global_pool="token",
        norm_layer=LayerNorm,
    )  # fmt: skip


def encoder_tiny():
    """Weights, images, features and gradients of a tiny timm model."""
    model = vit(16, 4, 5, 24, 2, 2, 48)
    randomise(model, 1)
    xs = images((2, 5, 16, 16), 2)
    tokens = model.forward_features(xs)
    weighted = torch.cos(torch.arange(tokens.numel(), dtype=torch.float32)).reshape(tokens.shape)
    (tokens * weighted).sum().backward()
    out = {f"weights.{k}": v for k, v in model.state_dict().items()}
    out |= {"images": xs, "tokens": tokens}
    for name in ["cls_token", "pos_embed", "blocks.0.norm1.weight", "blocks.1.mlp.fc1.bias"]:
        out[f"grad.{name}"] = model.get_parameter(name).grad
    out["grad.patch_embed.proj.bias"] = model.patch_embed.proj.bias.grad
    save_file(contiguous(out), "encoder_tiny.safetensors")


def formula(name, shape, index):
    """The weights of the full-size model: tensor `index` in the order of the sorted names."""
    phase = np.arange(math.prod(shape), dtype=np.float64) * 0.7310585 + 1.3 * index
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.2 * np.sin(phase)
    if len(shape) > 1 and name not in ("cls_token", "pos_embed"):
        return np.sin(phase) * np.cos(phase * phase * 1e-3) * 2 / math.sqrt(math.prod(shape[1:]))
    return 0.1 * np.sin(phase)


def encoder_small():
    """A few features of the full-size `small` model, 202 bands, 128 x 128 pixels."""
    model = timm.create_model(
        "vit_small_patch16_224", pretrained=False, img_size=128, patch_size=4, in_chans=202,
        num_classes=0,
    )  # fmt: skip
    state = model.state_dict()
    for index, name in enumerate(sorted(state)):
        values = formula(name, tuple(state[name].shape), index).reshape(state[name].shape)
        state[name] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(state)
    model.eval()
    count = 202 * 128 * 128
    xs = 0.5 + 0.5 * np.sin(np.arange(count, dtype=np.float64) * 0.0173)
    with torch.no_grad():
        tokens = model.forward_features(torch.from_numpy(xs.astype(np.float32)).reshape(1, 202, 128, 128))
    print("small:", sum(p.numel() for p in model.parameters()), tokens.shape, tokens.std())
    save_file(contiguous({"rows": tokens[0, ::128], "mean": tokens.mean(1)[0]}), "encoder_small.safetensors")


if __name__ == "__main__":
    encoder_tiny()
    encoder_small()
