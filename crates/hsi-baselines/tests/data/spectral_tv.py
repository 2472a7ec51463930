"""Makes spectral_tv_in.npy and spectral_tv_out.npy: spectra flattened with dense matrices in f64.

Run in this directory: python3 spectral_tv.py
Versions used: numpy 2.4.6.
"""
import numpy as np

BANDS, PIXELS, LAM, MU1, MU2, ITERATIONS = 31, 70, 1.5, 0.4, 0.7, 60

rng = np.random.default_rng(7)
h = np.cumsum(rng.choice([0.0, 0.0, 0.3, -0.3], (BANDS, PIXELS)), axis=0)
h += 0.05 * rng.standard_normal(h.shape)
h[rng.random(h.shape) < 0.03] = 2.0
h = h.astype(np.float32)

soft = lambda x, t: np.sign(x) * np.maximum(np.abs(x) - t, 0)
d = np.diff(np.eye(BANDS), axis=0)
inverse = np.linalg.inv(MU1 * np.eye(BANDS) + MU2 * d.T @ d)
wide = h.astype(np.float64)
v1, l1 = np.zeros_like(wide), np.zeros_like(wide)
v2, l2 = np.zeros((BANDS - 1, PIXELS)), np.zeros((BANDS - 1, PIXELS))
for _ in range(ITERATIONS):
    x = inverse @ (-MU1 * (v1 - wide - l1) + MU2 * d.T @ (v2 - l2))
    v1 = soft(wide - x + l1, 1 / MU1)
    v2 = soft(d @ x + l2, LAM / MU2)
    l1 += wide - x - v1
    l2 += d @ x - v2
np.save("spectral_tv_in.npy", h)
np.save("spectral_tv_out.npy", x.astype(np.float32))
