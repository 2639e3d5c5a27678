"""DICOM files are read with all of their pixels and only these, or refused."""

import re
import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read
from tests.io.files import dicom_items, write_dicom

PLANE = (np.arange(40 * 50) * 7 % 1000).astype(np.uint16).reshape(40, 50)
SMALL = (PLANE % 251).astype(np.uint8)
ONE_FRAME = {0x280008: ("IS", "1")}
SYNTAXES = {"RLE": "1.2.840.10008.1.2.5", "JPEG": "1.2.840.10008.1.2.4.70", "JPEG 2000": "1.2.840.10008.1.2.4.90"}


def run_lengths(array):
    """Return 8-bit pixels in the run-length encoding of DICOM."""
    rows = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in array)
    return struct.pack("<16I", 1, 64, *[0] * 14) + rows


CODECS = {
    "RLE": run_lengths,
    "JPEG": lambda array: imagecodecs.jpeg_encode(array, lossless=True, bitspersample=8),
    "JPEG 2000": lambda array: imagecodecs.jpeg2k_encode(array, codecformat="j2k", reversible=True),
}


def even(content):
    return content + b"\0" * (len(content) % 2)


@pytest.mark.parametrize("held", [0, 2, PLANE.nbytes // 2, PLANE.nbytes - 2, PLANE.nbytes + 2, 2 * PLANE.nbytes])
@pytest.mark.parametrize("extra", [{}, ONE_FRAME], ids=["no frames stated", "one frame stated"])
def test_fewer_or_more_pixels_than_declared_are_refused_with_both_sizes(tmp_path, held, extra):
    write_dicom(tmp_path / "a.dcm", PLANE, pixels=(PLANE.tobytes() * 2)[:held], extra=extra)
    with pytest.raises(UnreadableImageError, match=rf"declares 4000 bytes of pixels, but the file holds {held};"):
        read(tmp_path / "a.dcm")


@pytest.mark.parametrize(("n_held", "n_stated"), [(1, 3), (2, 3), (3, 2)])
def test_other_frames_than_declared_are_refused(tmp_path, n_held, n_stated):
    stated = {0x280008: ("IS", str(n_stated))}
    write_dicom(tmp_path / "a.dcm", np.stack([PLANE] * n_held), extra=stated)
    with pytest.raises(UnreadableImageError, match=f"declares {4000 * n_stated} bytes .* holds {4000 * n_held};"):
        read(tmp_path / "a.dcm", "ZYX")


def test_a_byte_that_makes_the_length_even_is_no_pixel(tmp_path):
    odd = SMALL[:5, :7].copy()
    write_dicom(tmp_path / "a.dcm", odd)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").pixels[0], odd)


@pytest.mark.parametrize("name", SYNTAXES)
class TestCompressed:
    def test_frames_are_read(self, tmp_path, name):
        frames = np.stack([SMALL, SMALL[::-1]])
        packed = dicom_items(b"", *(even(CODECS[name](np.ascontiguousarray(frame))) for frame in frames))
        write_dicom(tmp_path / "a.dcm", frames, syntax=SYNTAXES[name], pixels=packed)
        np.testing.assert_array_equal(read(tmp_path / "a.dcm", "ZYX").pixels[:, 0], frames)

    @pytest.mark.parametrize(("n_held", "n_stated"), [(1, 2), (2, 1), (3, 2)])
    def test_other_frames_than_declared_are_refused(self, tmp_path, name, n_held, n_stated):
        packed = dicom_items(b"", *[even(CODECS[name](SMALL))] * n_held)
        stated = {0x280008: ("IS", str(n_stated))}
        write_dicom(tmp_path / "a.dcm", SMALL, syntax=SYNTAXES[name], pixels=packed, extra=stated)
        with pytest.raises(UnreadableImageError, match=rf"declares {n_stated} frames, but the file holds {n_held};"):
            read(tmp_path / "a.dcm", "ZYX" if n_stated > 1 else None)

    @pytest.mark.parametrize("part", [slice(None, 20), slice(None, None, 2)])
    def test_frames_of_another_size_are_refused(self, tmp_path, name, part):
        packed = dicom_items(b"", even(CODECS[name](np.ascontiguousarray(SMALL[part, part]))))
        write_dicom(tmp_path / "a.dcm", SMALL, syntax=SYNTAXES[name], pixels=packed)
        with pytest.raises(UnreadableImageError):
            read(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({0x281053: ("DS", "2")}, "rescale slope 2 and intercept 0"),
        ({0x281053: ("DS", "0")}, "rescale slope 0 "),
        ({0x281053: ("DS", "zz")}, "rescale slope 'zz' "),
        ({0x281052: ("DS", "-1024")}, "intercept -1024"),
        ({0x283000: ("SQ", dicom_items(b"")[:-8])}, "looked up in a table"),
        ({0x20500020: ("CS", "INVERSE")}, "inverted"),
        ({0x280004: ("CS", "monochrome1")}, "inverted"),
        ({0x280100: ("US", 12), 0x280101: ("US", 12), 0x280102: ("US", 11)}, "12 of 12 bits"),
        ({0x280101: ("US", 12), 0x280102: ("US", 15)}, "12 of 16 bits, the highest being 15"),
        ({0x280101: ("US", 17)}, "17 of 16 bits"),
        ({0x280002: ("US", 3)}, "3 samples per pixel"),
    ],
)
def test_values_that_are_not_the_measurements_are_refused(tmp_path, extra, says):
    write_dicom(tmp_path / "a.dcm", PLANE, extra=extra)
    with pytest.raises(UnreadableImageError, match=says):
        read(tmp_path / "a.dcm")


def test_a_rescaling_within_a_sequence_is_found(tmp_path):
    slope = struct.pack("<HH2sH", 0x28, 0x1053, b"DS", 2) + b"3 "
    inner = struct.pack("<HH2sHI", 0x28, 0x9145, b"SQ", 0, len(slope) + 8) + dicom_items(slope)[:-8]
    write_dicom(tmp_path / "a.dcm", PLANE, extra={0x52009229: ("SQ", dicom_items(inner)[:-8])})
    with pytest.raises(UnreadableImageError, match="rescale slope 3 "):
        read(tmp_path / "a.dcm")


def test_bits_that_do_not_fill_bytes_are_refused(tmp_path):
    one_bit = {0x280100: ("US", 1), 0x280101: ("US", 1), 0x280102: ("US", 0)}
    mask = SMALL > 99
    write_dicom(tmp_path / "a.dcm", SMALL, extra=one_bit, pixels=np.packbits(mask, bitorder="little").tobytes())
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").pixels[0] > 0, mask)
    odd = np.packbits(mask[:5, :7], bitorder="little").tobytes()
    write_dicom(tmp_path / "a.dcm", SMALL[:5, :7], extra=one_bit, pixels=even(odd))
    with pytest.raises(UnreadableImageError, match="35 pixels with 1 bit are not supported"):
        read(tmp_path / "a.dcm")


def nested(depth):
    content = b""
    for _ in range(depth):
        item = dicom_items(content)[:-8]
        content = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, len(item)) + item
    return content


