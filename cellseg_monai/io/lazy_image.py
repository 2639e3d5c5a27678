"""An image whose pixels stay in its file: what it is, and windows of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.io.arrangement import Arrangement
from cellseg_monai.io.axes import times
from cellseg_monai.io.image import Image
from cellseg_monai.io.stored import Stored

__all__ = ["LazyImage", "LazyPlane", "Level"]


class Level:
    """An image at one of the resolutions that its file holds.

    Attributes:
        path: of the file.
        shape: lengths of the axes of `LazyImage.axes`.
        downsampling: rows and columns of the full image to a row and a column of this one.
    """

    def __init__(self, path: Path, to: Arrangement, array: SlicedArray) -> None:
        self.path, self.shape = path, to.shape_of(tuple(array.shape))
        self.downsampling = (to.shape[-2] / self.shape[-2], to.shape[-1] / self.shape[-1])
        self._to, self._array = to, array
        self._is_closed = False

    def window(
        self,
        plane: Sequence[int] = (),
        y: slice = slice(None),
        x: slice = slice(None),
        *,
        channels: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Return a window at this resolution, as an array of C, Y, X that is the caller's own.

        Args:
            plane: the place along the axes before C, Y, X: one of `LazyImage.planes()`.
            y: rows, of which none lies outside the image; without a step.
            x: columns.
            channels: which ones, in this order; None means all.

        Raises:
            IndexError: if the window lies outside the image.
            ValueError: if a slice has a step, there are no channels in `channels`, or the image is closed.
            UnreadableImageError: if what it touches is damaged; names the place.
        """
        leading, shape = self._to.axes[:-3], self.shape
        if len(plane) != len(leading) or not all(0 <= at < n for at, n in zip(plane, shape, strict=False)):
            raise IndexError(
                f"{self.path}: plane {tuple(plane)} of an image of {self._to.axes} {times(shape)}; pass one of planes()"
            )
        window = {axis: slice(at, at + 1) for axis, at in zip(leading, plane, strict=True)}
        window |= {"Y": self._within(y, shape[-2], "rows"), "X": self._within(x, shape[-1], "columns")}
        if channels is None:
            found = self._pixels(window)
            return found.reshape(found.shape[-3:])
        if len(channels) == 0:
            raise ValueError(f"{self.path}: no channels came; pass some of 0 to {shape[-3] - 1}, or None for all")
        samples: dict[int, list[int]] = {}  # they count as channels, those of a channel together
        for channel in channels:
            if not 0 <= channel < shape[-3]:
                raise IndexError(f"{self.path}: channel {channel} of {shape[-3]}; they count from 0")
            samples.setdefault(channel // self._to.n_samples, []).append(channel % self._to.n_samples)
        picked: dict[int, np.ndarray] = {}
        for c, asked in samples.items():
            # At once, as they are mostly stored: a tile holds all of them.
            first, last = min(asked), max(asked)
            found = self._pixels({**window, "C": slice(c, c + 1), "S": slice(first, last + 1)})
            picked.update(enumerate(found.reshape(found.shape[-3:]), c * self._to.n_samples + first))
        return np.stack([picked[channel] for channel in channels])

    def _pixels(self, window: dict[str, slice]) -> np.ndarray:
        if self._is_closed:
            raise ValueError(f"{self.path}: the image is closed; read it within its `with` block")
        found = self._to.pick(self._array, window)
        # A format that was read as a whole may have given a part of what it keeps.
        is_ours = isinstance(self._array, np.ndarray) and np.may_share_memory(found, self._array)
        return found.copy() if is_ours else found

    def _within(self, part: slice, size: int, what: str) -> slice:
        start, stop = part.start or 0, size if part.stop is None else part.stop
        if part.step not in (None, 1):
            raise ValueError(f"{self.path}: {what} with a step of {part.step}; read them all and leave some out")
        if not 0 <= start <= stop <= size:
            raise IndexError(f"{self.path}: {what} {start} to {stop} of {size}; cut the window at the image's edge")
        return slice(start, stop)


class LazyImage(Level):
    """An image that is open for reading, at its full resolution; `open_image` makes it.

    Several threads may read windows of one at once. Another process opens the file itself.

    Attributes:
        path, stated_axes: what another process passes to `open_image`.
        axes, shape, dtype, pixel_size_um, channel_names: as those of `Image` and its pixels.
        is_lazy: False where the format has to be read as a whole, so that opening it did so.
        levels: the resolutions that the file holds, this image itself first, then the smaller ones.
    """

    def __init__(self, path: Path, stored: Stored, stack: ExitStack, *, stated_axes: str | None) -> None:
        to = Arrangement(path, stored, by_user=stated_axes is not None)
        super().__init__(path, to, stored.array)
        self.stated_axes = stated_axes
        self.axes, self.dtype = to.axes, to.dtype
        self.pixel_size_um, self.channel_names = to.pixel_size_um, to.channel_names
        self.is_lazy = not isinstance(stored.array, np.ndarray)
        self.levels: tuple[Level, ...] = (self, *(Level(path, to, array) for array in stored.smaller))
        self._stack = stack.pop_all()  # last: where anything above fails, the caller's closes the file

    def __enter__(self) -> LazyImage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read any more, at no resolution."""
        for level in self.levels:
            level._is_closed = True
        self._stack.close()

    @property
    def chunk_shape(self) -> tuple[int, int] | None:
        """(Y, X) of the blocks of pixels that the file holds, each decoded as a whole; None where there are none."""
        return self._to.chunk_of(self._array)

    def planes(self) -> Iterator[tuple[int, ...]]:
        """The places of all planes along the axes before C, Y, X: just () where there are none."""
        return itertools.product(*map(range, self.shape[:-3]))

    def read(self) -> Image:
        """Return the whole image, as `io.read` does."""
        return Image(self._pixels({}), self.axes, self.pixel_size_um, self.channel_names)

    def plane(self, plane: Sequence[int] = (), channel: int = 0) -> LazyPlane:
        """Return one channel of one plane as something that is sliced like an array of Y, X."""
        return LazyPlane(self, tuple(plane), channel)


class LazyPlane:
    """One channel of one plane of an image, sliced like an array of Y, X."""

    def __init__(self, image: LazyImage, plane: tuple[int, ...], channel: int) -> None:
        self._image, self._plane, self._channel = image, plane, channel
        self.shape: tuple[int, int] = (image.shape[-2], image.shape[-1])
        self.dtype = image.dtype

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        """Return the values in rows and columns."""
        y, x = window
        return self._image.window(self._plane, y, x, channels=(self._channel,))[0]
