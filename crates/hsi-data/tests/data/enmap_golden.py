"""A small product in the form of EnMAP's level L2A: metadata, spectral image, pixel mask, layers of
clouds and cirrus; and the same product in a zip archive, one file stored, the others deflated.

    python enmap_golden.py

Samples are `100 band + 10 row + column`, as `value` in the tests; the mask flags three of them.
Made with rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.
"""

import pathlib
import zipfile

import numpy as np
import rasterio
from rasterio.transform import Affine

HERE = pathlib.Path(__file__).parent / "enmap"
NAME = "ENMAP01-____L2A-DT0000000001_20240102T030405Z_001_V010203_20240102T030405Z"
BANDS, ROWS, COLS = 4, 20, 12
FLAGGED = [(0, 3, 4), (2, 0, 0), (3, 19, 11)]
CLOUDS = [(5, 6), (5, 7)]
CIRRUS = [(8, 1, 1), (9, 1, 2), (10, 1, 3)]  # row, column, thickness


def write(layer, samples, **more):
    with rasterio.open(
        HERE / f"{NAME}-{layer}.TIF", "w", driver="GTiff", width=COLS, height=ROWS, count=len(samples),
        dtype=samples.dtype, compress="deflate", interleave="band", blockysize=8, crs="EPSG:32633",
        transform=Affine(30, 0, 366975, 0, -30, 5808045), **more,
    ) as file:
        file.write(samples)


def main():
    HERE.mkdir(exist_ok=True)
    b, r, c = np.indices((BANDS, ROWS, COLS))
    write("SPECTRAL_IMAGE", (100 * b + 10 * r + c).astype("i2"), nodata=-32768)
    mask = np.zeros((BANDS, ROWS, COLS), "u1")
    for place in FLAGGED:
        mask[place] = 1
    write("QL_PIXELMASK", mask)
    clouds, cirrus = np.zeros((2, 1, ROWS, COLS), "u1")
    for row, col in CLOUDS:
        clouds[0, row, col] = 1
    for row, col, thickness in CIRRUS:
        cirrus[0, row, col] = thickness
    write("QL_QUALITY_CLOUD", clouds)
    write("QL_QUALITY_CIRRUS", cirrus)
    bands = "".join(
        f"""
      <bandID number="{n}">
        <wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>
        <FWHMOfBand>{width}</FWHMOfBand>
        <GainOfBand>0.0001</GainOfBand>
        <OffsetOfBand>0</OffsetOfBand>
      </bandID>"""
        for n, nm, width in [(1, 418.24, 6.99561), (2, 551.0, 7.5), (3, 1610.25, 10.5), (4, 2445.53, 9.75)]
    )
    (HERE / f"{NAME}-METADATA.XML").write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <metadata>
    <schema><processingLevel>L2A</processingLevel></schema>
    <name>{NAME}-METADATA.XML</name>
    <comment>A product made for tests</comment>
  </metadata>
  <base>
    <temporalCoverage>
      <startTime>2024-01-02T03:04:05.000000Z</startTime>
      <stopTime>2024-01-02T03:04:09.000000Z</stopTime>
    </temporalCoverage>
    <level>L2A</level>
  </base>
  <specific>
    <datatakeID>0000000001</datatakeID>
    <vnirProductQuality>
      <numChannelsMissing>0</numChannelsMissing>
      <missingChannelsList/>
    </vnirProductQuality>
    <swirProductQuality>
      <expectedChannelsList>3,4</expectedChannelsList>
      <numChannelsMissing>1</numChannelsMissing>
      <missingChannelsList>3</missingChannelsList>
    </swirProductQuality>
    <backgroundValue>-32768</backgroundValue>
    <bandCharacterisation>{bands}
    </bandCharacterisation>
  </specific>
</level_X>
""")
    with zipfile.ZipFile(HERE / "product.zip", "w") as archive:
        for path in sorted(HERE.glob(f"{NAME}-*")):
            entry = zipfile.ZipInfo(f"{NAME}/{path.name}")
            is_stored = "PIXELMASK" in path.name
            entry.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


main()
