"""Functions shared by layouts that store images and drawn masks in separate folders, `images/` and `masks/`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import without_alpha
from cellseg_monai.datasets.preparing.pairs import Part, parts_of
from cellseg_monai.datasets.preparing.raw_folder import images_in, section_named, subfolders, top_folder
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read

__all__ = ["FOLDERS", "first_masks", "is_two_valued", "mask_parts"]

FOLDERS = ("images", "image", "raw"), ("masks", "mask", "gt")

_MOST_INSPECTED = 3


def mask_parts(raw: Path) -> list[Part]:
    """Return the parts of a raw folder, including pairs of folders whose names differ only in "image" and "mask".

    The HeLa set names its folders like this: `spilit_x_image_train` and `spilit_y_mask_train`. A folder with the name
    of the only image in it is not a part, because each of its masks shows a single object in that image.
    """
    parts = parts_of(raw, *FOLDERS)
    if parts:
        return [part for part in parts if [path.stem for path in images_in(part.images)] != [part.images.parent.name]]
    pairs: dict[str, dict[str, Path]] = {}
    for folder in subfolders(top_folder(raw)):
        match = re.fullmatch(r"(.*?)(?:[xy]_)?(image|mask)s?(.*)", folder.name, re.IGNORECASE)
        if match:
            pairs.setdefault((match[1] + match[3]).strip("_-. "), {})[match[2].lower()] = folder
    return [
        Part(section_named(name) or name, top_folder(pair["image"]), top_folder(pair["mask"]), section_named(name))
        for name, pair in sorted(pairs.items())
        if len(pair) == 2
    ]


def first_masks(parts: list[Part]) -> list[np.ndarray]:
    """Return the channels of up to three masks, each (..., C, Y, X) without alpha; unreadable masks are skipped."""
    masks: list[np.ndarray] = []
    for path in [path for part in parts if part.labels for path in images_in(part.labels)[:_MOST_INSPECTED]]:
        try:
            masks.append(without_alpha(read(path)))
        except (UnreadableImageError, OSError):
            continue
    return masks[:_MOST_INSPECTED]


def is_two_valued(channels: np.ndarray) -> bool:
    """Return True if a mask is black and white: at most two values, identical in all channels.

    >>> is_two_valued(np.array([[[0, 255]], [[0, 255]]])), is_two_valued(np.array([[[0, 255]], [[0, 9]]]))
    (True, False)
    """
    return bool((channels == channels[:1]).all()) and len(np.unique(channels[0])) <= 2
