"""Values and gradients of PyTorch for `tests/golden.rs`; writes `golden.safetensors` beside it.

Inputs are float32 numbers; values and gradients are computed in float64. Each tensor is called
`case/name`: the inputs by their names, `ys` the output, `grad` its gradient, `d<input>` the
gradients of the inputs. Written with torch 2.15.0 and safetensors 0.8.0.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(7)
tensors = {}


def draw(*shape):
    return torch.randn(shape, dtype=torch.float32)


def record(case, function, **inputs):
    leaves = {name: x.double().requires_grad_() for name, x in inputs.items()}
    ys = function(**leaves)
    grad = draw(*ys.shape)
    grads = torch.autograd.grad(ys, list(leaves.values()), grad.double())
    for name, x in inputs.items():
        tensors[f"{case}/{name}"] = x
    for name, x in zip(leaves, grads):
        tensors[f"{case}/d{name}"] = x
    tensors[f"{case}/ys"] = ys.detach()
    tensors[f"{case}/grad"] = grad


record("linear", lambda xs, weight, bias: F.linear(xs, weight, bias),
       xs=draw(2, 3, 5), weight=draw(7, 5), bias=draw(7))
record("layer_norm", lambda xs, weight, bias: F.layer_norm(xs, (9,), weight, bias, 1e-6),
       xs=draw(2, 3, 9), weight=draw(9), bias=draw(9))
wide = torch.tensor([-12.0, -6.5, -3.0, -1.0, -1e-3, 0.0, 1e-3, 0.5, 2.0, 4.0, 7.0, 20.0])
record("gelu", lambda xs: F.gelu(xs), xs=torch.cat([draw(30), wide]))
record("relu", lambda xs: F.relu(xs), xs=torch.cat([draw(10), wide]))
record("softmax", lambda xs: F.softmax(xs, -1), xs=torch.cat([draw(3, 12), wide[None]]))


def attention(xs, heads=3):
    """`timm.models.vision_transformer.Attention` between its two linear layers."""
    b, n, c = xs.shape
    q, k, v = xs.reshape(b, n, 3, heads, c // 3 // heads).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c // 3)


record("attention", attention, xs=draw(2, 7, 36))
for name, shape in {"": (2, 3, 5, 7), "_row": (1, 2, 1, 6), "_column": (1, 2, 6, 1)}.items():
    channels = shape[1]
    record(f"conv3x3{name}", lambda xs, weight, bias: F.conv2d(xs, weight, bias, padding=1),
           xs=draw(*shape), weight=draw(4, channels, 3, 3), bias=draw(4))
    record(f"conv3x3_relu{name}",
           lambda xs, weight, bias: F.relu(F.conv2d(xs, weight, bias, padding=1)),
           xs=draw(*shape), weight=draw(4, channels, 3, 3), bias=draw(4))
    record(f"conv_transpose2x2{name}",
           lambda xs, weight, bias: F.conv_transpose2d(xs, weight, bias, stride=2),
           xs=draw(*shape), weight=draw(channels, 4, 2, 2), bias=draw(4))
    record(f"upsample_bilinear{name}",
           lambda xs: F.interpolate(xs, scale_factor=4, mode="bilinear", align_corners=False),
           xs=draw(1, 2, *shape[2:]))
record("upsample_bilinear_by_3",
       lambda xs: F.interpolate(xs, scale_factor=3, mode="bilinear", align_corners=False),
       xs=draw(1, 2, 4, 3))
record("max_pool2x2", lambda xs: F.max_pool2d(xs, 2), xs=draw(2, 3, 5, 7))
record("max_pool2x2_ties", lambda xs: F.max_pool2d(xs, 2),
       xs=torch.randint(0, 2, (1, 2, 8, 8)).float())
record("mse_loss", lambda xs, target: F.mse_loss(xs, target), xs=draw(3, 5), target=draw(3, 5))

settings = dict(lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)
param = draw(23).double().requires_grad_()
tensors["adamw/before"] = param.detach().float()
optimizer = torch.optim.AdamW([param], **settings)
for step in range(1, 4):
    param.grad = draw(23).double()
    tensors[f"adamw/grad{step}"] = param.grad.float()
    optimizer.step()
tensors["adamw/after"] = param.detach().clone()
tensors["adamw/m"] = optimizer.state[param]["exp_avg"]
tensors["adamw/v"] = optimizer.state[param]["exp_avg_sq"]

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file({name: x.contiguous() for name, x in tensors.items()}, path)
print(path.stat().st_size, "bytes")
