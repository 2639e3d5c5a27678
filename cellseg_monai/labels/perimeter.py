"""The perimeters of the objects in a crop, estimated from the neighbourhoods of their border pixels."""

from __future__ import annotations

import numpy as np

from cellseg_monai.labels.crops import Crop
from cellseg_monai.labels.object_runs import ObjectRuns
from cellseg_monai.labels.relabel import run_pixels

__all__ = ["perimeters"]

# Contribution of a border pixel to the perimeter, in multiples of (1, √2, (1 + √2) / 2). The index is the pixel's
# code: 1 + 2 × border neighbours across an edge + 10 × border neighbours across a corner.
_STEPS: np.ndarray = np.zeros((50, 3), np.int64)
_STEPS[[5, 7, 15, 17, 25, 27], 0] = 1
_STEPS[[21, 33], 1] = 1
_STEPS[[13, 23], 2] = 1
_LENGTHS = np.array([1, np.sqrt(2), (1 + np.sqrt(2)) / 2])

_EDGES = ((-1, 0), (0, -1), (0, 1), (1, 0))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def perimeters(crop: Crop, runs: ObjectRuns) -> np.ndarray:
    """Return the perimeter of each object in pixels, as measured by `skimage.measure.regionprops`.

    This is the estimator of Benkrid and Crookes (Design and FPGA implementation of a perimeter estimator, Queen's
    University of Belfast, 2000). The border of an object consists of the pixels that share an edge with anything else,
    including holes. Each border pixel adds 1, √2 or (1 + √2) / 2, depending on how the border continues around it. An
    object too small for a closed border, such as a single pixel, has a perimeter of 0.

    Args:
        crop: a crop that contains whole objects.
        runs: the runs of the objects in the crop.

    Returns:
        One float64 per object.

    >>> from cellseg_monai.labels.crops import crops_of_whole_objects
    >>> (crop,) = crops_of_whole_objects(np.array([[1, 1, 0], [1, 1, 2]]))
    >>> perimeters(crop, ObjectRuns.of(crop))
    array([4., 0.])
    """
    count, width = len(crop.ids), crop.shape[1] + 2
    flat = np.pad(crop.numbers, 1).ravel()
    starts = (runs.rows + 1) * width + runs.columns + 1
    pixels = run_pixels(starts.astype(np.int32 if flat.size < 2**31 else np.int64), runs.lengths)
    number: np.ndarray = np.repeat(np.arange(1, count + 1, dtype=np.int32), runs.areas)
    inside = (flat[pixels - width] == number) & (flat[pixels + width] == number)
    ends = np.cumsum(runs.lengths)  # the first and last pixels of a run are border pixels
    inside[ends - runs.lengths] = inside[ends - 1] = False
    pixels, number = pixels[~inside], number[~inside]
    border = np.zeros_like(flat)
    border[pixels] = number
    code: np.ndarray = np.ones(len(number), np.int8)
    for weight, neighbours in ((2, _EDGES), (10, _CORNERS)):
        for down, right in neighbours:
            code += np.int8(weight) * (border[pixels + (down * width + right)] == number)
    # Count whole numbers, so that the sum does not depend on the order of the pixels.
    steps = np.stack([np.bincount(number, step, minlength=count + 1)[1:] for step in _STEPS[code].T])
    return _LENGTHS @ steps
