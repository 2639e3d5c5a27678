"""The list of all layouts, and detection of the layout of a raw folder."""

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
from cellseg_monai.one_line import lines

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
"""Preparers, keyed by the names of their layouts. Add the preparer of a new layout here."""


def find_preparer(raw: Path, layout: str | None = None) -> Preparer:
    """Return the preparer for a layout, detecting the layout of the raw folder if necessary.

    Args:
        raw: the raw folder.
        layout: name of the layout; None to detect it.

    Raises:
        DatasetError: the folder fits no layout, or more than one; the message lists all layouts.
        ValueError: no layout has this name.
    """
    if layout is not None:
        if layout in PREPARERS:
            return PREPARERS[layout]
        nearest = difflib.get_close_matches(layout, PREPARERS, n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"choose one of {', '.join(PREPARERS)}"
        raise ValueError(f"unknown layout {layout!r}; {remedy}")
    matching = [preparer for preparer in PREPARERS.values() if preparer.recognises(raw)]
    if len(matching) == 1:
        return matching[0]
    names = " or ".join(preparer.name for preparer in matching)
    guess = f"the layout could be {names}" if matching else "the files fit no known layout"
    known = (f"  {preparer.name}: {preparer.summary}" for preparer in PREPARERS.values())
    raise DatasetError(lines(f"{raw}: {guess}; choose one of these with --layout", *known))
