"""Write label images as OME-Zarr, block by block."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from cellseg_monai.boxes import squares
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.io.zarr_labels import writing_zarr_labels

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the labels of an image or stack at full and lower resolutions; see `writing_zarr_labels`.

    Args:
        path: folder to write, ending in .zarr.
        segmentation: objects whose labels to write.
    """
    labels = segmentation.labels
    shape = tuple(map(int, labels.shape))
    dtype = np.uint32 if segmentation.highest_id <= np.iinfo(np.uint32).max else np.uint64
    with writing_zarr_labels(
        path,
        shape,
        axes=segmentation.axes,
        dtype=dtype,
        pixel_size_um=segmentation.pixel_size_um,
        z_step_um=segmentation.z_step_um,
        time_step_s=segmentation.time_step_s,
    ) as store:
        for plane in itertools.product(*map(range, shape[:-2])):
            for rows, columns in squares(shape, store.chunk_px):
                window = (*plane, rows, columns)
                store.write(np.asarray(labels[window]), plane=plane, y=rows.start, x=columns.start)
