"""The input to every export: the objects in an image or stack, with their measurements.

Ids restart in each plane of a stack. Objects are not linked across time or depth, and continuous numbering would
suggest that they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellseg_monai.boxes import ArrayPart
from cellseg_monai.flag import Flag
from cellseg_monai.formats.registry import image_stem

if TYPE_CHECKING:  # slower to import than the rest of this package
    from cellseg_monai.labels import ObjectTable

__all__ = ["Segmentation", "place_name"]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects in an image, or in a stack whose planes were segmented one by one.

    Args:
        labels: ids of any integer dtype, 0 for background, with one axis per letter of `axes`: a NumPy array, or
            anything that returns one when sliced, such as a Zarr array.
        table: measurements of the objects, as returned by `labels.measure_objects`. For a stack, the joined table from
            `labels.join_tables`, whose columns `t`, `p` and `z` tell objects with the same id apart.
        image_name: name of the image file.
        image: image that was measured, with the axes of the labels and C before Y and X: an array, or anything that
            returns one when sliced. Needed only by exports that show the image.
        channel_names: one name per channel, or empty.
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.
        axes: "YX", preceded by whichever of T, P and Z the stack has.
        z_step_um: distance between the planes of a stack along Z in micrometres, or None if unknown.
        time_step_s: time between two time points of a stack in seconds, or None if unknown.
        flags: what is unusual about the image; see `quality.flags_of`. The kinds are also in the column `flags` of the
            table, separated by semicolons.
        measures: for an image with one plane, the numbers behind the flags by name; see `quality.PlaneMeasures`.
        choice: for an image with one plane, how bundle and scale were chosen; see `inference.Pipeline.choice`. Empty if
            they were fixed.
        image_classes: for an image with one plane, the probability of each class of the image by name; empty if the
            network predicts none.
    """

    labels: Any
    table: ObjectTable
    image_name: str
    image: Any = None
    channel_names: Sequence[str] = ()
    pixel_size_um: tuple[float, float] | None = None
    axes: str = "YX"
    z_step_um: float | None = None
    time_step_s: float | None = None
    flags: Sequence[Flag] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    image_classes: Mapping[str, float] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane, in pixels."""
        height, width = self.labels.shape[-2:]
        return int(height), int(width)

    @property
    def highest_id(self) -> int:
        """Highest id in any plane."""
        return int(self.table["id"].max(initial=0))

    def split(self, held: str = "") -> Iterator[tuple[dict[str, int], Segmentation]]:
        """Split the stack into parts that each fit into one file, and name each part after its place.

        Args:
            held: axes that each part keeps in addition to Y and X: any of the letters T, P and Z.

        Yields:
            For each part, its index along each split axis, by letter, and the part itself. If there is nothing to
            split, an empty dictionary and the whole stack.

        >>> from cellseg_monai.labels import join_tables, measure_objects
        >>> labels = np.array([[[1, 1]], [[0, 2]]])
        >>> table = join_tables("Z", {(z,): measure_objects(plane) for z, plane in enumerate(labels)})
        >>> for place, part in Segmentation(labels, table, "cells.tif", axes="ZYX").split():
        ...     print(place, part.image_name, part.labels.shape, part.table["id"])
        {'Z': 0} cells_Z000.tif (1, 2) [1]
        {'Z': 1} cells_Z001.tif (1, 2) [2]
        """
        split_axes = [axis for axis in self.axes[:-2] if axis not in held]
        if not split_axes:
            yield {}, self
            return
        for indices in itertools.product(*(range(self.labels.shape[self.axes.index(axis)]) for axis in split_axes)):
            place = dict(zip(split_axes, indices, strict=True))
            where = tuple(place.get(axis) for axis in self.axes[:-2])
            yield (
                place,
                replace(
                    self,
                    labels=_part(self.labels, where),
                    table=self.table.at({axis.lower(): index for axis, index in place.items()}),
                    image_name=place_name(self.image_name, place),
                    image=None if self.image is None else _part(self.image, where),
                    axes="".join(axis for axis in self.axes if axis not in place),
                ),
            )


def place_name(name: str, place: dict[str, int]) -> str:
    """Return the file name for part of a stack: the name of the stack's file with the place added.

    >>> place_name("cells.ome.tif", {"T": 3, "Z": 0}), place_name("cells.tif", {})
    ('cells_T003_Z000.tif', 'cells.tif')
    """
    if not place:
        return name
    suffix = "".join(f"_{axis}{index:03d}" for axis, index in place.items())
    return f"{image_stem(name)}{suffix}{Path(name).suffix}"


def _part(array: Any, where: tuple[int | None, ...]) -> Any:
    """Return the part of an array at the given indices along its first axes; None keeps an axis whole."""
    if isinstance(array, np.ndarray):
        return array[tuple(slice(None) if index is None else index for index in where)]
    return ArrayPart(array, where)
