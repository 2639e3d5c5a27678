"""Read TIFF and its dialects (OME, ImageJ, BigTIFF, LSM, ...) with tifffile."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats import pillow_reader
from cellseg_monai.formats.axes import UNSTATED, settle_axes
from cellseg_monai.formats.block_cache import BlockCache
from cellseg_monai.formats.colour_names import RGB
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.label_tags import OWN_PREFIX
from cellseg_monai.formats.orientation import ORIENTATION_TAG, orientation_notes
from cellseg_monai.formats.stored import Stored, is_smaller
from cellseg_monai.formats.tiff_array import TiffArray
from cellseg_monai.formats.tiff_checks import COPY_AGAIN, check_old_jpeg, check_page_chain, check_segments, check_size
from cellseg_monai.formats.tiff_display import shown_picture
from cellseg_monai.formats.tiff_files import open_file
from cellseg_monai.formats.tiff_layout import check_layout
from cellseg_monai.formats.tiff_metadata import channel_names
from cellseg_monai.formats.tiff_planes import unread_notes
from cellseg_monai.formats.tiff_sets import open_set, parts_of, set_notes
from cellseg_monai.formats.tiff_sizes import tiff_sizes

__all__ = ["opened"]

# Whatever tifffile logs is either checked below or harmless. Other handlers still receive it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_YCBCR = 6
_OLD_JPEG = 6
_SIZES = (256, 257)  # tags ImageWidth and ImageLength
_JPEG_KINDS = {7, 33007, 34892}  # tifffile decodes these to RGB
_SLIDE_KINDS = {"svs", "ndpi", "scn", "philips", "qpi"}


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """Open the image in a file, stacking positions of the same kind along a new axis.

    Args:
        path: file to open.
        axes: axes according to the user, or None.
        indices: True to return the indices in a palette image instead of its colours.

    Raises:
        UnreadableImageError: the file is damaged or not supported, or lacks parts that tifffile would fill with zeros.
    """
    with ExitStack() as stack:
        with decoding(path):
            tif = stack.enter_context(open_set(path))
            stored = _describe(path, tif, axes, indices=indices)
        yield stored


def _describe(path: Path, tif: tifffile.TiffFile, axes: str | None, *, indices: bool) -> Stored:
    """Check a file and return its image; pixels are read on demand if tifffile can decode them."""
    check_page_chain(path, tif)
    chosen = _choose_series(path, tif)
    first, page = chosen[0], chosen[0].keyframe
    if page.compression == _OLD_JPEG or (page.photometric == _YCBCR and page.compression not in _JPEG_KINDS):
        check_segments(path, first)
        check_old_jpeg(path, page)
        return pillow_reader.load_tiff(path, axes)  # libtiff decodes these, tifffile does not
    _check_type(path, page)
    for series in chosen:
        check_size(path, tif, series)
    # Only OME metadata states that several images are positions.
    positions = len(chosen) > 1
    stated = ("P" if tif.is_ome and "P" not in first.axes else UNSTATED[0]) * positions + _axes(first)
    shape = (len(chosen),) * positions + tuple(first.shape)
    settled = settle_axes(path, shape, stated, axes, description=_describe_pages(first))
    for part in parts_of(chosen):
        if part is not tif:
            with open_file(part.pages.first):
                check_page_chain(Path(part.filehandle.path), part)
    for series in chosen:
        for level in series.levels:
            check_segments(path, level)
            check_layout(path, level)
    names = channel_names(tif, first)
    shown = None if _is_for_display(tif, first) else shown_picture(path, page, indices=indices)
    if shown is not None and shown.has_colours:
        settled, stated, names = settled + "S", stated + "S", RGB
    cache, lock = BlockCache(), threading.Lock()
    arrays = [TiffArray(path, level, cache, lock, shown) for level in _levels(chosen)]
    smaller = tuple(array for array in arrays[1:] if is_smaller(array, arrays[0], settled))
    notes = (
        *(set_notes(tif, chosen) or unread_notes(path, tif, chosen)),
        *orientation_notes(page.tags.valueof(ORIENTATION_TAG)),
    )
    return Stored(arrays[0], settled, names, tiff_sizes(tif, first), stated, smaller, notes)


def _levels(chosen: list[tifffile.TiffPageSeries]) -> list[list[tifffile.TiffPageSeries]]:
    """Return the series at full resolution, and then at each lower resolution that all of the series have."""
    return [list(level) for level in zip(*(series.levels for series in chosen), strict=False)]


def _axes(series: tifffile.TiffPageSeries) -> str:
    """Return the axes of a series."""
    # tifffile reports Micro-Manager's positions as regions (R).
    return series.axes.replace("R", "P") if series.kind == "mmstack" else str(series.axes)


def _choose_series(path: Path, tif: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """Return the series that make up the image: a single series, or one per position."""
    for page in _pages_without_pixels(tif):
        if any(page.tags.valueof(code) == 0 for code in _SIZES):
            raise UnreadableImageError(path, f"page {page.index} states a size of 0", COPY_AGAIN)
    series = [s for s in tif.series if s.size]
    if series and series[0].kind in _SLIDE_KINDS:
        # The other series, which can come first, are a thumbnail, the slide label and an overview.
        return [max(series, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)]
    if series and series[0].kind == "bif":
        raise UnreadableImageError(
            path,
            "this is a Ventana slide, whose overlapping tiles cannot be stitched",
            "export it as OME-TIFF in the program that made it",
        )
    whole = [s for s in series if not (s.keyframe.is_reduced or s.keyframe.is_mask)] or series[:1]
    if not whole:
        raise UnreadableImageError(path, "the file holds no image", "copy or export it again")
    kinds = dict.fromkeys(_describe_kind(tif, s) for s in whole) if len(whole) > 1 else {}
    if len(kinds) > 1:
        examples = "; ".join(list(kinds)[:4])
        raise UnreadableImageError(
            path, f"the file holds {len(whole)} images of different kinds ({examples})", "save each as a separate file"
        )
    return [_with_own_axes(tif, series) for series in whole]


def _pages_without_pixels(tif: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Yield the first page of each series without pixels, and pages without pixels that are in no series."""
    yield from (s.keyframe for s in tif.series if not s.size)
    # Since tifffile 2026.9, no series holds such pages. Looking at each page is slow, so it is done only if some miss.
    if sum(len(s) for s in tif.series) < len(tif.pages):
        yield from (page for page in (page.aspage() for page in tif.pages) if 0 in page.shape)