@pytest.mark.parametrize(
    ("sequence", "says"),
    [
        (struct.pack("<HHIHH2sHI", 0xFFFE, 0xE000, 12, 8, 0x1150, b"UT", 0, 2**31), r"ends within .* \(0008,1150\)"),
        (struct.pack("<HHI", 0xFFFE, 0xE000, 2**31), r"ends within .* \(0008,1140\)"),
        (struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), r"\(fffe,e0dd\) is out of place"),
        (dicom_items(nested(70))[:-8], r"\(0008,1140\) is out of place"),
        (struct.pack("<HHIHH2sHI", 0xFFFE, 0xE000, 12, 8, 0x1150, b"UA", 0, 0), "unknown kind"),
    ],
    ids=["long element", "long item", "no item", "deep", "unknown kind"],
)
def test_elements_that_do_not_fit_into_what_holds_them_are_refused(tmp_path, sequence, says):
    write_dicom(tmp_path / "a.dcm", PLANE, extra={0x81140: ("SQ", sequence)})
    with pytest.raises(UnreadableImageError, match=says):
        read(tmp_path / "a.dcm")


def test_sequences_and_what_follows_the_pixels_are_passed_over(tmp_path):
    path = tmp_path / "a.dcm"
    write_dicom(path, PLANE, extra={0x81140: ("SQ", dicom_items(nested(3))[:-8])})
    for end in (b"", bytes(64), struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 4) + bytes(4)):
        path.write_bytes(path.read_bytes() + end)
        np.testing.assert_array_equal(read(path).pixels[0], PLANE)


def test_a_second_element_of_pixels_is_refused(tmp_path):
    write_dicom(tmp_path / "a.dcm", PLANE)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content + content[-PLANE.nbytes - 12 :])
    with pytest.raises(UnreadableImageError, match="several DICOM elements"):
        read(tmp_path / "a.dcm")


@pytest.mark.parametrize("n_rows", [40, 39])
def test_deflated_elements_are_checked_as_well(tmp_path, n_rows):
    path = tmp_path / "a.dcm"
    write_dicom(path, PLANE, pixels=PLANE[:n_rows].tobytes())
    content = path.read_bytes()
    start = 132 + 12 + int.from_bytes(content[140:144], "little")
    meta = content[144:start].replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x16\x001.2.840.10008.1.2.1.99")
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(content[start:]) + packer.flush()
    path.write_bytes(content[:140] + len(meta).to_bytes(4, "little") + meta + packed)
    if n_rows == 40:
        np.testing.assert_array_equal(read(path).pixels[0], PLANE)
        return
    with pytest.raises(UnreadableImageError, match="declares 4000 bytes of pixels, but the file holds 3900"):
        read(path)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({0x181164: ("DS", "0.0005\\0.00025")}, "Imager Pixel Spacing .* that of the detector"),
        ({0x280030: ("DS", "abc")}, "Pixel Spacing 'abc' .* not understood"),
        ({0x280030: ("DS", "0.0005")}, "Pixel Spacing '0.0005' .* not understood"),
        ({0x280030: ("DS", "1_0\\1_0")}, "not understood"),
    ],
)
def test_a_spacing_that_is_not_used_is_noted(tmp_path, extra, says):
    write_dicom(tmp_path / "a.dcm", PLANE, extra=extra)
    image = read(tmp_path / "a.dcm")
    assert image.pixel_size_um is None
    assert [note.kind for note in image.notes] == ["pixel-size"]
    assert re.search(says, image.notes[0].text)


def test_an_unknown_spacing_is_not_noted(tmp_path):
    for text in ("0\\0", "1\\1", ""):
        write_dicom(tmp_path / "a.dcm", PLANE, extra={0x280030: ("DS", text)})
        image = read(tmp_path / "a.dcm")
        assert (image.pixel_size_um, image.notes) == (None, ())
