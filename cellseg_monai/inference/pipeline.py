"""Everything that turns an image into objects: what a bundle declares, ready to be used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.heads import Head
from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Network, Tiles
from cellseg_monai.pixels import Preprocessing

__all__ = ["Pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """The steps of one bundle from an image, as it is read, to objects.

    Args:
        bundle: name of the bundle.
        version: version of the bundle.
        weights_sha256: SHA-256 of the file with the weights.
        network: turns prepared pixels into logits; see `inference.Network`.
        head: turns the network's logits into named maps.
        preprocess: how images are prepared.
        postprocess: how objects are made of the maps.
        tiles: how images are cut into tiles.
        tta: test-time augmentation: the network sees eight symmetric views of each tile.
        precision: the precision of the network's products, "float32" or "bfloat16"; results differ between the two.
        lanes: number of batches that the network sees at the same time; see `Lanes`.
    """

    bundle: str
    version: str
    weights_sha256: str
    network: Network
    head: Head
    preprocess: Preprocessing
    postprocess: Postprocessing
    tiles: Tiles
    tta: bool = False
    precision: str = "float32"
    lanes: int = 1

    def __post_init__(self) -> None:
        if "views" in self.head.maps:
            raise ValueError("got a head with a map called views, which is what test-time augmentation adds; rename it")
        method = self.postprocess.method
        if missing := [name for name in ("foreground", *method.maps) if name not in self.head.maps]:
            raise ValueError(
                f"got a head with the maps {', '.join(self.head.maps)}, expected {', '.join(missing)} among them for "
                f"the method {method.name}; use post-processing that fits the network"
            )

    @cached_property
    def augmented_network(self) -> Network:
        """The network; with `tta`, its mean over symmetric views, then the share of views that see foreground."""
        return over_symmetries(self.network, self._sees_foreground) if self.tta else self.network

    @property
    def map_names(self) -> tuple[str, ...]:
        """The names of the maps that `maps` returns, in order."""
        return (*self.head.maps, "views") if self.tta else self.head.maps

    @property
    def measured_maps(self) -> tuple[str, ...]:
        """The maps whose mean over each object goes into the table."""
        return (*self.head.measured_maps, "views") if self.tta else self.head.measured_maps

    def maps(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the maps of an answer of `augmented_network`.

        Args:
            logits: K×Y×X float32.

        Returns:
            Y×X float32 by name: the maps of the head and, with `tta`, `views`, the share of views that see foreground.
        """
        maps = self.head.activate(logits[:-1] if self.tta else logits)
        if tuple(maps) != self.head.maps or any(values.shape != logits.shape[1:] for values in maps.values()):
            shapes = {name: values.shape for name, values in maps.items()}
            raise TypeError(
                f"{type(self.head).__name__} gave {shapes}, expected {self.head.maps} of {logits.shape[1:]}"
            )
        return {**maps, "views": logits[-1]} if self.tta else maps

    def _sees_foreground(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(self.head.activate(logits)["foreground"] > self.postprocess.threshold)
