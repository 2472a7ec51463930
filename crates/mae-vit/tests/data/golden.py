"""Makes the golden files of this folder: python3 golden.py

The oracle is timm's vision transformer; the autoencoder, the spectral adapter and the resized
position embedding are written out below on top of torch. Made with torch 2.15.0, timm 1.0.31,
numpy 2.4.6, safetensors 0.8.0. Every file stays below 100 KB.
"""

import math
from argparse import Namespace
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


class Autoencoder(nn.Module):
    """A masked autoencoder around a timm encoder, with the names of facebookresearch/mae."""

    def __init__(self, encoder, bands, dim, depth, heads):
        super().__init__()
        self.encoder, patches = encoder, encoder.patch_embed.num_patches
        values = encoder.patch_embed.patch_size[0] ** 2 * bands
        self.decoder_embed = nn.Linear(encoder.embed_dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_pos_embed = nn.Parameter(sin_cos(dim, int(patches**0.5)), requires_grad=False)
        block = partial(Block, dim, heads, 4, qkv_bias=True, norm_layer=LayerNorm)
        self.decoder_blocks = nn.ModuleList([block() for _ in range(depth)])
        self.decoder_norm = LayerNorm(dim)
        self.decoder_pred = nn.Linear(dim, values)

    def forward(self, xs, orders, kept, normalise):
        vit, (batch, bands, size, _) = self.encoder, xs.shape
        patch = vit.patch_embed.patch_size[0]
        tokens = vit.patch_embed(xs) + vit.pos_embed[:, 1:]
        seen = torch.stack([tokens[b, orders[b, :kept]] for b in range(batch)])
        cls = (vit.cls_token + vit.pos_embed[:, :1]).expand(batch, -1, -1)
        latent = self.decoder_embed(vit.norm(vit.blocks(torch.cat([cls, seen], 1))))
        full = self.mask_token.repeat(batch, orders.shape[1], 1)
        mask = torch.ones(batch, orders.shape[1])
        for b in range(batch):
            full[b, orders[b, :kept]] = latent[b, 1:]
            mask[b, orders[b, :kept]] = 0
        ys = torch.cat([latent[:, :1], full], 1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            ys = block(ys)
        prediction = self.decoder_pred(self.decoder_norm(ys))[:, 1:]
        target = torch.stack([
            xs[:, :, r : r + patch, c : c + patch].permute(0, 2, 3, 1).reshape(batch, -1)
            for r in range(0, size, patch)
            for c in range(0, size, patch)
        ], 1)  # fmt: skip
        if normalise:
            target = (target - target.mean(-1, True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        errors = ((prediction - target) ** 2).mean(-1)
        return (errors * mask).sum() / mask.sum(), prediction

    def state(self):
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("encoder.")}
        return self.encoder.state_dict() | own


def sin_cos(dim, edge):
    """facebookresearch/mae's fixed positions: the column first, then the row."""
    quarter = dim // 4
    omega = 10000.0 ** (-np.arange(quarter) / quarter)
    rows = [np.zeros(dim)]
    for row in range(edge):
        for col in range(edge):
            angles = [np.sin(col * omega), np.cos(col * omega), np.sin(row * omega), np.cos(row * omega)]
            rows.append(np.concatenate(angles))
    return torch.from_numpy(np.stack(rows)).float()[None]


def mae_tiny():
    """Weights, images, loss, prediction and gradients of a tiny autoencoder."""
    encoder = vit(12, 4, 3, 16, 2, 2, 32)
    model = Autoencoder(encoder, 3, 12, 1, 3)
    randomise(model, 3)
    with torch.no_grad():
        encoder.pos_embed.copy_(sin_cos(16, 3))
        model.decoder_pos_embed.copy_(sin_cos(12, 3))
    xs = images((2, 3, 12, 12), 4)
    orders = torch.tensor([[4, 0, 7, 1, 2, 3, 5, 6, 8], [8, 6, 1, 0, 2, 3, 4, 5, 7]])
    raw, _ = model(xs, orders, 3, False)
    loss, prediction = model(xs, orders, 3, True)
    loss.backward()
    out = {f"weights.{k}": v for k, v in model.state().items()}
    out |= {"images": xs, "loss": loss, "raw": raw, "prediction": prediction}
    for name in ["mask_token", "decoder_embed.weight", "decoder_blocks.0.attn.qkv.bias"]:
        out[f"grad.{name}"] = model.get_parameter(name).grad
    for name in ["cls_token", "patch_embed.proj.bias", "patch_embed.proj.weight"]:
        out[f"grad.{name}"] = encoder.get_parameter(name).grad
    save_file(contiguous(out), "mae_tiny.safetensors")


def spectral_adapter():
    layers = []
    for inputs, outputs, kernel, stride in [(1, 32, 7, 5), (32, 64, 7, 5), (64, 128, 5, 3)]:
        conv = nn.Conv3d(inputs, outputs, (kernel, 1, 1), (stride, 1, 1), (1, 0, 0))
        layers += [conv, nn.BatchNorm3d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def adapter():
    """The spectral adapter, its weights filled by a formula."""
    model = spectral_adapter()
    print("adapter:", sum(p.numel() for p in model.parameters()))
    state = {k: v for k, v in model.state_dict().items() if v.is_floating_point()}
    for index, name in enumerate(sorted(state)):
        shape = tuple(state[name].shape)
        values = formula(name, shape, index).reshape(shape)
        if name.endswith("running_var"):
            values = 0.5 + np.abs(values)
        state[name] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(state, strict=False)
    model.eval()
    out = {}
    for bands in (100, 202):
        xs = images((2, bands, 2, 3), bands)
        out |= {f"images.{bands}": xs, f"channels.{bands}": model(xs[:, None]).mean(2)}
    save_file(contiguous(out), "adapter.safetensors")


def positions():
    """A position embedding resized by torch, up, down and to another shape."""
    values = torch.randn((1, 17, 6), generator=torch.Generator().manual_seed(5))
    out = {"embedding": values}
    for rows, cols in [(7, 7), (3, 3), (2, 9), (1, 1)]:
        grid = values[:, 1:].reshape(1, 4, 4, 6).permute(0, 3, 1, 2)
        grid = nn.functional.interpolate(grid, (rows, cols), mode="bicubic", align_corners=False)
        grid = grid.permute(0, 2, 3, 1).reshape(1, rows * cols, 6)
        out[f"{rows}x{cols}"] = torch.cat([values[:, :1], grid], 1)
    out["sin_cos"] = sin_cos(12, 3)
    save_file(contiguous(out), "positions.safetensors")


def checkpoints():
    """The same tiny encoder in every layout, written by torch.save."""
    model = vit(8, 4, 3, 8, 1, 2, 16)
    randomise(model, 6)
    state = OrderedDict((k, v.detach().clone()) for k, v in model.state_dict().items())
    head = {"weight": torch.ones(2, 8), "bias": torch.zeros(2)}
    save_file(contiguous(state), "timm.safetensors")
    torch.save(state | {f"head.{k}": v for k, v in head.items()}, "timm.pth")

    decoder = Autoencoder(model, 3, 8, 1, 2).state()
    optimizer = torch.optim.AdamW(model.parameters())
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    model.load_state_dict(state)
    args = Namespace(lr=1e-3, blr=None, output_dir="out", big=2**40, betas=(0.9, 0.95))
    mae = {k: decoder[k] for k in decoder if k not in state} | dict(state)
    extra = {"optimizer": optimizer.state_dict(), "epoch": 799, "scaler": {}, "args": args}
    torch.save({"model": mae} | extra, "mae.pth")

    fine_tuned = {f"encoder.vit.{k}": v for k, v in state.items()}
    fine_tuned |= {"head.final.weight": torch.ones(3, 8, 1, 1), "head.final.bias": torch.zeros(3)}
    training = {"epoch": 3, "best_psnr": 27.5, "optimizer_state_dict": optimizer.state_dict()}
    torch.save({"model_state_dict": fine_tuned} | training, "fine_tuned.pth")

    wide = vit(8, 4, 128, 8, 1, 2, 16)
    randomise(wide, 7)
    spectral = spectral_adapter()
    randomise(spectral, 8)
    wide, spectral = wide.half(), spectral.half()
    nested = {"vit_core": wide.state_dict(), "spectral_adapter": spectral.state_dict()}
    # The largest weight overlaps itself in its storage, to keep the file small.
    repeated = (0.1 * torch.randn(6000, generator=torch.Generator().manual_seed(9))).half()
    nested["spectral_adapter"]["6.weight"] = repeated.as_strided((128, 64, 5, 1, 1), (37, 11, 1, 1, 1))
    torch.save(nested, "spectral_earth.pth")
    spectral.load_state_dict(nested["spectral_adapter"])
    xs = images((1, 100, 8, 8), 10)
    tokens = wide.float().forward_features(spectral.float().eval()(xs[:, None]).mean(2))
    save_file(contiguous({"images": xs, "tokens": tokens}), "spectral_earth.safetensors")

    # Views of one storage, a transposed weight, parameters instead of tensors, a newer protocol.
    flat = torch.cat([v.flatten() for v in state.values()])
    views, at = OrderedDict(), 0
    for name, value in state.items():
        views[f"module.{name}"] = flat[at : at + value.numel()].reshape(value.shape)
        at += value.numel()
    fc1 = views["module.blocks.0.mlp.fc1.weight"].t().contiguous().t()
    views["module.blocks.0.mlp.fc1.weight"] = fc1
    views["module.patch_embed.proj.weight"] = state["patch_embed.proj.weight"].double().permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    views["module.norm.weight"] = nn.Parameter(views["module.norm.weight"])
    torch.save({"state_dict": views}, "views.pth", pickle_protocol=4)

    torch.save(state, "legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    encoder_tiny()
    encoder_small()
    mae_tiny()
    adapter()
    positions()
    checkpoints()
