"""Detect images that occur more than once in a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cellseg_monai.faults import Fault, place_of

__all__ = ["Copies", "digest"]

_BLOCK = 2**20  # pixel values hashed at a time


@dataclass
class Copies:
    """The images seen so far, keyed by a hash of their pixels.

    Args:
        dataset: the data set folder; faults name files relative to this folder.
        listed: True if a list assigns the images to sections.
    """

    dataset: Path
    listed: bool
    _seen: dict[bytes, list[tuple[Path, str | None]]] = field(default_factory=dict)

    def add(self, path: Path, section: str | None, pixels: np.ndarray) -> list[Fault]:
        """Remember an image, and return a fault if an earlier image has the same pixels.

        Args:
            path: the image file.
            section: the section that contains the image, or None.
            pixels: pixels of the image, of any shape and type.
        """
        if not pixels.size or pixels.min() == pixels.max():
            return []  # two blank fields of view are not copies of each other
        copies = self._seen.setdefault(digest(pixels), [])
        copies.append((path, section))
        if len(copies) == 1:
            return []
        place, first = place_of(path, self.dataset), place_of(copies[0][0], self.dataset)
        if not self.listed:
            message = f"same pixels as {first}, and no list keeps both images in one section; remove one of the two"
            return [Fault(place, "duplicate", message)]
        for copy, its_section in copies:
            if section and its_section and its_section != section:
                message = (
                    f"same pixels as {place_of(copy, self.dataset)}, which is for {its_section}, while this image is "
                    f"for {section}; remove one of the two"
                )
                return [Fault(place, "duplicate", message)]
        return [Fault(place, "duplicate", f"same pixels as {first}; remove one of the two", "warning")]


def digest(pixels: np.ndarray) -> bytes:
    """Return a hash of an image's shape and values, regardless of their type.

    An 8-bit PNG and a float TIFF with the same values therefore have the same hash. Pixels are hashed block by block,
    so that a large image is never copied as a whole.

    >>> digest(np.array([[1, 2]], np.uint8)) == digest(np.array([[1, 2]], np.float32))
    True
    >>> digest(np.array([[1, 2]])) == digest(np.array([[1], [2]]))
    False
    """
    hashed = hashlib.blake2b(str(tuple(map(int, pixels.shape))).encode(), digest_size=16)
    values = pixels.reshape(-1)
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        # Whole numbers below 2**63 become the same int64 from any type, and other numbers the same float64.
        whole = block.dtype.kind in "biu" or bool(
            ((np.rint(block) == block) & (np.abs(block) < np.float64(2**63))).all()
        )
        hashed.update(np.ascontiguousarray(block, dtype="<i8" if whole else "<f8").data)
    return hashed.digest()
