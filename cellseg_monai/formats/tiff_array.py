"""Read the pixels in a TIFF, whole or by window, decoding only the tiles or strips that a window touches.

tifffile's own window reader, `aszarr`, is not used, because it needs zarr 3 and therefore Python 3.11. This module
reads tiles and strips page by page instead, and its errors say where a file is damaged. If tifffile decodes a whole
page differently from its tiles (a volume in one page, Hamamatsu's JPEG), the page counts as one block, so that a window
has the same pixels as the whole image.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path

import numpy as np
import tifffile

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError, cause_of
from cellseg_monai.formats.block_cache import BlockCache
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.lazy_arrays import BlockArray, MappedArray, StackedArray
from cellseg_monai.formats.tiff_checks import COPY_AGAIN, segment_place
from cellseg_monai.formats.tiff_display import ShownPicture
from cellseg_monai.formats.tiff_files import contiguous_offset, n_planes, open_file

__all__ = ["TiffArray"]

_UNCOMPRESSED = 1
_JPEG_KINDS = {7, 33007, 34892}


class TiffArray:
    """The image in one series, or in several series of the same kind that are stacked along a new first axis.

    Args:
        path: image file, named in error messages.
        chosen: the series to read.
        cache: cache of decoded tiles and strips.
        lock: lock that guards the read position in the file.
        shown: conversion from stored values to the displayed picture, or None to return the stored values.
    """

    def __init__(
        self,
        path: Path,
        chosen: list[tifffile.TiffPageSeries],
        cache: BlockCache,
        lock: threading.Lock,
        shown: ShownPicture | None,
    ) -> None:
        self._path, self._chosen, self._shown = path, chosen, shown
        self._windows: StackedArray | None = None
        self._cache, self._lock = cache, lock
        # tifffile would read contiguous pixels from the file that was opened, even if they are in another of its set,
        # and fails if there are more pages than the metadata describe.
        self._is_only_by_window = any(
            len(series.pages) > max(1, n_planes(series))
            or (
                series.dataoffset is not None
                and any(page is not None and page.parent is not series.parent for page in series.pages)
            )
            for series in chosen
        )
        stored_shape = (len(chosen),) * (len(chosen) > 1) + tuple(chosen[0].shape)
        self._n_stored_axes = len(stored_shape)
        self.shape = stored_shape + (3,) * (shown is not None and shown.has_colours)
        self.dtype: np.dtype = chosen[0].dtype if shown is None else shown.dtype

    def __getitem__(self, selection: tuple[slice, ...]) -> np.ndarray:
        """Return the values in a window, given as one slice for each axis."""
        stored, samples = selection[: self._n_stored_axes], selection[self._n_stored_axes :]
        is_whole = all(part.indices(n) == (0, n, 1) for part, n in zip(stored, self.shape, strict=False))
        with decoding(self._path):
            values = self._read_all() if is_whole and not self._is_only_by_window else self._by_window()[stored]
            if self._shown is not None:
                values = self._shown.apply(values)
        return values[(slice(None),) * self._n_stored_axes + samples]

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of the tiles or strips that are decoded as a whole, or None if the pixels are uncompressed."""
        with decoding(self._path):
            chunks = self._by_window().chunks
        return None if chunks is None else chunks + self.shape[self._n_stored_axes :]

    def _by_window(self) -> StackedArray:
        """Return the array from which windows are read, creating it on the first call."""
        with self._lock:
            self._windows = self._windows or _windowed_array(self._path, self._chosen, self._cache, self._lock)
        return self._windows

    def _read_all(self) -> np.ndarray:
        """Return the whole array, reading one position at a time to save memory."""
        with self._lock:
            array: np.ndarray = self._chosen[0].asarray()
            if len(self._chosen) > 1:
                array, first = np.empty((len(self._chosen), *array.shape), array.dtype), array
                array[0] = first
                for place, series in enumerate(self._chosen[1:], 1):
                    array[place] = series.asarray()
        return array.reshape(self.shape[: self._n_stored_axes])


def _windowed_array(
    path: Path, chosen: list[tifffile.TiffPageSeries], cache: BlockCache, lock: threading.Lock
) -> StackedArray:
    """Return an array for reading windows of the series."""
    first = chosen[0]
    positions = (len(chosen),) * (len(chosen) > 1)
    offsets = [offset for series in chosen if (offset := contiguous_offset(series)) is not None]
    if len(offsets) == len(chosen):
        shape = tuple(first.shape)
        return StackedArray(positions, lambda number: _mapped(chosen[number].keyframe, offsets[number], shape))
    # check_segments has ensured that no page is missing.
    pages = [page for series in chosen for page in series.pages[: max(1, n_planes(series))] if page is not None]
    # Find the first axis within a page; the axes before it count pages. Axes of length 1 fit on either side.
    splits = [n for n in range(len(first.shape)) if math.prod(first.shape[:n]) * len(chosen) == len(pages)]
    in_page = _axes_in_page(first.keyframe)
    split = next((n for n in splits if first.shape[n:] == in_page), splits[0])
    reader = _Pages(path, first.keyframe, pages, tuple(first.shape[split:]), cache, lock)
    return StackedArray(positions + tuple(first.shape[:split]), reader.page)


