"""PNGs with several samples of 16 bits per pixel: values as stored, and no damage goes unnoticed."""

import random
import struct
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = {2: 4, 3: 2, 4: 6}  # PNG colour type by number of samples
NAMES = {2: ("gray", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}
# First row, first column and the steps of the seven passes of an interlaced PNG.
PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
WHOLE = ((0, 0, 1, 1),)


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(shape, *, interlaced=False):
    height, width, n_samples = shape
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, KINDS[n_samples], 0, 0, interlaced))


def raw_rows(pixels, *, interlaced=False):
    """Return the bytes of all rows, each after its filter type 0."""
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in (PASSES if interlaced else WHOLE)]
    return b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part)


def encode(pixels, *, interlaced=False, extra=b""):
    """Return a PNG whose pixels are cut into chunks of 300 bytes; `extra` goes between header and pixels."""
    packed = zlib.compress(raw_rows(pixels, interlaced=interlaced))
    data = b"".join(chunk(b"IDAT", packed[start : start + 300]) for start in range(0, len(packed), 300))
    return header(pixels.shape, interlaced=interlaced) + extra + data + chunk(b"IEND")


def smooth(n_samples):
    y, x = np.indices((20, 25))
    return np.stack([(300 * y + 77 * x * n + n) % 65536 for n in range(1, n_samples + 1)], -1).astype(np.uint16)


def chunk_ends(content):
    end, ends = len(SIGNATURE), []
    while end < len(content):
        end += 12 + int.from_bytes(content[end : end + 4], "big")
        ends.append(end)
    return ends


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.png"


def assert_refused(path, content, match="."):
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=match) as caught:
        read(path)
    assert caught.value.remedy


@pytest.mark.parametrize("interlaced", [False, True], ids=["in order", "interlaced"])
@pytest.mark.parametrize("n_samples", [2, 3, 4])
class TestAnyNumberOfSamples:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 3), (33, 47)])
    def test_the_values_are_those_that_were_stored(self, path, n_samples, interlaced, shape):
        stored = np.random.default_rng(0).integers(0, 65536, (*shape, n_samples)).astype(np.uint16)
        path.write_bytes(encode(stored, interlaced=interlaced))
        image = read(path)
        assert image.pixels.dtype == np.uint16
        np.testing.assert_array_equal(image.pixels, stored.transpose(2, 0, 1))
        assert image.channel_names == NAMES[n_samples]

    def test_a_file_cut_anywhere_is_refused(self, path, n_samples, interlaced):
        """Also between two chunks, and if only the end mark is missing and all pixels are there."""
        content = encode(smooth(n_samples), interlaced=interlaced)
        lengths = random.Random(0).sample(range(40, len(content)), 10)
        lengths += [*chunk_ends(content)[:-1], len(content) - 1, len(content) - 4, len(content) - 13]
        for length in lengths:
            assert_refused(path, content[:length])

    def test_a_flipped_bit_anywhere_is_refused(self, path, n_samples, interlaced):
        content = encode(smooth(n_samples), interlaced=interlaced, extra=chunk(b"tEXt", b"Title\0cells"))
        generator = random.Random(0)
        for place in generator.sample(range(len(content)), 200):
            damaged = bytearray(content)
            damaged[place] ^= 1 << generator.randrange(8)
            assert_refused(path, bytes(damaged))


def test_all_row_filters_are_undone(path):
    noise = np.random.default_rng(0).integers(0, 9, (40, 30, 3))
    stored = (np.cumsum(np.cumsum(noise, 0), 1) * 7).astype(np.uint16)
    for row_filter in (imagecodecs.PNG.FILTER.ALL, *(8 << n for n in range(5))):
        path.write_bytes(imagecodecs.png_encode(stored, filter=int(row_filter)))
        np.testing.assert_array_equal(read(path).pixels, stored.transpose(2, 0, 1))


def test_a_wrong_checksum_names_its_place(path):
    content = bytearray(encode(smooth(3)))
    content[chunk_ends(content)[1] - 1] ^= 1
    assert_refused(path, bytes(content), match="the checksum of its PNG chunk at byte 33 is wrong; .*copy or export")


@pytest.mark.parametrize(
    "rows",
    [raw_rows(smooth(3))[:-1], raw_rows(smooth(3))[:700], b"", b"\x09" + raw_rows(smooth(3))[1:]],
    ids=["one byte too few", "too few rows", "no pixels", "an unknown row filter"],
)
def test_pixels_that_were_written_wrongly_are_refused_although_all_checksums_are_right(path, rows):
    content = header((20, 25, 3)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    assert_refused(
        path,
        content,
        match="cannot be decompressed|bytes of pixels, but there are only [0-9]+; the PNG is faulty",
    )


def test_a_png_without_pixels_is_refused(path):
    assert_refused(path, header((20, 25, 3)) + chunk(b"IEND"))


def test_an_impossible_size_is_refused_before_memory_is_allocated(path):
    content = header((60_000, 60_000, 4)) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND")
    assert_refused(path, content, match="GB of pixels")


def test_a_colour_type_that_does_not_exist_is_refused(path):
    start = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 25, 20, 16, 5, 0, 0, 0))
    assert_refused(path, start + encode(smooth(2))[33:], match="no PNG colour type 5")


def test_bytes_after_the_end_mark_are_ignored(path):
    path.write_bytes(encode(smooth(3)) + b"anything")
    np.testing.assert_array_equal(read(path).pixels, smooth(3).transpose(2, 0, 1))


def test_a_transparent_colour_gives_an_alpha_channel(path):
    pixels = smooth(3)
    path.write_bytes(encode(pixels, extra=chunk(b"tRNS", pixels[4, 5].astype(">u2").tobytes())))
    image = read(path)
    np.testing.assert_array_equal(image.pixels[:3], pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(image.pixels[3], np.where((pixels == pixels[4, 5]).all(-1), 0, 65535))


@pytest.mark.parametrize(
    ("extra", "shifts"),
    [
        (chunk(b"sBIT", bytes([12, 12, 10])), (4, 4, 6)),
        (chunk(b"sBIT", bytes([16, 16, 16])), (0, 0, 0)),
        (chunk(b"sBIT", bytes([12, 12, 17])), (0, 0, 0)),
        (chunk(b"sBIT", bytes([12, 12])), (0, 0, 0)),
        (chunk(b"PLTE", bytes(3)) + chunk(b"sBIT", bytes([12, 12, 12])), (0, 0, 0)),
    ],
    ids=["12, 12 and 10", "all", "too many", "of two samples", "too late"],
)
def test_bits_that_the_file_declares_as_padding_are_removed(path, extra, shifts):
    path.write_bytes(encode(smooth(3), extra=extra))
    np.testing.assert_array_equal(read(path).pixels, (smooth(3) >> np.array(shifts, np.uint16)).transpose(2, 0, 1))


def test_an_interlaced_file_gives_no_warning(path, caplog):
    path.write_bytes(encode(smooth(3), interlaced=True))
    read(path)
    assert not caplog.records


def test_greys_of_16_bits_are_read_by_pillow(path, monkeypatch):
    monkeypatch.setattr(imagecodecs, "png_decode", None)
    grey = smooth(2)[..., 0]
    PIL.Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read(path).pixels[0], grey)
