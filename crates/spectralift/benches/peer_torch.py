"""Times PyTorch on the trainings of `examples/spectralift_bench.rs`; prints the same JSON lines.

    python3 peer_torch.py
"""

import json
import os
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class SpectralNet(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        widths = [inputs] + 6 * [hidden] + [outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, xs):
        act = lambda k, h: F.leaky_relu(self.layers[k](h), 0.3)
        h = act(0, xs)
        h = act(1, h) + h
        h = act(3, act(2, h)) + h
        h = act(5, act(4, h)) + h
        return self.layers[6](h)


def one_cycle(epoch, epochs, init=1e-3, top=1e-2, final=1e-6):
    peak = 0.3 * epochs
    if epoch < peak:
        return init + (top - init) * epoch / peak
    return top - (top - final) * (epoch - peak) / (epochs - peak)


def main():
    epochs = 250 if "HSI_BENCH_QUICK" in os.environ else 2500
    torch.manual_seed(42)
    for pixels, bands in ((512, 218), (4096, 102)):
        xs, targets = 0.5 + 0.1 * torch.randn(pixels, 4), 0.5 + 0.1 * torch.randn(pixels, bands)
        start = time.perf_counter()
        net = SpectralNet(4, 64, bands)
        adam = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7, foreach=True)
        for epoch in range(1, epochs + 1):
            for group in adam.param_groups:
                group["lr"] = one_cycle(epoch, epochs)
            adam.zero_grad()
            F.l1_loss(net(xs), targets).backward()
            adam.step()
        seconds = time.perf_counter() - start
        line = {"op": f"spectral_net_{epochs}_epochs", "shape": [pixels, 4, 64, bands],
                "direction": "training", "threads": torch.get_num_threads(), "dtype": "f32",
                "median_ms": round(seconds * 1e3, 3), "library": f"torch {torch.__version__}"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
