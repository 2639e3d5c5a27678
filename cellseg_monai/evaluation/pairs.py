"""Pairs of truth and prediction, found by the names that programs give to label images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.data.layout import list_images
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault
from cellseg_monai.io import image_stem

__all__ = ["FilePair", "image_name", "label_files", "pair_files"]

# What Cellpose, StarDist, QuPath, CellProfiler and challenges append to the name of an image.
_SUFFIX = re.compile(
    r"[-_. ](cp_masks|masks?|labels?|labell?ed|objects|instances?|seg|segmentation|preds?|predictions?|stardist"
    r"|gt|truth)$",
    re.IGNORECASE,
)
_PICTURE = "_overlay.png"  # a picture for people to look at, written by `transforms.SaveLabelsd`
_PREFIX = re.compile(r"^(man_seg|mask)_?(?=\d+$)")  # used by the Cell Tracking Challenge


@dataclass(frozen=True)
class FilePair:
    """The true and the predicted label image of an image.

    Args:
        name: name of the image, without what programs append to it.
        truth: file of the true label image.
        prediction: file of the predicted label image.
        image: file of the image itself; None if it is not known.
    """

    name: str
    truth: Path
    prediction: Path
    image: Path | None = None


def image_name(path: Path) -> str:
    """Return the name of the image to which a label image belongs.

    Args:
        path: file of the label image.

    >>> [image_name(Path(name)) for name in ("a_cp_masks.png", "a_seg.npy", "a-labels.ome.tif", "mask.tif")]
    ['a', 'a', 'a', 'mask']
    >>> [image_name(Path(name)) for name in ("01_GT/SEG/man_seg0007.tif", "01_RES/mask0007.tif")]
    ['0007', '0007']
    """
    name = _PREFIX.sub("", image_stem(path))
    while (shorter := _SUFFIX.sub("", name)) not in ("", name):
        name = shorter
    return name


def label_files(folder: str | Path, suffix: str = "") -> list[Path]:
    """List the label images of a folder, sorted by name.

    Overlay pictures that segmenting writes next to label images, such as `a_overlay.png` next to `a.tif`, are left out.

    Args:
        folder: the folder; its subfolders are ignored.
        suffix: list only files whose name, without extension, ends with this.

    Raises:
        DatasetError: the folder does not exist, or contains no such file.
    """
    files = list_images(folder)
    pictures = {path.with_name(f"{path.stem}{_PICTURE}") for path in files}
    files = [path for path in files if path not in pictures]
    chosen = [path for path in files if image_stem(path).endswith(suffix)]
    if not chosen:
        fault = f"none of {len(files)} files ends in {suffix!r}" if files else "no label images in it"
        raise DatasetError(f"{folder}: {fault}; pass a folder with label images (.tif, .png, .npy, ...)")
    return chosen


def pair_files(truths: Sequence[Path], predictions: Sequence[Path]) -> tuple[list[FilePair], list[Fault]]:
    """Pair the files that belong to the same image.

    Files belong together if they have the same stem, or differ only in what programs append, such as `_cp_masks`. If
    there are several candidates and stems do not decide, none is used: it might be the image itself, or an earlier
    attempt.

    Args:
        truths: files of true label images.
        predictions: files of predicted label images.

    Returns:
        The pairs, sorted by name, and a fault for every file with no partner or with several.

    >>> pairs, faults = pair_files([Path("t/a.tif"), Path("t/b.tif")], [Path("p/a_cp_masks.png"), Path("p/c.png")])
    >>> pairs[0].name, pairs[0].prediction.as_posix(), [(fault.place, fault.kind) for fault in faults]
    ('a', 'p/a_cp_masks.png', [('p/c.png', 'no-truth'), ('t/b.tif', 'no-prediction')])
    """
    sides: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for side, files in enumerate((truths, predictions)):
        for path in files:
            sides[image_name(path)][side].append(path)
    pairs, faults = [], []
    for name, (true, predicted) in sides.items():
        stems = [sorted(map(image_stem, files)) for files in (true, predicted)]
        if len(true) == len(predicted) == 1:
            pairs.append(FilePair(name, true[0], predicted[0]))
        elif stems[0] == stems[1] and len(set(stems[0])) == len(true):
            partners = {image_stem(path): path for path in predicted}
            pairs += [FilePair(image_stem(path), path, partners[image_stem(path)]) for path in true]
        elif true and predicted:
            listed = " and ".join(", ".join(path.as_posix() for path in files) for files in (true, predicted))
            message = (
                f"{len(true)} truth(s) and {len(predicted)} prediction(s) may belong together, {listed}; move away "
                "all but one of each, or select files with --truth_suffix and --pred_suffix, such as _cp_masks"
            )
            faults.append(Fault(true[0].as_posix(), "ambiguous", message))
        else:
            kind = "no-prediction" if true else "no-truth"
            message = f"no {kind.removeprefix('no-')} for {name!r}; add it, or move this file away"
            faults += [Fault(path.as_posix(), kind, message) for path in [*true, *predicted]]
    return sorted(pairs, key=lambda pair: pair.name), sorted(faults)
