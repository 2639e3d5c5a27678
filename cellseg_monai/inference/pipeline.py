"""The pipeline of a bundle: every step from an image to its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.flag import Flag
from cellseg_monai.heads import Head
from cellseg_monai.inference.choices import choice_of, choice_text
from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Network, Tiles
from cellseg_monai.io import Note
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import TrainingData
from cellseg_monai.scouting import Sighting

__all__ = ["Pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """The steps by which a bundle turns an image into objects, with the network loaded.

    Args:
        bundle: name of the bundle.
        version: version of the bundle.
        weights_sha256: SHA-256 of the weights file.
        network: turns prepared pixels into logits; see `inference.Network`.
        head: turns logits into named maps.
        preprocess: how images are prepared for the network.
        postprocess: how maps are turned into objects.
        tiles: how images are cut into tiles.
        tta: use test-time augmentation, which shows the network eight symmetric views of each tile.
        precision: precision of the network's multiplications, "float32" or "bfloat16"; it affects the results.
        lanes: number of batches that the network processes at the same time; see `Lanes`.
        code_sha256: SHA-256 of the bundle's configs and code; None for a bundle that ships with this package.
        training: description of the data on which the weights were trained, or None if unknown. Images unlike it are
            flagged.
        notes: on how the network runs, such as that another precision would be faster.
        sighting: what a scout saw in the image for which this pipeline was chosen; None if it suits any image.
        doubts: what is doubtful about that choice.
        tried: number of sizes that were tried on a window of the image, because the scout was unsure of the size.
        given_px: diameter of the objects that the user gave, in pixels of the image; None if the scout told it, or if
            the image keeps its size.

    Raises:
        ValueError: the head lacks a map that post-processing needs, or has a map called `views`.
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
    code_sha256: str | None = None
    training: TrainingData | None = None
    notes: tuple[Note, ...] = ()
    sighting: Sighting | None = None
    doubts: tuple[Flag, ...] = ()
    tried: int = 0
    given_px: float | None = None

    def __post_init__(self) -> None:
        if "views" in self.head.maps:
            raise ValueError(
                "got a head with a map called views, a name reserved for test-time augmentation; rename the map"
            )
        method = self.postprocess.method
        if missing := [name for name in ("foreground", *method.maps) if name not in self.head.maps]:
            raise ValueError(
                f"got a head with the maps {', '.join(self.head.maps)}, but no {', '.join(missing)}, which the "
                f"method {method.name} needs; use post-processing that suits the network"
            )

    def choose(
        self,
        read: Callable[[slice, slice], np.ndarray],
        shape: tuple[int, int],
        channel_names: Sequence[str] = (),
    ) -> Pipeline:
        """Return the pipeline for an image, which is always this one; see `ScoutedPipelines.choose`."""
        return self

    def repeated(self, choice: Mapping[str, Any]) -> Pipeline:
        """Return this pipeline, which was not chosen; see `ScoutedPipelines.repeated`."""
        return self

    def changed(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Return the result of a function of this pipeline; see `ScoutedPipelines.changed`."""
        return change(self)

    @property
    def largest(self) -> Pipeline:
        """This pipeline; see `ScoutedPipelines.largest`."""
        return self

    def named(self, bundle: str) -> Pipeline:
        """Return the pipeline of a bundle, which is always this one; see `ScoutedPipelines.named`."""
        return self

    def about(self) -> dict[str, Any]:
        """Return what the results depend on, for the record of a run."""
        code = {} if self.code_sha256 is None else {"code_sha256": self.code_sha256}
        return {
            "bundle": {"name": self.bundle, "version": self.version, "weights_sha256": self.weights_sha256, **code},
            "precision": self.precision,
            "preprocess": asdict(self.preprocess),
            "head": self.head.to_mapping(),
            "postprocess": self.postprocess.to_mapping(),
            "tiles": {"size": self.tiles.size, "overlap": self.tiles.overlap},
            "tta": self.tta,
        }

    @property
    def text(self) -> str:
        """A description of the pipeline, and of why it was chosen."""
        return self.bundle if self.sighting is None else choice_text(self.choice())

    def choice(self) -> dict[str, Any]:
        """Return how this pipeline was chosen for an image, for the record of a run; empty without a scout."""
        if self.sighting is None:
            return {}
        return choice_of(
            self.bundle, self.sighting, self.preprocess, self.doubts, tried=self.tried, given_px=self.given_px
        )

    @cached_property
    def augmented_network(self) -> Network:
        """The network, with test-time augmentation if `tta` is set.

        With augmentation, the output is the mean over the symmetric views, followed by one more channel: the share of
        views that see foreground.
        """
        return over_symmetries(self.network, self._sees_foreground) if self.tta else self.network

    @property
    def map_names(self) -> tuple[str, ...]:
        """Names of the maps that `maps` returns, in order."""
        return (*self.head.maps, "views") if self.tta else self.head.maps

    @property
    def measured_maps(self) -> tuple[str, ...]:
        """Names of the maps whose mean over each object is a column of the table."""
        return (*self.head.measured_maps, "views") if self.tta else self.head.measured_maps

    def maps(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Turn the output of `augmented_network` into maps.

        Args:
            logits: K×Y×X float32.

        Returns:
            The head's maps by name, Y×X float32. With `tta`, there is also the map `views`, the share of views that see
            foreground.

        Raises:
            TypeError: the head does not return the maps that it declares, which is a bug in the head.
        """
        maps = self.head.activate(logits[:-1] if self.tta else logits)
        if tuple(maps) != self.head.maps or any(values.shape != logits.shape[1:] for values in maps.values()):
            shapes = {name: values.shape for name, values in maps.items()}
            raise TypeError(
                f"{type(self.head).__name__} returned maps of shapes {shapes}, expected {self.head.maps}, each of "
                f"shape {logits.shape[1:]}; fix its method activate"
            )
        return {**maps, "views": logits[-1]} if self.tta else maps

    def _sees_foreground(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(self.head.activate(logits)["foreground"] > self.postprocess.threshold)
