"""Label images for the tests of all packages: drawn by hypothesis, by hand, and with very many objects."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

# Objects with holes, within a hole, in several components, that touch each other, or that touch only at a corner.
SHAPES = np.array(
    [
        [3, 3, 3, 3, 3, 0, 0, 7, 7, 7],
        [3, 0, 0, 0, 3, 0, 0, 7, 0, 7],
        [3, 0, 9, 0, 3, 0, 0, 7, 7, 0],
        [3, 0, 0, 0, 3, 0, 0, 0, 0, 0],
        [3, 3, 3, 3, 3, 5, 5, 5, 5, 5],
        [0, 0, 0, 0, 0, 5, 0, 5, 5, 5],
        [8, 0, 8, 0, 0, 5, 5, 0, 5, 5],
        [0, 8, 0, 0, 0, 5, 5, 5, 5, 5],
        [6, 6, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
)

IDS = st.sampled_from([1, 2, 3, 65_535, 65_536, 70_001, 2**31 + 5, 2**32 - 1])


@st.composite
def label_images(draw: Callable, most_side: int = 9) -> np.ndarray:
    """Draw a label image of coarse or fine noise, with gaps between ids, so that objects of all kinds occur."""
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=most_side))
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    numbers = draw(arrays.arrays(np.intp, shape, elements=st.integers(0, len(ids))))
    scale = draw(st.integers(1, 3))
    coarse = np.repeat(np.repeat(numbers, scale, axis=0), scale, axis=1)
    dtype = draw(st.sampled_from([np.uint32, np.int64, np.uint64]))
    return np.array([0, *ids], dtype)[coarse]


def many_discs(count: int = 70_000, pitch: int = 13) -> np.ndarray:
    """Return a label image of discs of about 100 pixels, numbered row by row from 1."""
    rows, columns = np.ogrid[:pitch, :pitch]
    disc = (rows - pitch // 2) ** 2 + (columns - pitch // 2) ** 2 <= (pitch // 2 - 0.25) ** 2
    side = int(np.ceil(np.sqrt(count)))
    ids = np.arange(1, side * side + 1, dtype=np.uint32).reshape(side, side)
    ids[ids > count] = 0
    return np.kron(ids, disc).astype(np.uint32)


class Stored:
    """An array that can only be sliced, like one on disk; it records the number of pixels of the largest slice."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.shape, self.dtype, self.chunks, self.largest = array, array.shape, array.dtype, chunks, 0

    def __getitem__(self, window: object) -> np.ndarray:
        part = self.array[window]
        self.largest = max(self.largest, part.size)
        return part.copy()
