"""TIFF and its dialects (OME, ImageJ, BigTIFF, LSM, ...), read with tifffile."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import pillow_reader
from cellseg_monai.io.axes import UNSTATED, Stored, settle_axes
from cellseg_monai.io.colours import RGB
from cellseg_monai.io.decoding import decoding
from cellseg_monai.io.palette import apply_palette
from cellseg_monai.io.tiff_checks import check_old_jpeg, check_page_chain, check_segments, check_size
from cellseg_monai.io.tiff_metadata import channel_names, pixel_size_um

__all__ = ["load"]

# What tifffile logs is either checked below or of no consequence; whoever wants it can still listen.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_MINISWHITE, _PALETTE, _YCBCR = 0, 3, 6
_OLD_JPEG = 6
_JPEG_KINDS = {7, 33007, 34892}  # tifffile has these decoded to RGB
_SLIDE_KINDS = {"svs", "ndpi", "scn", "philips", "qpi"}


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array of the file's one image, or of its positions if they are alike.

    Raises:
        UnreadableImageError: also where tifffile would fill what is missing with zeros.
    """
    with decoding(path, tifffile.TiffFileError), tifffile.TiffFile(path) as tif:
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
        positions = len(chosen) > 1
        shape = (len(chosen),) * positions + tuple(first.shape)
        # Only OME says that its images are positions.
        stated = ("P" if tif.is_ome and "P" not in first.axes else UNSTATED[0]) * positions + _axes(first)
        settled = settle_axes(path, shape, stated, axes, what=_describe(first))
        for series in chosen:
            check_segments(path, series)
        array = _read_all(chosen).reshape(shape)
        names = channel_names(tif, first)
        if not _is_for_display(tif, first):
            array, is_colour = _as_shown(path, page, array, indices=indices)
            if is_colour:
                settled, stated, names = settled + "S", stated + "S", RGB
        return Stored(array, settled, names, pixel_size_um(tif, first), stated)


def _axes(series: tifffile.TiffPageSeries) -> str:
    # tifffile calls the positions of Micro-Manager regions.
    return series.axes.replace("R", "P") if series.kind == "mmstack" else str(series.axes)


def _read_all(chosen: list[tifffile.TiffPageSeries]) -> np.ndarray:
    """One array of all, with at most one position held twice."""
    array: np.ndarray = chosen[0].asarray()
    if len(chosen) > 1:
        array, first = np.empty((len(chosen), *array.shape), array.dtype), array
        array[0] = first
        for place, series in enumerate(chosen[1:], 1):
            array[place] = series.asarray()
    return array


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


def _describe(series: tifffile.TiffPageSeries) -> str:
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


def _as_shown(path: Path, page: tifffile.TiffPage, array: np.ndarray, *, indices: bool) -> tuple[np.ndarray, bool]:
    """The picture that a palette or min-is-white makes of an array; and whether it has colours at its end."""
    if page.photometric == _PALETTE and not indices:
        if page.colormap is None or page.samplesperpixel != 1:
            raise UnreadableImageError(path, "its palette is missing or broken", "save it as RGB or grey")
        return apply_palette(array, _smallest(page.colormap.T))
    if page.photometric != _MINISWHITE or page.samplesperpixel != 1:
        return array, False
    if array.dtype == bool:  # a mask, of which white is what was marked, also as labels
        return ~array, False
    if indices:
        return array, False
    if array.dtype.kind == "u":
        return array.dtype.type(2**page.bitspersample - 1) - array, False
    raise UnreadableImageError(path, f"{array.dtype} pixels marked as min-is-white", "save them as min-is-black")


def _smallest(palette: np.ndarray) -> np.ndarray:
    # TIFF palettes have 16 bits. Writers fill them from 8 bits as v·257 or v·256: those are 8-bit
    # colours. Any other palette keeps its 16 bits.
    if not (palette % 257).any() or not (palette % 256).any():
        return (palette >> 8).astype(np.uint8)
    return palette.astype(np.uint16)
