"""Layout of the NeurIPS 2022 CellSeg challenge: one integer label image per image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import label_ids
from cellseg_monai.datasets.preparing.pairs import pair_parts, parts_of
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.labels import relabel_sequential

__all__ = ["CELLSEG_TIFF"]

_FOLDERS = ("images", "image"), ("labels", "label")


def _recognises(raw: Path) -> bool:
    return any(part.labels is not None for part in parts_of(raw, *_FOLDERS))


def _find(raw: Path) -> RawContent:
    return pair_parts(raw, parts_of(raw, *_FOLDERS))


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    return relabel_sequential(label_ids(work.label, shape)), {}


CELLSEG_TIFF = Preparer(
    name="cellseg_tiff",
    summary="images/ (tif, tiff, png, jpg, bmp, ...) and labels/<stem>_label.tiff or labels/<stem>.tif with one id "
    "per object; or folders such as Training/ and Tuning/ that contain both (NeurIPS CellSeg)",
    rule="Ids are renumbered from 1 to n.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
