"""The method that keeps each connected component of the foreground as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellseg_monai.decoding.methods.method import Method

__all__ = ["Components"]


@dataclass(frozen=True)
class Components(Method, key="components"):
    """A method that keeps each connected component as one object, so touching objects are not divided.

    >>> Components().divide(np.array([[1, 1, 0, 1]], bool), {})
    array([[1, 1, 0, 2]], dtype=int32)
    """

    keeps_components = True

    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Number the connected components of the foreground."""
        return np.asarray(ndimage.label(mask)[0])
