"""Small ENVI files written by SPy (spectral), and gzipped ones.

    python envi_golden.py

Every sample is `100 band + 10 row + column`, as `value` in the tests; bytes hold it modulo 100.
Made with spectral 0.25, numpy 2.4.
"""

import gzip
import pathlib
import shutil

import numpy as np
import spectral.io.envi as envi

HERE = pathlib.Path(__file__).parent / "envi"
BANDS, ROWS, COLS = 3, 4, 5
TYPES = ["u1", "i2", "i4", "f4", "f8", "u2", "u4", "i8", "u8"]


def cube(code):
    b, r, c = np.indices((BANDS, ROWS, COLS))
    values = 100 * b + 10 * r + c
    return (values % 100 if code == "u1" else values).astype(code).transpose(1, 2, 0)


def main():
    HERE.mkdir(exist_ok=True)
    for number, code in enumerate(TYPES):
        for turn, interleave in enumerate(["bsq", "bil", "bip"]):
            order = (number + turn) % 2
            metadata = {
                "wavelength": [0.4, 0.55, 0.7],
                "fwhm": [0.01, 0.02, 0.03],
                "wavelength units": "Micrometers",
                "bbl": [1, 0, 1],
                "band names": ["blue", "green", "red"],
                "data ignore value": -99,
                "reflectance scale factor": 10000,
                "map info": ["UTM", 1, 1, 383472.37, 5818302.35, 30, 30, 33, "North", "WGS-84"],
                "sensor type": "SPy's own",
                "correction factors": [1.5, 2.5, 3.5],
            }
            name = HERE / f"{code}_{interleave}_{'big' if order else 'little'}.hdr"
            envi.save_image(
                str(name), cube(code), dtype=np.dtype(code), interleave=interleave, ext=".img",
                byteorder=order, metadata=metadata, force=True,
            )
    # An offset and gzip, which SPy does not write.
    source = HERE / "i2_bil_little.img"
    header = (HERE / "i2_bil_little.hdr").read_text()
    assert "header offset = 0" in header
    (HERE / "offset.img.hdr").write_text(header.replace("header offset = 0", "header offset = 7"))
    (HERE / "offset.img").write_bytes(b"7 bytes" + source.read_bytes() + b"and more")
    (HERE / "packed.hdr").write_text(header.rstrip() + "\nfile compression = 1\n")
    with open(source, "rb") as plain, gzip.GzipFile(HERE / "packed.img", "wb", mtime=0) as packed:
        shutil.copyfileobj(plain, packed)
    (HERE / "complex.hdr").write_text(header.replace("data type = 2", "data type = 6"))
    (HERE / "complex.img").write_bytes(bytes(BANDS * ROWS * COLS * 8))


main()
