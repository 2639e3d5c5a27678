"""Images whose pixels stay on disk until a window is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from cellseg_monai.boxes import ArrayPart, SlicedArray
from cellseg_monai.formats.axes import shape_text
from cellseg_monai.formats.stored import Stored
from cellseg_monai.io.arrangement import Arrangement
from cellseg_monai.io.image import Image

__all__ = ["LazyImage", "LazyPlane", "Level"]


class Level:
    """An open image at one of the resolutions in its file.

    Attributes:
        path: path of the file.
        shape: length of each axis in `LazyImage.axes`.
        downsampling: number of full-resolution rows per row at this resolution, and the same for columns.
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
        """Return a window at this resolution as a new (C, Y, X) array.

        Args:
            plane: indices along the axes before C, Y and X, as returned by `LazyImage.planes`.
            y: rows within the image, as a slice without a step.
            x: columns within the image, as a slice without a step.
            channels: indices of the channels in the order to return them, or None for all channels.

        Raises:
            IndexError: the window lies outside the image.
            ValueError: a slice has a step, `channels` is empty, or the image is closed.
            UnreadableImageError: the file is damaged where the window touches it; the message says where.
        """
        leading, shape = self._arrangement.axes[:-3], self.shape
        if len(plane) != len(leading) or not all(0 <= at < n for at, n in zip(plane, shape, strict=False)):
            raise IndexError(
                f"{self.path}: plane {tuple(plane)} does not exist in this image (axes {self._arrangement.axes}, shape "
                f"{shape_text(shape)}); pass one of the planes from planes()"
            )
        window = {axis: slice(at, at + 1) for axis, at in zip(leading, plane, strict=True)}
        window |= {"Y": self._within(y, shape[-2], "rows"), "X": self._within(x, shape[-1], "columns")}
        if channels is None:
            pixels = self._pixels(window)
            return pixels.reshape(pixels.shape[-3:])
        if len(channels) == 0:
            raise ValueError(
                f"{self.path}: got no channels; pass at least one between 0 and {shape[-3] - 1}, or None for all"
            )
        samples: dict[int, list[int]] = {}  # by stored channel; to callers, each sample is a separate channel
        for channel in channels:
            if not 0 <= channel < shape[-3]:
                raise IndexError(
                    f"{self.path}: got channel {channel}, but the number of channels is {shape[-3]}; pass a channel "
                    f"between 0 and {shape[-3] - 1}"
                )
            samples.setdefault(channel // self._arrangement.n_samples, []).append(channel % self._arrangement.n_samples)
        by_channel: dict[int, np.ndarray] = {}
        for c, wanted in samples.items():
            # Read the samples of a channel together, because a tile usually holds all of them.
            first, last = min(wanted), max(wanted)
            pixels = self._pixels({**window, "C": slice(c, c + 1), "S": slice(first, last + 1)})
            by_channel.update(enumerate(pixels.reshape(pixels.shape[-3:]), c * self._arrangement.n_samples + first))
        return np.stack([by_channel[channel] for channel in channels])

    def _pixels(self, window: dict[str, slice]) -> np.ndarray:
        if self._is_closed:
            raise ValueError(f"{self.path}: the image is closed; read it within its `with` block")
        pixels = self._arrangement.pick(self._array, window)
        # If the whole image is in memory, the window can be a view of it.
        is_view = isinstance(self._array, np.ndarray) and np.may_share_memory(pixels, self._array)
        return pixels.copy() if is_view else pixels

    def _within(self, part: slice, size: int, what: str) -> slice:
        start, stop = part.start or 0, size if part.stop is None else part.stop
        if part.step not in (None, 1):
            raise ValueError(f"{self.path}: got {what} with a step of {part.step}; read the full window and slice it")
        if not 0 <= start <= stop <= size:
            raise IndexError(
                f"{self.path}: got {what} {start} to {stop}, but the image has {size}; crop the window to the image"
            )
        return slice(start, stop)


class LazyImage(Level):
    """An open image at full resolution, as returned by `open_image`.

    Several threads can read windows of the image at the same time. Each process has to open the file for itself.

    Attributes:
        path, stated_axes: arguments with which another process can open the same image by calling `open_image`.
        axes, shape, dtype, pixel_size_um, channel_names, notes, z_step_um, time_step_s: the same as for `Image` and
            its pixels.
        is_lazy: False if the format cannot be read in parts, so that `open_image` read the whole image.
        levels: the resolutions in the file, starting with this image and followed by smaller ones.
    """

    def __init__(self, path: Path, stored: Stored, stack: ExitStack, *, stated_axes: str | None) -> None:
        arrangement = Arrangement(path, stored, by_user=stated_axes is not None)
        super().__init__(path, arrangement, stored.array)
        self.stated_axes = stated_axes
        self.axes, self.dtype = arrangement.axes, arrangement.dtype
        self.pixel_size_um, self.channel_names = arrangement.pixel_size_um, arrangement.channel_names
        self.notes = arrangement.notes
        self.z_step_um, self.time_step_s = arrangement.z_step_um, arrangement.time_step_s
        self.is_lazy = not isinstance(stored.array, np.ndarray)
        self.levels: tuple[Level, ...] = (
            self,
            *(Level(path, arrangement, array) for array in stored.smaller),
        )
        self._stack = stack.pop_all()  # last, so that the caller's stack closes the file if anything above fails

    def __enter__(self) -> LazyImage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. No resolution can be read after that."""
        for level in self.levels:
            level._is_closed = True
        self._stack.close()

    @property
    def chunk_shape(self) -> tuple[int, int] | None:
        """The (Y, X) shape of the blocks that are decoded as a whole, or None if the image is not stored in blocks."""
        return self._arrangement.chunk_of(self._array)

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the planes, as indices along the axes before C, Y and X; a single plane has the indices ()."""
        return itertools.product(*map(range, self.shape[:-3]))

    def read(self) -> Image:
        """Return the whole image, as `io.read` does."""
        return self._arrangement.image(self._pixels({}))

    def plane(self, place: Sequence[int] = ()) -> LazyPlane:
        """Return a plane as an object that can be sliced like a (C, Y, X) array.

        Args:
            place: indices along the axes before C, Y and X, as returned by `planes`.
        """
        return LazyPlane(self, tuple(place))


class LazyPlane:
    """A plane of an open image, which can be sliced like a (C, Y, X) array.

    Args:
        image: the open image.
        place: indices of the plane along the axes before C, Y and X.
    """

    def __init__(self, image: LazyImage, place: tuple[int, ...] = ()) -> None:
        self.image, self.place, self.dtype = image, place, image.dtype
        channels, height, width = image.shape[-3:]
        self.shape: tuple[int, int, int] = (channels, height, width)

    def __getitem__(self, window: tuple[int | slice, slice, slice]) -> np.ndarray:
        """Return the values in a window, given as a channel or slice of channels, and slices of rows and columns."""
        channel, rows, columns = window
        if isinstance(channel, slice):
            return self.window(rows, columns)[channel]
        return self.window(rows, columns, channels=(channel,))[0]

    def window(self, rows: slice, columns: slice, *, channels: Sequence[int] | None = None) -> np.ndarray:
        """Return a window as a new (C, Y, X) array; see `LazyImage.window` for the arguments."""
        return self.image.window(self.place, rows, columns, channels=channels)

    def channel(self, number: int) -> ArrayPart:
        """Return a channel by number, as an object that can be sliced like a (Y, X) array."""
        return ArrayPart(self, (number,))
