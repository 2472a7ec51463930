"""Makes the golden values of hsi-metrics.

Run in this directory: python3 metrics.py
Versions used: numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0, sewar 0.4.6.
Writes reference.npy and estimate.npy (float32, [bands, rows, cols]) and expected.json.
"""

import json

import numpy as np
import sewar
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

BANDS, ROWS, COLS = 6, 23, 19
rng = np.random.default_rng(20240611)

reference = gaussian_filter(rng.uniform(size=(BANDS, ROWS, COLS)), (1, 2, 2))
reference = (reference - reference.min()) / (reference.max() - reference.min())
estimate = reference + rng.normal(scale=0.08, size=reference.shape)
estimate[2] = reference[2] * 0.7 + 0.1
reference[4, 3:14, 2:12] = 0.375  # windows without variance
estimate[4, 3:14, 2:12] = 0.25
reference[5, :10, :10] = 0.0  # windows of zeros
estimate[5, :10, :10] = 0.0
reference[:, 20, 3] = 0.0  # zero spectra: in both, in the reference, in the estimate
estimate[:, 20, 3] = 0.0
reference[:, 21, 4] = 0.0
estimate[:, 22, 5] = 0.0
reference = reference.astype(np.float32)
estimate = estimate.astype(np.float32)  # leaves [0, 1] at places
np.save("reference.npy", reference)
np.save("estimate.npy", estimate)

r, e = reference.astype(np.float64), estimate.astype(np.float64)
mse_b = ((r - e) ** 2).mean(axis=(1, 2))


def angles(r, e):
    """Spectral angles in radians, by the half-angle formula on unit vectors."""
    out = np.zeros(r.shape[1:])
    for i in range(r.shape[1]):
        for j in range(r.shape[2]):
            u, v = r[:, i, j], e[:, i, j]
            nu, nv = np.linalg.norm(u), np.linalg.norm(v)
            if nu == 0 and nv == 0:
                continue
            if nu == 0 or nv == 0:
                out[i, j] = np.pi / 2
                continue
            u, v = u / nu, v / nv
            out[i, j] = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    return out


def uiqi(x, y, size=8):
    """Wang and Bovik 2002, window by window from sample moments."""
    values = []
    for a, b in zip(
        sliding_window_view(x, (size, size)).reshape(-1, size * size),
        sliding_window_view(y, (size, size)).reshape(-1, size * size),
    ):
        if np.all(a == a[0]) and np.all(b == b[0]):
            m, n = a[0], b[0]
            values.append(1.0 if m == 0 and n == 0 else 2 * m * n / (m * m + n * n))
            continue
        m, n = a.mean(), b.mean()
        cov = ((a - m) * (b - n)).sum() / (a.size - 1)
        spread = a.var(ddof=1) + b.var(ddof=1)
        level = m * m + n * n
        values.append(4 * cov * m * n / (spread * level))
    return float(np.mean(values))


def ssim(x, y, data_range):
    return structural_similarity(x, y, win_size=7, data_range=data_range)


# sewar wants channel last; 8-bit copies by truncation.
rl, el = np.moveaxis(reference, 0, 2), np.moveaxis(estimate, 0, 2)
r8 = np.clip(rl * 255.0, 0, 255).astype(np.uint8)
e8 = np.clip(el * 255.0, 0, 255).astype(np.uint8)
uniform = {"fltr": sewar.utils.Filter.UNIFORM, "ws": 11}

expected = {
    "mse": float(((r - e) ** 2).mean()),
    "mse_per_band": mse_b.tolist(),
    "psnr_per_band": (10 * np.log10(1 / mse_b)).tolist(),
    "psnr": float((10 * np.log10(1 / mse_b)).mean()),
    "psnr_range_2": float((10 * np.log10(4 / mse_b)).mean()),
    "psnr_global": float(10 * np.log10(1 / ((r - e) ** 2).mean())),
    "ssim_per_band": [float(ssim(x, y, 1.0)) for x, y in zip(r, e)],
    "ssim_per_band_range_2": [float(ssim(x, y, 2.0)) for x, y in zip(r, e)],
    "uiqi_per_band": [uiqi(x, y) for x, y in zip(r, e)],
    "sam": float(angles(r, e).mean()),
    "sam_20_0": float(angles(r, e)[20, 0]),
    "ergas_quarter": float(25 * np.sqrt((mse_b / r.mean(axis=(1, 2)) ** 2).mean())),
    "hyperbench": {
        "rmse": float(sewar.rmse(rl.astype(np.float64), el.astype(np.float64))),
        "psnr": float(sewar.psnr(r8, e8, MAX=255)),
        "ssim": float(sewar.ssim(r8, e8, ws=11, MAX=255, fltr_specs=uniform, mode="valid")[0]),
        "uiqi": float(sewar.uqi(rl.astype(np.float64), el.astype(np.float64))),
        "ergas": float(sewar.ergas(rl.astype(np.float64), el.astype(np.float64))),
    },
}
with open("expected.json", "w") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
