"""Heads: what a network predicts for each pixel, its training target, and how to read its output. No torch needed.

To add a head, write a subclass of `Head` in a file here and import it below.
"""

from cellseg_monai.heads.boundary import BoundaryClassesHead, BoundaryMasksHead
from cellseg_monai.heads.classes import CellClassHead, ImageClassHead
from cellseg_monai.heads.foreground import ForegroundHead
from cellseg_monai.heads.head import NO_TAGS, Head, head_from_mapping
from cellseg_monai.heads.joined import JoinedHeads

__all__ = [
    "NO_TAGS",
    "BoundaryClassesHead",
    "BoundaryMasksHead",
    "CellClassHead",
    "ForegroundHead",
    "Head",
    "ImageClassHead",
    "JoinedHeads",
    "head_from_mapping",
]
