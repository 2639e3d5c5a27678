"""Write label images of any size as OME-TIFF."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.exports import label_tiff
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.one_line import one_line

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels, with their axes and pixel size as OME metadata.

    Args:
        path: file to write, ending in .ome.tif or .ome.tiff.
        segmentation: objects whose labels to write.
    """
    label_tiff.write(path, segmentation, ome_name=one_line(segmentation.image_name))
