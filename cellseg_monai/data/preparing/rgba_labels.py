"""Layout of BBBC039: RGBA masks whose first channel tells touching nuclei apart, with published lists of the split."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.faults import Fault, place_of
from cellseg_monai.data.preparing.label_pixels import mask_channels
from cellseg_monai.data.preparing.masks_folder import FOLDERS
from cellseg_monai.data.preparing.pairs import pair_parts, parts_of
from cellseg_monai.data.preparing.preparer import Found, Notes, Preparer, Work
from cellseg_monai.data.preparing.raw_folder import section_named, subfolder, top_folder
from cellseg_monai.io import image_stem

__all__ = ["RGBA_LABELS"]


def _lists(raw: Path) -> dict[str, Path]:
    """Section to the list of its files."""
    metadata = subfolder(top_folder(raw), "metadata")
    paths = sorted(metadata.glob("[!.]*.txt")) if metadata else []
    found = {section_named(path.stem): path for path in paths}
    return {section: path for section, path in found.items() if section is not None}


def _find(raw: Path) -> Found:
    found = pair_parts(raw, parts_of(raw, *FOLDERS), group_of=_well)
    section_of: dict[str, str] = {}
    stems = {work.stem for work in found.works}
    for section, path in _lists(raw).items():
        for name in path.read_text(encoding="utf-8-sig").splitlines():
            stem = image_stem(name.strip())
            if not stem:
                continue
            section_of[stem] = section
            if stem not in stems:
                message = f"lists {name!r}, of which image and mask were not both found; add them, or drop the line"
                found.faults.append(Fault(place_of(path, raw), "missing-file", message))
    works = [replace(work, section=section_of.get(work.stem)) for work in found.works]
    return replace(found, works=works)


def _well(stem: str) -> str:
    match = re.match(r".+?_[A-P]\d\d(?=_)", stem)
    return match[0] if match else ""


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    from skimage.measure import label as pieces_of  # slow to import, and only workers need it

    return pieces_of(mask_channels(work.label, shape)[0], background=0, connectivity=2), {}


RGBA_LABELS = Preparer(
    name="rgba_labels",
    summary="images/*.tif, masks/*.png in RGBA, and metadata/{training,validation,test}.txt (BBBC039)",
    rule="Objects are the 8-connected pieces of one value in the first channel, where touching nuclei differ.",
    recognises=lambda raw: bool(_lists(raw)),
    find=_find,
    labels=_labels,
)
