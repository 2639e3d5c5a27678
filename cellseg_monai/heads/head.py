"""The base class of heads, and their conversion to and from plain data for checkpoints."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from cellseg_monai.errors import BundleError
from cellseg_monai.settings import register

__all__ = ["NO_TAGS", "Head", "head_from_mapping"]

NO_TAGS: Mapping[str, Any] = MappingProxyType({})
"""Empty tags, for an image about which nothing is known."""

_HEADS: dict[str, type[Head]] = {}


@dataclasses.dataclass(frozen=True)
class Head(ABC):
    """Base class of heads, which define what a network predicts for each pixel.

    A head names the channels of the network's output, makes the training target from a label image, and turns logits
    into named maps. Its fields are plain data. A subclass registers itself under the name that checkpoints store:

        class MyHead(Head, key="my_head"): ...

    Map names have a fixed meaning: `foreground` is the probability that a pixel belongs to an object, `boundary` the
    probability that it separates touching objects, `distance` the depth inside an object as a fraction of its greatest
    depth, `class/<name>` the probability of a class of the object at this pixel, and `image_class/<name>` that of a
    class of the image. Finding objects requires the map `foreground`.

    Test-time augmentation averages the logits of flipped and rotated views. A channel must therefore mean the same in
    every view, so heads cannot predict directions.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, key: str = "", **options: Any) -> None:  # Python 3.10 reserves `name`
        super().__init_subclass__(**options)
        cls.name = key  # never inherited, or a checkpoint would restore the parent class
        if key:
            register(_HEADS, cls, key)

    @property
    @abstractmethod
    def channels(self) -> tuple[str, ...]:
        """The names of the network's output channels, in order."""

    @property
    @abstractmethod
    def maps(self) -> tuple[str, ...]:
        """The names of the maps that `activate` returns, in order."""

    @property
    def measured_maps(self) -> tuple[str, ...]:
        """The names of the maps whose mean over each object is a column in the table."""
        return tuple(name for name in self.maps if name == "foreground" or name.startswith("class/"))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes of objects, in the order of their numbers; empty if the head predicts none."""
        return tuple(name.removeprefix("class/") for name in self.maps if name.startswith("class/"))

    @property
    def class_tag(self) -> str:
        """The tag with the class of all objects in an image, where nothing states the class of each; empty for none."""
        return ""

    @property
    def image_class_names(self) -> tuple[str, ...]:
        """The names of the classes of images, in the order of their numbers; empty if the head predicts none."""
        return tuple(name.removeprefix("image_class/") for name in self.maps if name.startswith("image_class/"))

    @property
    def tag_values(self) -> Mapping[str, tuple[str, ...]]:
        """The tags of images that the head learns, each with all values that it can have."""
        return {}

    @property
    def pooled_channels(self) -> tuple[int, ...]:
        """The numbers of the channels with one value for the whole image, which the network repeats at each pixel."""
        return ()

    @property
    def exclusive(self) -> bool:
        """True if the channels are mutually exclusive classes, so that the loss must apply a softmax over them."""
        return False

    @property
    def target_channels(self) -> int:
        """The number of target channels: one of class numbers if the channels are exclusive, otherwise one for each."""
        return 1 if self.exclusive else len(self.channels)

    @abstractmethod
    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the training target for a label image.

        Args:
            labels: Y×X integers, one id per object, 0 for background.
            tags: tags of the image from the datalist, by name, such as its cell type. Only heads that predict a
                property like this use tags. Unknown text is an empty string, and an unknown number is NaN.
            classes: N×2 int64, the ids of the objects whose class is known, and the numbers of their classes in
                `class_names`; None if no class is known.

        Returns:
            float32 array of `target_channels`×Y×X.
        """

    @abstractmethod
    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Turn logits into maps.

        Args:
            logits: K×Y×X floats, with the channels in `channels`.

        Returns:
            For each name in `maps`, a Y×X float32 array of values from 0 to 1.

        Raises:
            ValueError: `logits` does not have these axes or channels.
        """

    def metadata(self) -> dict[str, Any]:
        """Return the description of the network's output for a bundle's `metadata.json`.

        Returns:
            `num_channels`, and `channel_def`, which maps channel numbers to names.
        """
        return {
            "num_channels": len(self.channels),
            "channel_def": {str(number): name for number, name in enumerate(self.channels)},
        }

    def to_mapping(self) -> dict[str, Any]:
        """Return the head as plain data, for `head_from_mapping`.

        Raises:
            BundleError: the class was declared without a key.
        """
        if not self.name:
            raise BundleError(
                f"{type(self).__name__} has no key, so no checkpoint can refer to it; write "
                f'`class {type(self).__name__}(..., key="...")`'
            )
        return {"name": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], *, source: str) -> Head:
        """Return the head with these fields; see `head_from_mapping`."""
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise BundleError(f"{source}: cannot build the head {cls.name!r} from {dict(fields)}: {error}") from error

    def _check(self, logits: np.ndarray) -> np.ndarray:
        """Return the logits as float32; raise ValueError if their axes or channels do not fit the head."""
        if logits.ndim != 3 or len(logits) != len(self.channels):
            raise ValueError(
                f"got logits of shape {logits.shape}, expected ({len(self.channels)}, Y, X) with the channels "
                f"{', '.join(self.channels)}; use the head that the network was trained with"
            )
        return logits.astype(np.float32, copy=False)  # differences and exponentials can overflow float16


def head_from_mapping(values: Mapping[str, Any], *, source: str) -> Head:
    """Return the head described by a mapping from `Head.to_mapping`.

    Args:
        values: the name of the head under `name`, and its fields.
        source: file that the values come from, named in error messages.

    Raises:
        BundleError: no head has this name, or it does not accept the fields.

    >>> from cellseg_monai.heads import ForegroundHead
    >>> head_from_mapping(ForegroundHead(softmax=True).to_mapping(), source="a checkpoint")
    ForegroundHead(softmax=True)
    """
    fields = dict(values)
    name = fields.pop("name", None)
    kind = _HEADS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BundleError(
            f"{source}: got the head {name!r}, expected one of {', '.join(sorted(_HEADS))}; import the package that "
            "defines it, or install the version of cellseg_monai that wrote this file"
        )
    return kind.from_fields(fields, source=source)
