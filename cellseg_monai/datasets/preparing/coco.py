"""Layout of LIVECell: images, and COCO files with object outlines."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.datasets.preparing.coco_file import (
    CocoFile,
    CocoImage,
    index_coco,
    looks_like_coco,
    read_annotations,
)
from cellseg_monai.datasets.preparing.coco_masks import annotation_mask
from cellseg_monai.datasets.preparing.label_pixels import check_size
from cellseg_monai.datasets.preparing.merging import OVERLAP_RULE, merge_masks
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import HELD_OUT_FIRST, files_below, section_named
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem, readable_suffixes

__all__ = ["COCO"]

# Cell type, "Phase", well, position in the well, time, crop.
_LIVECELL_NAME = re.compile(r"(?P<well>(?P<cell_type>[A-Za-z0-9]+)_Phase_[A-H]\d+)_\d+_\d+d\d+h\d+m_\d+")


def _recognises(raw: Path) -> bool:
    return any(looks_like_coco(path) for path in files_below(raw, (".json",)))


def _find(raw: Path) -> RawContent:
    paths = files_below(raw, (".json",))
    indices = [index_coco(path) for path in paths if looks_like_coco(path)]
    # An image listed in several files is taken from the first file in this order; the other files define subsets.
    indices.sort(
        key=lambda index: ((*HELD_OUT_FIRST, None).index(_section(index)), -len(index.images), str(index.path))
    )
    content, files = RawContent([]), _ImageFiles(raw)
    for path in sorted(set(paths) - {index.path for index in indices}):
        message = (
            "ignored, because the file does not begin with `images`, `annotations` or another COCO key; fix the file "
            "if it contains annotations"
        )
        content.faults.append(Fault(place_of(path, raw), "no-coco", message, "warning"))
    owned: dict[Path, str] = {}
    for index in indices:
        place = place_of(index.path, raw)
        listed = []
        if index.orphans:
            message = f"{index.orphans} annotations refer to images that the file does not list; export the file again"
            content.faults.append(Fault(place, "missing-file", message))
        for name, entries in _by_name(index.images).items():
            image = files.find(name)
            if isinstance(image, str):
                content.faults.append(Fault(place, "missing-file", image))
                continue
            if image not in owned:
                owned[image] = files.stem(image)
                content.works.append(_work(owned[image], image, index, entries))
            listed.append(owned[image])
        content.lists[index.path.stem if index.path.stem not in content.lists else place] = listed
    for image in files.all - owned.keys():
        message = "no COCO file lists this image; annotate the image, or remove it"
        content.faults.append(Fault(place_of(image, raw), "missing-partner", message))
    return content


def _section(index: CocoFile) -> str | None:
    return section_named(index.path.stem)


def _by_name(images: Iterable[CocoImage]) -> dict[str, list[CocoImage]]:
    """Return the entries for each file name. LIVECell lists some images twice, with annotations under two ids."""
    entries: dict[str, list[CocoImage]] = {}
    for image in images:
        entries.setdefault(image.file_name, []).append(image)
    return entries


def _work(stem: str, image: Path, index: CocoFile, entries: list[CocoImage]) -> Work:
    best = max(entries, key=lambda entry: len(entry.places))  # the first, if several are equal
    match = _LIVECELL_NAME.fullmatch(image_stem(image))
    return Work(
        stem,
        image,
        (index.path, best),
        (index.path,),
        group=match["well"] if match else "",
        section=_section(index),
        tags={"cell_type": match["cell_type"]} if match else {},
        notes={"second_annotations_left_out": len(entries) - 1} if len(entries) > 1 else {},
    )


class _ImageFiles:
    """The image files in a raw folder, which can be looked up by their names in COCO files."""

    def __init__(self, raw: Path) -> None:
        self._raw = raw
        self.all = set(files_below(raw, readable_suffixes()))
        self._by_name: dict[str, list[Path]] = {}
        for path in self.all:
            self._by_name.setdefault(path.name, []).append(path)
        self._stems = Counter(image_stem(path).casefold() for path in self.all)

    def find(self, name: str) -> Path | str:
        """Return the file with a given name, or a message if there is not exactly one."""
        parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", "."))
        paths = self._by_name.get(parts[-1], []) if parts else []
        if len(paths) > 1:  # the name may include folders that tell the files apart
            paths = [path for path in paths if path.parts[-len(parts) :] == parts]
        if len(paths) == 1:
            return paths[0]
        remedy = "keep only one" if paths else "add the file, or remove the image from the list"
        return f"got {len(paths) or 'no'} files for the listed image {name!r}, expected one; {remedy}"

    def stem(self, image: Path) -> str:
        """Return the stem of an image, with its folders and suffix added if other images have the same stem."""
        stem = image_stem(image)
        if self._stems[stem.casefold()] == 1:
            return stem
        return "_".join((*image.relative_to(self._raw).parts[:-1], stem, image.suffix[1:]))


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    path, listed = work.label
    if listed.size is not None:
        check_size(path, f"the size stated for {listed.file_name}", listed.size, shape)
    masks, crowds = [], 0
    for annotation in _annotations(path, listed.places):
        if annotation.get("iscrowd"):
            crowds += 1
            continue
        try:
            masks.append(annotation_mask(annotation.get("segmentation"), shape))
        except (ValueError, TypeError, OverflowError) as error:
            raise UnreadableImageError(
                path,
                f"annotation {annotation.get('id')} for {work.image.name}: {error}",
                "fetch or export the file again, or remove this image from the file",
            ) from error
    labels, notes = merge_masks(shape, masks)
    return labels, notes | ({"crowd_annotations_left_out": crowds} if crowds else {})


def _annotations(path: Path, places: array) -> list[dict[str, Any]]:
    try:
        return read_annotations(path, places)
    except ValueError as error:
        raise DatasetError(f"{path}: the file changed while it was read ({error}); run the command again") from error


COCO = Preparer(
    name="coco",
    summary="images in any folders, and COCO JSON files with polygons or run lengths (LIVECell)",
    rule=f"{OVERLAP_RULE} Crowd annotations are left out, because they are not single objects. If a file lists an "
    "image under two ids, the id with more annotations is used. An image listed for several sections is held out.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
