"""Check that the pixels of a DICOM file are those which it declares, and that its values are the measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import check_exact_size
from cellseg_monai.formats.dicom_elements import RESCALING, DicomElements
from cellseg_monai.formats.notes import PIXEL_SIZE, Note
from cellseg_monai.formats.sizes import NO_SIZES, Sizes, Stated, understood_sizes
from cellseg_monai.formats.units import plain_number

__all__ = ["check_pixels", "check_values", "dicom_sizes"]

_SAMPLES, _PHOTOMETRIC, _ROWS, _COLUMNS = 0x0028_0002, 0x0028_0004, 0x0028_0010, 0x0028_0011
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT = 0x0028_0100, 0x0028_0101, 0x0028_0102
_INTERCEPT, _SLOPE = RESCALING
_IDENTITY = {_INTERCEPT: 0, _SLOPE: 1}
_MODALITY_LUT, _PRESENTATION_SHAPE = 0x0028_3000, 0x2050_0020
_ALLOWED_BITS = (1, 8, 16, 32, 64)
_SAMPLES_PER_PIXEL = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3, "ARGB": 4, "CMYK": 4}
_SPACINGS = {
    0x0028_0030: "Pixel Spacing",
    0x0018_2010: "Nominal Scanned Pixel Spacing",
    0x0018_1164: "Imager Pixel Spacing",
}
_AT_THE_DETECTOR = 0x0018_1164
_LONGEST = 40  # of text in messages
_RLE = b"1.2.840.10008.1.2.5"
_JPEG = b"1.2.840.10008.1.2.4."
_FIRST_BYTES = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP")  # of JPEG, JPEG 2000, and the latter in boxes


def check_values(path: Path, stated: DicomElements) -> None:
    """Refuse values that would have to be inverted, rescaled or looked up.

    Raises:
        UnreadableImageError: the message says how the values are stored, and how to save them.
    """
    photometric = stated.text(_PHOTOMETRIC).upper()
    if photometric == "MONOCHROME1":
        raise UnreadableImageError(path, "its DICOM values are inverted (MONOCHROME1)", "save it as MONOCHROME2")
    if stated.text(_PRESENTATION_SHAPE).upper() == "INVERSE":
        raise UnreadableImageError(
            path, "its DICOM values are inverted (Presentation LUT Shape INVERSE)", "save it with the shape IDENTITY"
        )
    if stated.values.get(_MODALITY_LUT):
        raise UnreadableImageError(
            path, "its DICOM values have to be looked up in a table (Modality LUT)", "save the values from the table"
        )
    _check_rescaling(path, stated)
    _check_bits(path, stated)
    n_samples = stated.number(_SAMPLES, 1)
    if n_samples != _SAMPLES_PER_PIXEL.get(photometric, n_samples):
        raise UnreadableImageError(
            path, f"it states {n_samples} samples per pixel, for {photometric}", "export it again, or save it as TIFF"
        )


def _check_rescaling(path: Path, stated: DicomElements) -> None:
    shown: dict[int, str] = {}
    for tag, value in stated.rescalings:
        text = value.decode("latin-1").strip(" \0")
        if text and plain_number(text) != _IDENTITY[tag]:
            shown.setdefault(tag, text if plain_number(text) is not None else repr(text[:_LONGEST]))
    if shown:
        slope, intercept = (shown.get(tag, _IDENTITY[tag]) for tag in (_SLOPE, _INTERCEPT))
        raise UnreadableImageError(
            path,
            f"its DICOM values have rescale slope {slope} and intercept {intercept}, which are not supported",
            "save the rescaled values, with slope 1 and intercept 0",
        )


def _check_bits(path: Path, stated: DicomElements) -> None:
    bits = stated.number(_BITS_ALLOCATED)
    kept = stated.number(_BITS_STORED, bits)
    if bits not in _ALLOWED_BITS or not 0 < kept <= bits or stated.number(_HIGH_BIT, kept - 1) != kept - 1:
        raise UnreadableImageError(
            path,
            f"its DICOM values are in {kept} of {bits} bits, the highest being {stated.number(_HIGH_BIT, kept - 1)}",
            "save it with 8, 16 or 32 bits per value",
        )


def check_pixels(path: Path, stated: DicomElements, sizes: Sequence[int]) -> None:
    """Refuse pixels that are fewer or more than a file declares; itk fills missing ones with stale memory.

    Args:
        path: image file, named in error messages.
        stated: what the file states.
        sizes: columns, rows and (optionally) frames of the image, as itk understood them.

    Raises:
        UnreadableImageError: the pixels, frames or sizes differ.
    """
    columns, rows, n_frames = sizes[0], sizes[1], math.prod(sizes[2:])
    if (columns, rows) != (stated.number(_COLUMNS), stated.number(_ROWS)):
        raise UnreadableImageError(
            path,
            f"its header declares {stated.number(_ROWS)} × {stated.number(_COLUMNS)} pixels, but its pixels are "
            f"{rows} × {columns}",
            "it is damaged, so copy or export it again",
        )
    if stated.native_bytes is not None:
        _check_native(path, stated, columns * rows * n_frames)
        return
    fragments = stated.fragments
    if stated.syntax.startswith(_JPEG):
        fragments = [head for head in fragments if head.startswith(_FIRST_BYTES)]
    elif stated.syntax != _RLE and fragments:
        return
    if len(fragments) != n_frames:
        raise UnreadableImageError(
            path,
            f"its header declares {n_frames} frames, but the file holds {len(fragments)}",
            "it is damaged, so copy or export it again",
        )


def _check_native(path: Path, stated: DicomElements, n_pixels: int) -> None:
    photometric, bits = stated.text(_PHOTOMETRIC).upper(), stated.number(_BITS_ALLOCATED)
    if photometric.endswith(("_422", "_420")) or (bits == 1 and n_pixels % 8):
        what = f"of {n_pixels} pixels with 1 bit" if bits == 1 else photometric
        raise UnreadableImageError(path, f"uncompressed DICOM values {what} are not supported", "save it as TIFF")
    needed = n_pixels * stated.number(_SAMPLES, 1) * bits // 8
    held = stated.native_bytes or 0
    check_exact_size(path, needed, needed if held == needed + needed % 2 else held)


def dicom_sizes(stated: DicomElements, height_mm: float, width_mm: float) -> Sizes:
    """Return the pixel size, with a note if the file states one that is not used.

    Args:
        stated: what the file states.
        height_mm: height of a pixel according to itk, which is 1 if it found none.
        width_mm: the width likewise.
    """
    is_unknown = height_mm == width_mm == 1  # itk's default for a missing spacing
    for tag, name in _SPACINGS.items():
        text = stated.text(tag)
        sides = [plain_number(side) for side in text.split("\\")]
        is_pair = len(sides) == 2 and None not in sides
        # Zero and 1 mm are what programs write for an unknown length.
        if not text or (is_pair and (not is_unknown or sides in ([0, 0], [1, 1]))):
            continue
        why = "that of the detector" if is_pair and tag == _AT_THE_DETECTOR else "not understood"
        note = f"it states the {name} {text[:_LONGEST]!r} in mm, which is {why} and not used; pass the size in µm"
        return Sizes(notes=(Note(PIXEL_SIZE, note),))
    return NO_SIZES if is_unknown else understood_sizes(Stated(height_mm, "mm"), Stated(width_mm, "mm"))
