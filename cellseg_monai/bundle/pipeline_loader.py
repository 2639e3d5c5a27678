"""Loading a pipeline, or the pipelines among which a scout chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellseg_monai.bundle.one_pipeline import ChannelCountError, load_one
from cellseg_monai.bundle.scout_loader import bundles_of_kinds, has_weights, load_scout
from cellseg_monai.errors import CheckpointError
from cellseg_monai.inference import Chooser, Pipeline, ScoutedPipelines
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.segment_options import AUTO, PIPELINE_OPTIONS, SINGLE_BUNDLE, SegmentOptions, takes_options

__all__ = ["PipelineLoader", "load_pipeline"]

_SCOUT = "scout"


@takes_options(*PIPELINE_OPTIONS)
def load_pipeline(
    bundle: str | Path = SegmentOptions.bundle,
    *,
    batch: int | None = None,
    check: Callable[[Preprocessing], None] | None = None,
    **options: Any,
) -> Chooser:
    """Load a bundle's network, together with all the settings that turn an image into objects.

    Args:
        bundle: name, folder or zip of the bundle.
        options: fields of `SegmentOptions`.
        batch: number of tiles per batch. The default is 1 on a CPU, which does not benefit from larger batches, and the
            bundle's own batch size on other devices.
        check: function to call with the preparation of images before the network is loaded. It can raise an error to
            stop the loading.

    Returns:
        The pipeline; or, if size or polarity have to be found for each image, or the bundle is "auto", pipelines among
        which a scout chooses.

    Raises:
        FileNotFoundError: the file `postprocess` does not exist.
        BundleError: the bundle does not exist or is incomplete, or `diameter` was given but the bundle does not
            describe the training data of its weights.
        CheckpointError: the bundle has no weights, or the weights belong to another bundle.
        ValueError: the device does not exist, the tile size, overlap or diameter is invalid, or the number of channels
            does not match the network.
    """
    return _load(SegmentOptions(bundle=bundle, **options), batch, check)  # type: ignore[arg-type]


@dataclass(frozen=True)
class PipelineLoader:
    """A picklable callable that loads a pipeline in any process. Loaders with equal options are equal.

    Args:
        options: the options. Their paths must be valid in every process that loads the pipeline.
    """

    options: SegmentOptions

    def __call__(self, check: Callable[[Preprocessing], None] | None = None) -> Chooser:
        """Load the pipeline in this process.

        Args:
            check: function to call with the preparation of images before the network is loaded.
        """
        return _load(self.options, None, check)


def _load(options: SegmentOptions, batch: int | None, check: Callable[[Preprocessing], None] | None) -> Chooser:
    """Load one pipeline, or the pipelines among which a scout chooses."""
    diameter = "none" if options.diameter is None else options.diameter
    if options.bundle == AUTO:
        if not has_weights(_SCOUT):
            raise CheckpointError(
                "no weights for the scout, which chooses a bundle for each image; name a bundle, as in --bundle "
                f"{SINGLE_BUNDLE}"
            )
        every = _of_all_kinds(options, batch, check)
        return ScoutedPipelines(load_scout(), every, diameter, options.polarity, is_strict=options.strict)
    pipeline = load_one(options, batch, check)
    settings = pipeline.preprocess
    if options.polarity != AUTO and settings.polarity == "any":
        raise ValueError(
            f"got polarity={options.polarity} for the bundle {pipeline.bundle}, which takes bright and dark objects as "
            "they are; leave it out"
        )
    needs_size = settings.diameter_px is not None and diameter == "auto"
    is_for_a_kind = pipeline.code_sha256 is None and pipeline.bundle in bundles_of_kinds()
    if not (needs_size or is_for_a_kind or settings.polarity == "bright"):
        if options.strict:
            raise ValueError(
                f"got strict=True for the bundle {pipeline.bundle}, which takes any image as it is; leave it out, or "
                f"use the bundle {AUTO}"
            )
        return pipeline
    if has_weights(_SCOUT):
        own = {pipeline.bundle: pipeline}
        return ScoutedPipelines(load_scout(), own, diameter, options.polarity, is_fixed=True, is_strict=options.strict)
    if needs_size or options.strict:
        raise CheckpointError(
            "no weights for the scout, which tells the size of the objects; pass --diameter, such as 30, or none to "
            "keep the size of the images, and leave out --strict"
        )
    diameter_px = None if isinstance(diameter, str) else diameter
    return replace(pipeline, preprocess=settings.for_objects(diameter_px, dark=options.polarity == "dark"))


def _of_all_kinds(
    options: SegmentOptions, batch: int | None, check: Callable[[Preprocessing], None] | None
) -> dict[str, Pipeline]:
    """Load the pipelines of the bundles that are made for a kind of image, as far as they can be used.

    A bundle without weights is left out, and so is one with another number of channels than the user named. Images of
    its kind are segmented by the nearest of the others, and marked as doubtful.
    """
    names = bundles_of_kinds()
    usable = [name for name in names if has_weights(name)] or names[:1]  # the first then says what it lacks
    pipelines: dict[str, Pipeline] = {}
    misfits = []
    for name in usable:
        try:
            pipelines[name] = load_one(replace(options, bundle=name), batch, check)
        except ChannelCountError as error:
            misfits.append(error)
            continue
        # One precision for all, so that the choice of bundle is the only difference.
        options = replace(options, amp=pipelines[name].precision == "bfloat16")
    if misfits and not pipelines:
        raise ValueError("; ".join(dict.fromkeys(map(str, misfits))))
    return pipelines
