"""Pieces of the foreground laid out side by side, so that work on each pixel is not spent on what lies between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.decoding.pieces import Pieces
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["Canvas", "canvases"]

# So many pixels are worked on at once, if no single piece is larger.
_CANVAS_PIXELS = 2**22
# A piece in a box of more pixels has a canvas of its own.
_ALONE_PIXELS = 2**15


@dataclass(frozen=True, eq=False)
class Canvas:
    """Some pieces of an image, each alone: what surrounds it, up to the next two pixels away, belongs to no piece.

    But for those that need not lie apart; see `canvases`.

    Args:
        pieces: with the numbers that they have in the image.
        places: where the pixels of the pieces are in the image, and where on the canvas: of many pieces, their indices
            in either, both flat; of one, the box around it in either.
        beyond: YX bool, what lies beyond the border of the image beside pieces that touch it; None where nothing does.
    """

    pieces: Pieces
    places: tuple[np.ndarray, np.ndarray] | tuple[Box, Box]
    beyond: np.ndarray | None = None

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number of the piece at each pixel, YX int32; 0 is background."""
        return self.pieces.dense

    def of(self, values: np.ndarray, elsewhere: float = 0) -> np.ndarray:
        """Values of the image on the canvas.

        Args:
            values: YX of the image.
            elsewhere: the value where there is no piece.

        Returns:
            YX of the canvas.
        """
        found: np.ndarray = np.full(self.pieces.shape, elsewhere, values.dtype)
        there, here = self.places
        if isinstance(here, tuple):
            np.copyto(found[here], values[there], where=self.numbers[here] > 0)
        else:
            found.ravel()[here] = values.ravel()[there]
        return found

    def write(self, values: np.ndarray, image: np.ndarray) -> None:
        """Bring values from the canvas to where the pieces are in the image.

        Args:
            values: YX of the canvas.
            image: YX, written to; contiguous.
        """
        there, here = self.places
        if isinstance(here, tuple):
            np.copyto(image[there], values[here], where=self.numbers[here] > 0)
        else:
            image.reshape(-1)[there] = values.ravel()[here]


def canvases(
    pieces: Pieces, wanted: np.ndarray | None = None, *, deepest: int | None = None, apart: bool = True
) -> Iterator[Canvas]:
    """Pieces laid out on as few canvases as memory allows.

    Args:
        pieces: of the image.
        wanted: bool, of each number from 0 on whether it is laid out; that of the background does not count. None: all.
        deepest: where the background around pieces counts, how deep those are that share a canvas, at most: others have
            one of their own, which ends where the image ends; and beside what touches its border lies what is `beyond`,
            farther than any background that is nearest to a pixel of the piece. None: it does not count.
        apart: whether pieces have to lie apart; if not, and their boxes overlap so much that they would take twice the
            room of the image, as those of oblique fibres do, the only canvas is the image, with them alone.

    Yields:
        Canvases that together hold each wanted piece once.

    >>> pieces = Pieces.of(np.array([[1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 0]], bool))
    >>> for canvas in canvases(pieces):
    ...     print(canvas.numbers)
    [[0 0 0 0 0 0]
     [0 1 0 0 2 0]
     [0 1 0 0 2 0]
     [0 1 0 0 0 0]
     [0 0 0 0 0 0]]
    """
    chosen = np.ones(pieces.count, bool) if wanted is None else wanted[1:]
    numbers: np.ndarray = np.flatnonzero(chosen) + 1
    boxes = pieces.boxes[numbers - 1]
    sides = boxes[:, 2:] - boxes[:, :2]
    at_border = np.concatenate([boxes[:, :2] == 0, boxes[:, 2:] == pieces.shape], axis=1) & (deepest is not None)
    alone = sides.prod(axis=1) > _ALONE_PIXELS
    if deepest is not None:
        shorter, longer = sides.min(axis=1), sides.max(axis=1)
        alone |= (shorter > 2 * deepest) | (at_border.any(axis=1) & (longer > deepest))
        alone |= at_border.all(axis=1)  # where there may be no background at all
    if not apart and sides.prod(axis=1).sum() > 2 * pieces.shape[0] * pieces.shape[1]:
        yield _in_place(pieces, numbers)
        return
    for number in numbers[alone].tolist():
        yield _alone(pieces, number)
    numbers, boxes, sides = numbers[~alone], boxes[~alone], sides[~alone]
    margins = 1 + at_border[~alone] * sides.max(axis=1, initial=0)[:, np.newaxis]
    needed = margins[:, :2] + sides + margins[:, 2:]
    falling = np.argsort(-needed[:, 0], kind="stable")
    while len(falling):
        areas = np.cumsum(needed[falling].prod(axis=1))
        count = max(1, int(np.searchsorted(areas, _CANVAS_PIXELS, side="right")))
        some, falling = falling[:count], falling[count:]
        corners, shape = _shelved(needed[some], int(areas[count - 1]))
        top_left = corners + margins[some, :2]
        slots = np.concatenate([top_left, top_left + sides[some]], axis=1)
        open_to = np.concatenate([corners + 1, corners + needed[some] - 1], axis=1)
        yield _together(pieces, numbers[some], slots, open_to, shape)


