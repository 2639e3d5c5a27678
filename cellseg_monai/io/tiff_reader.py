"""TIFF and its dialects (OME, ImageJ, BigTIFF, LSM, ...), read with tifffile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import pillow_reader
from cellseg_monai.io.axes import UNSTATED, settle_axes
from cellseg_monai.io.blocks import BlockCache
from cellseg_monai.io.colours import RGB
from cellseg_monai.io.decoding import decoding
from cellseg_monai.io.stored import Stored, is_smaller
from cellseg_monai.io.tiff_array import TiffArray
from cellseg_monai.io.tiff_checks import check_old_jpeg, check_page_chain, check_segments, check_size
from cellseg_monai.io.tiff_display import shown_picture
from cellseg_monai.io.tiff_metadata import channel_names, pixel_size_um

__all__ = ["opened"]

# What tifffile logs is either checked below or of no consequence; whoever wants it can still listen.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_YCBCR = 6
_OLD_JPEG = 6
_JPEG_KINDS = {7, 33007, 34892}  # tifffile has these decoded to RGB
_SLIDE_KINDS = {"svs", "ndpi", "scn", "philips", "qpi"}


@contextmanager
def opened(path: Path, axes: str | None, *, indices: bool = False) -> Iterator[Stored]:
    """The file's one image, or its positions if they are alike, open for reading the whole or windows.

    Raises:
        UnreadableImageError: also where tifffile would fill what is missing with zeros.
    """
    with ExitStack() as stack:
        with decoding(path, tifffile.TiffFileError):
            tif = stack.enter_context(tifffile.TiffFile(path))
            stored = _describe(path, tif, axes, indices=indices)
        yield stored


def _describe(path: Path, tif: tifffile.TiffFile, axes: str | None, *, indices: bool) -> Stored:
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
    # Only OME says that its images are positions.
    positions = len(chosen) > 1
    stated = ("P" if tif.is_ome and "P" not in first.axes else UNSTATED[0]) * positions + _axes(first)
    shape = (len(chosen),) * positions + tuple(first.shape)
    settled = settle_axes(path, shape, stated, axes, what=_describe_pages(first))
    for series in chosen:
        check_segments(path, series)
    names = channel_names(tif, first)
    shown = None if _is_for_display(tif, first) else shown_picture(path, page, indices=indices)
    if shown is not None and shown.has_colours:
        settled, stated, names = settled + "S", stated + "S", RGB
    cache, lock = BlockCache(), threading.Lock()
    arrays = [TiffArray(path, level, cache, lock, shown) for level in _levels(chosen)]
    smaller = tuple(array for array in arrays[1:] if is_smaller(array, arrays[0], settled))
    return Stored(arrays[0], settled, names, pixel_size_um(tif, first), stated, smaller)


def _levels(chosen: list[tifffile.TiffPageSeries]) -> list[list[tifffile.TiffPageSeries]]:
    """The series in full, then those of each lower resolution that all of them have."""
    return [list(level) for level in zip(*(series.levels for series in chosen), strict=False)]


def _axes(series: tifffile.TiffPageSeries) -> str:
    # tifffile calls the positions of Micro-Manager regions.
    return series.axes.replace("R", "P") if series.kind == "mmstack" else str(series.axes)


def _choose_series(path: Path, tif: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    series = [s for s in tif.series if s.size]
    if series and series[0].kind in _SLIDE_KINDS:
        # The others are a thumbnail, the slide's label and an overview, which may come first.
        return [max(series, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)]
    if series and series[0].kind == "bif":
        raise UnreadableImageError(
            path,
            "a Ventana slide, whose tiles overlap and are not stitched here",
            "export it with the program that made it, as OME-TIFF",
        )
    whole = [s for s in series if not (s.keyframe.is_reduced or s.keyframe.is_mask)] or series[:1]
    if not whole:
        raise UnreadableImageError(path, "it has no image in it", "copy or export it again")
    kinds = dict.fromkeys(_describe_kind(tif, s) for s in whole) if len(whole) > 1 else {}
    if len(kinds) > 1:
        found = "; ".join(list(kinds)[:4])
        raise UnreadableImageError(
            path, f"it holds {len(whole)} images of different kinds ({found})", "save each as its own file"
        )
    return whole


def _describe_kind(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    """In words, all that images must have in common to be positions in one array."""
    page, names, size_um = series.keyframe, channel_names(tif, series), pixel_size_um(tif, series)
    parts = [
        f"{series.axes} {' × '.join(map(str, series.shape))} {series.dtype}",
        str(getattr(page.photometric, "name", page.photometric)).lower(),
        *([f"{size_um[0]:g} × {size_um[1]:g} µm a pixel"] if size_um else []),
        *([f"channels {' '.join(map(repr, names))}"] if names else []),
    ]
    return ", ".join(parts)


def _check_type(path: Path, page: tifffile.TiffPage) -> None:
    if page.dtype is None or page.dtype.kind not in "buif":
        raise UnreadableImageError(
            path,
            f"pixels of {page.bitspersample} bits in sample format {page.sampleformat}",
            "save real numbers of at most 64 bits",
        )
    if page.bitspersample == 24 and page.dtype.kind in "ui":
        _check_24_bits(path)


def _check_24_bits(path: Path) -> None:
    import imagecodecs  # only who meets such a file waits for it

    if imagecodecs.packints_decode(b"\0\0\1", np.dtype(np.uint32), 24, runlen=1).tolist() != [1]:
        raise UnreadableImageError(
            path,
            f"pixels of 24 bits, whose bytes imagecodecs {imagecodecs.__version__}, which is installed, swaps",
            "install a newer imagecodecs, which needs Python 3.11 or newer, or save the image with 32 bits",
        )


def _describe_pages(series: tifffile.TiffPageSeries) -> str:
    unstated = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis in UNSTATED]
    plane = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis in "YX"]
    if len(unstated) != 1 or len(plane) != 2:
        return ""
    return f"{unstated[0]} pages of {plane[0]} × {plane[1]}"


def _is_for_display(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> bool:
    """Whether palette and min-is-white are a display setting, the stored values what was measured.

    tifffile itself is such a program: it marks every bool array as min-is-white, and inverts none.
    """
    by_tifffile = str(series.keyframe.software).startswith("tifffile")
    return tif.is_imagej or tif.is_ome or by_tifffile or series.kind not in {"uniform", "generic"}
