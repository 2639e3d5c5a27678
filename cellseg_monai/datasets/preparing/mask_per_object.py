"""Layout of BBBC038 (Data Science Bowl 2018): one folder per image, with one mask file per object."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import mask_channels
from cellseg_monai.datasets.preparing.merging import OVERLAP_RULE, Mask, cropped, merge_masks
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import images_in, section_named, subfolder, subfolders, top_folder
from cellseg_monai.faults import Fault, place_of

__all__ = ["MASK_PER_OBJECT"]


def _parts(raw: Path) -> list[tuple[str, list[Path]]]:
    """Return parts such as stage1_train with their image folders; an undivided set is one part with an empty name."""
    top = top_folder(raw)
    if subfolder(top, "images") is not None:  # the data set is a single image
        return [("", [top])]
    folders = _image_folders(top)
    if folders:
        return [("", folders)]
    parts = [(part.name, _image_folders(part)) for part in subfolders(top)]
    return [(name, folders) for name, folders in parts if folders]


def _image_folders(part: Path) -> list[Path]:
    return [folder for folder in subfolders(part) if subfolder(folder, "images")]


def _recognises(raw: Path) -> bool:
    for _, folders in _parts(raw):
        for folder in folders:
            images, masks = subfolder(folder, "images"), subfolder(folder, "masks")
            if images and masks and [path.stem for path in images_in(images)] == [folder.name]:
                return True
    return False


def _find(raw: Path) -> RawContent:
    content = RawContent([])
    for part, folders in _parts(raw):
        labelled = any(subfolder(folder, "masks") for folder in folders)
        for folder in folders:
            outcome = _work(folder, section_named(part), labelled, raw)
            if isinstance(outcome, Work):
                content.works.append(outcome)
            else:
                content.faults.append(outcome)
    return content


def _work(folder: Path, section: str | None, labelled: bool, raw: Path) -> Work | Fault:
    images = images_in(subfolder(folder, "images") or folder)
    masks = subfolder(folder, "masks")
    if len(images) != 1:
        message = f"got {len(images)} images in images/, expected one; keep only the image that the masks belong to"
        return Fault(place_of(folder, raw), "repeated-stem" if images else "missing-partner", message)
    if masks is not None:
        files = tuple(images_in(masks))
        return Work(folder.name, images[0], files, files, section=section)
    if labelled:
        message = "no masks/ next to images/; add this folder (empty if there are no objects), or remove the image"
        return Fault(place_of(images[0], raw), "missing-partner", message)
    return Work(folder.name, images[0], section=section, folder="unlabelled")


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    return merge_masks(shape, [_mask(path, shape) for path in work.label])


def _mask(path: Path, shape: tuple[int, int]) -> Mask:
    return cropped(np.logical_or.reduce(mask_channels(path, shape)))


MASK_PER_OBJECT = Preparer(
    name="mask_per_object",
    summary="<id>/images/<id>.png and <id>/masks/*.png, one file per object (BBBC038, Data Science Bowl 2018)",
    rule=OVERLAP_RULE,
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
