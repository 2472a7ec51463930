"""Makes the golden values of the wavelet transform, total variation, and the methods built on them.

Run in this directory: python3 methods.py
Versions used: numpy 2.4.6, PyWavelets 1.9.0, scikit-image 0.26.0.
Writes scene.npy (float32, [bands, rows, cols]), scene_<method>.npy, bregman.npy and
coefficients.npy (both [images, ...]). The methods are written down here once more, by other means where there are any:
matrix inverses for closed forms, singular vectors of the pixels for those of the moments.
"""

import numpy as np
import pywt
from skimage.restoration import denoise_tv_bregman

B, H, W = 12, 20, 24
rng = np.random.default_rng(11)
b, r, c = np.meshgrid(np.arange(B), np.arange(H), np.arange(W), indexing="ij")
clean = 0.5 + 0.2 * np.sin(0.4 * b) * (r > 7) + 0.15 * np.cos(0.3 * b) * ((r + c) > 24)
scene = (clean + rng.normal(size=clean.shape) * (0.03 + 0.004 * b)).astype(np.float32)
np.save("scene.npy", scene)
scene = scene.astype(np.float64)
save = lambda name, x: np.save(f"{name}.npy", x.astype(np.float32))


def forward(images, wavelet, levels):
    """Coefficients [images, n] and the slices of the approximation and of each level."""
    rows, slices = [], []
    for image in images:
        low, *details = pywt.wavedec2(image, wavelet, mode="symmetric", level=levels)
        parts = [low.ravel()] + [np.concatenate([d.ravel() for d in level]) for level in details]
        rows.append(np.concatenate(parts))
        ends = np.cumsum([0] + [len(p) for p in parts])
        slices = [slice(*pair) for pair in zip(ends, ends[1:])]
    shapes = [low.shape] + [level[0].shape for level in details]
    return np.array(rows), slices, shapes


def inverse(rows, slices, shapes, wavelet, size):
    images = []
    for row in rows:
        parts = [row[s] for s in slices]
        tree = [parts[0].reshape(shapes[0])]
        tree += [tuple(p.reshape(3, *shape)) for p, shape in zip(parts[1:], shapes[1:])]
        images.append(pywt.waverec2(tree, wavelet, mode="symmetric")[: size[0], : size[1]])
    return np.array(images)


def soft(x, t):
    return np.sign(x) * np.maximum(np.abs(x) - t, 0)


def risks(x, grid):
    return np.array([np.sum(2 * (np.abs(x) > t) - np.maximum(x**2 - t**2, 0)) for t in grid])


def residual(y):
    """The regression of each band on all others, one by one."""
    out = np.empty_like(y)
    for i in range(len(y)):
        others = np.delete(y, i, 0)
        out[i] = y[i] - np.linalg.lstsq(others.T, y[i], rcond=None)[0] @ others
    return out


def hyres():
    sigma = residual(scene.reshape(B, -1)).std(1, ddof=1)
    padded = np.pad(scene, [(0, 0), (0, 32 - H), (0, 32 - W)], mode="symmetric")
    white = padded.reshape(B, -1) / sigma[:, None]
    u, s, vt = np.linalg.svd(white, full_matrices=False)
    images = (s[:, None] * vt).reshape(B, 32, 32)
    coefficients, slices, shapes = forward(images, "db5", 5)
    grid = np.linspace(0, np.sqrt(np.log(15)), 15)
    curves = [risks(row, grid) for row in coefficients]
    rank = B
    for i in range(3, B):
        if (curves[i] - curves[i - 1]).min() <= 0 or curves[i].min() <= curves[i - 1].min():
            rank = i
            break
    kept = np.array([soft(coefficients[i], grid[curves[i].argmin()]) for i in range(rank)])
    images = inverse(kept, slices, shapes, "db5", (H, W)).reshape(rank, -1)
    return (sigma[:, None] * (u[:, :rank] @ images)).reshape(scene.shape)


def forpdn():
    padded = np.pad(scene, [(0, 0), (0, -H % 8), (0, -W % 8)], mode="reflect")
    factor = 255 / np.ptp(scene.reshape(B, -1), 1)
    padded = padded * factor[:, None, None]
    sigma = residual(padded.reshape(B, -1)).std(1, ddof=1)
    difference = np.diff(np.eye(B), axis=0)
    coefficients, slices, shapes = forward(padded, "db6", 3)
    for s in slices:
        y, best = coefficients[:, s], None
        for penalty in np.concatenate([[0], np.logspace(-6, 1, 29)]):
            h = np.linalg.inv(np.diag(sigma**-2) + penalty * difference.T @ difference)
            h = h @ np.diag(sigma**-2)
            fit = np.sum(((y - h @ y) / sigma[:, None]) ** 2) / y.shape[1] + 2 * np.trace(h)
            if best is None or fit < best[0]:
                best = fit, h @ y
        coefficients[:, s] = best[1]
    return inverse(coefficients, slices, shapes, "db6", (H, W)) / factor[:, None, None]


def wsrrr(rank=3):
    coefficients, slices, shapes = forward(scene, "db5", 3)
    sizes = np.sort(np.abs(coefficients[:, slices[-1]]), 1)
    omega = sizes[:, (sizes.shape[1] - 1) // 2] / 0.6745
    z = coefficients / omega[:, None]
    v = np.linalg.svd(scene.reshape(B, -1) / omega[:, None], full_matrices=False)[0][:, :rank]
    thresholds = None
    for _ in range(200):
        w = v.T @ z
        if thresholds is None:
            thresholds = np.zeros((rank, len(slices)))
            for k, s in enumerate(slices):
                grid = np.linspace(0, np.sqrt(2 * np.log(s.stop - s.start)), 32)
                for i in range(rank):
                    thresholds[i, k] = grid[risks(w[i, s], grid).argmin()]
        for k, s in enumerate(slices):
            w[:, s] = soft(w[:, s], thresholds[:, k : k + 1])
        u, _, gt = np.linalg.svd(z @ w.T, full_matrices=False)
        change = np.abs(u @ gt - v).max()
        v = u @ gt
        if change < 1e-6:
            break
    images = inverse(w, slices, shapes, "db5", (H, W)).reshape(rank, -1)
    return (omega[:, None] * (v @ images)).reshape(scene.shape)


def bregman(images, weight, eps, most):
    """Without a channel axis scikit-image stops all channels together."""
    last = np.moveaxis(images, 0, -1).astype(np.float32)
    out = denoise_tv_bregman(last, weight=weight, eps=eps, max_num_iter=most, channel_axis=None)
    return np.moveaxis(out, -1, 0)


def otvca(features=3):
    x = scene.reshape(B, -1).T
    v = np.linalg.svd(x, full_matrices=False)[2][:features].T
    for _ in range(10):
        f = bregman((x @ v).T.reshape(features, H, W), 100, 1e-3, 100).reshape(features, -1).T
        c, _, gt = np.linalg.svd(x.T @ f, full_matrices=False)
        v = c @ gt
    return (f @ v.T).T.reshape(scene.shape)


save("coefficients", forward(scene[:1], "db6", 3)[0])
save("bregman", bregman(scene[:3], 10, 1e-3, 100))
for method in (hyres, forpdn, wsrrr, otvca):
    out = method()
    print(method.__name__, np.std(scene - clean), np.std(out - clean))
    save(f"scene_{method.__name__}", out)
