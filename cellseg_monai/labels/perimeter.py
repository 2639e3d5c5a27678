"""The perimeters of the objects of a crop, by the way its border pixels neighbour each other."""

from __future__ import annotations

import numpy as np

from cellseg_monai.labels.crops import Crop
from cellseg_monai.labels.object_runs import ObjectRuns
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["perimeters"]

# Of a border pixel, by 1 + 2 × its border neighbours across an edge + 10 × those across a corner: the length that it
# stands for, as a number of (1, √2, (1 + √2) / 2).
_STEPS: np.ndarray = np.zeros((50, 3), np.int64)
_STEPS[[5, 7, 15, 17, 25, 27], 0] = 1
_STEPS[[21, 33], 1] = 1
_STEPS[[13, 23], 2] = 1
_LENGTHS = np.array([1, np.sqrt(2), (1 + np.sqrt(2)) / 2])

_EDGES = ((-1, 0), (0, -1), (0, 1), (1, 0))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def perimeters(crop: Crop, runs: ObjectRuns) -> np.ndarray:
    """The perimeter of each object in pixels, as `skimage.measure.regionprops` measures it.

    That is the estimator of Benkrid and Crookes (Design and FPGA implementation of a perimeter estimator, Queen's
    University of Belfast, 2000): the pixels of an object that touch something else by an edge make its border, and each
    counts 1, √2 or (1 + √2) / 2 by how the border goes on around it. Holes have borders, too. What is smaller than a
    border that goes around, such as a single pixel, has a perimeter of 0.

    Args:
        crop: the objects; nothing goes on beyond.
        runs: theirs.

    Returns:
        One float64 an object.

    >>> from cellseg_monai.labels.crops import crops_of_whole_objects
    >>> (crop,) = crops_of_whole_objects(np.array([[1, 1, 0], [1, 1, 2]]))
    >>> perimeters(crop, ObjectRuns.of(crop))
    array([4., 0.])
    """
    count, width = len(crop.ids), crop.shape[1] + 2
    around = np.pad(crop.numbers, 1)
    flat = around.ravel()
    starts = (runs.rows + 1) * width + runs.columns + 1
    at = run_pixels(starts.astype(np.int32 if flat.size < 2**31 else np.int64), runs.lengths)
    own: np.ndarray = np.repeat(np.arange(1, count + 1, dtype=np.int32), runs.areas)
    inside = (flat[at - width] == own) & (flat[at + width] == own)
    after = np.cumsum(runs.lengths)  # to the left and right of a run is something else
    inside[after - runs.lengths] = inside[after - 1] = False
    at, own = at[~inside], own[~inside]
    border = np.zeros_like(flat)
    border[at] = own
    code: np.ndarray = np.ones(len(own), np.int8)
    for weight, neighbours in ((2, _EDGES), (10, _CORNERS)):
        for down, right in neighbours:
            code += np.int8(weight) * (border[at + (down * width + right)] == own)
    # Counted in whole numbers, so that the sum does not depend on the order.
    steps = np.stack([np.bincount(own, each, minlength=count + 1)[1:] for each in _STEPS[code].T])
    return _LENGTHS @ steps
