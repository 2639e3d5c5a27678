"""Heads: what a network predicts of each pixel, how that is learnt, and how its answer is read. Needs no torch.

A new head is a file here with a subclass of `Head`, and a line below.
"""

from cellseg_monai.heads.boundary import BoundaryClassesHead, BoundaryMasksHead
from cellseg_monai.heads.foreground import ForegroundHead
from cellseg_monai.heads.head import Head, head_from_mapping
from cellseg_monai.heads.joined import JoinedHeads

__all__ = ["BoundaryClassesHead", "BoundaryMasksHead", "ForegroundHead", "Head", "JoinedHeads", "head_from_mapping"]
