"""The way from the axes of a file to T, P, Z, C, Y, X: for a whole image and for a window of it alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.axes import KNOWN_AXES, SAMPLE_AXIS, times
from cellseg_monai.io.blocks import chunks_of
from cellseg_monai.io.colours import RGB, RGBA
from cellseg_monai.io.decoding import decoding
from cellseg_monai.io.image import LEADING_AXES, Image
from cellseg_monai.io.stored import Stored

__all__ = ["Arrangement", "arrange"]


class Arrangement:
    """How the axes of a stored array become T, P, Z, C, Y, X, as far as it has them.

    Args:
        path: the file, for messages.
        stored: its array.
        by_user: whether the user gave the axes, so that 3 or 4 samples (S) are a colour even where the
            file does not say which.

    Raises:
        UnreadableImageError: if the values are complex or the array is empty.

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
            raise UnreadableImageError(path, f"the image is empty ({times(shape)})", "export it again")
        if dtype.kind not in "buif" or dtype.itemsize > 8:
            raise UnreadableImageError(path, f"pixels of type {dtype}", "save real numbers of at most 64 bits")
        sizes = dict(zip(stored.axes, shape, strict=True))
        self._path, self._stored_axes = path, stored.axes
        self._order = [a for a in LEADING_AXES + "C" + SAMPLE_AXIS + "YX" if a in sizes]
        self._leading = [a for a in LEADING_AXES if a in sizes and (a != "P" or sizes[a] > 1)]
        self.n_samples = sizes.get(SAMPLE_AXIS, 1)
        self.axes = "".join(self._leading) + "CYX"
        self.shape = self.shape_of(shape)
        self.dtype = dtype.newbyteorder("=")
        self.pixel_size_um = _pixel_size(stored)
        self.channel_names = _channel_names(stored, self.shape[-3], by_user=by_user)

    def shape_of(self, stored_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that a stored array takes; C and S become one."""
        return self._merged(dict(zip(self._stored_axes, stored_shape, strict=True)))

    def chunk_of(self, array: SlicedArray) -> tuple[int, int] | None:
        """Return the rows and columns that are decoded at once, if an array is stored in blocks."""
        chunks = chunks_of(array)
        if chunks is None:
            return None
        sizes = dict(zip(self._stored_axes, chunks, strict=True))
        return sizes["Y"], sizes["X"]

    def _merged(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        n_channels = sizes.get("C", 1) * sizes.get(SAMPLE_AXIS, 1)
        return (*(sizes[a] for a in self._leading), n_channels, sizes["Y"], sizes["X"])

    def pick(self, array: SlicedArray, window: Mapping[str, slice] | None = None) -> np.ndarray:
        """Return what lies in a window, contiguous, writable and of native byte order.

        Args:
            array: the stored array, or the same image at another resolution.
            window: the slice of an axis by its letter; those that are not named are taken whole.

        Raises:
            UnreadableImageError: if it cannot be decoded.
        """
        window = window or {}
        with decoding(self._path):
            picked = array[tuple(window.get(axis, slice(None)) for axis in self._stored_axes)]
        # Axes that are not known here have length 1: settle_axes saw to it.
        picked = np.squeeze(picked, tuple(i for i, a in enumerate(self._stored_axes) if a not in KNOWN_AXES))
        kept = [a for a in self._stored_axes if a in KNOWN_AXES]
        picked = picked.transpose([kept.index(a) for a in self._order])
        picked = picked.reshape(self._merged(dict(zip(self._order, picked.shape, strict=True))))
        # Copied only where the order, the byte order or a decoder's read-only buffer asks for it.
        copy = None if picked.flags.writeable else True
        return np.array(picked, dtype=self.dtype, order="C", copy=copy)


def arrange(path: Path, stored: Stored, *, by_user: bool = False) -> Image:
    """Return the whole image of a file; see `Arrangement`.

    >>> rgb = Stored(np.zeros((4, 6, 3), np.uint8), "YXS", ("red", "green", "blue"))
    >>> image = arrange(Path("rgb.png"), rgb)
    >>> image.axes, image.pixels.shape
    ('CYX', (3, 4, 6))
    """
    to = Arrangement(path, stored, by_user=by_user)
    return Image(to.pick(stored.array), to.axes, to.pixel_size_um, to.channel_names)


def _pixel_size(stored: Stored) -> tuple[float, float] | None:
    """Height and width along the axes that are now Y and X."""
    if stored.pixel_size_um is None or stored.stated is None:
        return stored.pixel_size_um
    by_place = dict(zip(map(stored.stated.find, "YX"), stored.pixel_size_um, strict=True))
    height, width = (by_place.get(stored.axes.index(axis)) for axis in "YX")
    return None if height is None or width is None else (height, width)


def _channel_names(stored: Stored, count: int, *, by_user: bool) -> tuple[str, ...]:
    """The file's names, if its channels still are the channels; of samples that the user calls so, the colours."""
    same = stored.stated is None or _channel_places(stored.stated) == _channel_places(stored.axes)
    if same and len(stored.channel_names) == count:
        return stored.channel_names
    is_colour = by_user and SAMPLE_AXIS in stored.axes and "C" not in stored.axes
    return next((names for names in (RGB, RGBA) if is_colour and len(names) == count), ())


def _channel_places(axes: str) -> list[int]:
    return [place for place, axis in enumerate(axes) if axis in "C" + SAMPLE_AXIS]
