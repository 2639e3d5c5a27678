"""Reading COCO files of any size, using an index of the annotations' positions in the file.

LIVECell's files have 1.7 million polygons in hundreds of megabytes, which would take gigabytes as Python lists. A
single pass records the position of every annotation. A process that prepares an image then reads only the annotations
of that image.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from cellseg_monai.errors import DatasetError
from cellseg_monai.json_text import parse_json

__all__ = ["CocoFile", "CocoImage", "index_coco", "looks_like_coco", "read_annotations"]

_CHUNK = 2**23
_HEAD_BYTES = 4096
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors put before UTF-8 text
_HEAD = re.compile(rb"(?:%b)?\s*\{\s*\"(?:images|annotations|info|licenses|categories|type)\"\s*:\s*[\[{\"]" % _MARK)
_KEYS = ("images", "annotations")


@dataclass(frozen=True)
class CocoImage:
    """An image listed in a COCO file.

    Args:
        file_name: name of the image in the COCO file, possibly with folders.
        places: byte offsets in the COCO file at which the image's annotations start and end, alternating.
        size: (height, width) stated in the COCO file, in pixels; None if not stated.
    """

    file_name: str
    places: array
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class CocoFile:
    """The index of a COCO file.

    Args:
        path: the file.
        images: images listed in the file, in file order.
        orphans: number of annotations for images that the file does not list.
    """

    path: Path
    images: list[CocoImage]
    orphans: int


def looks_like_coco(path: Path) -> bool:
    """Return True if a JSON file begins with one of COCO's top-level keys."""
    with path.open("rb") as stream:
        return bool(_HEAD.match(stream.read(_HEAD_BYTES)))


def index_coco(path: Path) -> CocoFile:
    """Return the images listed in a COCO file, with the positions of their annotations.

    `images` and `annotations` can be lists or, as in some LIVECell files, objects whose values are the elements.

    Raises:
        DatasetError: the file is not a COCO file, or two images have the same id.
    """
    images: dict[Any, CocoImage] = {}
    places: dict[Any, array] = {}
    try:
        for key, start, end, value in _elements(path):
            if key == "images":
                name = value["file_name"].encode("latin-1").decode("utf-8")  # `_elements` turns bytes into characters
                image = CocoImage(name, places.setdefault(value["id"], array("q")), _size(value))
                if images.setdefault(value["id"], image).file_name != name:
                    raise DatasetError(
                        f"{path}: {images[value['id']].file_name!r} and {name!r} both have the id {value['id']!r}, so "
                        "their annotations cannot be told apart; export the file again"
                    )
            else:
                places.setdefault(value["image_id"], array("q")).extend((start, end))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise DatasetError(
            f"{path}: not a valid COCO file ({type(error).__name__}: {error}), expected an object with images (id, "
            "file_name) and annotations (image_id, segmentation); fetch or export the file again"
        ) from error
    orphans = sum(len(ends) // 2 for image_id, ends in places.items() if image_id not in images)
    return CocoFile(path, list(images.values()), orphans)


def read_annotations(path: Path, places: array) -> list[dict[str, Any]]:
    """Read the annotations of an image, given their positions.

    Args:
        path: the COCO file.
        places: byte offsets at which the annotations start and end, alternating; see `CocoImage`.

    Raises:
        ValueError: the file has changed since it was indexed.
    """
    annotations = []
    with path.open("rb") as stream:
        for start, end in zip(places[::2], places[1::2], strict=True):
            stream.seek(start)
            annotations.append(parse_json(stream.read(end - start)))
    return annotations


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) and height and width else None


def _elements(path: Path) -> Iterator[tuple[str, int, int, Any]]:
    """Yield key, start, end (byte offsets) and value for each element in `images` and `annotations`."""
    with path.open(encoding="latin-1", newline="") as stream:  # one character per byte, so positions are byte offsets
        text = _Window(stream)
        if text.peek() == chr(_MARK[0]):
            for byte in _MARK:
                text.take(chr(byte))
        text.take("{")
        while text.peek() != "}":
            key = text.value()[2]
            text.take(":")
            opening = text.peek()
            if key not in _KEYS or opening not in "[{":
                text.value()
                continue
            text.take(opening)
            while text.peek() not in "]}":
                if opening == "{":
                    text.value()
                    text.take(":")
                start, end, value = text.value()
                yield key, start, end, value
            text.take("]" if opening == "[" else "}")


class _Window:
    """A window that moves through a JSON file, reading only as far as needed; commas count as whitespace."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._text, self._at, self._before = stream, "", 0, 0
        self._decode = json.JSONDecoder().raw_decode
        self._space = re.compile(r"[\s,]*")

    def peek(self) -> str:
        """Return the next character that is not whitespace, without moving past it."""
        while True:
            match = self._space.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                raise json.JSONDecodeError("the file ends too early", self._text, self._at)

    def take(self, wanted: str) -> None:
        """Move past the next character, which must be `wanted`."""
        if self.peek() != wanted:
            raise json.JSONDecodeError(f"got {self.peek()!r}, expected {wanted!r}", self._text, self._at)
        self._at += 1

    def value(self) -> tuple[int, int, Any]:
        """Return start, end (byte offsets) and content of the next value, and move past the value."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._grow():
                    raise
                continue
            if end == len(self._text) and self._grow():
                continue  # a number may continue in the text just read
            start, self._at = self._before + self._at, end
            return start, self._before + end, value

    def _grow(self) -> bool:
        """Read more of the file, and drop the text before the current position; return False at the end of the file."""
        more = self._stream.read(max(_CHUNK, len(self._text) - self._at))
        if more:
            self._before += self._at
            self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)
