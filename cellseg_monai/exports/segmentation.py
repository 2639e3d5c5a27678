"""What exports are made of: the objects of an image or stack, with what is known of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellseg_monai.boxes import ArrayPart
from cellseg_monai.io.registry import image_stem

if TYPE_CHECKING:  # its imports take longer than this whole package's
    from cellseg_monai.labels import ObjectTable

__all__ = ["Segmentation", "place_name"]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of an image, or of a stack whose planes were segmented one by one.

    Args:
        labels: ids of any integer dtype, one axis for every letter of `axes`, 0 is background; a numpy array, or
            anything that gives one when it is sliced, such as a zarr array.
        table: as `labels.measure_objects` gives it of these labels; of a stack as `labels.join_tables` does, with the
            columns `t`, `p` and `z`, for ids begin anew in each plane.
        image_name: the name of the image file.
        image: as measured, the axes of the labels with C before Y and X, sliced likewise; for exports that show it.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel.
        axes: "YX", after T, P and Z where there are several planes.
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
        """Y and X."""
        height, width = self.labels.shape[-2:]
        return int(height), int(width)

    @property
    def highest_id(self) -> int:
        """The highest id of all planes."""
        return int(self.table["id"].max(initial=0))

    def split(self, held: str = "") -> Iterator[tuple[dict[str, int], Segmentation]]:
        """The same in parts, each with none but the axes in `held` before Y and X, called after its place.

        Args:
            held: letters of T, P and Z.

        Yields:
            The place of each along the other axes, and the part; the whole, if there are no others.

        >>> from cellseg_monai.labels import join_tables, measure_objects
        >>> labels = np.array([[[1, 1]], [[0, 2]]])
        >>> table = join_tables("Z", {(z,): measure_objects(plane) for z, plane in enumerate(labels)})
        >>> for place, part in Segmentation(labels, table, "cells.tif", axes="ZYX").split():
        ...     print(place, part.image_name, part.labels.shape, part.table["id"])
        {'Z': 0} cells_Z000.tif (1, 2) [1]
        {'Z': 1} cells_Z001.tif (1, 2) [2]
        """
        parted = [axis for axis in self.axes[:-2] if axis not in held]
        if not parted:
            yield {}, self
            return
        for at in itertools.product(*(range(self.labels.shape[self.axes.index(axis)]) for axis in parted)):
            place = dict(zip(parted, at, strict=True))
            where = tuple(place.get(axis) for axis in self.axes[:-2])
            yield (
                place,
                replace(
                    self,
                    labels=_part(self.labels, where),
                    table=self.table.at({axis.lower(): number for axis, number in place.items()}),
                    image_name=place_name(self.image_name, place),
                    image=None if self.image is None else _part(self.image, where),
                    axes="".join(axis for axis in self.axes if axis not in place),
                ),
            )


def place_name(name: str, place: dict[str, int]) -> str:
    """The name of a file for a part of a stack: that of the file, with the place in it.

    >>> place_name("cells.ome.tif", {"T": 3, "Z": 0}), place_name("cells.tif", {})
    ('cells_T003_Z000.tif', 'cells.tif')
    """
    if not place:
        return name
    where = "".join(f"_{axis}{at:03d}" for axis, at in place.items())
    return f"{image_stem(name)}{where}{Path(name).suffix}"


def _part(array: Any, where: tuple[int | None, ...]) -> Any:
    if isinstance(array, np.ndarray):
        return array[tuple(slice(None) if at is None else at for at in where)]
    return ArrayPart(array, where)
