"""Choosing a pipeline for each image, by what a scout sees in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cellseg_monai.flag import Flag
from cellseg_monai.inference.choices import doubts_of_choice, settings_of_choice, sighting_of_choice
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.tried_sizes import Fit, best_fit, sizes_to_try, try_sizes
from cellseg_monai.io import Note
from cellseg_monai.scouting import KINDS, Scout, Sighting, doubts_about, looked_at
from cellseg_monai.scouting.doubts import differences_between
from cellseg_monai.scouting.sighting import middling
from cellseg_monai.scouting.suited import suited, takes_size, tries_sizes
from cellseg_monai.segment_options import AUTO

__all__ = ["Chooser", "PlanesChooser", "Reader", "ScoutedPipelines", "choose_for_planes"]

# Standard deviation that stands for a size that the network's own maps confirm.
_CONFIRMED = 0.25

Reader = Callable[[slice, slice], np.ndarray]
"""A function that returns the C×Y×X pixels in the given rows and columns."""


@dataclass(frozen=True, eq=False)
class ScoutedPipelines:
    """Pipelines of several bundles, one of which is chosen for each image.

    Args:
        scout: what looks at the images.
        pipelines: pipelines by the name of their bundle. With one pipeline, only the size and the polarity of the
            objects are left to the scout. A pipeline that was trained at no known diameter takes images at the scale
            that it has.
        diameter: diameter of the objects in all images, in pixels; "auto" to take what the scout sees, or "none" to
            keep the size of the images.
        polarity: "bright" or "dark" for the objects in all images; "auto" to take what the scout sees.
        is_fixed: True if the user chose the bundle, so that another kind of image is only doubtful.
        is_strict: True to refuse an image about which there is a serious doubt.
    """

    scout: Scout
    pipelines: Mapping[str, Pipeline]
    diameter: float | str = "auto"
    polarity: str = "auto"
    is_fixed: bool = False
    is_strict: bool = False

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

    def choose(self, read: Reader, shape: tuple[int, int], channel_names: Sequence[str] = ()) -> Pipeline:
        """Return the pipeline for an image, at the scale and with the polarity that suit the image.

        If the scout is unsure of the size, a few sizes are tried on a window of the image; see `try_sizes`.

        Args:
            read: function that returns the C×Y×X pixels in the given rows and columns.
            shape: (Y, X) of the image.
            channel_names: one name per channel, or empty.

        Raises:
            ValueError: the scout cannot look at the channels of the image; or there is a serious doubt, and these
                pipelines are strict.
        """
        chosen = next(iter(self.pipelines.values())).preprocess.channels
        sighting = self.scout.look(read, shape, channel_names=channel_names, channels=chosen)
        pipeline = self._scaled(self._nearest(sighting), sighting)
        if tries_sizes(pipeline.preprocess, sighting, self.diameter):
            tried_px = sizes_to_try(sighting.diameter_px, sighting.spread)
            fits = try_sizes(read, shape, pipeline, tried_px, channel_names=channel_names)
            sighting = _judged(sighting, fits)
            pipeline = replace(self._scaled(pipeline.bundle, sighting), tried=len(fits))
        pipeline = replace(pipeline, doubts=self._doubts(pipeline, sighting))
        if self.is_strict:
            _refuse(pipeline.doubts)
        return pipeline

    def repeated(self, choice: Mapping[str, Any]) -> Pipeline:
        """Return the pipeline that an earlier run chose for an image, without looking at the image again.

        Args:
            choice: from `Pipeline.choice`.

        Raises:
            ValueError: the choice is a bundle that is not among these pipelines.
        """
        if choice.get("bundle") not in self.pipelines:
            raise ValueError(
                f"got {choice.get('bundle')!r} as the bundle chosen for the image, expected one of "
                f"{', '.join(self.pipelines)}; repeat the run with the bundles that it used"
            )
        pipeline = self.pipelines[choice["bundle"]]
        return replace(
            pipeline,
            preprocess=settings_of_choice(pipeline.preprocess, choice),
            sighting=sighting_of_choice(choice),
            doubts=doubts_of_choice(choice),
            tried=choice.get("tried", 0),
            given_px=choice.get("given_px"),
        )

    def _scaled(self, bundle: str, sighting: Sighting) -> Pipeline:
        pipeline = self.pipelines[bundle]
        preprocess = suited(pipeline.preprocess, sighting, self.diameter, self.polarity)
        has_size = pipeline.preprocess.diameter_px is not None
        given_px = self.diameter if has_size and isinstance(self.diameter, float) else None
        return replace(pipeline, preprocess=preprocess, sighting=sighting, given_px=given_px)

    def _nearest(self, sighting: Sighting) -> str:
        """Return the name of the pipeline for the likeliest kind for which there is one."""
        return sighting.nearest_bundle(self.pipelines) or next(iter(self.pipelines))

    def _doubts(self, pipeline: Pipeline, sighting: Sighting) -> tuple[Flag, ...]:
        return doubts_about(
            sighting,
            pipeline.bundle,
            suits_any_kind=not _is_shipped_for_a_kind(pipeline),
            needs_size=takes_size(pipeline.preprocess, self.diameter),
            needs_polarity=pipeline.preprocess.polarity != "any",
            tried=pipeline.tried,
            given_px=pipeline.given_px,
            given_dark=None if self.polarity == "auto" else self.polarity == "dark",
        )

    def about(self) -> dict[str, Any]:
        """Return what the results depend on, for the record of a run."""
        if self.is_fixed:
            (own,) = (pipeline.about() for pipeline in self.pipelines.values())
        else:
            own = {"bundle": {"name": AUTO}, "bundles": {name: one.about() for name, one in self.pipelines.items()}}
        scout = {
            "version": self.scout.version,
            "weights_sha256": self.scout.weights_sha256,
            "certainty": asdict(self.scout.certainty),
        }
        given = {} if self.polarity == "auto" else {"polarity": self.polarity}
        return {**own, "diameter": self.diameter, **given, "scout": scout}


def _judged(sighting: Sighting, fits: Sequence[Fit]) -> Sighting:
    """Return a sighting with the size that fits best; the size is certain if the objects found there confirm it."""
    best = best_fit(fits)
    if best is None:
        return sighting
    return replace(sighting, diameter_px=best.diameter_px, spread=_CONFIRMED if best.agrees else sighting.spread)


def _is_shipped_for_a_kind(pipeline: Pipeline) -> bool:
    """Return True for a bundle of this package that is made for certain kinds; others may be made for any kind."""
    return pipeline.code_sha256 is None and any(kind.bundle == pipeline.bundle for kind in KINDS.values())


def _refuse(doubts: Sequence[Flag]) -> None:
    """Raise an error if a doubt is serious."""
    for doubt in doubts:
        if doubt.severity == "serious":
            seen = doubt.reason.partition(";")[0]
            raise ValueError(
                f"refused because of --strict: {doubt.kind}, {seen}; name a bundle for such images, or leave out "
                "--strict"
            )


Chooser = Pipeline | ScoutedPipelines
"""Anything with a method `choose` that returns the pipeline for an image."""


@dataclass(frozen=True, eq=False)
class PlanesChooser:
    """A choice of pipelines for the planes of an image.

    Call it with the number of a plane and a function that reads the plane, to get its pipeline.

    Args:
        chooser: what chooses pipelines.
        shape: (Y, X) of the planes.
        channel_names: one name per channel, or empty.
        seen: the pipelines of the planes that were looked at, by the number of the plane.
        differences: a flag that says how these planes differ; empty if all planes share one pipeline.
    """

    chooser: Chooser
    shape: tuple[int, int]
    channel_names: Sequence[str]
    seen: Mapping[int, Pipeline]
    differences: tuple[Flag, ...] = ()

    @property
    def shared(self) -> Pipeline | None:
        """The pipeline of all planes, or None if they differ."""
        if self.differences:
            return None
        pipelines = list(self.seen.values())
        sightings = [pipeline.sighting for pipeline in pipelines if pipeline.sighting is not None]
        middle = middling(sightings) if sightings else None
        return next(pipeline for pipeline in pipelines if pipeline.sighting is middle)

    def __call__(self, number: int, read: Reader) -> Pipeline:
        """Return the pipeline of a plane.

        Raises:
            ValueError: see `ScoutedPipelines.choose`.
        """
        if (shared := self.shared) is not None:
            return shared
        chosen = self.seen.get(number) or self.chooser.choose(read, self.shape, self.channel_names)
        return replace(chosen, doubts=(*chosen.doubts, *self.differences))


def choose_for_planes(
    chooser: Chooser,
    reads: Sequence[Reader],
    shape: tuple[int, int],
    channel_names: Sequence[str] = (),
) -> PlanesChooser:
    """Choose one pipeline for all planes of an image, or one for each if its planes differ.

    The first, the middle and the last plane are looked at.

    Args:
        chooser: what chooses pipelines.
        reads: for each plane, a function that returns the C×Y×X pixels in the given rows and columns.
        shape: (Y, X) of the planes.
        channel_names: one name per channel, or empty.

    Raises:
        ValueError: see `ScoutedPipelines.choose`.
    """
    seen = {number: chooser.choose(reads[number], shape, channel_names) for number in looked_at(len(reads))}
    sightings = [pipeline.sighting for pipeline in seen.values() if pipeline.sighting is not None]
    bundles = [pipeline.bundle for pipeline in seen.values()]
    differences = differences_between(sightings, bundles) if sightings else ()
    return PlanesChooser(chooser, shape, channel_names, seen, differences)
