"""A head that combines several heads of one network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellseg_monai.errors import BundleError
from cellseg_monai.heads.head import NO_TAGS, Head, head_from_mapping

__all__ = ["JoinedHeads"]


@dataclass(frozen=True)
class JoinedHeads(Head, key="joined"):
    """A head that combines several heads, whose channels follow one another in the network's output tensor.

    Args:
        heads: the heads, in the order of their channels. Two heads cannot have a map of the same name, and only one
            can predict classes of objects.

    Raises:
        ValueError: there are no heads, two heads have a map of the same name or both predict classes of objects, or the
            channel names are not unique even with the head's name in front.
    """

    heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", tuple(self.heads))
        if not self.heads:
            raise ValueError("got no heads, expected at least one; pass the heads of the network")
        for kind, names in (("channels", self.channels), ("maps", self.maps)):
            if repeated := [name for name, count in Counter(names).items() if count > 1]:
                raise ValueError(f"got heads that share the {kind} {', '.join(repeated)}, expected unique names")
        # An object has one class, and its number counts the names of one head.
        if len(classifying := [head.name for head in self.heads if head.class_names]) > 1:
            raise ValueError(
                f"got several heads for classes of objects ({', '.join(classifying)}), expected at most one; join "
                "their classes in one head"
            )

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel names of all heads; a name that several heads use becomes `<head>/<channel>`."""
        counts = Counter(name for head in self.heads for name in head.channels)
        return tuple(
            name if counts[name] == 1 else f"{head.name}/{name}" for head in self.heads for name in head.channels
        )

    @property
    def maps(self) -> tuple[str, ...]:
        """The map names of all heads."""
        return tuple(name for head in self.heads for name in head.maps)

    @property
    def measured_maps(self) -> tuple[str, ...]:
        """The names of the measured maps of all heads."""
        return tuple(name for head in self.heads for name in head.measured_maps)

    @property
    def class_tag(self) -> str:
        """The tag of the head for classes of objects."""
        return next((head.class_tag for head in self.heads if head.class_tag), "")

    @property
    def tag_values(self) -> Mapping[str, tuple[str, ...]]:
        """The tags that any of the heads learns."""
        return {tag: names for head in self.heads for tag, names in head.tag_values.items()}

    @property
    def pooled_channels(self) -> tuple[int, ...]:
        """The numbers of the pooled channels of all heads, among the channels of all heads."""
        starts = np.cumsum([0, *(len(head.channels) for head in self.heads)]).tolist()
        return tuple(
            start + number for start, head in zip(starts, self.heads, strict=False) for number in head.pooled_channels
        )

    @property
    def target_channels(self) -> int:
        """The total number of target channels."""
        return sum(head.target_channels for head in self.heads)

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the targets of all heads, concatenated along the channels."""
        return np.concatenate([head.encode(labels, tags, classes) for head in self.heads])

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the maps of all heads."""
        logits = self._check(logits)
        ends = np.cumsum([len(head.channels) for head in self.heads])
        parts = np.split(logits, ends[:-1])
        return {
            name: values
            for head, part in zip(self.heads, parts, strict=True)
            for name, values in head.activate(part).items()
        }

    def to_mapping(self) -> dict[str, Any]:
        """Return the heads as plain data, for `head_from_mapping`."""
        return {"name": self.name, "heads": [head.to_mapping() for head in self.heads]}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], *, source: str) -> Head:
        """Return the joined heads that plain data describe; see `head_from_mapping`."""
        parts = fields.get("heads")
        if fields.keys() != {"heads"} or not isinstance(parts, Iterable) or isinstance(parts, str):
            raise BundleError(f"{source}: got {dict(fields)} for joined heads, expected a list under 'heads'")
        heads = [head_from_mapping(part, source=source) for part in parts]
        return super().from_fields({"heads": heads}, source=source)
