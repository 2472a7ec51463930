"""Makes the golden values of the median filter.

Run in this directory: python3 median.py
Versions used: numpy 2.4.6, scipy 1.17.1.
Writes cube.npy (float32, [bands, rows, cols]), ties.npy and median_<cube>_<ROWSxCOLSxBANDS>.npy.
"""

import numpy as np
from scipy.ndimage import median_filter

rng = np.random.default_rng(7)
cubes = {
    "cube": rng.normal(size=(10, 13, 11)).astype(np.float32),
    "ties": rng.integers(-2, 3, size=(6, 9, 7)).astype(np.float32),
}
windows = {
    "cube": ["5x5x9", "3x3x3", "1x1x5", "7x3x1", "15x13x31", "1x1x1"],
    "ties": ["5x5x9", "3x5x1"],
}
for name, cube in cubes.items():
    np.save(f"{name}.npy", cube)
    for window in windows[name]:
        rows, cols, bands = map(int, window.split("x"))
        out = median_filter(cube, size=(bands, rows, cols), mode="reflect")
        np.save(f"median_{name}_{window}.npy", out)
