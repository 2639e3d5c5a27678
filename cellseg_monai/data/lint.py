"""Every fault of a data set at once: files, labels, splits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.datalist import DATALIST_NAME, Gathered, gather
from cellseg_monai.data.duplicates import Copies
from cellseg_monai.data.families import ungrouped
from cellseg_monai.data.image_faults import shape_fault, stack_fault
from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.data.tags import tag_gaps
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import Image, read, read_labels

__all__ = ["check_dataset", "check_labels"]

MOST_SHOWN = 5
STRAY_PART = 0.05  # of the largest piece of an id: less is a stray
MOST_CLASSES = 5  # ids of a mask of classes; more are rather objects that got broken
LEAST_PIECES = 3  # of each class


def check_dataset(dataset_dir: str | Path, datalist: str | Path | None = None, axes: str | None = None) -> list[Fault]:
    """All faults of a data set, sorted by place; an empty list for a clean one.

    Errors, which spoil training or a score:

    - `missing-partner`: an image without a label or a label without an image (a warning where a datalist
      leaves that file out, or lists it for test, which can be segmented without a label);
    - `shape-mismatch`: a label of another height or width than its image;
    - `binary-mask`: several separate objects that share one id, where each should have its own;
      `class-mask`: a few ids, each of them in many pieces, as where ids are the classes of pixels;
    - `float-labels`: a label file of floating-point numbers; `negative-ids`: one with ids below 0;
    - `unreadable`: an image or label file that cannot be read, with the reason;
    - `stack`: an image of several planes or times; `not-finite`: one with NaN or infinity in it;
    - `duplicate`: the same pixels in two sections, in whatever format, or in a set that no list divides yet;
    - `group-straddles`: a group in two sections;
    - `missing-file`: a file that the datalist names and that is not there; `datalist`: a malformed list, or a tag
      that is neither text nor a number, has no proper name, or is text on some images and a number on others;
    - `repeated-stem`: two files of one stem; `empty`: no images at all.

    Warnings, which training survives:

    - `id-gap`: ids that are not 1..n, as is usual after cropping;
    - `fragments`: an object in more than one piece (8-connected), as where another one lies across it;
    - `duplicate` within one section;
    - `channel-count`: images of different numbers of channels;
    - `tag-missing`: a tag that the datalist gives to some images but not to others;
    - `ungrouped`: no list says what belongs together, and the names of the images look as if some did.

    A label without objects is no fault: an empty field of view is a good example.

    Args:
        dataset_dir: the data set.
        datalist: a JSON file to check instead of what the data set has.
        axes: the axes of the image files, such as "YXS", where they do not state them; see `io.read`.

    Raises:
        DatasetError: there is no such folder.
    """
    dataset = Path(os.path.abspath(dataset_dir))
    layout = scan(dataset)
    gathered, faults = _gather(dataset, datalist)
    work = _work(layout, gathered)
    faults += layout.repeated_faults() + _partners(layout, gathered)
    if not work and not layout.labels and not faults:
        message = "no images found; expected images/ and labels/ with files of the same stem"
        faults.append(Fault(".", "empty", message))
    if gathered.source == "split":
        hint = ungrouped(layout.images)
        faults += [hint] if hint else []
    copies = Copies(dataset, listed=gathered.source != "split")
    n_channels: dict[int, list[str]] = {}
    for image_path, (label_path, section) in sorted(work.items()):
        image_shape = None
        if image_path.is_file():
            place = place_of(image_path, dataset)
            try:
                image = read(image_path, axes)
            except (UnreadableImageError, OSError) as error:
                faults.append(Fault(place, "unreadable", _reason(error)))
            else:
                image_shape = (int(image.pixels.shape[-2]), int(image.pixels.shape[-1]))
                faults += _image_faults(image, place) + copies.add(image_path, section, image.pixels)
                n_channels.setdefault(int(image.pixels.shape[-3]), []).append(place)
        if label_path is not None and label_path.is_file():
            faults += _label_faults(label_path, image_shape, place_of(label_path, dataset))
    for stem, label_path in layout.labels.items():
        if stem not in layout.images:
            faults += _label_faults(label_path, None, place_of(label_path, dataset))
    return sorted(set(faults + _channel_faults(n_channels)))


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
    ids, index, n_pieces = np.unique(id_of_piece[1:], return_inverse=True, return_counts=True)
    # One object with a stray pixel or two is a case for `fragments`, not a mask.
    largest = np.zeros(len(ids), sizes.dtype)
    np.maximum.at(largest, index, sizes[1:])
    substantial = np.bincount(index, sizes[1:] >= STRAY_PART * largest[index], minlength=len(ids))
    if len(ids) == 1 and substantial[0] > 1:
        message = (
            f"{count} separate objects all have the id {ids[0]}; expected an id for each object. If touching "
            "objects have merged, draw them apart; if none touch, label the connected components"
        )
        return [Fault(place, "binary-mask", message)]
    if 1 < len(ids) <= MOST_CLASSES and (substantial >= LEAST_PIECES).all():
        message = (
            f"{count} separate pieces share the ids {', '.join(map(str, ids))}, as if these were classes of pixels; "
            "expected an id for each object. Keep the class that is to be segmented, and label its objects one by one"
        )
        return [Fault(place, "class-mask", message)]
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
    source = Path(datalist).absolute() if datalist is not None else dataset / DATALIST_NAME
    try:
        gathered = gather(dataset, datalist)
        listed = [item for items in gathered.sections.values() for item in items]
        gaps = tag_gaps({place_of(Path(item["image"]), dataset): item.get("tags", {}) for item in listed})
        warnings = [Fault(place_of(source, dataset), "tag-missing", message, "warning") for message in gaps]
        return gathered, gathered.faults + warnings
    except DatasetError as error:
        if not dataset.is_dir():
            raise
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


def _image_faults(image: Image, place: str) -> list[Fault]:
    """What keeps an image that can be read from being trained on."""
    stack = stack_fault(image, place)
    faults = [] if stack is None else [stack]
    if image.pixels.dtype.kind == "f":
        planes = image.pixels.reshape(-1, *image.pixels.shape[-2:])
        odd = sum(int(plane.size) - int(np.isfinite(plane).sum()) for plane in planes)
        if odd:
            message = f"{odd} of {image.pixels.size} values are NaN or infinite; replace them, or mend what wrote them"
            faults.append(Fault(place, "not-finite", message))
    return faults


def _channel_faults(places: dict[int, list[str]]) -> list[Fault]:
    """A warning at the rarer kind of image, if there are several."""
    if len(places) < 2:
        return []
    rarest = min(places, key=lambda number: (len(places[number]), number))
    counts = ", ".join(
        f"{number} in {len(found)} ({found[0]}{', ...' if len(found) > 1 else ''})"
        for number, found in sorted(places.items())
    )
    message = f"images have different numbers of channels: {counts}; a network sees the same channels of all of them"
    message += ", so that the setting `channels` must suit each: convert some, or take them out"
    return [Fault(places[rarest][0], "channel-count", message, "warning")]


def _label_faults(path: Path, image_shape: tuple[int, int] | None, place: str) -> list[Fault]:
    try:
        labels = read_labels(path)
    except (UnreadableImageError, OSError) as error:
        dtype = _float_dtype(path)
        if dtype is None:
            return [Fault(place, "unreadable", _reason(error))]
        message = f"labels are {dtype}; expected whole numbers, such as uint16: save them again as integers"
        return [Fault(place, "float-labels", message)]
    mismatch = None if image_shape is None else shape_fault(labels.shape, image_shape, place)
    return ([] if mismatch is None else [mismatch]) + check_labels(labels, place)


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
