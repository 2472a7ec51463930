"""Reads what hsi-data wrote, with scipy and h5py, and writes what hsi-data should read.

    WRITE_ARRAYS=/some/folder cargo test -p hsi-data --test files every_form_comes_back
    python3 check_arrays.py /some/folder

Written for Python 3.11, numpy 2.4, scipy 1.17 and h5py 3.16. The cube is that of
`tests/files/arrays_round_trip.rs`.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import scipy.io

folder = Path(sys.argv[1])
bands, rows, cols = 5, 7, 6
cube = np.fromfunction(lambda b, r, c: (b * 7 + r * 5 + c) % 100, (bands, rows, cols))
wavelengths = 410.25 + 5.5 * np.arange(bands)
ORDERS = {"bhw": (0, 1, 2), "hbw": (1, 0, 2), "hwb": (1, 2, 0)}


def check(name, array, found, order, custom):
    first = name.split("_")[0]
    want = cube.transpose(ORDERS.get(first, custom))
    if first == "b1":
        want = want != 0
    assert array.shape == want.shape, (name, array.shape, want.shape)
    assert np.array_equal(array, want.astype(array.dtype)), name
    assert np.allclose(np.ravel(found), wavelengths), (name, found)


count = 0
for path in sorted(folder.iterdir()):
    name = path.name
    variable = "reflectance" if name.startswith("named") else "cube"
    if name.endswith(".h5"):
        with h5py.File(path) as file:
            data = file[variable]
            check(name, data[...], data.attrs["wavelengths_nm"], None, ORDERS["bhw"])
            assert data.attrs["nodata"] == 99 and data.attrs["epsg"] == 32633, name
            assert "packed" not in name or data.compression == "gzip", name
    elif name.endswith(".v73.mat"):
        with h5py.File(path) as file:
            data = file[variable]
            # MATLAB's axes are the other way round.
            check(name, data[...].T, file["wavelengths_nm"][...], None, ORDERS["hwb"])
            assert path.read_bytes()[:10] == b"MATLAB 7.3", name
    elif name.endswith(".mat"):
        data = scipy.io.loadmat(path)
        check(name, data[variable], data["wavelengths_nm"], None, ORDERS["hwb"])
        assert data["nodata"].item() == 99 and data["description"].item() == "Täglicher Würfel"
    else:
        continue
    count += 1
print(f"{count} files are as they should be")
