"""Maintain the list of label images that an OME-Zarr image keeps in its group `labels`."""

from __future__ import annotations

import json
from pathlib import Path

from cellseg_monai.atomic import replacing

__all__ = ["check_image_above", "image_above", "list_labels"]

_LABELS = "labels"


def image_above(target: Path) -> Path | None:
    """Return the OME-Zarr image to which a folder `image.zarr/labels/cells` belongs; None for any other folder.

    A folder named labels that is not in a Zarr has no special meaning.
    """
    image = target.parent.parent
    is_zarr = any((image / name).is_file() for name in (".zgroup", "zarr.json"))
    return image if target.parent.name == _LABELS and is_zarr else None


def check_image_above(target: Path) -> None:
    """Refuse labels within an image of another version of Zarr, where no program would find them.

    Raises:
        ValueError: the image around the labels is an OME-Zarr 0.5.
    """
    image = image_above(target)
    if image is not None and (image / "zarr.json").is_file():
        raise ValueError(
            f"{target}: {image.name} is an OME-Zarr 0.5, but labels are written as 0.4; write them to a separate "
            "folder next to it"
        )


def list_labels(target: Path) -> None:
    """Add a label image that lies within an image to the list by which programs find it."""
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
