"""Layout of BBBC039: RGBA masks whose first channel separates touching nuclei, and lists of the published split."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import mask_channels
from cellseg_monai.datasets.preparing.masks_folder import FOLDERS
from cellseg_monai.datasets.preparing.pairs import pair_parts, parts_of
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import HELD_OUT_FIRST, section_named, subfolder, top_folder
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem
from cellseg_monai.text_file import read_text

__all__ = ["RGBA_LABELS"]


def _lists(raw: Path) -> list[tuple[str, Path]]:
    """Return each section with the text files that list its images, held-out sections first."""
    metadata = subfolder(top_folder(raw), "metadata")
    paths = sorted(metadata.glob("[!.]*.txt")) if metadata else []
    return [(section, path) for section in HELD_OUT_FIRST for path in paths if section_named(path.stem) == section]


def _find(raw: Path) -> RawContent:
    content = pair_parts(raw, parts_of(raw, *FOLDERS), group_of=_well)
    section_of: dict[str, str] = {}
    stems = {work.stem for work in content.works}
    for section, path in _lists(raw):
        for name in read_text(path, encoding="utf-8-sig", errors="replace").splitlines():
            stem = image_stem(name.strip())
            if not stem:
                continue
            if section_of.setdefault(stem, section) != section:
                message = f"lists {name!r}, which another list assigns to {section_of[stem]}; remove one of the entries"
                content.faults.append(Fault(place_of(path, raw), "duplicate", message))
            if stem not in stems:
                message = f"lists {name!r}, which has no image or no mask; add the missing file, or remove the entry"
                content.faults.append(Fault(place_of(path, raw), "missing-file", message))
    works = [replace(work, section=section_of.get(work.stem)) for work in content.works]
    return replace(content, works=works)


def _well(stem: str) -> str:
    match = re.match(r".+?_[A-P]\d\d(?=_)", stem)
    return match[0] if match else ""


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    from skimage.measure import label as pieces_of  # slow to import, and only workers need it

    return pieces_of(mask_channels(work.label, shape)[0], background=0, connectivity=2), {}


RGBA_LABELS = Preparer(
    name="rgba_labels",
    summary="images/*.tif, RGBA masks/*.png, and metadata/{training,validation,test}.txt (BBBC039)",
    rule="Objects are 8-connected regions of equal value in the first channel. Touching nuclei have different values.",
    recognises=lambda raw: bool(_lists(raw)),
    find=_find,
    labels=_labels,
)
