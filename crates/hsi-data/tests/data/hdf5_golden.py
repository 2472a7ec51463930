"""Makes the HDF5 files in `hdf5/` and `hdf5_expected.json`: the samples of their cubes, band-first.

Written with Python 3.11, numpy 2.4 and h5py 3.16 (HDF5 2.0):  python3 hdf5_golden.py
"""

import json
from pathlib import Path

import h5py
import numpy as np

here = Path(__file__).parent
folder = here / "hdf5"
folder.mkdir(exist_ok=True)
for old in folder.glob("*"):
    old.unlink()
expected = {}
shape = (4, 6, 5)
ramp = np.arange(120).reshape(shape)


def base(code):
    kind = np.dtype(code).kind
    if kind == "b":
        return (ramp * 7) % 3 == 1
    if kind == "f":
        values = (ramp - 11) * 0.37 + 0.1
        values[0, 0, 0] = float(np.finfo(code).tiny)
        return values.astype(code)
    info = np.iinfo(code)
    values = (ramp % 25 * 5 + (0 if kind == "u" else -60)).astype(object)
    values[0, 0, 0], values[3, 5, 4] = int(info.min), int(info.max)
    return values.astype(code)


arrays = []


def expect(name, array):
    values = np.ascontiguousarray(array).astype(np.float32)
    same = [i for i, other in enumerate(arrays) if np.array_equal(other, values)]
    if not same:
        arrays.append(values)
    expected[name] = {
        "dtype": array.dtype.str[1:],
        "big_endian": array.dtype.byteorder == ">",
        "array": same[0] if same else len(arrays) - 1,
    }


def put(name, array, libver="earliest", attrs=None, path="cube", want=None, **options):
    with h5py.File(folder / f"{name}.h5", "w", libver=libver) as file:
        data = file.create_dataset(path, data=array, **options)
        for key, value in (attrs or {}).items():
            data.attrs[key] = value
    expect(name, array if want is None else want)


packed = dict(chunks=(2, 4, 3), compression="gzip", compression_opts=4, shuffle=True)
for code in ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
    for endian in "<>":
        if np.dtype(code).itemsize == 1 and endian == ">":
            continue
        array = base(code).astype(endian + code)
        side = "little" if endian == "<" else "big"
        put(f"{code}_{side}_run", array)
        put(f"{code}_{side}_packed", array, **packed)

small = base("i2")
for libver in ["earliest", "v108", "latest"]:
    def form(name, array=small, **options):
        put(f"{libver}_{name}", array, libver=libver, **options)

    form("run", path="a/b/cube")
    form("chunked", chunks=(2, 4, 3))
    form("single", chunks=shape)
    form("single_packed", chunks=shape, compression="gzip")
    form("gzip", chunks=(1, 6, 5), compression="gzip", compression_opts=9)
    form("shuffle", chunks=(3, 2, 4), shuffle=True)
    form("fletcher", chunks=(3, 2, 4), fletcher32=True, compression="gzip", shuffle=True)
    form("lzf", chunks=(4, 6, 5), compression="lzf", shuffle=True)
    form("grows", chunks=(2, 4, 3), maxshape=(None, 6, 5), compression="gzip")
    form("grows_last", chunks=(2, 4, 3), maxshape=(8, 9, None))
    form("grows_much", chunks=(2, 4, 3), maxshape=(None, None, None), compression="gzip")
    form("larger_limit", chunks=(2, 4, 3), maxshape=(9, 9, 9), compression="gzip")
    with h5py.File(folder / f"{libver}_filled.h5", "w", libver=libver) as file:
        data = file.create_dataset("cube", shape, "f4", chunks=(2, 3, 5), fillvalue=-7.5)
        data[:2, 3:] = 1.25
        expect(f"{libver}_filled", data[...])
    with h5py.File(folder / f"{libver}_full.h5", "w", libver=libver) as file:
        # More attributes and links than fit in a header.
        data = file.create_dataset("group/cube", data=small)
        for i in range(30):
            data.attrs[f"note_{i:02}"] = "x" * i
            file[f"group/list_{i:02}"] = np.arange(3)
            file[f"more_{i:02}/list"] = np.arange(3)
        data.attrs["wavelengths"] = [410.0, 420.0, 430.0, 440.0]
        data.attrs["band_names"] = ["a", "bb", "ccc", "dddd"]
        data.attrs["wavelength_units"] = "nm"
        file["alias"] = h5py.SoftLink("/group/list_03")
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/cube")
        expect(f"{libver}_full", small)
    if libver == "v108":
        continue
    many = np.arange(13 * 11 * 9, dtype="i2").reshape(13, 11, 9)
    form("many_chunks", many, chunks=(1, 1, 1))
    form("many_packed", many, chunks=(1, 3, 1), compression="gzip")
    form("many_growing", many, chunks=(1, 1, 1), maxshape=(13, None, 9))
    form("many_growing_much", many, chunks=(1, 1, 3), maxshape=(None, None, 9), compression="gzip")

