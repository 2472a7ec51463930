"""Golden values of the physics: convolutions, percentiles, non-negative least squares.

Written with NumPy 2.4 and SciPy 1.17.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from scipy.signal import convolve2d
from scipy.special import j1

rng = np.random.default_rng(7)


def listed(array):
    return {"shape": list(np.shape(array)), "values": np.asarray(array, float).ravel().tolist()}


def same(image, kernel):
    """Zero fill, centre of the kernel at (n - 1) // 2."""
    full = convolve2d(image, kernel)
    top, left = ((n - 1) // 2 for n in kernel.shape)
    return full[top : top + image.shape[0], left : left + image.shape[1]]


convolutions = []
for image_shape, kernel_shape in [((7, 9), (3, 5)), ((6, 5), (4, 2)), ((3, 4), (9, 7)), ((5, 5), (1, 6))]:
    image, kernel = rng.normal(size=image_shape), rng.normal(size=kernel_shape)
    convolutions.append(
        {"image": listed(image), "kernel": listed(kernel), "result": listed(same(image, kernel))}
    )
column, row = rng.normal(size=5), rng.normal(size=4)
image = rng.normal(size=(8, 7))
convolutions.append(
    {
        "image": listed(image),
        "kernel": listed(np.outer(column, row)),
        "result": listed(same(image, np.outer(column, row))),
    }
)

percentiles = []
for values in [rng.normal(size=501) * 1000, np.round(rng.normal(size=300) * 3), np.array([-2.5])]:
    values = values.astype(np.float32)
    for low, high in [(1, 99), (0, 100), (12.3, 45.6)]:
        wanted = np.percentile(values.astype(float), [low, high])
        percentiles.append({"values": listed(values), "low": low, "high": high, "wanted": wanted.tolist()})

problems = []
for rows, columns in [(12, 5), (40, 17), (9, 14)]:
    matrix = rng.normal(size=(rows, columns)) + 0.3
    target = matrix @ np.maximum(rng.normal(size=columns), 0) + 0.3 * rng.normal(size=rows)
    solution, residual = nnls(matrix, target)
    problems.append(
        {"matrix": listed(matrix), "target": listed(target), "solution": listed(solution), "residual": residual}
    )

offsets = np.arange(-4, 5)
r = np.hypot(*np.meshgrid(offsets, offsets))
z = 3.8317059702075123 * np.where(r == 0, 1, r) / 2.6
disc = np.where(r == 0, 1, (2 * j1(z) / z) ** 2)

Path(__file__).with_suffix(".json").write_text(
    json.dumps(
        {
            "convolutions": convolutions,
            "percentiles": percentiles,
            "problems": problems,
            "airy_disc_2_6_radius_4": listed(disc / disc.sum()),
        }
    )
)
