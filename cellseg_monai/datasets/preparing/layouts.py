"""The layouts that are known, and which of them a raw folder has."""

from __future__ import annotations

import difflib
from pathlib import Path

from cellseg_monai.datasets.preparing.binary_masks import BINARY_MASKS
from cellseg_monai.datasets.preparing.cellseg_tiff import CELLSEG_TIFF
from cellseg_monai.datasets.preparing.coco import COCO
from cellseg_monai.datasets.preparing.colour_labels import COLOUR_LABELS
from cellseg_monai.datasets.preparing.ctc import CTC
from cellseg_monai.datasets.preparing.images_only import IMAGES_ONLY
from cellseg_monai.datasets.preparing.mask_per_object import MASK_PER_OBJECT
from cellseg_monai.datasets.preparing.preparer import Preparer
from cellseg_monai.datasets.preparing.rgba_labels import RGBA_LABELS
from cellseg_monai.errors import DatasetError

__all__ = ["PREPARERS", "find_preparer"]

PREPARERS: dict[str, Preparer] = {
    preparer.name: preparer
    for preparer in (
        CELLSEG_TIFF,
        COCO,
        MASK_PER_OBJECT,
        RGBA_LABELS,
        BINARY_MASKS,
        CTC,
        COLOUR_LABELS,
        IMAGES_ONLY,
    )
}
"""Layouts by name. A new one is a file and an entry here."""


def find_preparer(raw: Path, layout: str | None = None) -> Preparer:
    """The preparer of a layout, or of the one that a raw folder unmistakably has.

    Args:
        raw: the folder.
        layout: its name; None to look.

    Raises:
        DatasetError: no layout, or several, could be meant; the message lists them all.
        ValueError: there is no such layout.
    """
    if layout is not None:
        if layout in PREPARERS:
            return PREPARERS[layout]
        nearest = difflib.get_close_matches(layout, PREPARERS, n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(PREPARERS)}"
        raise ValueError(f"layout {layout!r} came, which is not known; {remedy}")
    matching = [preparer for preparer in PREPARERS.values() if preparer.recognises(raw)]
    if len(matching) == 1:
        return matching[0]
    names = " or ".join(each.name for each in matching)
    could = f"it could be {names}" if matching else "it looks like none of the layouts that are known"
    known = "\n".join(f"  {each.name}: {each.summary}" for each in PREPARERS.values())
    raise DatasetError(f"{raw}: {could}; say which layout it has with --layout\n{known}")
