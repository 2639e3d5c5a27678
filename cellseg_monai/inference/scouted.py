"""Choosing a pipeline for each image, by what a scout sees in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellseg_monai.flag import Flag
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.io import Note
from cellseg_monai.scouting import KINDS, NONE, Scout, Sighting

__all__ = ["Chooser", "ScoutedPipelines", "choose_for_planes"]

# Standard deviation of the logarithm to base 2 of the diameter, above which the size counts as uncertain: about ±40 %.
_UNSURE = 0.5
# Probability of the likeliest kind below which the kind counts as unknown.
_LEAST_LIKELY = 0.6
# Largest ratio between the diameters that planes of a stack may have to be segmented alike.
_ALIKE = 1.3


@dataclass(frozen=True, eq=False)
class ScoutedPipelines:
    """Pipelines of several bundles, one of which is chosen for each image.

    Args:
        scout: what looks at the images.
        pipelines: pipelines by the name of their bundle, each trained at a known diameter. With one pipeline, only the
            size and the polarity of the objects are left to the scout.
        diameter: diameter of the objects in all images, in pixels; "auto" to take what the scout sees, or "none" to
            keep the size of the images.
        is_fixed: True if the user chose the bundle, so that another kind of image is only doubtful.
    """

    scout: Scout
    pipelines: Mapping[str, Pipeline]
    diameter: float | str = "auto"
    is_fixed: bool = False

    @property
    def lanes(self) -> int:
        """Number of batches that a network processes at the same time."""
        return max(pipeline.lanes for pipeline in self.pipelines.values())

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes on how the networks run."""
        return tuple(dict.fromkeys(note for pipeline in self.pipelines.values() for note in pipeline.notes))

    @property
    def largest(self) -> Pipeline:
        """The pipeline with the largest tiles, by which memory is planned."""
        return max(self.pipelines.values(), key=lambda pipeline: math.prod(pipeline.tiles.size))

    def named(self, bundle: str) -> Pipeline:
        """Return the pipeline of a bundle."""
        return self.pipelines[bundle]

    def changed(self, change: Callable[[Pipeline], Pipeline]) -> ScoutedPipelines:
        """Return a copy in which each pipeline is replaced by the result of a function."""
        return replace(self, pipelines={name: change(pipeline) for name, pipeline in self.pipelines.items()})

    def choose(
        self,
        read: Callable[[slice, slice], np.ndarray],
        shape: tuple[int, int],
        channel_names: Sequence[str] = (),
    ) -> Pipeline:
        """Return the pipeline for an image, at the scale and with the polarity that suit the image.

        Args:
            read: function that returns the C×Y×X pixels in the given rows and columns.
            shape: (Y, X) of the image.
            channel_names: one name per channel, or empty.

        Raises:
            ValueError: the scout cannot look at the channels of the image.
        """
        chosen = next(iter(self.pipelines.values())).preprocess.channels
        sighting = self.scout.look(read, shape, channel_names=channel_names, channels=chosen)
        return self._for(sighting)

    def _for(self, sighting: Sighting) -> Pipeline:
        pipeline = self.pipelines[self._nearest(sighting)]
        diameter_px: float | None = sighting.diameter_px
        if self.diameter != "auto":
            diameter_px = None if isinstance(self.diameter, str) else self.diameter
        return replace(
            pipeline,
            preprocess=pipeline.preprocess.for_objects(diameter_px, dark=sighting.dark > 0.5),
            sighting=sighting,
            doubts=self._doubts(sighting, pipeline),
        )

    def _nearest(self, sighting: Sighting) -> str:
        """Return the name of the pipeline for the likeliest kind for which there is one."""
        likeliest = sorted(sighting.probabilities, key=lambda kind: -sighting.probabilities[kind])
        suitable = (bundle for kind in likeliest if (bundle := KINDS[kind].bundle) in self.pipelines)
        return next(suitable, next(iter(self.pipelines))) or ""

    def _doubts(self, sighting: Sighting, pipeline: Pipeline) -> tuple[Flag, ...]:
        doubts = []
        probability = sighting.probabilities[sighting.kind]
        own = KINDS[sighting.kind].bundle
        seen = f"{100 * probability:.0f} % {KINDS[sighting.kind].text}"
        if sighting.kind == NONE or probability < _LEAST_LIKELY or own != pipeline.bundle:
            doubts.append(Flag("unknown kind", f"{seen}; segmented by {pipeline.bundle}", "serious"))
        if self.diameter == "auto" and sighting.spread > _UNSURE:
            low, high = (sighting.diameter_px * 2.0**sign for sign in (-sighting.spread, sighting.spread))
            doubts.append(Flag("uncertain size", f"the diameter is between {low:.0f} and {high:.0f} px", "warning"))
        return tuple(doubts)

    def about(self) -> dict[str, Any]:
        """Return what the results depend on, for the record of a run."""
        return {
            "bundle": {
                "name": next(iter(self.pipelines)) if self.is_fixed else "auto",
                "version": self.scout.version,
                "weights_sha256": self.scout.weights_sha256,
            },
            "diameter": self.diameter,
            "bundles": {name: pipeline.about() for name, pipeline in self.pipelines.items()},
        }


Chooser = Pipeline | ScoutedPipelines
"""Anything with a method `choose` that returns the pipeline for an image."""


def choose_for_planes(
    chooser: Chooser,
    reads: Sequence[Callable[[slice, slice], np.ndarray]],
    shape: tuple[int, int],
    channel_names: Sequence[str] = (),
) -> Pipeline | None:
    """Return one pipeline for all planes of an image, or None if its planes differ.

    The first, the middle and the last plane are looked at.

    Args:
        chooser: what chooses the pipeline.
        reads: for each plane, a function that returns the C×Y×X pixels in the given rows and columns.
        shape: (Y, X) of the planes.
        channel_names: one name per channel, or empty.
    """
    if isinstance(chooser, Pipeline):
        return chooser
    places = sorted({0, len(reads) // 2, len(reads) - 1})
    chosen = sorted(
        (chooser.choose(reads[place], shape, channel_names) for place in places), key=lambda one: one.seen_diameter_px
    )
    are_alike = len({(one.bundle, one.preprocess.invert) for one in chosen}) == 1
    if are_alike and chosen[-1].seen_diameter_px <= _ALIKE * chosen[0].seen_diameter_px:
        return chosen[len(chosen) // 2]
    return None
