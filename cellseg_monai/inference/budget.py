"""The number of planes that can be in progress at the same time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass
class Budget:
    """A count of the planes in progress and their pixels, which says if one more can begin.

    A plane of more than `most_px` is admitted when it is the only one; otherwise it would never be.

    Args:
        most_planes: largest number of planes, at least 1.
        most_px: largest number of pixels of these planes together.

    >>> budget = Budget(most_planes=3, most_px=100)
    >>> budget.enter(60)
    >>> budget.admits(40), budget.admits(41)
    (True, False)
    >>> budget.leave(60)
    >>> budget.admits(1000)
    True
    """

    most_planes: int
    most_px: int
    _planes: int = 0
    _px: int = 0

    def admits(self, size_px: int) -> bool:
        """Return True if a plane of this many pixels can begin."""
        return not self._planes or (self._planes < self.most_planes and self._px + size_px <= self.most_px)

    def enter(self, size_px: int) -> None:
        """Count a plane that begins."""
        self._planes += 1
        self._px += size_px

    def leave(self, size_px: int) -> None:
        """Count a plane that ended; `size_px` is what it entered with."""
        self._planes -= 1
        self._px -= size_px
