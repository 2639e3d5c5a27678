"""Heads for classes: of each cell, and of the image as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from cellseg_monai.heads.head import NO_TAGS, Head
from cellseg_monai.labels import UNKNOWN, check_class_names, class_image

__all__ = ["CellClassHead", "ImageClassHead"]


@dataclass(frozen=True)
class _ClassHead(Head):
    """Base of the heads for classes, which are mutually exclusive (softmax).

    Args:
        names: names of the classes, plain text, in the order of the channels.
    """

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", check_class_names(self.names))

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels, which are those of the maps."""
        return self.maps

    @property
    def exclusive(self) -> bool:
        """True, because there is one class for each cell or image."""
        return True

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probability of each class."""
        probabilities: np.ndarray = softmax(self._check(logits), axis=0)
        return dict(zip(self.maps, probabilities, strict=True))


@dataclass(frozen=True)
class CellClassHead(_ClassHead, key="cell_class"):
    """A head for the class of each cell, predicted for every pixel.

    The target is the class of the cell at each pixel. Background, and cells of unknown class, are `UNKNOWN`, and have
    no influence on `training.losses.ClassLoss`.

    Args:
        names: names of the classes, in the order of the channels.
        tag: name of a tag with the class of all cells in an image, where nothing states the class of each; empty for
            none. A checkpoint records it, so that evaluation uses the same.

    >>> head = CellClassHead(("round", "elongated"))
    >>> head.encode(np.array([[0, 5, 5, 8]]), classes=np.array([[5, 1]])).tolist()
    [[[-1.0, 1.0, 1.0, -1.0]]]
    >>> {name: values.tolist() for name, values in head.activate(np.zeros((2, 1, 1))).items()}
    {'class/round': [[0.5]], 'class/elongated': [[0.5]]}
    """

    tag: str = ""

    @property
    def class_tag(self) -> str:
        """The tag with the class of all cells in an image."""
        return self.tag

    @property
    def maps(self) -> tuple[str, ...]:
        """The map names, `class/<name>`."""
        return tuple(f"class/{name}" for name in self.names)

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 1×Y×X float32: the number of the class in cells of known class, `UNKNOWN` elsewhere."""
        numbers = np.full(labels.shape, UNKNOWN) if classes is None else class_image(labels, classes)
        return numbers.astype(np.float32)[np.newaxis]


@dataclass(frozen=True)
class ImageClassHead(_ClassHead, key="image_class"):
    """A head for the class of the image, such as its cell type, which a tag names.

    The network predicts one value for the whole image, and repeats it at each pixel. Tiles, exports and every runtime
    can thus treat its channels like all others.

    Args:
        names: names of the classes, in the order of the channels.
        tag: name of the tag that holds the class of an image in the datalist.

    >>> head = ImageClassHead(("A172", "BV2"), tag="cell_type")
    >>> head.encode(np.zeros((1, 2)), {"cell_type": "BV2"}).tolist(), head.encode(np.zeros((1, 2))).tolist()
    ([[[1.0, 1.0]]], [[[-1.0, -1.0]]])
    """

    tag: str = "class"

    @property
    def maps(self) -> tuple[str, ...]:
        """The map names, `image_class/<name>`."""
        return tuple(f"image_class/{name}" for name in self.names)

    @property
    def tag_values(self) -> Mapping[str, tuple[str, ...]]:
        """The tag, whose values are the names of the classes."""
        return {self.tag: self.names}

    @property
    def pooled_channels(self) -> tuple[int, ...]:
        """All channels."""
        return tuple(range(len(self.names)))

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 1×Y×X float32: the number of the image's class at each pixel, or `UNKNOWN` if the tag is unknown.

        Raises:
            ValueError: the tag is not the name of a class.
        """
        value = tags.get(self.tag, "")
        if value in ("", None) or value != value:
            number = UNKNOWN
        elif value in self.names:
            number = self.names.index(value)
        else:
            raise ValueError(
                f"got the tag {self.tag}={value!r}, expected one of {', '.join(self.names)}; correct the datalist"
            )
        return np.full((1, *labels.shape), number, np.float32)