# Written early without a filter: chunks without an index.
with h5py.File(folder / "latest_implicit.h5", "w", libver="latest") as file:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 4, 3))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space = h5py.h5s.create_simple(shape)
    data = h5py.h5d.create(file.id, b"cube", h5py.h5t.NATIVE_INT16, space, plist)
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, small)
    expect("latest_implicit", small)
with h5py.File(folder / "compact.h5", "w") as file:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(shape)
    data = h5py.h5d.create(file.id, b"cube", h5py.h5t.NATIVE_INT16, space, plist)
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, small)
    expect("compact", small)

# Channel-last, told by the wavelengths, which are a dataset in micrometres as in netCDF.
with h5py.File(folder / "netcdf.h5", "w", libver="latest") as file:
    file.attrs["title"] = "a scene"
    file.attrs["geotransform"] = [300000.0, 30.0, 0.0, 5800000.0, 0.0, -30.0]
    data = file.create_dataset("reflectance", data=np.moveaxis(small, 0, 2), **{**packed, "chunks": (6, 4, 2)})
    data.attrs["_FillValue"] = np.int16(-9999)
    data.attrs["scale_factor"] = np.float64(1e-4)
    band = file.create_group("sensor_band_parameters")
    band["wavelengths"] = np.array([0.4, 0.5, 0.6, 0.7], dtype="f4")
    band["wavelengths"].attrs["units"] = "um"
    band["fwhm"] = np.array([0.005, 0.005, 0.006, 0.006], dtype="f4")
    band["good_wavelengths"] = np.array([1, 1, 0, 1], dtype="u1")
    expect("netcdf", small)

# What is no cube, or is not read.
with h5py.File(folder / "bad_two.h5", "w") as file:
    file["one"], file["two"] = small, small
with h5py.File(folder / "bad_plane.h5", "w") as file:
    file["plane"], file["text"], file["scalar"] = small[0], "hello", 3.0
    file["table"] = np.zeros((2, 3, 4), dtype=[("re", "f4"), ("im", "f4")])
with h5py.File(folder / "bad_filter.h5", "w") as file:
    file.create_dataset("cube", data=small, chunks=(2, 3, 5), scaleoffset=3)
with h5py.File(folder / "bad_virtual.h5", "w", libver="latest") as file:
    layout = h5py.VirtualLayout(shape, "i2")
    layout[...] = h5py.VirtualSource("other.h5", "cube", shape)
    file.create_virtual_dataset("cube", layout)
with h5py.File(folder / "bad_external.h5", "w") as file:
    file.create_dataset("cube", shape, "i2", external=[("other.raw", 0, 240)])
listed = [{"shape": list(a.shape), "values": [float(v) for v in a.ravel()]} for a in arrays]
content = {"arrays": listed, "files": expected}
(here / "hdf5_expected.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
