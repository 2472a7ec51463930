"""Makes the MATLAB files in `mat/` and `mat_expected.json`: the samples of their cubes, band-first.

Written with Python 3.11, numpy 2.4, scipy 1.17 and h5py 3.16:  python3 mat_golden.py
"""

import json
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import scipy.sparse

here = Path(__file__).parent
folder = here / "mat"
folder.mkdir(exist_ok=True)
for old in folder.glob("*"):
    old.unlink()
expected = {}
rows, cols, bands = 3, 4, 2
ramp = np.arange(rows * cols * bands).reshape(rows, cols, bands)
codes = ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]


def base(code):
    kind = np.dtype(code).kind
    if kind == "b":
        return ((ramp * 7) % 3 == 1).astype("b1")
    if kind == "f":
        values = (ramp - 11) * 0.37 + 0.1
        values[0, 0, 0] = float(np.finfo(code).tiny)
        return values.astype(code)
    info = np.iinfo(code)
    values = (ramp * 5 + (0 if kind == "u" else -60)).astype(object)
    values[0, 0, 0], values[2, 3, 1] = int(info.min), int(info.max)
    return values.astype(code)


def expect(name, array, dtype=None):
    values = np.ascontiguousarray(np.moveaxis(array, 2, 0)).astype(np.float32)
    expected[name] = {
        "shape": list(values.shape),
        "dtype": dtype or array.dtype.str[1:],
        "values": [float(v) for v in values.ravel()],
    }


for code in codes:
    for packed in [False, True]:
        name = f"{code}_{'zlib' if packed else 'plain'}"
        scipy.io.savemat(folder / f"{name}.mat", {"cube": base(code)}, do_compression=packed)
        expect(name, base(code))

# Variables of other kinds around the cube, and wavelengths in micrometres.
several = {
    "title": "a cube",
    "wavelength": np.array([[0.45], [0.65]]),
    "fwhm": np.array([[0.005, 0.006]]),
    "nodata": -32768.0,
    "names": np.array(["red", "green"], dtype=object),
    "weights": scipy.sparse.eye(4).tocsc(),
    "phase": ramp * (1 + 2j),
    "mask": ramp[:, :, 0] > 3,
    "count": np.int32(7),
    "empty": np.zeros((0, 3)),
    "cube": base("i2"),
}
for packed in [False, True]:
    name = f"several_{'zlib' if packed else 'plain'}"
    scipy.io.savemat(folder / f"{name}.mat", several, do_compression=packed)
    expect(name, base("i2"))

# A cube within a struct, and one within a struct within a cell.
scene = {"info": {"sensor": "none", "lines": 3.0}, "cube": base("f4"), "wl": np.array([450.0, 650.0])}
scipy.io.savemat(folder / "struct.mat", {"scene": scene}, do_compression=True)
expect("struct", base("f4"))
cell = np.empty((1, 2), dtype=object)
cell[0, 0], cell[0, 1] = "text", {"cube": base("u2")}
scipy.io.savemat(folder / "cell.mat", {"list": cell})
expect("cell", base("u2"))

# Two cubes, and a matrix of pixels.
scipy.io.savemat(folder / "two.mat", {"hs": base("u2"), "ms": base("u1")})
pixels = base("f8").transpose(2, 1, 0).reshape(bands, cols * rows)
scipy.io.savemat(folder / "matrix.mat", {"Y": pixels, "nRow": 3.0, "nCol": 4.0, "psf": pixels[:, :5]})
expect("matrix", base("f8"))
# Doubles that are stored in fewer bytes, as MATLAB does it where they are whole numbers.
raw = bytearray((folder / "u2_plain.mat").read_bytes())
at = raw.index(bytes([6, 0, 0, 0, 8, 0, 0, 0])) + 8
assert raw[at] == 11
raw[at] = 6
(folder / "narrow.mat").write_bytes(raw)
expect("narrow", base("u2"))

# Version 4.
scipy.io.savemat(folder / "version4.mat", {"Y": pixels}, format="4")

# Version 7.3, as MATLAB writes it: 512 bytes before the HDF5 part, axes reversed.
def matlab(name, write):
    path = folder / f"{name}.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        write(file)
    with open(path, "r+b") as file:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
        file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")


def variable(file, name, array, kind, **options):
    data = file.create_dataset(name, data=np.ascontiguousarray(array.T), **options)
    data.attrs["MATLAB_class"] = np.bytes_(kind)
    return data


kinds = {"b1": "logical", "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64", "i1": "int8"}
kinds |= {"i2": "int16", "i4": "int32", "i8": "int64", "f4": "single", "f8": "double"}
for code in codes:
    def write(file):
        array = base(code).astype("u1") if code == "b1" else base(code)
        packed = dict(chunks=(1, 3, 2), compression="gzip", compression_opts=3)
        data = variable(file, "cube", array, kinds[code], **packed)
        if code == "b1":
            data.attrs["MATLAB_int_decode"] = np.int32(1)

    matlab(f"v73_{code}", write)
    expect(f"v73_{code}", base(code))


def write(file):
    group = file.create_group("scene")
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    variable(group, "cube", base("i2"), "int16")
    variable(group, "wavelength", np.array([[450.0], [650.0]]), "double")
    text = variable(file, "title", np.array([[ord(c) for c in "a cube"]], dtype="u2"), "char")
    text.attrs["MATLAB_int_decode"] = np.int32(2)
    empty = file.create_dataset("none", data=np.array([0, 0], dtype="u8"))
    empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_("double"), np.uint8(1)
    file.create_dataset("#refs#/a", data=np.zeros((2, 3, 4)))


matlab("v73_several", write)
expect("v73_several", base("i2"))
(here / "mat_expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
