"""Reorder the axes of a stored image to T, P, Z, C, Y, X, for the whole image or a window of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import KNOWN_AXES, LEADING_AXES, SAMPLE_AXIS, shape_text
from cellseg_monai.formats.colour_names import RGB, RGBA
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.lazy_arrays import chunks_of
from cellseg_monai.formats.notes import TIME_STEP, Z_STEP
from cellseg_monai.formats.stored import Stored
from cellseg_monai.io.image import Image

__all__ = ["Arrangement", "arrange"]


class Arrangement:
    """The mapping from the axes of a stored array to the order T, P, Z, C, Y, X.

    C, Y and X are always present after the mapping. T, P and Z are present if the file has them.

    Args:
        path: image file, named in error messages.
        stored: the array in the file, with its metadata.
        by_user: True if the user stated the axes. In that case, 3 or 4 samples (S) count as RGB or RGBA, even if the
            file does not name the colours.

    Raises:
        UnreadableImageError: the array is empty, or its values are not real numbers of at most 64 bits.

    >>> rgb = Stored(np.arange(72).reshape(4, 6, 3), "YXS", ("red", "green", "blue"))
    >>> arrangement = Arrangement(Path("rgb.png"), rgb)
    >>> arrangement.axes, arrangement.shape
    ('CYX', (3, 4, 6))
    >>> arrangement.pick(rgb.array, {"S": slice(1, 2), "Y": slice(0, 1), "X": slice(0, 2)})
    array([[[1, 4]]])
    """

    def __init__(self, path: Path, stored: Stored, *, by_user: bool = False) -> None:
        shape, dtype = tuple(stored.array.shape), stored.array.dtype
        if 0 in shape:
            raise UnreadableImageError(path, f"the image is empty ({shape_text(shape)})", "export it again")
        if dtype.kind not in "buif" or dtype.itemsize > 8:
            raise UnreadableImageError(
                path, f"pixels of type {dtype} are not supported", "save real numbers of at most 64 bits"
            )
        sizes = dict(zip(stored.axes, shape, strict=True))
        self._path, self._stored_axes = path, stored.axes
        self._order = [a for a in LEADING_AXES + "C" + SAMPLE_AXIS + "YX" if a in sizes]
        self._leading = [a for a in LEADING_AXES if a in sizes and (a != "P" or sizes[a] > 1)]
        self.n_samples = sizes.get(SAMPLE_AXIS, 1)
        self.axes = "".join(self._leading) + "CYX"
        self.shape = self.shape_of(shape)
        self.dtype = dtype.newbyteorder("=")
        self.channel_names = _channel_names(stored, self.shape[-3], by_user=by_user)
        self.pixel_size_um = _pixel_size(stored)
        self.z_step_um = stored.sizes.z_step_um if self._has_stated("Z", stored) else None
        self.time_step_s = stored.sizes.time_step_s if self._has_stated("T", stored) else None
        without_axis = {kind for kind, axis in ((Z_STEP, "Z"), (TIME_STEP, "T")) if axis not in self._leading}
        self.notes = stored.notes + tuple(note for note in stored.sizes.notes if note.kind not in without_axis)

    def _has_stated(self, axis: str, stored: Stored) -> bool:
        """Return True if the image has an axis that is the one of this name in the file."""
        return axis in self._leading and (stored.stated is None or stored.stated.find(axis) == stored.axes.index(axis))

    def shape_of(self, stored_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a stored array after reordering, which merges C and S into one axis."""
        return self._merged(dict(zip(self._stored_axes, stored_shape, strict=True)))

    def chunk_of(self, array: SlicedArray) -> tuple[int, int] | None:
        """Return the height and width of the blocks in an array, or None if it is not stored in blocks."""
        chunks = chunks_of(array)
        if chunks is None:
            return None
        sizes = dict(zip(self._stored_axes, chunks, strict=True))
        return sizes["Y"], sizes["X"]

    def _merged(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        n_channels = sizes.get("C", 1) * sizes.get(SAMPLE_AXIS, 1)
        return (*(sizes[a] for a in self._leading), n_channels, sizes["Y"], sizes["X"])

    def pick(self, array: SlicedArray, window: Mapping[str, slice] | None = None) -> np.ndarray:
        """Return the values in a window as a contiguous, writable array in native byte order.

        Args:
            array: the stored array, or the same image at another resolution.
            window: slices by axis letter; an axis without a slice is read whole.

        Raises:
            UnreadableImageError: the window cannot be decoded.
        """
        window = window or {}
        with decoding(self._path):
            picked = array[tuple(window.get(axis, slice(None)) for axis in self._stored_axes)]
        # Any other axis has length 1, as settle_axes has checked.
        picked = np.squeeze(picked, tuple(i for i, a in enumerate(self._stored_axes) if a not in KNOWN_AXES))
        kept = [a for a in self._stored_axes if a in KNOWN_AXES]
        picked = picked.transpose([kept.index(a) for a in self._order])
        picked = picked.reshape(self._merged(dict(zip(self._order, picked.shape, strict=True))))
        # Copy only to change the order of axes or bytes, or if the decoder returned a read-only buffer.
        copy = None if picked.flags.writeable else True
        return np.array(picked, dtype=self.dtype, order="C", copy=copy)

    def image(self, pixels: np.ndarray) -> Image:
        """Return the whole image, whose pixels `pick` returned."""
        return Image(
            pixels,
            self.axes,
            self.pixel_size_um,
            self.channel_names,
            self.notes,
            self.z_step_um,
            self.time_step_s,
        )


def arrange(path: Path, stored: Stored, *, by_user: bool = False) -> Image:
    """Return the whole image with its axes reordered; see `Arrangement` for the arguments.

    >>> rgb = Stored(np.zeros((4, 6, 3), np.uint8), "YXS", ("red", "green", "blue"))
    >>> image = arrange(Path("rgb.png"), rgb)
    >>> image.axes, image.pixels.shape
    ('CYX', (3, 4, 6))
    """
    arrangement = Arrangement(path, stored, by_user=by_user)
    pixels = arrangement.pick(stored.array)
    return arrangement.image(pixels)


def _pixel_size(stored: Stored) -> tuple[float, float] | None:
    """Return the height and width of a pixel along the final Y and X axes, or None if the file does not state them."""
    size_um = stored.sizes.pixel_size_um
    if size_um is None or stored.stated is None:
        return size_um
    size_by_axis = dict(zip(map(stored.stated.find, "YX"), size_um, strict=True))
    height, width = (size_by_axis.get(stored.axes.index(axis)) for axis in "YX")
    return None if height is None or width is None else (height, width)


def _channel_names(stored: Stored, count: int, *, by_user: bool) -> tuple[str, ...]:
    """Return the channel names in the file if they still apply, or the colours of samples that the user declared."""
    unchanged = stored.stated is None or _channel_axes(stored.stated) == _channel_axes(stored.axes)
    if unchanged and len(stored.channel_names) == count:
        return stored.channel_names
    is_colour = by_user and SAMPLE_AXIS in stored.axes and "C" not in stored.axes
    return next((names for names in (RGB, RGBA) if is_colour and len(names) == count), ())


def _channel_axes(axes: str) -> list[int]:
    """Return the indices of the axes that hold channels or samples."""
    return [index for index, axis in enumerate(axes) if axis in "C" + SAMPLE_AXIS]
