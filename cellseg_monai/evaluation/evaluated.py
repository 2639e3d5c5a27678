"""Data classes for an evaluation and its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellseg_monai.evaluation.pairs import FilePair
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.faults import Fault

__all__ = ["LABELLED", "EvaluatedImage", "Evaluation"]

LABELLED = "pixels whose predicted label is above 0"
"""Default description of the predicted foreground."""


@dataclass(frozen=True)
class EvaluatedImage:
    """An image whose label images were compared.

    Args:
        files: the true and predicted label images.
        counts: the protocol's counts for the image.
        tags: what is known about the image as text, such as its cell type, by which the scores are also given.
    """

    files: FilePair
    counts: ImageCounts
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """The result of comparing images under a protocol.

    Args:
        protocol: the protocol.
        images: the compared images; at least one.
        faults: one fault for every file or pair that could not be compared.
        warnings: one warning for every compared label image that looks like a foreground mask.
        about: further facts for the summary as JSON-compatible values, such as the checkpoint behind the predictions.
        foreground: description of the predicted foreground; only protocols that score the foreground use it.
    """

    protocol: Protocol
    images: Sequence[EvaluatedImage]
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    foreground: str = LABELLED

    @property
    def counts(self) -> list[ImageCounts]:
        """The protocol's counts for each image."""
        return [image.counts for image in self.images]
