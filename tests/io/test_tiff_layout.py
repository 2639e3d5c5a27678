"""The header of a TIFF agrees with its tiles and strips, or the file is refused, whole and by window alike."""

import itertools

import numpy as np
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import open_image, read
from tests.io.files import write_packed_tiff

PLANE = (np.hypot(*np.indices((48, 64))) * 700).astype(np.uint16)
STACK = np.stack([PLANE, PLANE[::-1], PLANE[:, ::-1]])
COLOURS = (STACK // 256).astype(np.uint8)
PLAIN = {"metadata": None, "photometric": "minisblack"}
LAYOUTS = {
    "one strip": (PLANE, PLAIN),
    "strips": (PLANE, {"rowsperstrip": 16, **PLAIN}),
    "strips of which the last is shorter": (PLANE, {"rowsperstrip": 20, **PLAIN}),
    "tiles": (PLANE, {"tile": (16, 32), **PLAIN}),
    "big-endian": (PLANE, {"byteorder": ">", "rowsperstrip": 10, **PLAIN}),
    "BigTIFF": (PLANE, {"bigtiff": True, "rowsperstrip": 16, **PLAIN}),
    "LZW": (PLANE, {"compression": "lzw", **PLAIN}),
    "LZW strips": (PLANE, {"compression": "lzw", "rowsperstrip": 20, **PLAIN}),
    "LZW tiles": (PLANE, {"compression": "lzw", "tile": (16, 32), **PLAIN}),
    "deflate": (PLANE, {"compression": "zlib", **PLAIN}),
    "deflate strips": (PLANE, {"compression": "zlib", "rowsperstrip": 20, **PLAIN}),
    "zstd": (PLANE, {"compression": "zstd", **PLAIN}),
    "packbits": (PLANE, {"compression": "packbits", **PLAIN}),
    "LZMA": (PLANE, {"compression": "lzma", **PLAIN}),
    "colours": (COLOURS.transpose(1, 2, 0), {"metadata": None, "photometric": "rgb", "rowsperstrip": 16}),
    "planes of colours": (COLOURS, {"metadata": None, "photometric": "rgb", "planarconfig": "separate"}),
    "OME": (STACK, {"ome": True, "metadata": {"axes": "ZYX"}}),
    "OME deflate": (STACK, {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"}),
    "ImageJ": (STACK, {"imagej": True, "metadata": {"axes": "ZYX"}}),
    "pages": (STACK, PLAIN),
}
TAGS = (
    "ImageWidth", "ImageLength", "BitsPerSample", "RowsPerStrip", "SamplesPerPixel", "PlanarConfiguration",
    "TileWidth", "TileLength",
)  # fmt: skip

BITS = (0, 1, 3, 4, 5, 6, 7, 8, 15, 31)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.tif"


def by_window(path, axes):
    with open_image(path, axes) as image:
        pixels = np.empty(image.shape, image.dtype)
        for plane in image.planes():
            for y, x in itertools.product(range(0, image.shape[-2], 21), range(0, image.shape[-1], 33)):
                rows, columns = (
                    slice(at, min(at + n, end)) for at, n, end in zip((y, x), (21, 33), image.shape[-2:], strict=True)
                )
                pixels[plane][:, rows, columns] = image.window(plane, rows, columns)
        return pixels


def tag_places(path, names, *, page=0):
    """Return the place and size of the values of some tags in a file, and its byte order."""
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[page].aspage().tags
        order = "little" if tif.byteorder == "<" else "big"
        return {name: (tags[name].valueoffset, tags[name].valuebytecount) for name in names if name in tags}, order


def assert_refused_or_unchanged(path, content, place, axes, expected):
    path.write_bytes(content)
    for function in (lambda path, axes: read(path, axes).pixels, by_window):
        try:
            pixels = function(path, axes)
        except UnreadableImageError:
            continue
        np.testing.assert_array_equal(pixels, expected, err_msg=place)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("page", [0, 2])
def test_a_flipped_bit_in_the_layout_never_gives_another_image(path, layout, page):
    array, how = LAYOUTS[layout]
    tifffile.imwrite(path, array, **how)
    axes = "ZYX" if layout == "pages" else None
    with tifffile.TiffFile(path) as tif:
        if page >= len(tif.pages):
            pytest.skip("a single page")
    expected, content = read(path, axes).pixels, path.read_bytes()
    np.testing.assert_array_equal(by_window(path, axes), expected)
    for name, (start, size) in tag_places(path, TAGS, page=page)[0].items():
        for bit in (bit for bit in BITS if bit < 8 * size):
            damaged = bytearray(content)
            damaged[start + bit // 8] ^= 1 << bit % 8
            assert_refused_or_unchanged(path, bytes(damaged), f"{name} bit {bit}", axes, expected)


def change(path, name, number, *, index=0, page=0):
    """Change one of the values of a tag."""
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[page].aspage().tags[name]
        size = tag.valuebytecount // tag.count
        order = "little" if tif.byteorder == "<" else "big"
    content = bytearray(path.read_bytes())
    start = tag.valueoffset + index * size
    content[start : start + size] = number.to_bytes(size, order)
    path.write_bytes(content)


def assert_refused(path, match, axes=None):
    for function in (read, by_window):
        with pytest.raises(UnreadableImageError, match=match):
            function(path, axes)


class TestRefused:
    @pytest.mark.parametrize("number", [0, 3, 255])
    def test_planes_that_are_neither_together_nor_separate(self, path, number):
        tifffile.imwrite(path, COLOURS.transpose(1, 2, 0), photometric="rgb", metadata=None)
        change(path, "PlanarConfiguration", number)
        assert_refused(path, f"PlanarConfiguration is {number}, expected 1 or 2")

    @pytest.mark.parametrize("number", [0, 4])
    @pytest.mark.parametrize("rows", [48, 16])
    def test_pixels_in_the_header_of_the_file(self, path, number, rows):
        tifffile.imwrite(path, PLANE, rowsperstrip=rows, **PLAIN)
        change(path, "StripOffsets", number)
        assert_refused(path, "missing strip 0|missing 1 of 3 strips")

    def test_pixels_beyond_the_end(self, path):
        tifffile.imwrite(path, PLANE, rowsperstrip=16, **PLAIN)
        change(path, "StripOffsets", path.stat().st_size - 10, index=1)
        assert_refused(path, "data ends within strip 1")

    @pytest.mark.parametrize(("name", "number"), [("ImageLength", 96), ("ImageLength", 32), ("ImageWidth", 128)])
    def test_a_grid_of_other_tiles(self, path, name, number):
        tifffile.imwrite(path, PLANE, tile=(16, 32), compression="zlib", **PLAIN)
        change(path, name, number)
        assert_refused(path, r"page 0 of \d+ × \d+ pixels needs \d+ tiles, but has 6")

    @pytest.mark.parametrize("number", [47, 32])
    def test_a_strip_of_other_rows(self, path, number):
        tifffile.imwrite(path, PLANE, **PLAIN)
        change(path, "ImageLength", number)
        assert_refused(path, r"strip 0 .* needs \d+ bytes, but has 6144")

    @pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "lzma", "jpeg", "jpeg2000", "webp"])
    def test_a_compressed_strip_with_more_rows_than_the_image(self, path, compression):
        array = COLOURS.transpose(1, 2, 0) if compression in ("jpeg", "webp") else COLOURS[0]
        tifffile.imwrite(
            path, array, compression=compression, metadata=None, photometric="rgb" if array.ndim == 3 else "minisblack"
        )
        change(path, "ImageLength", 32)
        assert_refused(path, "holds more pixels|cannot be decoded|needs")

    def test_fewer_depths_than_samples(self, path):
        tifffile.imwrite(path, COLOURS.transpose(1, 2, 0), photometric="rgb", metadata=None)
        with tifffile.TiffFile(path) as tif:
            tag = tif.pages.first.tags["BitsPerSample"]
        content = bytearray(path.read_bytes())
        content[tag.offset + 4 : tag.offset + 8] = (2).to_bytes(4, "little")
        path.write_bytes(content)
        assert_refused(path, "3 samples per pixel, but the bits of 2|-bit pixels")

    @pytest.mark.parametrize("name", ["ImageLength", "BitsPerSample", "Compression"])
    def test_a_later_page_with_another_layout(self, path, name):
        tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"}, compression="zlib")
        change(path, name, 1, page=2)
        assert_refused(path, f"{name} .*of page 2 differ from those of the first page")

    def test_strips_of_a_later_page_that_do_not_follow_each_other(self, path):
        tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"}, rowsperstrip=16)
        with tifffile.TiffFile(path) as tif:
            last = tif.pages[2].aspage().dataoffsets
        change(path, "StripOffsets", last[0], index=1, page=2)
        assert_refused(path, "the strips of page 2 do not follow each other")

    def test_a_lower_resolution(self, path):
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(PLANE, subifds=1, metadata={"axes": "YX"}, tile=(16, 16), compression="zlib")
            writer.write(PLANE[::2, ::2], subfiletype=1, tile=(16, 16), compression="zlib")
        with tifffile.TiffFile(path) as tif:
            tag = tif.series[0].levels[1].keyframe.tags["ImageLength"]
        content = bytearray(path.read_bytes())
        content[tag.valueoffset] = 16
        path.write_bytes(content)
        assert_refused(path, "needs 2 tiles, but has 4")


class TestRead:
    def test_a_sparse_file_of_gdal(self, path):
        tifffile.imwrite(
            path,
            PLANE,
            rowsperstrip=16,
            compression="zlib",
            extratags=[(42112, "s", 0, "<GDALMetadata/>"), (42113, "s", 2, "7")],
            **PLAIN,
        )
        for name in ("StripOffsets", "StripByteCounts"):
            change(path, name, 0, index=1)
        expected = PLANE.copy()
        expected[16:32] = 7
        np.testing.assert_array_equal(read(path).pixels[0], expected)
        np.testing.assert_array_equal(by_window(path, None)[0], expected)

    def test_an_odd_depth_in_padded_rows(self, path):
        values = (PLANE[:, :61] % 4096).astype(np.uint16)
        write_packed_tiff(path, values, 12, metadata=None, photometric="minisblack", rowsperstrip=10)
        np.testing.assert_array_equal(read(path).pixels[0], values)

    @pytest.mark.parametrize("number", [49, 1000, 2**16 - 1])
    def test_a_single_strip_that_claims_more_rows(self, path, number):
        tifffile.imwrite(path, PLANE, **PLAIN)
        change(path, "RowsPerStrip", number)
        np.testing.assert_array_equal(read(path).pixels[0], PLANE)

    @pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "jpeg", "webp"])
    def test_a_last_strip_that_is_shorter(self, path, compression):
        array = COLOURS.transpose(1, 2, 0)
        how = {"photometric": "rgb", "metadata": None, "compression": compression}
        if compression == "webp":
            how["compressionargs"] = {"lossless": True}
        tifffile.imwrite(path, array[:41], rowsperstrip=16, **how)
        tolerance = 12 if compression == "jpeg" else 0
        assert np.abs(read(path).pixels.astype(int) - array[:41].transpose(2, 0, 1)).max() <= tolerance
