"""The label image as TIFF, whatever its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.io.label_files import write_labels
from cellseg_monai.io.label_tiles import write_label_tiles
from cellseg_monai.io.segmentation import Segmentation

__all__ = ["write"]

_WHOLE_PX = 2**24  # up to here a file of strips, which every program opens


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels as `write_labels` does; those of a large image in tiles, never all in memory.

    Args:
        path: ends in .tif or .tiff.
        segmentation: whose labels.
    """
    labels, size_um = segmentation.labels, segmentation.pixel_size_um
    height, width = segmentation.shape
    if height * width <= _WHOLE_PX:
        write_labels(path, np.asarray(labels[:, :]), pixel_size_um=size_um)
    else:
        highest = int(segmentation.table["id"].max(initial=0))
        write_label_tiles(path, labels, highest_id=highest, pixel_size_um=size_um)
