"""All that makes objects of an image: what a bundle says, ready to be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Network, Tiles
from cellseg_monai.pixels import Preprocessing

__all__ = ["Pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """From an image as it is read to objects, as one bundle does it.

    Args:
        bundle: its name, and `version`.
        weights_sha256: of the file with the weights.
        network: prepared pixels to logits; see `inference.Network`.
        activation: logits, K×Y×X, to probability maps, C×Y×X float32, the foreground first.
        preprocess: how images are prepared.
        postprocess: how objects are made of the maps.
        tiles: how images are cut.
        tta: test-time augmentation: the network is asked about eight symmetric views.
        precision: in which the network multiplies, "float32" or "bfloat16"; results differ by it.
        lanes: how many batches the network sees at once; see `Lanes`.
    """

    bundle: str
    version: str
    weights_sha256: str
    network: Network
    activation: Callable[[np.ndarray], np.ndarray]
    preprocess: Preprocessing
    postprocess: Postprocessing
    tiles: Tiles
    tta: bool = False
    precision: str = "float32"
    lanes: int = 1

    @cached_property
    def asked(self) -> Network:
        """The network, over symmetric views where that is wanted; the share of views that see foreground comes last."""
        return over_symmetries(self.network, self._sees_foreground) if self.tta else self.network

    def maps(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The probability maps, and with `tta` the share of views that see foreground, Y×X, of what `asked` gave."""
        if not self.tta:
            return self.activation(logits), None
        return self.activation(logits[:-1]), logits[-1]

    def stacked_maps(self, logits: np.ndarray) -> np.ndarray:
        """What `maps` gives as one array, C×Y×X: with `tta`, the last is the share of views that see foreground."""
        found, views = self.maps(logits)
        return found if views is None else np.concatenate([found, views[np.newaxis]])

    def _sees_foreground(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(self.activation(logits)[0] > self.postprocess.threshold)
