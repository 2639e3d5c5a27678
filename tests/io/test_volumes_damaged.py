"""Damaged and hostile MetaImage and NRRD files are refused, never read as other values."""

import bz2
import gzip
import os
import tracemalloc
import zlib

import numpy as np
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.volume_data import _SURPLUS_BYTES
from cellseg_monai.inference import ImageFile
from cellseg_monai.io import image_files, open_image, read
from tests.io.files import write_metaimage, write_nrrd

PLANE = (np.arange(40 * 50) * 7 % 1000).astype(np.uint16).reshape(40, 50)
PACKERS = {"zlib": zlib.compress, "gzip": gzip.compress, "bzip2": bz2.compress}


def compressed(path, encoding, packed, stored=PLANE):
    """Write a header for `stored`, followed by packed pixels; return the length of the header."""
    if path.suffix == ".mha":
        write_metaimage(path, stored, extra="CompressedData = True")
    else:
        write_nrrd(path, stored)
    header = path.read_bytes()[: -stored.nbytes].replace(b": raw", b": " + encoding.encode())
    path.write_bytes(header + packed)
    return len(header)


def plain(path, stored=PLANE, *, extra=""):
    write = write_metaimage if path.suffix in (".mha", ".mhd") else write_nrrd
    write(path, stored, extra=extra)


def detached(folder, suffix, name, stored=PLANE):
    """Write a header that names a data file; return its path."""
    path = folder / f"cells{suffix}"
    plain(path, stored)
    header = path.read_bytes()[: -stored.nbytes]
    if suffix == ".mhd":
        path.write_bytes(header.replace(b"LOCAL", os.fsencode(name)))
    else:
        path.write_bytes(header.rstrip(b"\n") + b"\ndata file: " + os.fsencode(name) + b"\n\n")
    return path


