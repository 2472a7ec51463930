"""Checks what SPy reads from ENVI files that this crate wrote.

    WRITE_ENVI=/some/folder cargo test -p hsi-data --test files files_of_spy
    python check_envi.py /some/folder

Made with spectral 0.25, numpy 2.4.
"""

import pathlib
import sys

import numpy as np
import spectral.io.envi as envi


def expected(dtype):
    b, r, c = np.indices((3, 4, 5))
    values = 100 * b + 10 * r + c  # the pattern of the golden files
    return (values % (100 if dtype == np.uint8 else 1000)).astype(dtype)


def main():
    count = 0
    for header in sorted(pathlib.Path(sys.argv[1]).glob("*.hdr")):
        if header.stem == "packed":
            continue  # SPy reads no gzip
        image = envi.open(str(header), str(header.with_suffix(".img")))
        samples = np.asarray(image.open_memmap(interleave="bip"))
        assert np.array_equal(samples.transpose(2, 0, 1), expected(samples.dtype)), header
        assert image.bands.centers == [400.0, 550.0, 700.0], header
        assert image.bands.bandwidths == [10.0, 20.0, 30.0], header
        fields = image.metadata
        assert fields["map info"][:5] == ["UTM", "1", "1", "383472.37", "5818302.35"], fields["map info"]
        assert [int(x) for x in fields["bbl"]] == [1, 0, 1], header
        assert float(fields["data ignore value"]) == -99, header
        assert fields["band names"] == ["blue", "green", "red"], header
        count += 1
    assert count == 28, count
    print(f"{count} files are read alike")


main()
