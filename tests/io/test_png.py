"""PNGs of every kind: no damage goes unnoticed, and no header is believed."""

import random
import struct
import tracemalloc
import zlib

import numpy as np
import PIL.Image
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read, read_labels
from tests.io.test_png16 import SIGNATURE, assert_refused, chunk, chunk_ends

LABELS = (np.indices((20, 25)).sum(0) // 4).astype(np.uint8)
MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "I;16")


def picture(mode):
    if mode == "I;16":
        return PIL.Image.fromarray(LABELS.astype(np.uint16) * 900)
    return PIL.Image.fromarray(LABELS * 20).convert(mode)


def grey_png(rows, *, height=20, width=25, extra=b"", interlaced=0):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced))
    return SIGNATURE + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def raw_rows(values=LABELS):
    return b"".join(b"\0" + row.tobytes() for row in values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.png"


@pytest.mark.parametrize("mode", MODES)
class TestEveryKind:
    def test_a_flipped_bit_anywhere_is_refused(self, path, mode):
        picture(mode).save(path)
        content = path.read_bytes()
        generator = random.Random(0)
        for place in generator.sample(range(len(content)), min(len(content), 150)):
            damaged = bytearray(content)
            damaged[place] ^= 1 << generator.randrange(8)
            assert_refused(path, bytes(damaged))

    def test_a_file_cut_anywhere_is_refused(self, path, mode):
        picture(mode).save(path)
        content = path.read_bytes()
        for length in {*chunk_ends(content)[:-1], *range(9, len(content), 17), len(content) - 1}:
            assert_refused(path, content[:length])


def test_a_flipped_bit_in_a_label_image_is_refused(path):
    PIL.Image.fromarray(LABELS).save(path)
    np.testing.assert_array_equal(read_labels(path), LABELS)
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(UnreadableImageError):
            read_labels(path)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (raw_rows() + b"\0" * 26, "declares 520 bytes of pixels, but there are more"),
        (raw_rows()[:-1], "declares 520 bytes of pixels, but there are only 519"),
        (b"", "only 0"),
        (b"\x09" + raw_rows()[1:], "."),
    ],
    ids=["a row too many", "a byte too few", "nothing", "an unknown row filter"],
)
def test_pixels_that_do_not_fit_the_header_are_refused_although_all_checksums_are_right(path, rows, match):
    assert_refused(path, grey_png(rows), match=match)


@pytest.mark.parametrize(
    "header",
    [
        (25, 20, 3, 0, 0, 0, 0),
        (25, 20, 4, 2, 0, 0, 0),
        (25, 20, 8, 1, 0, 0, 0),
        (25, 20, 8, 0, 1, 0, 0),
        (25, 20, 8, 0, 0, 1, 0),
        (25, 20, 8, 0, 0, 0, 2),
        (0, 20, 8, 0, 0, 0, 0),
    ],
    ids=["depth", "depth of a colour", "colour type", "compression", "filter", "interlacing", "no columns"],
)
def test_a_header_that_no_png_has_is_refused(path, header):
    content = grey_png(raw_rows())
    broken = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *header)) + content[33:]
    assert_refused(path, broken, match="PNG header is broken")


def test_a_second_header_is_refused(path):
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 25, 10, 8, 0, 0, 0, 0))
    assert_refused(path, grey_png(raw_rows(), extra=second), match="PNG header is broken")


def test_the_length_of_a_chunk_is_not_believed(path):
    content = bytearray(grey_png(raw_rows()))
    content[33:37] = (2**31 - 1).to_bytes(4, "big")
    tracemalloc.start()
    try:
        assert_refused(path, bytes(content), match="ends before its PNG end marker")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_is_never_decompressed(path, name):
    """Pillow refuses a whole image because of a long text, such as the metadata of a microscope."""
    start = b"Title\0\0" if name != b"iTXt" else b"Title\0\1\0\0\0"
    text = chunk(name, start + zlib.compress(bytes(50_000_000)))
    path.write_bytes(grey_png(raw_rows(), extra=text))
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(read(path).pixels[0], LABELS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6


def test_an_interlaced_file_is_read(path):
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    for values in (LABELS, LABELS[:1, :1], LABELS[:3, :2]):
        rows = b"".join(raw_rows(values[y::dy, x::dx]) for y, x, dy, dx in passes if values[y::dy, x::dx].size)
        path.write_bytes(grey_png(rows, height=len(values), width=values.shape[1], interlaced=1))
        np.testing.assert_array_equal(read(path).pixels[0], values)
