"""Read images and labels into NumPy arrays, and write label images, without needing torch.

>>> import tempfile, pathlib, numpy as np
>>> path = pathlib.Path(tempfile.mkdtemp()) / "cells.tif"
>>> write_labels(path, np.array([[0, 1], [2, 2]]), pixel_size_um=(0.5, 0.5))
>>> image = read(path)
>>> image.axes, image.pixels.shape, image.pixel_size_um
('CYX', (1, 2, 2), (0.5, 0.5))
>>> read_labels(path)
array([[0, 1],
       [2, 2]], dtype=int32)
"""

from cellseg_monai.formats.notes import Note
from cellseg_monai.formats.registry import FORMATS, Format, image_stem, readable_suffixes
from cellseg_monai.io.array_image import image_of_array
from cellseg_monai.io.image import Image
from cellseg_monai.io.label_files import read_labels
from cellseg_monai.io.label_spool import LabelSpool
from cellseg_monai.io.label_tiff import write_labels
from cellseg_monai.io.lazy_image import LazyImage, LazyPlane
from cellseg_monai.io.reading import image_files, open_image, read
from cellseg_monai.io.zarr_labels import ZarrLabels, holds_labels, writing_zarr_labels

__all__ = [
    "FORMATS",
    "Format",
    "Image",
    "LabelSpool",
    "LazyImage",
    "LazyPlane",
    "Note",
    "ZarrLabels",
    "holds_labels",
    "image_files",
    "image_of_array",
    "image_stem",
    "open_image",
    "read",
    "read_labels",
    "readable_suffixes",
    "write_labels",
    "writing_zarr_labels",
]
