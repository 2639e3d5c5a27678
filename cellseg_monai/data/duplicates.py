"""Images that are in a data set twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cellseg_monai.faults import Fault, place_of

__all__ = ["Copies", "digest"]

_BLOCK = 2**20  # values


@dataclass
class Copies:
    """The images met so far, by a hash of their pixels.

    Args:
        dataset: the folder that faults name files from.
        listed: whether a list says which section an image belongs to.
    """

    dataset: Path
    listed: bool
    _seen: dict[bytes, list[tuple[Path, str | None]]] = field(default_factory=dict)

    def add(self, path: Path, section: str | None, pixels: np.ndarray) -> list[Fault]:
        """Take note of an image; a fault if its pixels have been met before."""
        if not pixels.size or pixels.min() == pixels.max():
            return []  # two blank fields are no copies of one another
        met = self._seen.setdefault(digest(pixels), [])
        met.append((path, section))
        if len(met) == 1:
            return []
        place, first = place_of(path, self.dataset), place_of(met[0][0], self.dataset)
        if not self.listed:
            message = f"same pixels as {first}, and no list keeps the two in one section; take one away"
            return [Fault(place, "duplicate", message)]
        for other, home in met:
            if section and home and home != section:
                twin = place_of(other, self.dataset)
                message = f"same pixels as {twin}, which is for {home}, this one for {section}; take one away"
                return [Fault(place, "duplicate", message)]
        return [Fault(place, "duplicate", f"same pixels as {first}; take one away", "warning")]


def digest(pixels: np.ndarray) -> bytes:
    """A hash of shape and values, whatever the type: an 8-bit PNG equals a 16-bit or float TIFF of the same values.

    Goes block by block, so that a large image is never copied as a whole.

    >>> digest(np.array([[1, 2]], np.uint8)) == digest(np.array([[1, 2]], np.float32))
    True
    >>> digest(np.array([[1, 2]])) == digest(np.array([[1], [2]]))
    False
    """
    hashed = hashlib.blake2b(str(tuple(map(int, pixels.shape))).encode(), digest_size=16)
    values = pixels.reshape(-1)
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        # Of a whole number below 2**63 every type has the same int64; of any other, floats have the same float64.
        whole = block.dtype.kind in "biu" or bool(
            ((np.rint(block) == block) & (np.abs(block) < np.float64(2**63))).all()
        )
        hashed.update(np.ascontiguousarray(block, dtype="<i8" if whole else "<f8").data)
    return hashed.digest()
