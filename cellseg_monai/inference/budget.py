"""A limit on how many planes are in progress at the same time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass
class Budget:
    """A limit on the number of planes in progress, and on the pixels they hold between them.

    A plane larger than `most_px` is admitted once nothing else is in progress; otherwise it would wait for ever.

    Args:
        most_planes: maximum number of planes, at least 1.
        most_px: maximum total number of pixels in these planes.

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
        """Return True if work on a plane with `size_px` pixels can start now."""
        return not self._planes or (self._planes < self.most_planes and self._px + size_px <= self.most_px)

    def enter(self, size_px: int) -> None:
        """Record that work on a plane with `size_px` pixels has started."""
        self._planes += 1
        self._px += size_px

    def leave(self, size_px: int) -> None:
        """Record that work on a plane has ended; pass the same `size_px` as to `enter`."""
        self._planes -= 1
        self._px -= size_px
