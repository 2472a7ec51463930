"""Makes the `.npy` files in `npy/` and `npy_expected.json`, the samples that each should be read as.

Written with Python 3.11 and numpy 2.4:  python3 npy_golden.py
"""

import json
from pathlib import Path

import numpy as np

here = Path(__file__).parent
folder = here / "npy"
folder.mkdir(exist_ok=True)
for old in folder.glob("*.npy"):
    old.unlink()
shape = (2, 3, 4)
expected = {}
ramp = np.arange(24).reshape(shape)


def put(name, array):
    np.save(folder / f"{name}.npy", array)
    values = np.ascontiguousarray(array).astype(np.float32).ravel()
    expected[name] = {"shape": list(array.shape), "values": [float(v) for v in values]}


for code in ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
    kind = np.dtype(code).kind
    if kind == "b":
        base = (ramp * 7) % 3 == 1
    elif kind == "f":
        base = (ramp - 11) * 0.37 + 0.1
        base[0, 0, 0], base[1, 2, 3] = float(np.finfo(code).tiny), -1000.0
    else:
        info = np.iinfo(code)
        base = (ramp * 5 + (0 if kind == "u" else -60)).astype(object)
        base[0, 0, 0], base[1, 2, 3] = int(info.min), int(info.max)
    for order in "CF":
        for endian in "<>":
            array = np.array(base, dtype=np.dtype(endian + code), order=order)
            put(f"{code}_{'little' if endian == '<' else 'big'}_{order}", array)

# A header of version 2.0, and one as Python 2 wrote it.
with open(folder / "version2.npy", "wb") as file:
    np.lib.format.write_array(file, ramp.astype("<i2"), version=(2, 0))
text = b'{"shape": (2L, 3L, 4L), "fortran_order":False,"descr" : "<i2"}'
with open(folder / "python2.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    file.write(ramp.astype("<i2").tobytes())
for name in ["version2", "python2"]:
    expected[name] = {"shape": list(shape), "values": [float(v) for v in ramp.ravel()]}

# Arrays that are no cubes.
np.save(folder / "bad_complex.npy", ramp.astype("<c8"))
np.save(folder / "bad_text.npy", ramp.astype("<U2"))
np.save(folder / "bad_time.npy", ramp.astype("<M8[s]"))
np.save(folder / "bad_fields.npy", np.zeros(shape, dtype=[("red", "<f4"), ("nir", "<f4", (2,))]))
np.save(folder / "bad_plane.npy", ramp[0])
np.save(folder / "bad_scalar.npy", np.float32(3))
np.save(folder / "bad_empty.npy", np.zeros((2, 0, 4), "<f4"))
(here / "npy_expected.json").write_text(json.dumps(expected, indent=None, separators=(",", ":")) + "\n")
