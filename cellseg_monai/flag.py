"""A flag: something unusual about an image that was segmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Flag", "Severity"]

Severity = Literal["note", "warning", "serious"]
"""How much a flag means for the results.

A note says something about the image, such as that it is empty. With a warning, the objects are probably worse than on
images like the training images. With a serious flag, the objects are probably wrong, because the image is not of the
kind for which the bundle was made.
"""


@dataclass(frozen=True)
class Flag:
    """Something unusual about an image.

    Args:
        kind: one of `quality.FLAGS`.
        reason: the numbers that led to the flag.
        severity: what the flag means for the results.
        plane: the plane of a stack, such as "T0 Z3"; empty for an image with one plane.
    """

    kind: str
    reason: str
    severity: Severity = "warning"
    plane: str = ""
