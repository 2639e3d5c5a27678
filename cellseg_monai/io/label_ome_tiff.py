"""The label image as OME-TIFF, whatever its size."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.io.label_tiles import write_label_tiles
from cellseg_monai.io.segmentation import Segmentation

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels in tiles, with the pixel size in OME's metadata.

    Args:
        path: ends in .ome.tif or .ome.tiff.
        segmentation: whose labels.
    """
    write_label_tiles(
        path,
        segmentation.labels,
        highest_id=int(segmentation.table["id"].max(initial=0)),
        pixel_size_um=segmentation.pixel_size_um,
        ome_name=segmentation.image_name,
    )
