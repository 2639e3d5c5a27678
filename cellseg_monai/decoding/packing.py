"""Components of the foreground packed close together, so that no work is spent on the background between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["PackedComponents", "pack_components"]

# Pixels processed together, unless a single component is larger.
_BATCH_PIXELS = 2**22
# A component whose box has more pixels is packed alone.
_ALONE_PIXELS = 2**15


@dataclass(frozen=True, eq=False)
class PackedComponents:
    """A small image of some components of a larger one, with two pixels of background between any two of them.

    `pack_components` says when they lie closer.

    Args:
        components: in the packed image, with the numbers that they have in the large one.
        places: where the pixels are in the large image, and where in the packed one. For several components, the
            indices of their pixels in both flattened images; for a single one, its box in both.
        outside_image: Y×X bool, True for what represents the outside of the large image next to components that touch
            its border; None if there is nothing of that kind.
    """

    components: ComponentRuns
    places: tuple[np.ndarray, np.ndarray] | tuple[Box, Box]
    outside_image: np.ndarray | None = None

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number of the component at each pixel of the packed image, Y×X int32; 0 is background."""
        return self.components.label_image

    def gather(self, values: np.ndarray, background: float = 0) -> np.ndarray:
        """Bring values from the large image to the packed one.

        Args:
            values: Y×X of the large image.
            background: the value where there is no component.

        Returns:
            Y×X of the packed image.
        """
        packed: np.ndarray = np.full(self.components.shape, background, values.dtype)
        source, target = self.places
        if isinstance(target, tuple):
            np.copyto(packed[target], values[source], where=self.numbers[target] > 0)
        else:
            packed.ravel()[target] = values.ravel()[source]
        return packed

    def scatter(self, values: np.ndarray, image: np.ndarray) -> None:
        """Write values of the packed image to where the components are in the large one.

        Args:
            values: Y×X of the packed image.
            image: Y×X of the large image, contiguous; changed in place.
        """
        target, source = self.places
        if isinstance(source, tuple):
            np.copyto(image[target], values[source], where=self.numbers[source] > 0)
        else:
            image.reshape(-1)[target] = values.ravel()[source]


def pack_components(
    components: ComponentRuns, wanted: np.ndarray | None = None, *, deepest: int | None = None, apart: bool = True
) -> Iterator[PackedComponents]:
    """Pack components into as few small images as memory allows.

    Args:
        components: of the large image.
        wanted: bool for each number from 0 on, True for those to pack; entry 0 is not used. None: all.
        deepest: for work that measures distances to the background: the greatest distance up to which components can
            share a packed image. Deeper ones are packed alone, in an image that ends where the large one ends. Next to
            a component that touches the border lies `outside_image`, wider than the distance from any pixel of the
            component to its nearest background. None: the background does not matter.
        apart: keep two pixels of background between components. If false, and their boxes overlap so much that packing
            would take more than twice the area of the image (oblique fibres), the packed image is the large one
            without the other components.

    Yields:
        Packed images that together hold each wanted component once.

    >>> mask = np.array([[1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 0]], bool)
    >>> for batch in pack_components(ComponentRuns.from_mask(mask)):
    ...     print(batch.numbers)
    [[0 0 0 0 0 0]
     [0 1 0 0 2 0]
     [0 1 0 0 2 0]
     [0 1 0 0 0 0]
     [0 0 0 0 0 0]]
    """
    chosen = np.ones(components.count, bool) if wanted is None else wanted[1:]
    numbers: np.ndarray = np.flatnonzero(chosen) + 1
    boxes = components.boxes[numbers - 1]
    sides = boxes[:, 2:] - boxes[:, :2]
    at_border = np.concatenate([boxes[:, :2] == 0, boxes[:, 2:] == components.shape], axis=1) & (deepest is not None)
    alone = sides.prod(axis=1) > _ALONE_PIXELS
    if deepest is not None:
        shorter, longer = sides.min(axis=1), sides.max(axis=1)
        alone |= (shorter > 2 * deepest) | (at_border.any(axis=1) & (longer > deepest))
        alone |= at_border.all(axis=1)  # there may be no background at all
    if not apart and sides.prod(axis=1).sum() > 2 * components.shape[0] * components.shape[1]:
        yield _pack_in_place(components, numbers)
        return
    for number in numbers[alone].tolist():
        yield _pack_alone(components, number)
    numbers, boxes, sides = numbers[~alone], boxes[~alone], sides[~alone]
    margins = 1 + at_border[~alone] * sides.max(axis=1, initial=0)[:, np.newaxis]
    sizes = margins[:, :2] + sides + margins[:, 2:]
    falling = np.argsort(-sizes[:, 0], kind="stable")
    while len(falling):
        areas = np.cumsum(sizes[falling].prod(axis=1))
        count = max(1, int(np.searchsorted(areas, _BATCH_PIXELS, side="right")))
        batch, falling = falling[:count], falling[count:]
        corners, shape = _shelves(sizes[batch], int(areas[count - 1]))
        top_left = corners + margins[batch, :2]
        slots = np.concatenate([top_left, top_left + sides[batch]], axis=1)
        surroundings = np.concatenate([corners + 1, corners + sizes[batch] - 1], axis=1)
        yield _pack_together(components, numbers[batch], slots, surroundings, shape)


