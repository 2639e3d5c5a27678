"""Heads for the foreground and the boundary between objects that touch.

Networks that learn these boundaries are described in Caicedo et al., "Nucleus segmentation across imaging experiments:
the 2018 Data Science Bowl", 2019 (doi:10.1038/s41592-019-0612-7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from cellseg_monai.heads.head import NO_TAGS, Head
from cellseg_monai.labels import boundary_classes, foreground_and_boundary

__all__ = ["BoundaryClassesHead", "BoundaryMasksHead"]

_BLOCK_PX = 2**15  # chosen to fit in the processor's cache


@dataclass(frozen=True)
class _BoundaryHead(Head):
    """Base of the boundary heads.

    Args:
        width: width of the boundary in pixels; see `labels.touching_boundaries`.
    """

    width: int = 2

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 0 < self.width < 2**16:
            raise ValueError(f"got width={self.width!r}, expected a whole number of pixels, at least 1; try 2")

    @property
    def maps(self) -> tuple[str, ...]:
        """The map names: the probability of the foreground including boundaries, and of a touching boundary."""
        return ("foreground", "boundary")


@dataclass(frozen=True)
class BoundaryClassesHead(_BoundaryHead, key="boundary_classes"):
    """A head with three mutually exclusive classes (softmax): background, interior and touching boundary.

    Args:
        width: width of the boundary in pixels; see `labels.touching_boundaries`.

    >>> maps = BoundaryClassesHead().activate(np.zeros((3, 1, 1)))
    >>> maps["foreground"].round(3), maps["boundary"].round(3)
    (array([[0.667]], dtype=float32), array([[0.333]], dtype=float32))
    """

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the three classes."""
        return ("background", "interior", "boundary")

    @property
    def exclusive(self) -> bool:
        """True, because each pixel is either background, interior or boundary."""
        return True

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 1×Y×X float32: 0 for background, 1 for the interior of objects, 2 for touching boundaries."""
        return boundary_classes(labels, self.width).astype(np.float32)[np.newaxis]

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probabilities of the foreground, including boundaries, and of a touching boundary."""
        logits = self._check(logits)
        # Compute the softmax block by block, and only the two sums that are needed.
        probabilities: np.ndarray = np.empty((2, *logits.shape[1:]), np.float32)
        rows = max(1, _BLOCK_PX // max(1, logits.shape[2]))
        for top in range(0, logits.shape[1], rows):
            block, (foreground, boundary) = logits[:, top : top + rows], probabilities[:, top : top + rows]
            total = np.maximum(np.maximum(block[0], block[1]), block[2])
            exponentials = block - total
            np.exp(exponentials, out=exponentials)
            np.add(exponentials[1], exponentials[2], out=foreground)
            np.add(exponentials[0], foreground, out=total)
            np.divide(foreground, total, out=foreground)
            np.divide(exponentials[2], total, out=boundary)
        return {"foreground": probabilities[0], "boundary": probabilities[1]}


@dataclass(frozen=True)
class BoundaryMasksHead(_BoundaryHead, key="boundary_masks"):
    """A head with two overlapping masks, each with a sigmoid: whole objects and touching boundaries.

    Args:
        width: width of the boundary in pixels; see `labels.touching_boundaries`.

    >>> maps = BoundaryMasksHead().activate(np.zeros((2, 1, 1)))
    >>> {name: values.tolist() for name, values in maps.items()}
    {'foreground': [[0.5]], 'boundary': [[0.5]]}
    """

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the two masks."""
        return ("foreground", "boundary")

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 2×Y×X float32: the masks of whole objects and of touching boundaries."""
        return foreground_and_boundary(labels, self.width)

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probabilities of the foreground, including boundaries, and of a touching boundary."""
        foreground, boundary = expit(self._check(logits))
        return {"foreground": foreground, "boundary": boundary}
