"""Layout of the Cell Tracking Challenge: sequences of tracked frames, with segmentations for some frames."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import label_ids
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import images_in, subfolder, subfolders, top_folder
from cellseg_monai.faults import Fault, place_of

__all__ = ["CTC"]


def _sequences(raw: Path) -> list[tuple[str, Path, Path]]:
    """Return the number, the frame folder and the ground-truth folder of each sequence."""
    by_name = {folder.name: folder for folder in subfolders(top_folder(raw))}
    return [
        (name, folder, by_name[f"{name}_GT"])
        for name, folder in by_name.items()
        if re.fullmatch(r"\d+", name) and f"{name}_GT" in by_name
    ]


def _recognises(raw: Path) -> bool:
    return any(subfolder(truth, "seg", "tra") is not None for _, _, truth in _sequences(raw))


def _find(raw: Path) -> RawContent:
    content = RawContent([])
    for name, folder, truth in _sequences(raw):
        masks = _masks(truth, raw, content.faults)
        for path in images_in(folder):
            mask = masks.pop(_number(path), None)
            stem = f"{name}_{path.stem}"
            if mask is None:
                content.works.append(Work(stem, path, group=name, folder="unlabelled"))
            else:
                content.works.append(Work(stem, path, mask, (mask,), group=name))
        for mask in masks.values():
            message = f"no frame with this number in {folder.name}/; add the frame, or remove the mask"
            content.faults.append(Fault(place_of(mask, raw), "missing-partner", message))
        content.copies.update({f"tracking/{name}/{path.name}": path for path in _tracks(truth)})
    return content


def _masks(truth: Path, raw: Path, faults: list[Fault]) -> dict[int, Path]:
    """Return the masks of a sequence, keyed by frame number; masks for planes in 3D stacks are recorded as faults."""
    segmentation = subfolder(truth, "seg")
    masks: dict[int, Path] = {}
    for path in images_in(segmentation) if segmentation else []:
        if re.fullmatch(r"man_seg_\d+_\d+", path.stem):
            message = "got the mask of one plane in a 3D stack, expected a 2D frame; export each plane as a frame"
            faults.append(Fault(place_of(path, raw), "stack", message))
        else:
            masks[_number(path)] = path
    return masks


def _tracks(truth: Path) -> list[Path]:
    """Return the tracking files of a sequence: markers and lineage."""
    tracking = subfolder(truth, "tra")
    paths = tracking.iterdir() if tracking else []
    return sorted(path for path in paths if re.fullmatch(r"man_track\d*\.(?:txt|tiff?)", path.name, re.IGNORECASE))


def _number(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else -1


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    return label_ids(work.label, shape), {}


CTC = Preparer(
    name="ctc",
    summary="01/t000.tif, 01_GT/SEG/man_seg000.tif, 01_GT/TRA/man_track000.tif and man_track.txt (Cell Tracking "
    "Challenge, 2D sequences)",
    rule="Ids are kept unchanged, because they can be track ids. Frames without a segmentation go to unlabelled/. "
    "Track markers and lineage are copied unchanged to tracking/<sequence>/. Each sequence is a group.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
