"""Maintain the list of label images in the `labels` group of an OME-Zarr image."""

from __future__ import annotations

import json
from pathlib import Path

from cellseg_monai.atomic import replacing

__all__ = ["check_image_above", "image_above", "list_labels"]

_LABELS = "labels"


def image_above(target: Path) -> Path | None:
    """Return the OME-Zarr image that contains a folder like `image.zarr/labels/cells`, or None for other folders.

    A folder named "labels" that is not inside a Zarr has no special meaning.
    """
    image = target.parent.parent
    is_zarr = any((image / name).is_file() for name in (".zgroup", "zarr.json"))
    return image if target.parent.name == _LABELS and is_zarr else None


def check_image_above(target: Path) -> None:
    """Reject labels inside an image with another Zarr version, where no program would find them.

    Raises:
        ValueError: the labels are inside an OME-Zarr 0.5 image.
    """
    image = image_above(target)
    if image is not None and (image / "zarr.json").is_file():
        raise ValueError(
            f"{target}: {image.name} is an OME-Zarr 0.5 image, but labels are written as 0.4; write the labels to a "
            "separate folder next to the image"
        )


def list_labels(target: Path) -> None:
    """Add a label image inside an OME-Zarr image to the list by which programs find labels."""
    if image_above(target) is None:
        return
    group, listed = target.parent / ".zgroup", target.parent / ".zattrs"
    attributes = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    names = attributes.setdefault(_LABELS, [])
    if target.name not in names:
        names.append(target.name)
    for file, content in ((group, {"zarr_format": 2}), (listed, attributes)):
        with replacing(file) as aside:
            aside.write_text(json.dumps(content, indent=1), encoding="utf-8")
