"""Base class of heads, and their conversion to and from plain data for checkpoints."""

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
"""The tags of an image without tags."""

_HEADS: dict[str, type[Head]] = {}


@dataclasses.dataclass(frozen=True)
class Head(ABC):
    """Base of heads, which define what a network predicts for each pixel.

    A head names the channels of the network's output, makes the training target for a label image, and turns logits
    into named maps. Its fields are plain data. A subclass registers itself under the name that checkpoints store:

        class MyHead(Head, name="my_head"): ...

    The names of maps have a fixed meaning: `foreground` is the probability that a pixel belongs to an object,
    `boundary` the probability that it separates touching objects, `distance` the depth within an object as a share of
    its greatest depth, and `class/<name>` the probability of a class. A head must give `foreground` if objects are to
    be made from its maps.

    Test-time augmentation averages the logits of flipped and rotated views, so a channel must mean the same in every
    view: a head cannot predict directions.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = name  # not that of the parent: plain data would bring back the parent
        if name:
            register(_HEADS, cls, name)

    @property
    @abstractmethod
    def channels(self) -> tuple[str, ...]:
        """The name of each channel of the network's output, in order."""

    @property
    @abstractmethod
    def maps(self) -> tuple[str, ...]:
        """The names of the maps that `activate` returns, in order."""

    @property
    def measured_maps(self) -> tuple[str, ...]:
        """The names of the maps whose mean over each object goes into the table."""
        return tuple(name for name in self.maps if name == "foreground" or name.startswith("class/"))

    @property
    def exclusive(self) -> bool:
        """True if each pixel belongs to exactly one channel, so that the loss needs a softmax over them."""
        return False

    @property
    def target_channels(self) -> int:
        """The number of channels of the target: one for exclusive classes, which holds class numbers, otherwise all."""
        return 1 if self.exclusive else len(self.channels)

    @abstractmethod
    def encode(self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS) -> np.ndarray:
        """Return the training target of a label image.

        Args:
            labels: Y×X integers, one id per object, 0 for background.
            tags: the tags of the image in the data list, by name, such as its cell type. An unknown text is empty, and
                an unknown number is NaN. Only heads that predict such a property use them.

        Returns:
            float32 array of `target_channels`×Y×X.
        """

    @abstractmethod
    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Turn logits into maps.

        Args:
            logits: K×Y×X floats, one channel for each of `channels`.

        Returns:
            Y×X float32 in [0, 1] for each of `maps`.

        Raises:
            ValueError: `logits` does not have these axes or channels.
        """

    def metadata(self) -> dict[str, Any]:
        """Return the description of the network's output for a bundle's `metadata.json`.

        Returns:
            `num_channels`, and `channel_def` with the name of each channel by its number.
        """
        return {
            "num_channels": len(self.channels),
            "channel_def": {str(number): name for number, name in enumerate(self.channels)},
        }

    def to_mapping(self) -> dict[str, Any]:
        """Return the head as plain data, which `head_from_mapping` reads.

        Raises:
            BundleError: the class has no name.
        """
        if not self.name:
            raise BundleError(
                f"{type(self).__name__} has no name, so no checkpoint can refer to it; write "
                f'`class {type(self).__name__}(..., name="...")`'
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
        """Return logits as float32; raise ValueError if they do not have the axes and channels of the head."""
        if logits.ndim != 3 or len(logits) != len(self.channels):
            raise ValueError(
                f"got logits of shape {logits.shape}, expected ({len(self.channels)}, Y, X) with the channels "
                f"{', '.join(self.channels)}; use the head that the network was trained with"
            )
        return logits.astype(np.float32, copy=False)  # differences and exponentials can overflow float16


def head_from_mapping(values: Mapping[str, Any], *, source: str) -> Head:
    """Return the head that a mapping from `Head.to_mapping` describes.

    Args:
        values: the name of the head under `name`, and its fields.
        source: file that the values come from, for messages.

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
