"""Every fault of a data set at once: files, labels, splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.datalist import DATALIST_NAME, Gathered, gather
from cellseg_monai.data.duplicates import Copies
from cellseg_monai.data.faults import Fault, place_of
from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.io import read, read_labels

__all__ = ["check_dataset", "check_labels"]

MOST_SHOWN = 5
STRAY_PART = 0.05  # of the largest piece: less is a stray


def check_dataset(dataset_dir: str | Path, datalist: str | Path | None = None) -> list[Fault]:
    """All faults of a data set, sorted by place; an empty list for a clean one.

    Errors, which spoil training or a score:

    - `missing-partner`: an image without a label or a label without an image (a warning where a datalist
      leaves that file out, or lists it for test, which can be segmented without a label);
    - `shape-mismatch`: a label of another height or width than its image;
    - `binary-mask`: several separate objects that share one id, where each should have its own;
    - `float-labels`: a label file of floating-point numbers; `negative-ids`: one with ids below 0;
    - `unreadable`: an image or label file that cannot be read, with the reason;
    - `duplicate`: the same pixels in two sections, in whatever format, or in a set that no list divides yet;
    - `group-straddles`: a group in two sections;
    - `missing-file`: a file that the datalist names and that is not there; `datalist`: a malformed list;
    - `repeated-stem`: two files of one stem; `empty`: no images at all.

    Warnings, which training survives:

    - `id-gap`: ids that are not 1..n, as is usual after cropping;
    - `fragments`: an object in more than one piece (8-connected), as where another one lies across it;
    - `duplicate` within one section.

    A label without objects is no fault: an empty field of view is a good example.

    Args:
        dataset_dir: the data set.
        datalist: a JSON file to check instead of what the data set has.

    Raises:
        DatasetError: there is no such folder.
    """
    dataset = Path(dataset_dir).absolute()
    layout = scan(dataset)
    gathered, faults = _gather(dataset, datalist)
    work = _work(layout, gathered)
    faults += layout.repeated_faults() + _partners(layout, gathered)
    if not work and not layout.labels and not faults:
        message = "no images found; expected images/ and labels/ with files of the same stem"
        faults.append(Fault(".", "empty", message))
    copies = Copies(dataset, listed=gathered.source != "split")
    for image_path, (label_path, section) in sorted(work.items()):
        image_shape = None
        if image_path.is_file():
            place = place_of(image_path, dataset)
            try:
                pixels = read(image_path).pixels
            except (UnreadableImageError, OSError) as error:
                faults.append(Fault(place, "unreadable", _reason(error)))
            else:
                image_shape = (int(pixels.shape[-2]), int(pixels.shape[-1]))
                faults += copies.add(image_path, section, pixels)
        if label_path is not None and label_path.is_file():
            faults += _label_faults(label_path, image_shape, place_of(label_path, dataset))
    for stem, label_path in layout.labels.items():
        if stem not in layout.images:
            faults += _label_faults(label_path, None, place_of(label_path, dataset))
    return sorted(set(faults))


def check_labels(labels: np.ndarray, place: str) -> list[Fault]:
    """The faults of one label image.

    Args:
        labels: (Y, X) integer ids, 0 is background.
        place: the file that the faults name.

    >>> [fault.message for fault in check_labels(np.array([[1, 1, 0, 3, 3]]), "a.tif")]
    ['2 ids between 1 and 3, first gap at 2; training renumbers them, other tools may not']
    """
    from skimage.measure import label as pieces_of  # slow to import, and only this function needs it

    if labels.size and labels.min() < 0:
        message = f"ids down to {labels.min()}; expected 0 for background and 1..n for the objects"
        return [Fault(place, "negative-ids", message)]
    # Pixels of one piece have one id, so that any of them tells it.
    pieces, count = pieces_of(labels, background=0, connectivity=2, return_num=True)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    id_of_piece = np.zeros(count + 1, labels.dtype)
    id_of_piece[pieces.ravel()] = labels.ravel()
    ids, n_pieces = np.unique(id_of_piece[1:], return_counts=True)
    # One object with a stray pixel or two is a case for `fragments`, not a mask.
    n_substantial = int((sizes[1:] >= STRAY_PART * sizes[1:].max(initial=0)).sum())
    if len(ids) == 1 and n_substantial > 1:
        message = (
            f"{count} separate objects all have the id {ids[0]}; expected an id for each object. If touching "
            "objects have merged, draw them apart; if none touch, label the connected components"
        )
        return [Fault(place, "binary-mask", message)]
    faults = []
    if len(ids) and (ids[0] != 1 or ids[-1] != len(ids)):
        gap = next(number for number, found in enumerate([*ids.tolist(), None], start=1) if number != found)
        message = (
            f"{len(ids)} id{'s' if len(ids) > 1 else ''} between {ids[0]} and {ids[-1]}, first gap at {gap}; "
            "training renumbers them, other tools may not"
        )
        faults.append(Fault(place, "id-gap", message, "warning"))
    broken = ids[n_pieces > 1]
    if len(broken):
        shown = []
        for number in broken[:MOST_SHOWN]:
            parts = sorted(sizes[1:][id_of_piece[1:] == number].tolist(), reverse=True)
            more = f" + {len(parts) - MOST_SHOWN} more" if len(parts) > MOST_SHOWN else ""
            shown.append(f"id {number} ({' + '.join(map(str, parts[:MOST_SHOWN]))}{more} px)")
        rest = f" and {len(broken) - MOST_SHOWN} more ids" if len(broken) > MOST_SHOWN else ""
        message = f"in more than one piece: {', '.join(shown)}{rest}; give each object its own id, wipe strays"
        faults.append(Fault(place, "fragments", message, "warning"))
    return faults


def _gather(dataset: Path, datalist: str | Path | None) -> tuple[Gathered, list[Fault]]:
    """The sections as far as they can be told, and the faults of the list."""
    try:
        gathered = gather(dataset, datalist)
        return gathered, list(gathered.faults)
    except DatasetError as error:
        if not dataset.is_dir():
            raise
        source = Path(datalist).absolute() if datalist is not None else dataset / DATALIST_NAME
        nothing = Gathered({}, "split", [])
        if datalist is None and not source.is_file():
            return nothing, []  # no split can be made: too few images, which shows elsewhere
        place = place_of(source, dataset)
        return nothing, [Fault(place, "datalist", str(error).removeprefix(f"{source}: "))]


def _work(layout: Layout, gathered: Gathered) -> dict[Path, tuple[Path | None, str | None]]:
    """Image to (label, section): what is listed, and what lies in the folders."""
    work: dict[Path, tuple[Path | None, str | None]] = {
        image: (layout.labels.get(stem), None) for stem, image in layout.images.items()
    }
    for section, items in gathered.sections.items():
        for item in items:
            work[Path(item["image"])] = (Path(item["label"]) if "label" in item else None, section)
    return work


def _partners(layout: Layout, gathered: Gathered) -> list[Fault]:
    """Images and labels that stand alone."""
    complete: set[str] = set()
    needy: set[str] = set()  # what is to be trained on, and has no label
    for section, items in gathered.sections.items():
        for item in items:
            if all(key in item and Path(item[key]).is_file() for key in ("image", "label")):
                complete |= {item["image"], item["label"]}
            elif section != "test":
                needy.add(item["image"])
    faults = []
    for fault in layout.faults():
        file = str(layout.dataset / fault.place)
        if fault.kind == "missing-partner" and (file not in complete or gathered.source == "split"):
            lenient = gathered.source != "split" and file not in needy
            faults.append(replace(fault, severity="warning" if lenient else "error"))
    for file in needy - {str(path) for path in layout.images.values()}:
        message = "listed for training or validation without a label; add one to the list"
        faults.append(Fault(place_of(Path(file), layout.dataset), "missing-partner", message))
    return faults


def _label_faults(path: Path, image_shape: tuple[int, int] | None, place: str) -> list[Fault]:
    try:
        labels = read_labels(path)
    except (UnreadableImageError, OSError) as error:
        dtype = _float_dtype(path)
        if dtype is None:
            return [Fault(place, "unreadable", _reason(error))]
        message = f"labels are {dtype}; expected whole numbers, such as uint16: save them again as integers"
        return [Fault(place, "float-labels", message)]
    faults = []
    if image_shape is not None and labels.shape != image_shape:
        message = (
            f"the label is {labels.shape[0]} x {labels.shape[1]} (height x width), its image "
            f"{image_shape[0]} x {image_shape[1]}; they must match pixel by pixel"
        )
        faults.append(Fault(place, "shape-mismatch", message))
    return faults + check_labels(labels, place)


def _float_dtype(path: Path) -> str | None:
    """The type of a label file's numbers if it can be read and they are floating-point."""
    try:
        pixels = read(path).pixels
    except (UnreadableImageError, OSError):
        return None
    return str(pixels.dtype) if np.issubdtype(pixels.dtype, np.floating) else None


def _reason(error: Exception) -> str:
    """The message without the path, which the place says already."""
    if isinstance(error, UnreadableImageError):
        return f"{error.reason}; {error.remedy}"
    return f"{type(error).__name__}: {error}"
