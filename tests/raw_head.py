"""A head for tests whose networks return maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellseg_monai.heads import Head


@dataclass(frozen=True)
class RawHead(Head, key="tests.raw"):
    """A head that uses each channel of the network's output, clipped to [0, 1], as a map."""

    names: tuple[str, ...] = ("foreground",)

    @property
    def channels(self) -> tuple[str, ...]:
        return self.names

    @property
    def maps(self) -> tuple[str, ...]:
        return self.names

    def encode(self, labels: np.ndarray, tags: object = None, classes: object = None) -> np.ndarray:
        raise NotImplementedError("no test trains this head")

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.names, logits.clip(0, 1), strict=True))
