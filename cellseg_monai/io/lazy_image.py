"""Images whose pixels stay in the file until windows of them are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from cellseg_monai.boxes import ArrayPart, SlicedArray
from cellseg_monai.io.arrangement import Arrangement
from cellseg_monai.io.axes import shape_text
from cellseg_monai.io.image import Image
from cellseg_monai.io.stored import Stored

__all__ = ["LazyImage", "LazyPlane", "Level"]


class Level:
    """An image at one of the resolutions in its file.

    Attributes:
        path: path of the file.
        shape: lengths of the axes of `LazyImage.axes`.
        downsampling: number of rows, and of columns, of the full image for each row and column at this resolution.
    """

    def __init__(self, path: Path, arrangement: Arrangement, array: SlicedArray) -> None:
        self.path, self.shape = path, arrangement.shape_of(tuple(array.shape))
        self.downsampling = (arrangement.shape[-2] / self.shape[-2], arrangement.shape[-1] / self.shape[-1])
        self._arrangement, self._array = arrangement, array
        self._is_closed = False

    def window(
        self,
        plane: Sequence[int] = (),
        y: slice = slice(None),
        x: slice = slice(None),
        *,
        channels: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Return a window at this resolution as a new array of C, Y, X.

        Args:
            plane: indices along the axes before C, Y, X: one of `LazyImage.planes()`.
            y: rows within the image, without a step.
            x: columns within the image, without a step.
            channels: indices of the channels, in the order wanted; None for all.

        Raises:
            IndexError: the window lies outside the image.
            ValueError: a slice has a step, `channels` is empty, or the image is closed.
            UnreadableImageError: a part of the file that the window touches is damaged; the message names the place.
        """
        leading, shape = self._arrangement.axes[:-3], self.shape
        if len(plane) != len(leading) or not all(0 <= at < n for at, n in zip(plane, shape, strict=False)):
            raise IndexError(
                f"{self.path}: plane {tuple(plane)} does not exist in this image (axes {self._arrangement.axes}, shape "
                f"{shape_text(shape)}); pass a plane from planes()"
            )
        window = {axis: slice(at, at + 1) for axis, at in zip(leading, plane, strict=True)}
        window |= {"Y": self._within(y, shape[-2], "rows"), "X": self._within(x, shape[-1], "columns")}
        if channels is None:
            pixels = self._pixels(window)
            return pixels.reshape(pixels.shape[-3:])
        if len(channels) == 0:
            raise ValueError(f"{self.path}: got no channels; pass some of 0 to {shape[-3] - 1}, or None for all")
        samples: dict[int, list[int]] = {}  # a sample counts as a channel of its own
        for channel in channels:
            if not 0 <= channel < shape[-3]:
                raise IndexError(
                    f"{self.path}: got channel {channel} of {shape[-3]}; pass one from 0 to {shape[-3] - 1}"
                )
            samples.setdefault(channel // self._arrangement.n_samples, []).append(channel % self._arrangement.n_samples)
        by_channel: dict[int, np.ndarray] = {}
        for c, wanted in samples.items():
            # Read them together, because a tile usually holds all samples of a channel.
            first, last = min(wanted), max(wanted)
            pixels = self._pixels({**window, "C": slice(c, c + 1), "S": slice(first, last + 1)})
            by_channel.update(enumerate(pixels.reshape(pixels.shape[-3:]), c * self._arrangement.n_samples + first))
        return np.stack([by_channel[channel] for channel in channels])

    def _pixels(self, window: dict[str, slice]) -> np.ndarray:
        if self._is_closed:
            raise ValueError(f"{self.path}: the image is closed; read it within its `with` block")
        pixels = self._arrangement.pick(self._array, window)
        # An image read as a whole can return a view of the array that it keeps.
        is_view = isinstance(self._array, np.ndarray) and np.may_share_memory(pixels, self._array)
        return pixels.copy() if is_view else pixels

    def _within(self, part: slice, size: int, what: str) -> slice:
        start, stop = part.start or 0, size if part.stop is None else part.stop
        if part.step not in (None, 1):
            raise ValueError(f"{self.path}: got {what} with a step of {part.step}; read them all, then drop some")
        if not 0 <= start <= stop <= size:
            raise IndexError(f"{self.path}: got {what} {start} to {stop} of {size}; crop the window to the image")
        return slice(start, stop)


class LazyImage(Level):
    """An open image at its full resolution; `open_image` creates it.

    Several threads can read windows of one image at the same time. Another process has to open the file itself.

    Attributes:
        path, stated_axes: the arguments with which another process can call `open_image`.
        axes, shape, dtype, pixel_size_um, channel_names: the same as for `Image` and its pixels.
        is_lazy: False if the format has to be read as a whole, which then happened on opening.
        levels: the resolutions in the file: this image first, then the smaller ones.
    """

    def __init__(self, path: Path, stored: Stored, stack: ExitStack, *, stated_axes: str | None) -> None:
        arrangement = Arrangement(path, stored, by_user=stated_axes is not None)
        super().__init__(path, arrangement, stored.array)
        self.stated_axes = stated_axes
        self.axes, self.dtype = arrangement.axes, arrangement.dtype
        self.pixel_size_um, self.channel_names = arrangement.pixel_size_um, arrangement.channel_names
        self.is_lazy = not isinstance(stored.array, np.ndarray)
        self.levels: tuple[Level, ...] = (
            self,
            *(Level(path, arrangement, array) for array in stored.smaller),
        )
        self._stack = stack.pop_all()  # last: if anything above fails, the stack of the caller closes the file

    def __enter__(self) -> LazyImage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing more can be read, at any resolution."""
        for level in self.levels:
            level._is_closed = True
        self._stack.close()

    @property
    def chunk_shape(self) -> tuple[int, int] | None:
        """The (Y, X) shape of the blocks that are decoded as a whole, or None if there are none."""
        return self._arrangement.chunk_of(self._array)

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Return the indices of all planes along the axes before C, Y, X; just () if there are no such axes."""
        return itertools.product(*map(range, self.shape[:-3]))

    def read(self) -> Image:
        """Return the whole image, as `io.read` does."""
        return Image(self._pixels({}), self.axes, self.pixel_size_um, self.channel_names)

    def plane(self, place: Sequence[int] = ()) -> LazyPlane:
        """Return a plane as an object that can be sliced like an array of C, Y, X.

        Args:
            place: indices along the axes before C, Y, X: one of `LazyImage.planes()`.
        """
        return LazyPlane(self, tuple(place))


class LazyPlane:
    """A plane of an open image, which can be sliced like an array of C, Y, X.

    Args:
        image: the open image.
        place: indices of the plane along the axes before C, Y, X.
    """

    def __init__(self, image: LazyImage, place: tuple[int, ...] = ()) -> None:
        self.image, self.place, self.dtype = image, place, image.dtype
        channels, height, width = image.shape[-3:]
        self.shape: tuple[int, int, int] = (channels, height, width)

    def __getitem__(self, window: tuple[int | slice, slice, slice]) -> np.ndarray:
        """Return the values in a window: a channel or a slice of channels, then slices of rows and columns."""
        channel, rows, columns = window
        if isinstance(channel, slice):
            return self.window(rows, columns)[channel]
        return self.window(rows, columns, channels=(channel,))[0]

    def window(self, rows: slice, columns: slice, *, channels: Sequence[int] | None = None) -> np.ndarray:
        """Return a window of these channels, or of all of them, as a new array of C, Y, X; see `LazyImage.window`."""
        return self.image.window(self.place, rows, columns, channels=channels)

    def channel(self, number: int) -> ArrayPart:
        """Return one channel as an object that can be sliced like an array of Y, X."""
        return ArrayPart(self, (number,))