def _with_own_axes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tifffile.TiffPageSeries:
    """Return a stack of labels with all axes that `write_labels` noted; ImageJ's header omits those of length 1."""
    axes = (tif.imagej_metadata or {}).get(f"{OWN_PREFIX}axes") if tif.is_imagej else None
    if not isinstance(axes, str) or not set(series.axes) <= set(axes) <= set("TZYX") or len(set(axes)) != len(axes):
        return series
    sizes = dict(zip(series.axes, series.shape, strict=True))
    shape = [sizes.get(axis, 1) for axis in axes]
    # Since tifffile 2026.9, a series keeps its axes of length 1 in any case.
    keeping: dict[str, Any] = (
        {"squeeze": False} if "squeeze" in inspect.signature(tifffile.TiffPageSeries).parameters else {}
    )
    return tifffile.TiffPageSeries(list(series), shape, series.dtype, axes, kind=series.kind, **keeping)


def _describe_kind(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    """Describe the properties that images must share to be stacked as positions."""
    page, names, sizes = series.keyframe, channel_names(tif, series), tiff_sizes(tif, series)
    steps = (("Z", sizes.z_step_um, "µm between planes"), ("T", sizes.time_step_s, "s between images"))
    parts = [
        f"{series.axes} {' × '.join(map(str, series.shape))} {series.dtype}",
        str(getattr(page.photometric, "name", page.photometric)).lower(),
        *([" × ".join(map(_all_digits, sizes.pixel_size_um)) + " µm per pixel"] if sizes.pixel_size_um else []),
        *(f"{_all_digits(step)} {what}" for axis, step, what in steps if step is not None and axis in series.axes),
        *([f"channels {' '.join(map(repr, names))}"] if names else []),
    ]
    return ", ".join(parts)


def _all_digits(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def _check_type(path: Path, page: tifffile.TiffPage) -> None:
    if page.dtype is None or page.dtype.kind not in "buif":
        raise UnreadableImageError(
            path,
            f"{page.bitspersample}-bit pixels in sample format {page.sampleformat} are not supported",
            "save real numbers of at most 64 bits",
        )
    if page.bitspersample == 24 and page.dtype.kind in "ui":
        _check_24_bits(path)


def _check_24_bits(path: Path) -> None:
    """Reject 24-bit pixels if the installed imagecodecs swaps their bytes."""
    import imagecodecs  # slow to import, rarely needed

    if imagecodecs.packints_decode(b"\0\0\1", np.dtype(np.uint32), 24, runlen=1).tolist() != [1]:
        raise UnreadableImageError(
            path,
            f"the installed imagecodecs {imagecodecs.__version__} swaps the bytes of 24-bit pixels",
            "install a newer imagecodecs, which needs Python 3.11 or newer, or save the image with 32 bits",
        )


def _describe_pages(series: tifffile.TiffPageSeries) -> str:
    """Return a description of a series of pages along a single unstated axis, or "" for any other series."""
    unstated = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis in UNSTATED]
    plane = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis in "YX"]
    if len(unstated) != 1 or len(plane) != 2:
        return ""
    return f"{unstated[0]} pages of {plane[0]} × {plane[1]}"


def _is_for_display(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """Return True if palette and min-is-white are display settings, so that the stored values are the measurements.

    This is also true of files from tifffile itself, which marks every bool array as min-is-white but does not invert
    the values.
    """
    by_tifffile = str(series.keyframe.software).startswith("tifffile")
    return tif.is_imagej or tif.is_ome or by_tifffile or series.kind not in {"uniform", "generic"}
