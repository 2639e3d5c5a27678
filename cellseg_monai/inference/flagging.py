"""Flags for segmented planes, which say what is unusual about an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np

from cellseg_monai.exports import Segmentation
from cellseg_monai.flag import Flag
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.pixels import PreparedPixels, PreparedWindows
from cellseg_monai.quality import flags_of, measure_plane

__all__ = ["flagged", "on_plane"]


def flagged(segmentation: Segmentation, prepared: PreparedPixels | PreparedWindows, pipeline: Pipeline) -> Segmentation:
    """Measure a segmented plane, and return it with its flags.

    The plane is not compared with other images in the run, so that its results do not depend on them.

    Args:
        segmentation: the objects in the plane, and its pixels.
        prepared: the plane as the network sees it.
        pipeline: the bundle's pipeline.
    """
    measures = measure_plane(
        lambda rows, columns: np.asarray(segmentation.image[:, rows, columns]),
        segmentation.labels,
        segmentation.table,
        pipeline.preprocess,
        channel_names=segmentation.channel_names,
        pixel_size_um=segmentation.pixel_size_um,
        prepared=prepared,
    )
    (flags,) = flags_of(
        [measures],
        pipeline.training,
        noise_floor=pipeline.preprocess.noise_floor,
        is_colour=pipeline.preprocess.channels == "rgb",
    )
    flags = [*pipeline.doubts, *flags]
    column = np.full(len(segmentation.table), "; ".join(flag.kind for flag in flags))
    table = segmentation.table.with_columns(flags=column)
    return replace(segmentation, table=table, flags=tuple(flags), measures=asdict(measures), choice=pipeline.choice())


def on_plane(flags: tuple[Flag, ...], place: Mapping[str, int]) -> tuple[Flag, ...]:
    """Return the flags of a plane with its position in the stack.

    Args:
        flags: the flags.
        place: position of the plane, as a number for each axis.

    >>> on_plane((Flag("no objects", "0 objects"),), {"T": 0, "Z": 3})[0].plane
    'T0 Z3'
    """
    plane = " ".join(f"{axis}{number}" for axis, number in place.items())
    return tuple(replace(flag, plane=plane) for flag in flags)
