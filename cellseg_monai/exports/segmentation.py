"""The input of all exports: the objects of an image or stack, with their measurements.

Ids start again in each plane of a stack. Objects are not linked over time or depth, and ids that ran on would look as
if they were.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellseg_monai.boxes import ArrayPart
from cellseg_monai.io.registry import image_stem

if TYPE_CHECKING:  # slower to import than this whole package
    from cellseg_monai.labels import ObjectTable

__all__ = ["Segmentation", "place_name"]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of an image, or of a stack whose planes were segmented one by one.

    Args:
        labels: ids of any integer dtype, with one axis for every letter of `axes`; 0 is background. Either a numpy
            array, or anything that returns one when it is sliced, such as a zarr array.
        table: measurements of these labels from `labels.measure_objects`; for a stack from `labels.join_tables`, with
            the columns `t`, `p` and `z`, because ids start again in each plane.
        image_name: name of the image file.
        image: image as measured, with the axes of the labels and C before Y and X; an array or anything that returns
            one when it is sliced. Only exports that show the image need it.
        channel_names: one name for each channel, or empty.
        pixel_size_um: height and width of a pixel.
        axes: "YX", preceded by T, P and Z if there are several planes.
    """

    labels: Any
    table: ObjectTable
    image_name: str
    image: Any = None
    channel_names: Sequence[str] = ()
    pixel_size_um: tuple[float, float] | None = None
    axes: str = "YX"

    @property
    def shape(self) -> tuple[int, int]:
        """The lengths of Y and X."""
        height, width = self.labels.shape[-2:]
        return int(height), int(width)

    @property
    def highest_id(self) -> int:
        """The highest id in all planes."""
        return int(self.table["id"].max(initial=0))

    def split(self, held: str = "") -> Iterator[tuple[dict[str, int], Segmentation]]:
        """Yield the parts of the stack that one file each can hold, named after their place.

        Args:
            held: letters of T, P and Z, the axes that a part keeps besides Y and X.

        Yields:
            The place along the other axes, and the part; the whole stack if there are no other axes.

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
    """Return the file name of a part of a stack: the name of the file with the place added.

    >>> place_name("cells.ome.tif", {"T": 3, "Z": 0}), place_name("cells.tif", {})
    ('cells_T003_Z000.tif', 'cells.tif')
    """
    if not place:
        return name
    suffix = "".join(f"_{axis}{index:03d}" for axis, index in place.items())
    return f"{image_stem(name)}{suffix}{Path(name).suffix}"


def _part(array: Any, where: tuple[int | None, ...]) -> Any:
    """Return the part of an array at a place along its first axes; None keeps an axis."""
    if isinstance(array, np.ndarray):
        return array[tuple(slice(None) if index is None else index for index in where)]
    return ArrayPart(array, where)
