"""Which prediction belongs to which truth, by the names that programs give to label images."""

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

# What Cellpose, StarDist, QuPath, CellProfiler and challenges add to the name of an image.
_SUFFIX = re.compile(
    r"[-_. ](cp_masks|masks?|labels?|labell?ed|objects|instances?|seg|segmentation|preds?|predictions?|stardist"
    r"|gt|truth)$",
    re.IGNORECASE,
)
_PICTURE = "_overlay.png"  # for people to look at, see `transforms.SaveLabelsd`
_PREFIX = re.compile(r"^(man_seg|mask)_?(?=\d+$)")  # of the Cell Tracking Challenge


@dataclass(frozen=True)
class FilePair:
    """A truth and its prediction.

    Args:
        name: of the image, without what programs add to it.
        truth: the file.
        prediction: the file.
    """

    name: str
    truth: Path
    prediction: Path


def image_name(path: Path) -> str:
    """The name of the image to which a label image belongs.

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
    """The label images of a folder, sorted by name.

    Left out are the pictures that segmenting writes beside them, `a_overlay.png` beside `a.tif`.

    Args:
        folder: where they lie; folders in it are left out.
        suffix: only files whose name, without extension, ends so.

    Raises:
        DatasetError: there is no such folder, or no such file in it.
    """
    files = list_images(folder)
    pictures = {path.with_name(f"{path.stem}{_PICTURE}") for path in files}
    files = [path for path in files if path not in pictures]
    chosen = [path for path in files if image_stem(path).endswith(suffix)]
    if not chosen:
        what = f"none of {len(files)} files ends in {suffix!r}" if files else "no label images in it"
        raise DatasetError(f"{folder}: {what}; pass a folder that holds label images (.tif, .png, .npy, ...)")
    return chosen


def pair_files(truths: Sequence[Path], predictions: Sequence[Path]) -> tuple[list[FilePair], list[Fault]]:
    """Pair the files that belong to the same image.

    Files of the same stem belong together, and files that differ only in what programs add, such as `_cp_masks`. Where
    several would do and stems do not tell which, none is taken: it might be the image itself, or an earlier try.

    Args:
        truths: label images.
        predictions: label images.

    Returns:
        The pairs, sorted by name, and every file that has no partner or too many.

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
                f"{len(true)} truth(s) and {len(predicted)} prediction(s) may belong together, {listed}; take away "
                "what is not meant, or name what is by --truth_suffix and --pred_suffix, such as _cp_masks"
            )
            faults.append(Fault(true[0].as_posix(), "ambiguous", message))
        else:
            kind = "no-prediction" if true else "no-truth"
            message = f"no {kind.removeprefix('no-')} for {name!r}; add it, or take this file away"
            faults += [Fault(path.as_posix(), kind, message) for path in [*true, *predicted]]
    return sorted(pairs, key=lambda pair: pair.name), sorted(faults)
