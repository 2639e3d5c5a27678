"""A head for the foreground only: cells or nuclei against background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from cellseg_monai.heads.head import NO_TAGS, Head
from cellseg_monai.labels import foreground_target

__all__ = ["ForegroundHead"]


@dataclass(frozen=True)
class ForegroundHead(Head, key="foreground"):
    """A head for the foreground: one channel with a sigmoid, or two channels (background, foreground) with a softmax.

    Args:
        softmax: True for two channels with a softmax.

    >>> ForegroundHead().activate(np.array([[[0.0]]]))["foreground"].tolist()
    [[0.5]]
    >>> ForegroundHead(softmax=True).activate(np.array([[[7.0]], [[7.0]]]))["foreground"].tolist()
    [[0.5]]
    """

    softmax: bool = False

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel names: the foreground, preceded by the background if there are two channels."""
        return ("background", "foreground") if self.softmax else ("foreground",)

    @property
    def maps(self) -> tuple[str, ...]:
        """The map name: the probability of the foreground."""
        return ("foreground",)

    @property
    def exclusive(self) -> bool:
        """True if the head has two channels."""
        return self.softmax

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 1×Y×X float32: 1 in objects, 0 elsewhere."""
        return foreground_target(labels)[np.newaxis]

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the probability that each pixel is foreground."""
        logits = self._check(logits)
        # A softmax over two channels is the sigmoid of their difference.
        return {"foreground": expit(logits[1] - logits[0] if self.softmax else logits[0])}
