"""Pack foreground components close together, so that no time is spent on the background between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.boxes import Box
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["PackedComponents", "pack_components"]

# Largest packed image of several components.
_BATCH_PIXELS = 2**22
# A component is packed alone if its box has more pixels than this.
_ALONE_PIXELS = 2**15


@dataclass(frozen=True, eq=False)
class PackedComponents:
    """A small image of some components of a large one, with at least two pixels of background between components.

    Components can lie closer together if they were packed with `pack_components(..., apart=False)`.

    Args:
        components: the components in the packed image, with the same numbers as in the large image.
        places: positions in the large image and in the packed image. These are either the indices of the component
            pixels in both flattened images, or one box in both images.
        outside_image: Y×X bool in the packed image. It is True for pixels that stand for the outside of the large
            image, next to components that touch its border. None if there are no such pixels.
    """

    components: ComponentRuns
    places: tuple[np.ndarray, np.ndarray] | tuple[Box, Box]
    outside_image: np.ndarray | None = None

    @cached_property
    def numbers(self) -> np.ndarray:
        """The component number at each pixel of the packed image, Y×X int32; 0 is background."""
        return self.components.label_image

    def gather(self, values: np.ndarray, background: float = 0) -> np.ndarray:
        """Copy component pixels from the large image into the packed one.

        Args:
            values: Y×X, the size of the large image.
            background: value of all pixels outside the components.

        Returns:
            Y×X, the size of the packed image.
        """
        packed: np.ndarray = np.full(self.components.shape, background, values.dtype)
        source, target = self.places
        if isinstance(target, tuple):
            np.copyto(packed[target], values[source], where=self.numbers[target] > 0)
        else:
            packed.ravel()[target] = values.ravel()[source]
        return packed

    def scatter(self, values: np.ndarray, image: np.ndarray) -> None:
        """Copy component pixels from the packed image back into the large one.

        Args:
            values: Y×X, the size of the packed image.
            image: contiguous Y×X array, the size of the large image; changed in place.
        """
        target, source = self.places
        if isinstance(source, tuple):
            np.copyto(image[target], values[source], where=self.numbers[source] > 0)
        else:
            image.reshape(-1)[target] = values.ravel()[source]


def pack_components(
    components: ComponentRuns, wanted: np.ndarray | None = None, *, deepest: int | None = None, apart: bool = True
) -> Iterator[PackedComponents]:
    """Pack components into a few small images of limited size.

    Args:
        components: components of the large image.
        wanted: bool array indexed by component number, True for components to pack; entry 0 is ignored. If None, all
            components are packed.
        deepest: greatest distance to the background, in pixels, at which components can still share a packed image.
            Deeper components are packed alone, in an image that ends where the large one ends. In a shared image, a
            component that touched the border of the large image has a margin of `outside_image` on that side. The
            margin is wider than the distance from any pixel in the component to the nearest background. Pass None if
            no distances will be measured.
        apart: True to keep two pixels of background between components. If False, components stay where they are when
            their boxes overlap so much that packing would need more than twice the area of the large image, as with
            oblique fibres. The packed image is then the large one without the other components.

    Yields:
        Packed images that together contain each wanted component exactly once.

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
        alone |= at_border.all(axis=1)  # the image may have no background at all
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
    """Return an image of the same size as the large one that contains only these components."""
    chosen: np.ndarray = np.zeros(components.count + 1, bool)
    chosen[numbers] = True
    runs = np.flatnonzero(chosen[components.numbers])
    box = slice(0, components.shape[0]), slice(0, components.shape[1])
    return PackedComponents(_with_runs(components, components.shape, runs, components.starts[runs]), (box, box))


def _pack_alone(components: ComponentRuns, number: int) -> PackedComponents:
    """Return an image of a single component, with a margin of one pixel except where the large image ends."""
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
    """Arrange rectangles side by side on shelves, one shelf below another.

    Args:
        sizes: N×2, height and width of each rectangle, tallest first.
        area: total area of the rectangles.

    Returns:
        Two values: an N×2 array with the top and left of each rectangle, and the (Y, X) shape of the whole arrangement.
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
        components: components of the large image.
        numbers: numbers of the components to pack.
        slots: N×4, the box of each packed component in the packed image: top, left, bottom, right.
        surroundings: N×4, the boxes in `slots` enlarged by the margins that stand for the outside of the large image.
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
    """Return the selected runs with new start positions in an image of another shape."""
    return ComponentRuns(shape, starts, components.lengths[runs], components.numbers[runs], components.count)
