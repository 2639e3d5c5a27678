"""The label image as OME-TIFF, whatever its size."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.io.label_tiff import write_labels
from cellseg_monai.io.segmentation import Segmentation

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels with axes and pixel size in OME's metadata.

    Args:
        path: ends in .ome.tif or .ome.tiff.
        segmentation: whose labels.
    """
    write_labels(
        path,
        segmentation.labels,
        axes=segmentation.axes,
        highest_id=segmentation.highest_id,
        pixel_size_um=segmentation.pixel_size_um,
        ome_name=segmentation.image_name,
    )
