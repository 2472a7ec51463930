"""Computes the Daubechies scaling filters db1 to db10 for src/wavelet/taps.rs and checks them.

Run anywhere: python3 daubechies.py
Versions used: mpmath 1.3.0, PyWavelets 1.8.0, numpy 2.4.6.

The filter with N vanishing moments is the spectral factor of smallest phase of
((1 + z) / 2)^N with P(y) = sum_k C(N - 1 + k, k) y^k, k < N, y = (2 - z - 1 / z) / 4.
"""

import mpmath as mp
import numpy as np
import pywt

mp.mp.dps = 80


def scaling_filter(n):
    coefficients = [mp.binomial(n - 1 + k, k) for k in range(n)][::-1]
    roots = mp.polyroots(coefficients, maxsteps=2000, extraprec=800) if n > 1 else []
    taps = [mp.mpf(1)]

    def times(root_coefficient):
        out = [mp.mpc(0)] * (len(taps) + 1)
        for i, tap in enumerate(taps):
            out[i] += tap
            out[i + 1] += tap * root_coefficient
        return out

    for _ in range(n):
        taps = times(mp.mpf(1))
    for y in roots:
        b = 2 - 4 * y  # z + 1 / z
        z = (b + mp.sqrt(b * b - 4)) / 2
        taps = times(-(z if abs(z) < 1 else 1 / z))
    taps = [mp.re(tap) for tap in taps]
    scale = mp.sqrt(2) / sum(taps)
    return [tap * scale for tap in taps]


for n in range(1, 11):
    taps = scaling_filter(n)
    worst = max(abs(float(a) - b) for a, b in zip(taps, pywt.Wavelet(f"db{n}").rec_lo))
    assert worst < 1e-11, (n, worst)
    print(f"    &[ // db{n}")
    for tap in taps:
        print(f"        {np.float64(float(tap))!r},".replace("np.float64(", "").replace("),", ","))
    print("    ],")
