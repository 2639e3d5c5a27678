"""Pairing true with predicted label images by their file names."""

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
from cellseg_monai.text_file import open_regular

__all__ = ["FilePair", "image_name", "label_files", "pair_files"]

# Suffixes that Cellpose, StarDist, QuPath, CellProfiler and challenges append to image names.
_SUFFIX = re.compile(
    r"[-_. ](cp_masks|masks?|labels?|labell?ed|objects|instances?|seg|segmentation|preds?|predictions?|stardist"
    r"|gt|truth)$",
    re.IGNORECASE,
)
_PICTURE = "_overlay.png"  # a preview written by `transforms.SaveLabelsd`, not a label image
_COLOURS = (b"\x02", b"\x06")  # the colour types of PNG with red, green and blue
_PREFIX = re.compile(r"^(man_seg|mask)_?(?=\d+$)")  # from the Cell Tracking Challenge


@dataclass(frozen=True)
class FilePair:
    """The true and predicted label images for one image.

    Args:
        name: name of the image, without suffixes such as `_cp_masks`.
        truth: path of the true label image.
        prediction: path of the predicted label image.
        image: path of the microscopy image; None if unknown.
    """

    name: str
    truth: Path
    prediction: Path
    image: Path | None = None


def image_name(path: Path) -> str:
    """Return the name of the image to which a label image belongs.

    Args:
        path: path of the label image.

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
    """List the label images in a folder, sorted by name.

    Overlays that segmentation writes for label images, such as `a_overlay.png` for `a.tif`, are left out. They are in
    colour, which a label image is not.

    Args:
        folder: folder to search, without its subfolders.
        suffix: list only files whose name ends with this, ignoring the extension.

    Raises:
        DatasetError: the folder does not exist, or no file in it matches.
    """
    files = list_images(folder)
    pictures = {path.with_name(f"{path.stem}{_PICTURE}") for path in files}
    files = [path for path in files if path not in pictures or not _is_colour_png(path)]
    chosen = [path for path in files if image_stem(path).endswith(suffix)]
    if not chosen:
        fault = f"{len(files)} file(s), but no name ends with {suffix!r}" if files else "it contains no label images"
        raise DatasetError(f"{folder}: {fault}; pass a folder with label images (.tif, .png, .npy, ...)")
    return chosen


def _is_colour_png(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            head = file.read(26)
    except OSError:
        return False
    return head.startswith(b"\x89PNG") and head[25:] in _COLOURS


def pair_files(truths: Sequence[Path], predictions: Sequence[Path]) -> tuple[list[FilePair], list[Fault]]:
    """Pair true and predicted label images that belong to the same image.

    Two files belong together if their stems are equal apart from suffixes that programs append, such as `_cp_masks`. If
    several files could form a pair and their exact stems do not settle the question, none of the files is used, because
    one might be the image itself or an earlier prediction.

    Args:
        truths: paths of the true label images.
        predictions: paths of the predicted label images.

    Returns:
        The pairs sorted by name, and a fault for every file without a partner and every ambiguous group of files.

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
                f"{len(true)} true and {len(predicted)} predicted label images match this image ({listed}); keep one "
                "of each, or select files with --truth_suffix and --pred_suffix, for example --pred_suffix _cp_masks"
            )
            faults.append(Fault(true[0].as_posix(), "ambiguous", message))
        else:
            kind = "no-prediction" if true else "no-truth"
            message = f"no {kind.removeprefix('no-')} for {name!r}; add the missing file, or remove this one"
            faults += [Fault(path.as_posix(), kind, message) for path in [*true, *predicted]]
    return sorted(pairs, key=lambda pair: pair.name), sorted(faults)
