"""The label image as OME-TIFF, whatever its size."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.exports import label_tiff
from cellseg_monai.exports.segmentation import Segmentation

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels with axes and pixel size in OME's metadata.

    Args:
        path: ends in .ome.tif or .ome.tiff.
        segmentation: whose labels.
    """
    label_tiff.write(path, segmentation, ome_name=segmentation.image_name)
