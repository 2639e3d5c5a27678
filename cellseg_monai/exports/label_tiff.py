"""Write label images as TIFF."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.io import write_labels

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation, *, ome_name: str | None = None) -> None:
    """Write the labels of an image or stack.

    Args:
        path: file to write, ending in .tif or .tiff.
        segmentation: objects whose labels to write.
        ome_name: image name in the OME metadata, or None for a plain TIFF.
    """
    write_labels(
        path,
        segmentation.labels,
        axes=segmentation.axes,
        pixel_size_um=segmentation.pixel_size_um,
        ome_name=ome_name,
        highest_id=segmentation.highest_id,
        z_step_um=segmentation.z_step_um,
        time_step_s=segmentation.time_step_s,
    )
