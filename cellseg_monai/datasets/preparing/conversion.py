"""Preparing a single image and its labels, in any process.

Image files are copied rather than rewritten, which is cheap and preserves pixels, bit depth and tags. Each image is
still read once, so that a broken file is found now rather than during training.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.data.image_faults import stack_fault
from cellseg_monai.datasets.preparing.layouts import PREPARERS
from cellseg_monai.datasets.preparing.preparer import Work
from cellseg_monai.datasets.preparing.raw_folder import suffix_of
from cellseg_monai.digest import text_digest
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import Image, read, write_labels
from cellseg_monai.labels.relabel import id_runs

__all__ = ["Row", "convert", "fingerprint"]

Row = dict[str, Any]
"""The JSON record of a prepared image; `convert` describes its keys."""

_DETACHED_HEADERS = (".mhd", ".nhdr")  # headers whose pixels are in another file


def fingerprint(work: Work, raw: Path) -> str:
    """Return a short hash of the names, sizes and modification times of an image's raw files.

    Args:
        work: the image to prepare.
        raw: the raw folder.

    Raises:
        OSError: a raw file no longer exists.
    """
    parts = []
    for path in (work.image, *work.sources):
        status = path.stat()
        parts.append(f"{place_of(path, raw)}:{status.st_size}:{status.st_mtime_ns}")
    return text_digest("\n".join(parts)).hex()[:16]


def convert(work: Work, *, layout: str, raw: Path, output: Path) -> Row | Fault:
    """Prepare one image, leaving no incomplete file behind.

    Args:
        work: the image to prepare.
        layout: name of the layout.
        raw: the raw folder.
        output: folder for the prepared set.

    Returns:
        A row with the keys `stem`, `image`, `bytes` (size of image and label file), `source`, `fingerprint`, `shape`,
        `dtype` and `notes`; for a labelled image also `label` and `objects`. If the image cannot be prepared, nothing
        is written, and the fault is returned instead.

    Raises:
        OSError: the output cannot be written.
    """
    place = place_of(work.image, raw)
    try:
        return _convert(work, layout, raw, output)
    except UnreadableImageError as error:
        return Fault(place_of(Path(error.path), raw), "unreadable", f"{error.reason}; {error.remedy}")
    except ValueError as error:
        return Fault(place, "labels", str(error))
    except (FileNotFoundError, PermissionError) as error:
        refused = Path(error.filename or output)
        if not refused.is_relative_to(raw):
            raise
        return Fault(place_of(refused, raw), "unreadable", f"{error.strerror}; make the file readable")


def _convert(work: Work, layout: str, raw: Path, output: Path) -> Row | Fault:
    mark = fingerprint(work, raw)  # taken before reading, so that a change made meanwhile is noticed later
    image = read(work.image)
    if (stack := stack_fault(image, place_of(work.image, raw))) is not None:
        return stack
    row: Row = {
        "stem": work.stem,
        "source": place_of(work.image, raw),
        "fingerprint": mark,
        "shape": list(image.pixels.shape),
        "dtype": str(image.pixels.dtype),
        "notes": dict(work.notes),
    }
    labels = None
    if work.label is not None:
        labels, notes = PREPARERS[layout].labels(work, image.pixels.shape[-2:])
        row["notes"] |= notes
        row["objects"] = _count(labels)
    image_path = _write_image(work, image, output)
    row["image"], row["bytes"] = f"{work.folder}/{image_path.name}", image_path.stat().st_size
    if labels is not None:
        path = output / "labels" / f"{work.stem}.tif"
        # Not flushed to disk, for the reason given at the top of `runner`.
        write_labels(path, labels, pixel_size_um=image.pixel_size_um, durable=False)
        row["label"] = f"labels/{path.name}"
        row["bytes"] += path.stat().st_size
    return row


def _count(labels: np.ndarray) -> int:
    """Return the number of objects in a label image.

    Raises:
        ValueError: there are negative ids.
    """
    ids = np.unique(id_runs(labels)[0])
    if ids[0] < 0:
        raise ValueError(f"got the id {ids[0]}, expected 0 for background and positive ids; fix the label file")
    return int(np.count_nonzero(ids))


def _write_image(work: Work, image: Image, output: Path) -> Path:
    """Copy the image file, or write a TIFF if the file is only a header for pixels in another file."""
    suffix = suffix_of(work.image)
    if suffix.lower() not in _DETACHED_HEADERS:
        path = output / work.folder / f"{work.stem}{suffix}"
        with replacing(path, durable=False) as aside:
            shutil.copyfile(work.image, aside)
        return path
    import tifffile  # slow to import, and rarely needed here

    path = output / work.folder / f"{work.stem}.tif"
    metadata: dict[str, Any] = {"axes": image.axes}
    if image.pixel_size_um is not None:
        metadata["pixel_size_um"] = list(image.pixel_size_um)
    with replacing(path, durable=False) as aside:
        tifffile.imwrite(aside, image.pixels, photometric="minisblack", compression="zlib", metadata=metadata)
    return path
