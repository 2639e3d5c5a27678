"""Read OME-Zarr metadata (NGFF 0.1 to 0.5): axes, resolutions, pixel size and channel names."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import KNOWN_AXES, UNSTATED
from cellseg_monai.formats.sizes import Sizes, Stated, understood_sizes
from cellseg_monai.formats.units import plain_number

__all__ = ["Multiscale", "ZarrNode", "find_image"]

_DEFAULT_AXES = ["t", "c", "z", "y", "x"]  # in versions up to 0.2, which do not state the axes
_LARGEST_METADATA = 2**26
_MOST_RESOLUTIONS = 100
_WITHOUT_SCALE = ("identity", "translation")
_OF_TYPES = {"space": "ZYX", "time": "T", "channel": "C"}
_WORDS = {"time": "T", "channel": "C", "position": "P"}


@dataclass(frozen=True)
class ZarrNode:
    """A group or array in a Zarr hierarchy.

    Args:
        folder: folder of the group or array.
        version: version of the Zarr format, 2 or 3.
        metadata: metadata of an array; empty for a group.
        attributes: attributes set by the writer, including those that NGFF 0.5 nests under "ome".
    """

    folder: Path
    version: int
    metadata: dict[str, Any]
    attributes: dict[str, Any]

    @classmethod
    def at(cls, folder: Path) -> ZarrNode | None:
        """Return the group or array in a folder, or None if the folder is neither."""
        if (folder / "zarr.json").is_file():
            content = _load(folder / "zarr.json")
            attributes = content.get("attributes", {})
            array = content if content["node_type"] == "array" else {}
            return cls(folder, 3, array, {**attributes, **attributes.get("ome", {})})
        if not any((folder / name).is_file() for name in (".zgroup", ".zarray")):
            return None
        attributes = _load(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
        array = _load(folder / ".zarray") if (folder / ".zarray").is_file() else {}
        return cls(folder, 2, array, attributes)

    def children(self) -> list[Path]:
        """Return the folders of the groups and arrays directly inside this group, with "2" before "10"."""
        inner = [path for path in self.folder.iterdir() if path.is_dir() and ZarrNode.at(path) is not None]
        return sorted(inner, key=lambda path: (not path.name.isdigit(), path.name.zfill(9)))


@dataclass(frozen=True)
class Multiscale:
    """An OME-Zarr image, at one or more resolutions.

    Args:
        arrays: one array per resolution, the full one first.
        axes: one letter per axis, taken from `UNSTATED` if the meaning of the axis is unknown.
        sizes: pixel size, step between planes and time between images, as far as the file states them with a unit.
        channel_names: one name per channel, or empty.
    """

    arrays: tuple[ZarrNode, ...]
    axes: str
    sizes: Sizes
    channel_names: tuple[str, ...]


def find_image(path: Path) -> Multiscale | ZarrNode:
    """Return the image in a folder, or the array if the folder is a bare array.

    Raises:
        UnreadableImageError: the folder is not a Zarr group or array, or is a plate, a well or another collection of
            images. For a collection, the message names one of the images.
    """
    node = ZarrNode.at(path)
    if node is None:
        raise UnreadableImageError(
            path, "the folder is neither a Zarr group nor a Zarr array", "pass an OME-Zarr image folder"
        )
    if node.metadata:
        return node
    if node.attributes.get("multiscales"):
        return _multiscale(path, node)
    if "bioformats2raw.layout" in node.attributes:
        series = [child for child in node.children() if child.name != "OME"]
        if len(series) == 1:
            return find_image(inner_folder(path, series[0].name))
    raise UnreadableImageError(path, _kind(node), f"pass one image, such as {_first_image(node)}")


def _multiscale(path: Path, node: ZarrNode) -> Multiscale:
    first = node.attributes["multiscales"][0]  # the default image, according to the specification
    stated = first.get("axes", _DEFAULT_AXES)
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in stated]
    letters = "".join(_letter(axis) for axis in axes)
    if len(first["datasets"]) > _MOST_RESOLUTIONS:
        raise UnreadableImageError(
            path,
            f"it lists {len(first['datasets'])} resolutions, expected at most {_MOST_RESOLUTIONS}",
            "export it again",
        )
    arrays = tuple(_array(path, str(dataset["path"])) for dataset in first["datasets"])
    transforms = [
        *first["datasets"][0].get("coordinateTransformations", ()),
        *first.get("coordinateTransformations", ()),
    ]
    sizes = understood_sizes(*(_stated(axes, letters, transforms, letter) for letter in "YXZT"))
    shape = arrays[0].metadata["shape"]
    n_channels = shape[letters.index("C")] if "C" in letters else 1
    channels = (node.attributes.get("omero") or {}).get("channels") or ()
    names = tuple(str(channel.get("label") or "") for channel in channels)
    return Multiscale(arrays, letters, sizes, names if len(names) == n_channels and any(names) else ())


def _letter(axis: dict[str, Any]) -> str:
    """Return the letter of an axis, or a letter from `UNSTATED` if its meaning is unknown or contradicts its type."""
    name, kind = str(axis["name"]), axis.get("type")
    if kind == "channel":
        return "C"
    first = name[:1].upper()
    letter = _WORDS.get(name.lower()) or (first if len(name) == 1 and first in KNOWN_AXES else "")
    if letter:
        others = [letters for of_kind, letters in _OF_TYPES.items() if of_kind != kind]
        is_other = kind in _OF_TYPES and any(letter in letters for letters in others)
        return UNSTATED[1] if is_other else letter
    return first if first.isalpha() and first not in KNOWN_AXES + UNSTATED else UNSTATED[1]


def _stated(axes: list[dict[str, Any]], letters: str, transforms: list[Any], letter: str) -> Stated:
    """Return the length of a step along an axis, which is the product of all scales."""
    if letter not in letters:
        return Stated()
    index = letters.index(letter)
    unit = axes[index].get("unit")
    steps: list[Any] = []
    for transform in transforms:
        if transform.get("type") in _WITHOUT_SCALE:
            continue
        scale = transform.get("scale") if transform.get("type") == "scale" else None
        if not isinstance(scale, list):  # such as a matrix, or the path of an array
            return Stated(f"{transform.get('type')} transformation", unit)
        steps.append(scale[index])
    numbers = [number for step in steps if (number := plain_number(step)) is not None]
    value: Any = steps if len(numbers) < len(steps) else math.prod(numbers) if numbers else None
    return Stated(value, unit)


def inner_folder(path: Path, name: str) -> Path:
    """Return a folder within an image, checking that it is.

    Raises:
        UnreadableImageError: the name, or a link, leads out of the image.
    """
    # A name is judged by the rules of all systems, so that an image is read or refused everywhere alike.
    kinds = [kind(name) for kind in (PurePosixPath, PureWindowsPath)]
    folder = path / name
    leaves = any(kind.anchor or ".." in kind.parts for kind in kinds) or "\0" in name
    if leaves or not folder.resolve().is_relative_to(path.resolve()):
        raise UnreadableImageError(
            path, f"its array {name[:80]!r} is not inside its folder", "copy the array into the folder of the image"
        )
    return folder


def _array(path: Path, name: str) -> ZarrNode:
    node = ZarrNode.at(inner_folder(path, name))
    if node is None or not node.metadata:
        raise UnreadableImageError(path, f"the array {name!r} is missing", "copy the whole folder again")
    return node


def _kind(node: ZarrNode) -> str:
    """Describe a group that is not an image."""
    attributes = node.attributes
    if "plate" in attributes:
        return f"this is a plate with {len(attributes['plate'].get('wells', ()))} wells"
    if "well" in attributes:
        return f"this is a well with {len(attributes['well'].get('images', ()))} fields"
    if "labels" in attributes:
        return "this is a list of label images"
    if "bioformats2raw.layout" in attributes:
        return "this is a collection of several images"
    return "this is a Zarr group that is not marked as an image (no multiscales)"


def _first_image(node: ZarrNode) -> Path:
    """Return the folder of the first image in a group, or its subfolder "0" if the group has no images."""
    for child in node.children():
        inner = ZarrNode.at(child)
        if inner is not None and child.name != "OME":
            is_image = bool(inner.metadata) or "multiscales" in inner.attributes
            return child if is_image else _first_image(inner)
    return node.folder / "0"


def _load(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _LARGEST_METADATA:
        raise ValueError(f"{file.name} has {file.stat().st_size} bytes, expected at most {_LARGEST_METADATA}")
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} does not contain a JSON object")
    return content