def _pack_in_place(components: ComponentRuns, numbers: np.ndarray) -> PackedComponents:
    """Return the large image with these components alone."""
    chosen: np.ndarray = np.zeros(components.count + 1, bool)
    chosen[numbers] = True
    runs = np.flatnonzero(chosen[components.numbers])
    box = slice(0, components.shape[0]), slice(0, components.shape[1])
    return PackedComponents(_with_runs(components, components.shape, runs, components.starts[runs]), (box, box))


def _pack_alone(components: ComponentRuns, number: int) -> PackedComponents:
    """Return an image of one component, with a margin of one pixel except where the large image ends."""
    top, left, bottom, right = components.boxes[number - 1].tolist()
    above, before = top > 0, left > 0
    below, after = bottom < components.shape[0], right < components.shape[1]
    shape = (above + bottom - top + below, before + right - left + after)
    runs = components.runs_of(number)
    rows, columns = np.divmod(components.starts[runs], components.shape[1])
    starts = (rows - top + above) * shape[1] + columns - left + before
    in_image = slice(top, bottom), slice(left, right)
    in_packed = slice(above, above + bottom - top), slice(before, before + right - left)
    return PackedComponents(_with_runs(components, shape, runs, starts), (in_image, in_packed))


def _shelves(sizes: np.ndarray, area: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Place rectangles in rows, one below another; return their top left corners and the shape of the whole.

    Args:
        sizes: N×2, height and width of each rectangle, the highest first.
        area: the sum of their areas.
    """
    width = max(int(sizes[:, 1].max()), int(1.2 * area**0.5))
    corners, top, left, shelf_height = [], 0, 0, 0
    for height_needed, width_needed in sizes.tolist():
        if left + width_needed > width:
            top, left = top + shelf_height, 0
        if left == 0:
            shelf_height = height_needed
        corners.append((top, left))
        left += width_needed
    return np.array(corners), (top + shelf_height, width if top else left)


def _pack_together(
    components: ComponentRuns, numbers: np.ndarray, slots: np.ndarray, surroundings: np.ndarray, shape: tuple[int, int]
) -> PackedComponents:
    """Return an image of several components.

    Args:
        components: of the large image.
        numbers: numbers of the components to pack.
        slots: N×4, the box of each in the packed image: top, left, bottom, right.
        surroundings: N×4, the same box enlarged by what represents the outside of the large image next to it.
        shape: (Y, X) of the packed image.
    """
    slot_of: np.ndarray = np.full(components.count + 1, -1)
    slot_of[numbers] = np.arange(len(numbers))
    runs = np.flatnonzero(slot_of[components.numbers] >= 0)
    run_numbers = components.numbers[runs]
    rows, columns = np.divmod(components.starts[runs], components.shape[1])
    shifts = slots[slot_of[run_numbers], :2] - components.boxes[run_numbers - 1, :2]
    starts = (rows + shifts[:, 0]) * shape[1] + columns + shifts[:, 1]
    order = np.argsort(starts)
    packed = _with_runs(components, shape, runs[order], starts[order])
    in_image = run_pixels(components.starts[runs[order]], packed.lengths)
    outside: np.ndarray | None = None
    if (at_border := (surroundings != slots).any(axis=1)).any():
        outside = np.zeros(shape, bool)
        for around, slot in zip(surroundings[at_border].tolist(), slots[at_border].tolist(), strict=True):
            outside[around[0] : around[2], around[1] : around[3]] = True
            outside[slot[0] : slot[2], slot[1] : slot[3]] = False
    return PackedComponents(packed, (in_image, run_pixels(packed.starts, packed.lengths)), outside)


def _with_runs(
    components: ComponentRuns, shape: tuple[int, int], runs: np.ndarray, starts: np.ndarray
) -> ComponentRuns:
    """Return some runs of the components, moved to new starts in an image of another shape."""
    return ComponentRuns(shape, starts, components.lengths[runs], components.numbers[runs], components.count)
