"""Find every fault in a data set: in its files, labels, splits and tags."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellseg_monai.data.class_faults import stated_class_faults
from cellseg_monai.data.datalist import DATALIST_NAME, Gathered, gather
from cellseg_monai.data.duplicates import Copies
from cellseg_monai.data.families import ungrouped
from cellseg_monai.data.image_faults import reason_of, shape_fault, stack_fault
from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.data.tags import tag_gaps
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import Image, read, read_labels

__all__ = ["check_dataset", "check_labels"]

MOST_SHOWN = 5
STRAY_PART = 0.05  # a piece is a stray if it is smaller than this fraction of the largest piece with the same id
MOST_CLASSES = 5  # labels with more ids than this are not treated as a mask of classes, but as broken objects
LEAST_PIECES = 3  # minimum number of pieces of every class in a mask of classes


def check_dataset(dataset_dir: str | Path, datalist: str | Path | None = None, axes: str | None = None) -> list[Fault]:
    """Return every fault in a data set, sorted by place; the list is empty if there are none.

    Errors, which spoil training or a score:

    - `missing-partner`: an image without a label or a label without an image. This is only a warning if a datalist
      leaves the file out or lists it for test, because an image can be segmented without a label;
    - `shape-mismatch`: a label whose height or width differs from its image;
    - `binary-mask`: several separate objects that share one id, although each should have its own;
    - `class-mask`: a few ids, each in many pieces, as if the ids were classes of pixels;
    - `float-labels`: a label file with fractions, NaN, or other numbers that are no ids;
    - `negative-ids`: a label file with ids below 0;
    - `unreadable`: an image or label file that cannot be read, with the reason;
    - `stack`: an image with several planes or times;
    - `not-finite`: an image that contains NaN or infinity;
    - `duplicate`: the same pixels in two sections, or twice in a data set that no list divides yet, in any file format;
    - `group-straddles`: a group in two sections;
    - `missing-file`: a file in the datalist that does not exist;
    - `datalist`: a malformed list, or a tag that is neither text nor a number, has no proper name, or is text on some
      images and a number on others;
    - `class-labels`: a table or image of classes that does not fit its label image, or cannot be read;
    - `repeated-stem`: two files with the same stem;
    - `empty`: no images at all.

    Warnings, which do not prevent training:

    - `id-gap`: ids that are not 1..n, as is usual after cropping;
    - `fragments`: an object in more than one piece (8-connected), for example because another object lies across it;
    - `duplicate` within one section;
    - `class-value`: a class, or the text of a tag, in a single image that resembles one in several others;
    - `channel-count`: images with different numbers of channels;
    - `note`: what an image file states but nobody uses, such as an orientation or an unknown unit of length;
    - `tag-missing`: a tag that the datalist gives to some images but not to others;
    - `ungrouped`: no list says which images belong together, but their names suggest that some do.

    A label without objects is not a fault, because an empty field of view is a good training example.

    Args:
        dataset_dir: folder of the data set.
        datalist: a JSON file to check instead of the data set's own list.
        axes: axes of the image files, such as "YXS", if the files do not state them; see `io.read`.

    Raises:
        DatasetError: the folder does not exist.
    """
    dataset = Path(os.path.abspath(dataset_dir))
    layout = scan(dataset)
    gathered, faults = _gather(dataset, datalist)
    work = _work(layout, gathered)
    faults += layout.repeated_faults() + _partners(layout, gathered)
    if not work and not layout.labels and not faults:
        message = "no images found; add images to images/, and labels with the same stems to labels/"
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
                faults.append(Fault(place, "unreadable", reason_of(error)))
            else:
                image_shape = (int(image.pixels.shape[-2]), int(image.pixels.shape[-1]))
                faults += _image_faults(image, place) + copies.add(image_path, section, image.pixels)
                n_channels.setdefault(int(image.pixels.shape[-3]), []).append(place)
        if label_path is not None and label_path.is_file():
            faults += _label_faults(label_path, image_shape, place_of(label_path, dataset))
    for stem, label_path in layout.labels.items():
        if stem not in layout.images:
            faults += _label_faults(label_path, None, place_of(label_path, dataset))
    listed = [item for items in gathered.sections.values() for item in items]
    faults += stated_class_faults(listed, dataset)
    return sorted(set(faults + _channel_faults(n_channels)))


def check_labels(labels: np.ndarray, place: str) -> list[Fault]:
    """Return the faults in one label image.

    Args:
        labels: YX integer ids, 0 is background.
        place: name of the label file, as the faults show it.

    >>> [fault.message for fault in check_labels(np.array([[1, 1, 0, 3, 3]]), "a.tif")]
    ['2 ids from 1 to 3, with the first gap at 2; training renumbers ids, but other tools may not']
    """
    from skimage.measure import label as pieces_of  # slow to import, and only this function needs it

    if labels.size and labels.min() < 0:
        message = f"got the id {labels.min()}, expected 0 for background and 1 to n for objects; renumber the ids"
        return [Fault(place, "negative-ids", message)]
    # All pixels of a piece have the same id.
    pieces, count = pieces_of(labels, background=0, connectivity=2, return_num=True)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    id_of_piece = np.zeros(count + 1, labels.dtype)
    id_of_piece[pieces.ravel()] = labels.ravel()
    ids, index, n_pieces = np.unique(id_of_piece[1:], return_inverse=True, return_counts=True)
    # A single object with a stray pixel or two is a case of `fragments`, not a mask.
    largest = np.zeros(len(ids), sizes.dtype)
    np.maximum.at(largest, index, sizes[1:])
    substantial = np.bincount(index, sizes[1:] >= STRAY_PART * largest[index], minlength=len(ids))
    if len(ids) == 1 and substantial[0] > 1:
        message = (
            f"{count} separate objects all have the id {ids[0]}, expected a different id for each object; separate "
            "touching objects that have merged, or, if no objects touch, label the connected components"
        )
        return [Fault(place, "binary-mask", message)]
    if 1 < len(ids) <= MOST_CLASSES and (substantial >= LEAST_PIECES).all():
        message = (
            f"{count} separate pieces share the ids {', '.join(map(str, ids))}, as if ids were classes of pixels; "
            "keep only the class to segment, and give each object in that class its own id"
        )
        return [Fault(place, "class-mask", message)]
    faults = []
    if len(ids) and (ids[0] != 1 or ids[-1] != len(ids)):
        gap = next(number for number, label in enumerate([*ids.tolist(), None], start=1) if number != label)
        message = (
            f"{len(ids)} id{'s' if len(ids) > 1 else ''} from {ids[0]} to {ids[-1]}, with the first gap at {gap}; "
            "training renumbers ids, but other tools may not"
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
        message = f"in several pieces: {', '.join(shown)}{rest}; give each object its own id, or remove stray pixels"
        faults.append(Fault(place, "fragments", message, "warning"))
    return faults


def _gather(dataset: Path, datalist: str | Path | None) -> tuple[Gathered, list[Fault]]:
    """Return as much of the sections as can be read, and the faults in the list."""
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
        empty = Gathered({}, "split", [])
        if datalist is None and not source.is_file():
            return empty, []  # too few images for a split, which other checks report
        place = place_of(source, dataset)
        return empty, [Fault(place, "datalist", str(error).removeprefix(f"{source}: "))]


def _work(layout: Layout, gathered: Gathered) -> dict[Path, tuple[Path | None, str | None]]:
    """Return the label and section of each image that is listed or found in the folders."""
    work: dict[Path, tuple[Path | None, str | None]] = {
        image: (layout.labels.get(stem), None) for stem, image in layout.images.items()
    }
    for section, items in gathered.sections.items():
        for item in items:
            work[Path(item["image"])] = (Path(item["label"]) if "label" in item else None, section)
    return work


def _partners(layout: Layout, gathered: Gathered) -> list[Fault]:
    """Return the faults for images without labels and labels without images."""
    complete: set[str] = set()
    incomplete: set[str] = set()  # listed for training or validation, but without a label
    for section, items in gathered.sections.items():
        for item in items:
            if all(key in item and Path(item[key]).is_file() for key in ("image", "label")):
                complete |= {item["image"], item["label"]}
            elif section != "test":
                incomplete.add(item["image"])
    faults = []
    for fault in layout.faults():
        file = str(layout.dataset / fault.place)
        if fault.kind == "missing-partner" and (file not in complete or gathered.source == "split"):
            lenient = gathered.source != "split" and file not in incomplete
            faults.append(replace(fault, severity="warning" if lenient else "error"))
    for file in incomplete - {str(path) for path in layout.images.values()}:
        message = "listed for training or validation without a label; add a label to the list"
        faults.append(Fault(place_of(Path(file), layout.dataset), "missing-partner", message))
    return faults


def _image_faults(image: Image, place: str) -> list[Fault]:
    """Return the faults in a readable image, and what its file states but `read` does not use."""
    stack = stack_fault(image, place)
    faults = [] if stack is None else [stack]
    if image.pixels.dtype.kind == "f":
        planes = image.pixels.reshape(-1, *image.pixels.shape[-2:])
        odd = sum(int(plane.size) - int(np.isfinite(plane).sum()) for plane in planes)
        if odd:
            message = f"{odd} of {image.pixels.size} values are NaN or infinite; replace them, or save the image again"
            faults.append(Fault(place, "not-finite", message))
    return faults + [Fault(place, "note", note.text, "warning") for note in image.notes]


def _channel_faults(places: dict[int, list[str]]) -> list[Fault]:
    """Return a warning for the first image with the rarest number of channels, if the numbers differ."""
    if len(places) < 2:
        return []
    rarest = min(places, key=lambda number: (len(places[number]), number))
    counts = ", ".join(
        f"{number} in {len(images)} ({images[0]}{', ...' if len(images) > 1 else ''})"
        for number, images in sorted(places.items())
    )
    message = (
        f"images have different numbers of channels: {counts}; convert or remove some images, because the setting "
        "`channels` must fit every image"
    )
    return [Fault(places[rarest][0], "channel-count", message, "warning")]


def _label_faults(path: Path, image_shape: tuple[int, int] | None, place: str) -> list[Fault]:
    try:
        labels = read_labels(path)
    except (UnreadableImageError, OSError) as error:
        if not _is_float(path):
            return [Fault(place, "unreadable", reason_of(error))]
        return [Fault(place, "float-labels", reason_of(error))]
    mismatch = None if image_shape is None else shape_fault(labels.shape, image_shape, place)
    return ([] if mismatch is None else [mismatch]) + check_labels(labels, place)


def _is_float(path: Path) -> bool:
    """Return True if the pixels of a label file are floating-point numbers; False if it is unreadable."""
    try:
        return bool(np.issubdtype(read(path).pixels.dtype, np.floating))
    except (UnreadableImageError, OSError):
        return False
