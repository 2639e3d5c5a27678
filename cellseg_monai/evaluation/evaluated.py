"""An evaluation: the images that were compared under a protocol, and everything that its files say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cellseg_monai.evaluation.pairs import FilePair
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.faults import Fault

__all__ = ["LABELLED", "EvaluatedImage", "Evaluation"]

LABELLED = "pixels whose predicted label is above 0"
"""The predicted foreground, unless a mask was compared in its place."""


@dataclass(frozen=True)
class EvaluatedImage:
    """An image that was compared.

    Args:
        files: its true and predicted label images.
        counts: what the protocol counted in it.
    """

    files: FilePair
    counts: ImageCounts


@dataclass(frozen=True)
class Evaluation:
    """Images compared under a protocol.

    Args:
        protocol: the protocol.
        images: the images that were compared, at least one.
        faults: every file or pair that was not compared, and why.
        warnings: compared label images that look like masks of the foreground rather than objects.
        about: further facts for the summary, as plain data, such as the checkpoint that made the predictions.
        foreground: what the predicted foreground was, in words; of interest if the protocol counts the foreground.
    """

    protocol: Protocol
    images: Sequence[EvaluatedImage]
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    foreground: str = LABELLED

    @property
    def counts(self) -> list[ImageCounts]:
        """The counts of the protocol in each image."""
        return [image.counts for image in self.images]