def _in_place(pieces: Pieces, numbers: np.ndarray) -> Canvas:
    """The image as a canvas, with these pieces alone."""
    chosen: np.ndarray = np.zeros(pieces.count + 1, bool)
    chosen[numbers] = True
    runs = np.flatnonzero(chosen[pieces.numbers])
    box = slice(0, pieces.shape[0]), slice(0, pieces.shape[1])
    some = Pieces(pieces.shape, pieces.starts[runs], pieces.lengths[runs], pieces.numbers[runs], pieces.count)
    return Canvas(some, (box, box))


def _alone(pieces: Pieces, number: int) -> Canvas:
    """The canvas of one piece, which ends where the image ends."""
    top, left, bottom, right = pieces.boxes[number - 1].tolist()
    above, before, under, after = top > 0, left > 0, bottom < pieces.shape[0], right < pieces.shape[1]
    shape = (above + bottom - top + under, before + right - left + after)
    runs = pieces.runs_of(number)
    rows, columns = np.divmod(pieces.starts[runs], pieces.shape[1])
    starts = (rows - top + above) * shape[1] + columns - left + before
    there = slice(top, bottom), slice(left, right)
    here = slice(above, above + bottom - top), slice(before, before + right - left)
    return Canvas(Pieces(shape, starts, pieces.lengths[runs], pieces.numbers[runs], pieces.count), (there, here))


def _shelved(needed: np.ndarray, area: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Where rectangles have their top and left, the highest first, in rows one below another; and what they cover."""
    width = max(int(needed[:, 1].max()), int(1.2 * area**0.5))
    corners, top, left, height = [], 0, 0, 0
    for high, wide in needed.tolist():
        if left + wide > width:
            top, left = top + height, 0
        if left == 0:
            height = high
        corners.append((top, left))
        left += wide
    return np.array(corners), (top + height, width if top else left)


def _together(
    pieces: Pieces, numbers: np.ndarray, slots: np.ndarray, open_to: np.ndarray, shape: tuple[int, int]
) -> Canvas:
    """The canvas of several pieces.

    Args:
        pieces: of the image.
        numbers: of those that it holds.
        slots: of each: top, left, bottom, right.
        open_to: of each likewise, with what lies beyond the image beside it.
        shape: of the canvas.
    """
    slot_of: np.ndarray = np.full(pieces.count + 1, -1)
    slot_of[numbers] = np.arange(len(numbers))
    runs = np.flatnonzero(slot_of[pieces.numbers] >= 0)
    starts, lengths, run_numbers = pieces.starts[runs], pieces.lengths[runs], pieces.numbers[runs]
    rows, columns = np.divmod(starts, pieces.shape[1])
    moved = slots[slot_of[run_numbers], :2] - pieces.boxes[run_numbers - 1, :2]
    placed = (rows + moved[:, 0]) * shape[1] + columns + moved[:, 1]
    order = np.argsort(placed)
    starts, lengths, placed = starts[order], lengths[order], placed[order]
    there, here = (run_pixels(each, lengths) for each in (starts, placed))
    beyond: np.ndarray | None = None
    if (is_open := (open_to != slots).any(axis=1)).any():
        beyond = np.zeros(shape, bool)
        for own, slot in zip(open_to[is_open].tolist(), slots[is_open].tolist(), strict=True):
            beyond[own[0] : own[2], own[1] : own[3]] = True
            beyond[slot[0] : slot[2], slot[1] : slot[3]] = False
    return Canvas(Pieces(shape, placed, lengths, run_numbers[order], pieces.count), (there, here), beyond)