def _mapped(page: tifffile.TiffPage | tifffile.TiffFrame, offset: int, shape: tuple[int, ...]) -> MappedArray:
    file, dtype = page.parent.filehandle, np.dtype(page.dtype)
    return MappedArray(Path(file.path), dtype.newbyteorder(page.parent.byteorder), shape, offset)


def _axes_in_page(page: tifffile.TiffPage) -> tuple[int, ...]:
    planes, _, length, width, samples = page.shaped
    return (planes,) * (planes > 1) + (length, width) + (samples,) * (samples > 1)


class _Pages:
    """The pages of a series, which are memory-mapped if uncompressed, and otherwise read by tile, strip or page."""

    def __init__(
        self,
        path: Path,
        keyframe: tifffile.TiffPage,
        pages: list[tifffile.TiffPage | tifffile.TiffFrame],
        shape: tuple[int, ...],
        cache: BlockCache,
        lock: threading.Lock,
    ) -> None:
        self._path, self._pages, self._shape, self._cache, self._lock = path, pages, shape, cache, lock
        key = self._keyframe = keyframe
        self._dtype = np.dtype(key.dtype)
        planes, depth, length, width, samples = key.shaped
        self._n_planes = planes
        # Single-page volumes and Hamamatsu slides are not read by tile, because tifffile decodes whole pages of these
        # differently from their tiles.
        self._has_segments = (
            not key.is_contiguous and depth == 1 and key.jpegheader is None and shape == _axes_in_page(key)
        )
        rows, columns = (key.tilelength, key.tilewidth) if key.is_tiled else (min(key.rowsperstrip, length), width)
        self._block = (1,) * (planes > 1) + (rows, columns) + (samples,) * (samples > 1)
        self._grid = math.ceil(length / rows), math.ceil(width / columns)

    def page(self, number: int) -> SlicedArray:
        """Return the page with the given number as an array that is read on demand."""
        page, key = self._pages[number], self._keyframe
        if key.is_final:
            return _mapped(page, page.dataoffsets[0], self._shape)
        tag = (page.parent.filehandle.path, page.offset)
        if self._has_segments:
            return BlockArray(
                self._shape, self._dtype, self._block, lambda place: self._segment(number, place), self._cache, tag
            )
        return BlockArray(self._shape, self._dtype, self._shape, lambda _: self._whole_page(number), self._cache, tag)

    def _whole_page(self, number: int) -> np.ndarray:
        page = self._pages[number]
        with self._lock, open_file(page):
            array: np.ndarray = page.asarray()
        return array.reshape(self._shape)

    def _segment(self, number: int, place: tuple[int, ...]) -> np.ndarray:
        """Return a decoded tile or strip of a page, cropped to the image."""
        key = self._keyframe
        plane, row, column = ((0, *place) if self._n_planes == 1 else place)[:3]
        index = (plane * self._grid[0] + row) * self._grid[1] + column
        try:
            encoded, tables = self._encoded(number, index)
            decoded, (_, _, top, left, _), size = key.decode(encoded, index, _fullsize=False, **tables)
        except PermissionError:  # says nothing about the file
            raise
        except Exception as error:
            where = f"{segment_place(key, index)} of page {number}"
            reason = f"{where} cannot be decoded ({cause_of(error)})"
            raise UnreadableImageError(self._path, reason, COPY_AGAIN) from error
        rows, columns = min(size[1], key.imagelength - top), min(size[2], key.imagewidth - left)
        block: np.ndarray = np.empty((rows, columns, size[3]), self._dtype)
        block[...] = key.nodata if decoded is None else decoded[0, :rows, :columns]
        block = block if size[3] > 1 else block[..., 0]
        return block[np.newaxis] if self._n_planes > 1 else block

    def _encoded(self, number: int, index: int) -> tuple[bytes | None, dict[str, bytes | None]]:
        """Return the bytes of a tile or strip, or None if a sparse file omits it, and the tables for decoding it."""
        page, key = self._pages[number], self._keyframe
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        with self._lock, open_file(page) as file:
            tables = {"jpegtables": page.jpegtables, "jpegheader": None} if key.compression in _JPEG_KINDS else {}
            if not (offset and count):
                if key.is_gdal:
                    return None, tables
                raise EOFError("its data is missing")
            file.seek(offset)
            encoded = file.read(count)
        if len(encoded) < count and key.compression != _UNCOMPRESSED:
            raise EOFError(f"the file ends after {len(encoded)} of the expected {count} bytes")
        return encoded, tables
