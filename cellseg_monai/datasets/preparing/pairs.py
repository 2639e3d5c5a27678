"""Pairs of images and label files by their names."""

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

_UNLABELLED = "unlabel"  # the images lie directly in a folder called unlabeled or unlabelled
_LABEL_ENDING = re.compile(r"[_\-](?:label|mask)s?$", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A folder of images with its folder of labels; a data set can have several parts.

    Args:
        name: name of the part; empty if it is the only one.
        images: the folder of images.
        labels: the folder of label files; None if these images are published without labels.
        section: the section that its name indicates; None if it indicates none.
    """

    name: str
    images: Path
    labels: Path | None
    section: str | None


def parts_of(raw: Path, image_names: Sequence[str], label_names: Sequence[str]) -> list[Part]:
    """Return the parts of a raw folder: `images/` and `labels/` in it, or in each of its folders, such as `Training/`.

    Args:
        raw: the raw folder.
        image_names: possible names of the folder of images, in lower case.
        label_names: possible names of the folder of labels, in lower case.
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
    """Return the content of a raw folder, with images paired with the labels of the same stem.

    The stem of a label can have the ending _label or _mask in addition. If there are several parts, their names are put
    before the stems to make these unique. Images of a part without a folder of labels are unlabelled. Any other image
    or label without a partner is a fault, and so are two files with the same stem, both of which are left out.

    Args:
        raw: the raw folder, to which the places of faults are relative.
        parts: the parts of the folder.
        group_of: function that returns the group of an image from its stem.
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
                message = f"no label for it in {part.labels.name}/; add it, or remove the image"
                content.faults.append(Fault(place_of(image, raw), "missing-partner", message))
        for stem, label in labels.items():
            if stem not in unclear:
                message = f"no image for it in {part.images.name}/; add it, or remove the label"
                content.faults.append(Fault(place_of(label, raw), "missing-partner", message))
    return content


def _label_stem(path: Path) -> str:
    return _LABEL_ENDING.sub("", image_stem(path))


def _by_stem(paths: Sequence[Path], stem_of: Callable[[Path], str]) -> tuple[dict[str, Path], list[Path]]:
    """The file of each unique stem, and the files that share their stem."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(stem_of(path), []).append(path)
    single = {stem: group[0] for stem, group in groups.items() if len(group) == 1}
    return single, [path for group in groups.values() if len(group) > 1 for path in group]


def _repeated_fault(path: Path, raw: Path) -> Fault:
    message = "another file here differs only in its suffix, so the stem is ambiguous; keep one of them"
    return Fault(place_of(path, raw), "repeated-stem", message)
