"""Planes segmented by a `cellseg segment` run, with their images, label images and object tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.exports import EXPORTS, place_name
from cellseg_monai.exports.table_csv import read as read_table
from cellseg_monai.faults import Fault
from cellseg_monai.io import LazyPlane, image_stem, open_image
from cellseg_monai.labels import ObjectTable
from cellseg_monai.quality import PlaneMeasures, recorded_measures

__all__ = ["LABEL_EXPORTS", "OpenPlane", "SegmentedPlane", "segmented_planes"]

LABEL_EXPORTS = ("labels", "ome", "zarr")
"""Exports that contain the label image; a report needs at least one of them."""

# Columns of the table that a report uses.
_WHOLE = ("id", "top_px", "left_px", "bottom_px", "right_px", "area_px")
_NUMBERS = ("score", "equivalent_diameter_px", "touches_edge")


@dataclass(frozen=True)
class SegmentedPlane:
    """The files of a segmented plane.

    Args:
        name: name of the image relative to the output folder; for a stack, it includes the position of the plane.
        image: path of the image file.
        place: position of the plane in its stack, as an index for each axis.
        labels: path of the label image, which covers the whole stack.
        table: path of the CSV table, which lists the objects of the whole stack.
        axes: axes of the image file if the user passed them to the run, otherwise None.
        pixel_size_um: pixel size (y, x) if the user passed it to the run, otherwise None.
        measures: the measures of the plane that the run recorded; None if it was made by an earlier version.
        objects: number of objects in the whole stack that the run recorded; None if unknown.
        choice: how bundle and scale were chosen for the plane; empty if they were fixed. See `Pipeline.choice`.
    """

    name: str
    image: Path
    place: Mapping[str, int]
    labels: Path
    table: Path
    axes: str | None = None
    pixel_size_um: tuple[float, float] | None = None
    measures: PlaneMeasures | None = None
    objects: int | None = None
    choice: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @contextmanager
    def opened(self) -> Iterator[OpenPlane]:
        """Open the plane for reading.

        Raises:
            OSError: a file is missing.
            ValueError: a file cannot be read, the table is not that of the run, or the image and its labels differ in
                shape.
        """
        table = self._read_table()
        with open_image(self.image, axes=self.axes) as image, open_image(self.labels) as labels:
            if image.shape[-2:] != labels.shape[-2:]:
                raise ValueError(
                    f"{self.image}: got an image of shape {image.shape[-2:]}, expected {labels.shape[-2:]} as in its "
                    "labels; restore the image that was segmented"
                )
            place = tuple(self.place.values())
            for path, stack in ((self.image, image), (self.labels, labels)):
                lengths = stack.shape[:-3]
                if len(lengths) != len(place) or any(at >= length for at, length in zip(place, lengths, strict=True)):
                    raise ValueError(
                        f"{path}: got the axes {stack.axes} and the shape {stack.shape}, which have no plane "
                        f"{dict(self.place)}; restore the file of the run"
                    )
            _check_boxes(table, self.table, labels.shape[-2:])
            pixel_size_um = self.pixel_size_um or image.pixel_size_um
            yield OpenPlane(image.plane(place), labels.plane(place).channel(0), table, pixel_size_um)

    def _read_table(self) -> ObjectTable:
        """Return the objects of the plane, after comparing the table with what the run recorded."""
        stack_table = _read_cached(self.table, self.table.stat().st_mtime_ns)
        place = {axis.lower(): number for axis, number in self.place.items()}
        if missing := sorted({*_NUMBERS, *_WHOLE, *place} - stack_table.columns.keys()):
            raise ValueError(f"{self.table}: the column {missing[0]!r} is missing; segment the image again")
        if self.objects is not None and len(stack_table) != self.objects:
            raise ValueError(
                f"{self.table}: got {len(stack_table)} objects, expected {self.objects} as the run recorded; segment "
                "the image again"
            )
        table = stack_table.at(place)
        if any(table[name].dtype.kind not in "iu" for name in _WHOLE) or (np.diff(table["id"], prepend=0) < 1).any():
            raise ValueError(
                f"{self.table}: expected whole numbers in the columns {', '.join(_WHOLE)}, and ascending ids from 1; "
                "segment the image again"
            )
        return table


@dataclass(frozen=True, eq=False)
class OpenPlane:
    """A segmented plane whose files are open.

    Args:
        pixels: CYX, in the units of the image file.
        labels: YX ids.
        table: measurements of the objects in the plane.
        pixel_size_um: pixel size (y, x) as passed to the run, otherwise as stored in the image file.
    """

    pixels: LazyPlane
    labels: SlicedArray
    table: ObjectTable
    pixel_size_um: tuple[float, float] | None


def segmented_planes(run: Mapping[str, Any], folder: Path) -> tuple[list[SegmentedPlane], list[Fault]]:
    """List the planes that a run segmented.

    Args:
        run: content of the `run.json`.
        folder: folder that contains the `run.json` and the results.

    Returns:
        The planes, and a fault for every image that failed or lacks the needed exports.
    """
    planes, faults = [], [Fault("segmenting", "failed", reason) for reason in run.get("failures", [])]
    size_um = run["about"].get("pixel_size_um")
    for entry in run["images"]:
        image, subfolder = Path(entry["path"]), Path(entry["key"]).parent
        stem = (subfolder / image_stem(image.name)).as_posix()
        labels, table = (_first_written(entry["files"], stem, exports) for exports in (LABEL_EXPORTS, ("csv",)))
        if labels is None or table is None:
            message = "the run did not export its label image or CSV table; segment it again with `--export labels,csv`"
            faults.append(Fault(stem, "no-results", message))
            continue
        axes, lengths = entry["axes"][:-3], entry["shape"][:-3]
        measures = recorded_measures(entry.get("measures"), math.prod(lengths))
        choices = entry.get("choices") or [{}] * math.prod(lengths)
        for number, position in enumerate(itertools.product(*map(range, lengths))):
            place = dict(zip(axes, position, strict=True))
            planes.append(
                SegmentedPlane(
                    name=(subfolder / image_stem(place_name(image.name, place))).as_posix(),
                    image=image,
                    place=place,
                    labels=folder / labels,
                    table=folder / table,
                    axes=run["about"].get("axes"),
                    pixel_size_um=None if size_um is None else (size_um[0], size_um[1]),
                    measures=measures[number],
                    objects=entry.get("objects"),
                    choice=choices[number],
                )
            )
    return planes, faults


def _first_written(files: Sequence[str], stem: str, exports: Sequence[str]) -> str | None:
    """Return the file of the first export in `exports` that exists for an image, or None."""
    candidates = (f"{stem}{EXPORTS[name].suffix}" for name in exports)
    return next((name for name in candidates if name in files), None)


def _check_boxes(table: ObjectTable, path: Path, shape: tuple[int, ...]) -> None:
    for low, high, length in (("top_px", "bottom_px", shape[0]), ("left_px", "right_px", shape[1])):
        if ((table[low] < 0) | (table[low] >= table[high]) | (table[high] > length)).any():
            raise ValueError(f"{path}: an object lies outside its label image; segment the image again")


@lru_cache(maxsize=1)
def _read_cached(path: Path, modified_ns: int) -> ObjectTable:
    """Read a table, once for all planes of a stack; the modification time is part of the cache key."""
    return read_table(path)
