"""Build the lower resolutions of a label image, in which each pixel is the most frequent of four labels."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cellseg_monai.io.zarr_chunks import ZarrChunks

__all__ = ["build_pyramid", "halve_labels", "pyramid_shapes"]


def halve_labels(labels: np.ndarray) -> np.ndarray:
    """Return a label image at half the resolution, with the most frequent label in each block of 2 × 2 pixels.

    Averaging would invent ids. Taking every second pixel would shift objects by half a pixel at each level and lose
    thin ones by chance. Among equally frequent labels, the first in reading order wins. If the number of rows or
    columns is odd, the last one counts twice.

    >>> halve_labels(np.array([[1, 1, 0, 4, 7],
    ...                        [1, 2, 4, 4, 8]]))
    array([[1, 4, 7]])
    """
    height, width = labels.shape
    even = np.pad(labels, ((0, height % 2), (0, width % 2)), mode="edge")
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    is_a = (a == b) | (a == c) | (a == d)
    is_b = (b == c) | (b == d)
    return np.where(is_a, a, np.where(is_b, b, np.where(c == d, c, a)))


def pyramid_shapes(shape: tuple[int, ...], chunk_px: int) -> list[tuple[int, ...]]:
    """Return the shape at each resolution, from the full one down to the first whose planes fit into one chunk.

    >>> pyramid_shapes((3, 2049, 100), 1024)
    [(3, 2049, 100), (3, 1025, 50), (3, 513, 25)]
    """
    shapes = [tuple(shape)]
    while max(shapes[-1][-2:]) > chunk_px:
        *leading, height, width = shapes[-1]
        shapes.append((*leading, -(-height // 2), -(-width // 2)))
    return shapes


def build_pyramid(levels: list[ZarrChunks], workers: int = 1) -> None:
    """Fill all resolutions except the first, computing each chunk from four chunks of the next higher resolution.

    Args:
        levels: the full resolution, which must be complete, followed by the resolutions to fill, from high to low.
        workers: number of threads.
    """
    with ThreadPoolExecutor(workers) as pool:
        for larger, smaller in itertools.pairwise(levels):
            height, width = larger.shape[-2:]

            def fill(
                place: tuple[tuple[int, ...], slice, slice],
                larger: ZarrChunks = larger,
                smaller: ZarrChunks = smaller,
                height: int = height,
                width: int = width,
            ) -> None:
                plane, y, x = place
                rows, columns = (slice(2 * s.start, min(2 * s.stop, n)) for s, n in ((y, height), (x, width)))
                smaller.write(halve_labels(larger.read(plane, rows, columns)), plane, y.start, x.start)

            for _ in pool.map(fill, smaller.places()):
                pass
