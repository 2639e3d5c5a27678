"""Layout with masks in which each colour or grey level is one object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import mask_channels
from cellseg_monai.datasets.preparing.masks_folder import first_masks, is_two_valued, mask_parts
from cellseg_monai.datasets.preparing.pairs import pair_parts
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import files_below, images_in, section_named, subfolder, top_folder
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import readable_suffixes
from cellseg_monai.labels import relabel_sequential

__all__ = ["COLOUR_LABELS", "colour_ids"]

_IMAGE, _IDS = "raw", "instances_ids"  # Usiigaci has one folder per image, with these two files
_BITS = 8
_PACKED_BYTES = 7  # the most that fit into an int64 without touching its sign bit
_TINY_PX, _MANY_PIECES = 5, 10


def colour_ids(channels: np.ndarray) -> np.ndarray:
    """Return a label image with one id per colour, and 0 for black.

    Args:
        channels: CYX array, bool or unsigned integers. Colours are compared over all bits of all channels, so ids that
            were spread over several 8-bit channels stay distinct.

    Returns:
        YX int32 array with ids 1 to n, in ascending order of the colours.

    Raises:
        ValueError: a colour takes up more than seven bytes per pixel.

    >>> colour_ids(np.array([[[0, 9, 9]], [[0, 0, 1]]], np.uint8))
    array([[0, 1, 2]], dtype=int32)
    """
    width = channels.dtype.itemsize
    if width * len(channels) > _PACKED_BYTES:
        raise ValueError(
            f"got colours in {len(channels)} channels of {channels.dtype}, expected at most {_PACKED_BYTES} bytes per "
            "pixel; export the mask with 8 bits per channel"
        )
    packed: np.ndarray = np.zeros(channels.shape[1:], np.int64)
    for channel in channels:
        packed = packed << _BITS * width | channel
    return relabel_sequential(packed)


def _id_folders(raw: Path) -> list[Path]:
    """Return the folders that contain a file of instance ids, as in Usiigaci."""
    return sorted({path.parent for path in files_below(top_folder(raw), readable_suffixes()) if path.stem == _IDS})


def _recognises(raw: Path) -> bool:
    if _id_folders(raw):
        return True
    masks = first_masks(mask_parts(raw))
    coloured = any(len(mask) > 1 and not is_two_valued(mask) for mask in masks)
    return coloured and subfolder(top_folder(raw), "metadata") is None


def _find(raw: Path) -> RawContent:
    folders = _id_folders(raw)
    if not folders:
        return pair_parts(raw, mask_parts(raw))
    content = RawContent([])
    several = len({folder.parent for folder in folders}) > 1
    for folder in folders:
        stem = f"{folder.parent.name}_{folder.name}" if several else folder.name
        files = {name: [path for path in images_in(folder) if path.stem == name] for name in (_IMAGE, _IDS)}
        if all(len(paths) == 1 for paths in files.values()):
            image, ids = files[_IMAGE][0], files[_IDS][0]
            content.works.append(Work(stem, image, ids, (ids,), section=section_named(folder.parent.name)))
        else:
            message = f"expected one image called {_IMAGE} and one called {_IDS}; add or remove files accordingly"
            content.faults.append(Fault(place_of(folder, raw), "missing-partner", message))
    return content


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    from skimage.measure import label as pieces_of  # slow to import, and only workers need it

    ids = colour_ids(mask_channels(work.label, shape))
    sizes = np.bincount(pieces_of(ids, background=0, connectivity=2).ravel())[1:]
    tiny = int(np.count_nonzero(sizes < _TINY_PX))
    if tiny >= _MANY_PIECES and 2 * tiny > len(sizes):
        raise UnreadableImageError(
            work.label,
            f"{tiny} of {len(sizes)} single-colour regions have fewer than {_TINY_PX} pixels, probably because edges "
            "were smoothed",
            "export the mask without antialiasing, so that each object has one colour",
        )
    return ids, {} if (ids == 0).any() else {"masks_without_black_background": 1}


COLOUR_LABELS = Preparer(
    name="colour_labels",
    summary="images/ and masks/ with matching stems, where each colour or grey level in a mask is one object and black "
    "is background; or folders with raw.tif and instances_ids.png (Usiigaci)",
    rule="Each colour is one object, even if it forms several separate pieces.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