@pytest.mark.parametrize(
    ("suffix", "encoding"), [(".mha", "zlib"), (".mha", "gzip"), (".nrrd", "gzip"), (".nrrd", "bzip2")]
)
class TestCompressed:
    def test_no_flipped_bit_is_read_as_other_values(self, tmp_path, suffix, encoding):
        path = tmp_path / f"a{suffix}"
        start = compressed(path, encoding, PACKERS[encoding](PLANE.tobytes()))
        content = path.read_bytes()
        refused = 0
        for bit in range(8 * start, 8 * len(content), 7):
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            try:
                np.testing.assert_array_equal(read(path).pixels[0], PLANE)
            except UnreadableImageError:
                refused += 1
        assert refused > 0.9 * (len(content) - start) * 8 / 7

    def test_a_missing_end_is_noticed_even_if_all_pixels_are_there(self, tmp_path, suffix, encoding):
        packed = PACKERS[encoding](PLANE.tobytes())
        for missing in (1, 3, 4, len(packed) // 2, len(packed) - 1, len(packed)):
            compressed(tmp_path / f"a{suffix}", encoding, packed[: len(packed) - missing])
            with pytest.raises(UnreadableImageError, match="pixels"):
                read(tmp_path / f"a{suffix}")

    def test_a_member_behind_the_limit_is_not_unpacked(self, tmp_path, suffix, encoding):
        # The first member ends exactly where decompression stops.
        first = PLANE.tobytes() + bytes(_SURPLUS_BYTES)
        compressed(tmp_path / f"a{suffix}", encoding, PACKERS[encoding](first) + PACKERS[encoding](bytes(2**27)))
        tracemalloc.start()
        with pytest.raises(UnreadableImageError, match="pixels"):
            read(tmp_path / f"a{suffix}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**26

    @pytest.mark.parametrize("n_rows", [39, 41, 1, 80])
    def test_more_or_fewer_values_than_declared_are_refused_with_both_sizes(self, tmp_path, suffix, encoding, n_rows):
        compressed(tmp_path / f"a{suffix}", encoding, PACKERS[encoding](bytes(n_rows * 100)))
        with pytest.raises(UnreadableImageError, match=rf"declares 4000 bytes of pixels, but .* {n_rows * 100}\b"):
            read(tmp_path / f"a{suffix}")

    def test_anything_after_the_pixels_is_refused(self, tmp_path, suffix, encoding):
        packed = PACKERS[encoding](PLANE.tobytes())
        for surplus in (b"\0", b"more", packed):
            compressed(tmp_path / f"a{suffix}", encoding, packed + surplus)
            with pytest.raises(UnreadableImageError):
                read(tmp_path / f"a{suffix}")

    def test_pixels_in_several_compressed_parts_are_read(self, tmp_path, suffix, encoding):
        data = PLANE.tobytes()
        compressed(tmp_path / f"a{suffix}", encoding, b"".join(map(PACKERS[encoding], (data[:1001], data[1001:]))))
        np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").pixels[0], PLANE)

    def test_a_bomb_is_not_unpacked(self, tmp_path, suffix, encoding):
        compressed(tmp_path / f"a{suffix}", encoding, PACKERS[encoding](bytes(300_000_000)))
        tracemalloc.start()
        with pytest.raises(UnreadableImageError, match="declares 4000 bytes"):
            read(tmp_path / f"a{suffix}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000_000


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
class TestPlain:
    @pytest.mark.parametrize("surplus", [1, 2, 100, 4000, -1, -100, -3999])
    def test_a_size_that_differs_from_the_header_is_refused_with_both_sizes(self, tmp_path, suffix, surplus):
        path = tmp_path / f"a{suffix}"
        plain(path)
        content = path.read_bytes()
        path.write_bytes((content + bytes(4000))[: len(content) + surplus])
        for function in (read, open_image):
            with pytest.raises(UnreadableImageError, match=rf"declares 4000 bytes .* holds {4000 + surplus};"):
                function(path)

    def test_pixels_stay_on_disk(self, tmp_path, suffix):
        plain(tmp_path / f"a{suffix}")
        with open_image(tmp_path / f"a{suffix}") as image:
            assert image.is_lazy
            np.testing.assert_array_equal(image.window((), slice(3, 5), slice(7, 9))[0], PLANE[3:5, 7:9])

    @pytest.mark.parametrize("sizes", ["50 -40", "-50 -40", "50 40.0", "50 0", "50", "50 40 1", "5e1 40", "", "٥٠ 40"])
    def test_sizes_that_are_not_positive_whole_numbers_are_refused(self, tmp_path, suffix, sizes):
        plain(tmp_path / f"a{suffix}")
        content = (tmp_path / f"a{suffix}").read_bytes()
        (tmp_path / f"a{suffix}").write_bytes(content.replace(b"50 40", sizes.encode()))
        with pytest.raises(UnreadableImageError, match=r"its header states|expected an NRRD field"):
            read(tmp_path / f"a{suffix}")

    @pytest.mark.parametrize("n_axes", ["1", "17", "-2", "two", "99999999999999999999999"])
    def test_an_impossible_number_of_dimensions_is_refused(self, tmp_path, suffix, n_axes):
        plain(tmp_path / f"a{suffix}")
        content = (tmp_path / f"a{suffix}").read_bytes()
        for field in (b"NDims = ", b"dimension: "):
            content = content.replace(field + b"2", field + n_axes.encode())
        (tmp_path / f"a{suffix}").write_bytes(content)
        with pytest.raises(UnreadableImageError, match=r"dimension|NDims"):
            read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
class TestPointers:
    def test_only_a_file_in_the_folder_of_the_header_is_read(self, tmp_path, suffix):
        inner = tmp_path / "inner"
        (inner / "deeper").mkdir(parents=True)
        for place in (tmp_path, inner, inner / "deeper"):
            (place / "x.raw").write_bytes(PLANE.tobytes())
        for name in ("x.raw", "./x.raw"):
            np.testing.assert_array_equal(read(detached(inner, suffix, name)).pixels[0], PLANE)
        absolute = str(inner / "x.raw")
        for name in ("../x.raw", "./../x.raw", "deeper/x.raw", "deeper/../x.raw", absolute, "..\\x.raw", "..", "."):
            with pytest.raises(UnreadableImageError, match="outside its folder and is not read"):
                read(detached(inner, suffix, name))

    @pytest.mark.parametrize(
        "name",
        [
            "/dev/zero",
            "/etc/passwd",
            "C:\\x.raw",
            "C:x.raw",
            "\\\\server\\share\\x.raw",
            "//server/x.raw",
            "a\0b",
            "\\x.raw",
        ],
    )
    def test_places_on_this_machine_are_refused_unread(self, tmp_path, suffix, name):
        with pytest.raises(UnreadableImageError, match="outside its folder and is not read"):
            read(detached(tmp_path, suffix, name))

    def test_links_are_followed_only_within_the_folder(self, tmp_path, suffix):
        inner, secret = tmp_path / "inner", tmp_path / "secret.raw"
        inner.mkdir()
        for file in (secret, inner / "real.raw"):
            file.write_bytes(PLANE.tobytes())
        (inner / "inside.raw").symlink_to("real.raw")
        np.testing.assert_array_equal(read(detached(inner, suffix, "inside.raw")).pixels[0], PLANE)
        (inner / "outside.raw").symlink_to(secret)
        (inner / "device.raw").symlink_to("/dev/zero")
        (inner / "loop.raw").symlink_to("loop.raw")
        (inner / "folder.raw").mkdir()
        for name in ("outside.raw", "device.raw", "folder.raw", "loop.raw"):
            with pytest.raises(UnreadableImageError, match=r"outside its folder|is missing|not a regular file"):
                read(detached(inner, suffix, name))

    def test_an_image_whose_files_are_both_links_into_one_folder_is_read(self, tmp_path, suffix):
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "x.raw").write_bytes(PLANE.tobytes())
        header = detached(tmp_path / "store", suffix, "x.raw")
        (tmp_path / "links").mkdir()
        for file in (header, header.parent / "x.raw"):
            (tmp_path / "links" / file.name).symlink_to(file)
        np.testing.assert_array_equal(read(tmp_path / "links" / header.name).pixels[0], PLANE)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_refused_without_waiting(self, tmp_path, suffix):
        os.mkfifo(tmp_path / "x.raw")
        with pytest.raises(UnreadableImageError, match="not a regular file"):
            read(detached(tmp_path, suffix, "x.raw"))

    def test_the_data_file_is_part_of_the_image(self, tmp_path, suffix):
        (tmp_path / "x.raw").write_bytes(PLANE.tobytes())
        header = detached(tmp_path, suffix, "x.raw")
        assert image_files(header) == (header, tmp_path / "x.raw")
        before = ImageFile(header).sha256
        (tmp_path / "x.raw").write_bytes((PLANE + 1).tobytes())
        assert ImageFile(header).sha256 != before

    def test_a_missing_file_is_named(self, tmp_path, suffix):
        with pytest.raises(UnreadableImageError, match=r"'gone\.raw', which is missing; copy all files"):
            read(detached(tmp_path, suffix, "gone.raw"))
        with pytest.raises(UnreadableImageError, match=f"'{'x' * 80}', which is missing"):
            read(detached(tmp_path, suffix, "x" * 256))

    @pytest.mark.parametrize("surplus", [-1, 1, 4000])
    def test_a_data_file_of_another_size_is_refused(self, tmp_path, suffix, surplus):
        (tmp_path / "x.raw").write_bytes((PLANE.tobytes() * 2)[: PLANE.nbytes + surplus])
        with pytest.raises(UnreadableImageError, match=rf"declares 4000 bytes .* holds {4000 + surplus};"):
            read(detached(tmp_path, suffix, "x.raw"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ElementType = MET_STRING", "ElementType"),
        ("DimSize = 5 40", "DimSize twice"),
        ("CompressedData = maybe", "expected True or False"),
        (
            "CompressedData = True\nCompressedDataSize = 3999",
            "3999 bytes of compressed pixels, but the file holds 4000",
        ),
        ("HeaderSize = 20", "within its header"),
        ("HeaderSize = -2", "HeaderSize"),
        ("ElementSpacing = 1 1 1", "3 numbers as ElementSpacing"),
        ("ElementSpacing = wide 1", "expected a number"),
        ("ElementSpacing = 1_0 1", "expected a number"),
        ("ElementToIntensityFunctionSlope = 2", "slope .2. and offset .0."),
        ("ElementToIntensityFunctionOffset = 1_0", "offset .1_0."),
        ("ElementToIntensityFunctionSlope = 0", "slope .0."),
        ("no field at all", "expected 'name = value'"),
        ("ElementNumberOfChannels = 0", "ElementNumberOfChannels"),
        ("ElementNumberOfChannels = 2", "declares 8000 bytes"),
    ],
)
def test_a_metaimage_with_a_faulty_header_is_refused(tmp_path, line, says):
    plain(tmp_path / "a.mha", extra=line)
    with pytest.raises(UnreadableImageError, match=says):
        read(tmp_path / "a.mha")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("type: uint8", "'type' twice"),
        ("Type: uint8", "'Type' twice"),
        ("colour: red", "expected an NRRD field"),
        ("kinds: domain", "1 kinds, expected 2"),
        ("kinds: domain vector", "axes have the kinds"),
        ("kinds: domain thing", "'thing' are not supported"),
        ('units: "um"', "1 units, expected 2"),
        ("line skip: 999", "ends before its pixels"),
        ("byte skip: 1", "declares 4000 bytes"),
        ("byte skip: -2", "byteskip"),
        ("byte skip: 99999999999999999999", "GB of pixels"),
    ],
)
def test_a_nrrd_with_a_faulty_header_is_refused(tmp_path, line, says):
    plain(tmp_path / "a.nrrd", extra=line)
    with pytest.raises(UnreadableImageError, match=says):
        read(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("1 2 3", "4 values, but the file holds 3"),
        ("1 2 3 4 5", "4 values, but the file holds 5"),
        ("1 2 3 300", "do not fit its type uint8"),
        ("1 2 3 -1", "do not fit its type uint8"),
        ("1 2 3 1_0", "not numbers"),
        ("1 2 3 x", "cannot be decoded"),
        ("1 2 3 4.5", "cannot be decoded"),
    ],
)
def test_text_that_is_not_the_declared_numbers_is_refused(tmp_path, words, says):
    header = "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 2\nencoding: text\n\n"
    (tmp_path / "a.nrrd").write_text(header + words)
    with pytest.raises(UnreadableImageError, match=says):
        read(tmp_path / "a.nrrd")


def test_a_header_without_end_is_refused(tmp_path):
    (tmp_path / "a.mha").write_bytes(b"Comment = " + bytes(2_000_000))
    with pytest.raises(UnreadableImageError, match="does not end within"):
        read(tmp_path / "a.mha")
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\ntype: uint8\n" + b"# long\n" * 300_000)
    with pytest.raises(UnreadableImageError, match="does not end within"):
        read(tmp_path / "a.nrrd")
