"""Pairing images with label files by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.datasets.preparing.preparer import RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import images_in, section_named, subfolder, subfolders, top_folder
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem

__all__ = ["Part", "pair_parts", "parts_of"]

_UNLABELLED = "unlabel"  # matches folders called unlabeled or unlabelled, which contain images directly
_LABEL_ENDING = re.compile(r"[_\-](?:label|mask)s?$", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A part of a data set: a folder with images and a folder with their labels.

    Args:
        name: name of the part; empty if the data set has only one part.
        images: the image folder.
        labels: the label folder; None if the images were published without labels.
        section: the section that the part's name indicates; None if it indicates none.
    """

    name: str
    images: Path
    labels: Path | None
    section: str | None


def parts_of(raw: Path, image_names: Sequence[str], label_names: Sequence[str]) -> list[Part]:
    """Return the parts of a raw folder.

    If the raw folder itself contains `images/`, it is the only part. Otherwise each subfolder with `images/`, such as
    `Training/`, is a part, and so is each folder of unlabelled images.

    Args:
        raw: the raw folder.
        image_names: possible names of the image folder, in lower case.
        label_names: possible names of the label folder, in lower case.
    """
    raw = top_folder(raw)
    images = subfolder(raw, *image_names)
    if images is not None:
        return [Part("", images, subfolder(raw, *label_names), None)]
    parts = []
    for folder in subfolders(raw):
        images = subfolder(folder, *image_names)
        if images is not None:
            parts.append(Part(folder.name, images, subfolder(folder, *label_names), section_named(folder.name)))
        elif _UNLABELLED in folder.name.lower() and images_in(folder):
            parts.append(Part(folder.name, folder, None, section_named(folder.name)))
    return parts


def pair_parts(raw: Path, parts: Sequence[Part], group_of: Callable[[str], str] = lambda _: "") -> RawContent:
    """Return the content of a raw folder, pairing images with labels that have the same stem.

    The stem of a label may also end in _label or _mask. If there are several parts, their names are prepended to the
    stems to make the stems unique. Images in a part without a label folder are unlabelled. Any other image or label
    without a partner is a fault. Files that share a stem are faults too, and all of them are left out.

    Args:
        raw: the raw folder; faults give their places relative to it.
        parts: the parts of the raw folder.
        group_of: function that takes the stem of an image and returns its group.
    """
    content = RawContent([])
    for part in parts:
        images, repeated = _by_stem(images_in(part.images), image_stem)
        labels, repeated_labels = _by_stem(images_in(part.labels) if part.labels else [], _label_stem)
        content.faults.extend(_repeated_fault(path, raw) for path in (*repeated, *repeated_labels))
        unclear = {image_stem(path) for path in repeated} | {_label_stem(path) for path in repeated_labels}
        for stem, image in images.items():
            name = f"{part.name}_{stem}" if part.name and len(parts) > 1 else stem
            if part.labels is None:
                content.works.append(Work(name, image, section=part.section, folder="unlabelled"))
            elif stem in labels:
                label = labels.pop(stem)
                content.works.append(Work(name, image, label, (label,), group=group_of(stem), section=part.section))
            elif stem not in unclear:
                message = f"no matching label in {part.labels.name}/; add the label, or remove the image"
                content.faults.append(Fault(place_of(image, raw), "missing-partner", message))
        for stem, label in labels.items():
            if stem not in unclear:
                message = f"no matching image in {part.images.name}/; add the image, or remove the label"
                content.faults.append(Fault(place_of(label, raw), "missing-partner", message))
    return content


def _label_stem(path: Path) -> str:
    return _LABEL_ENDING.sub("", image_stem(path))


def _by_stem(paths: Sequence[Path], stem_of: Callable[[Path], str]) -> tuple[dict[str, Path], list[Path]]:
    """Return the file with each unique stem, and the list of files whose stem is not unique."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(stem_of(path), []).append(path)
    single = {stem: group[0] for stem, group in groups.items() if len(group) == 1}
    return single, [path for group in groups.values() if len(group) > 1 for path in group]


def _repeated_fault(path: Path, raw: Path) -> Fault:
    message = "another file in this folder has the same stem, so pairing is ambiguous; keep only one of these files"
    return Fault(place_of(path, raw), "repeated-stem", message)
