"""What a run of `cellseg segment` left: each plane with its image, its labels and its table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.exports import EXPORTS, place_name
from cellseg_monai.exports.table_csv import read as read_table
from cellseg_monai.faults import Fault
from cellseg_monai.io import LazyImage, image_stem, open_image
from cellseg_monai.labels import ObjectTable

__all__ = ["LABEL_EXPORTS", "OpenPlane", "SegmentedPlane", "segmented_planes"]

LABEL_EXPORTS = ("labels", "ome", "zarr")
"""Those that hold what a report shows; either will do."""


@dataclass(frozen=True)
class SegmentedPlane:
    """Where a plane and its results lie.

    Args:
        name: of the image below the output, with the plane's place in it where it has several.
        image: its file.
        place: of the plane in it, by the axes of the stack.
        labels: the file of its label image, which is that of the stack.
        table: the CSV file of its objects, likewise.
        axes: of the image file, where the run was told.
        pixel_size_um: where the run was told.
    """

    name: str
    image: Path
    place: Mapping[str, int]
    labels: Path
    table: Path
    axes: str | None = None
    pixel_size_um: tuple[float, float] | None = None

    @contextmanager
    def opened(self) -> Iterator[OpenPlane]:
        """The plane, open for reading.

        Raises:
            OSError: a file is missing.
            ValueError: one cannot be read, or they do not fit each other.
        """
        whole = _read(self.table, self.table.stat().st_mtime_ns)
        table = whole.at({axis.lower(): number for axis, number in self.place.items()})
        if "score" not in table.columns:
            raise ValueError(f"{self.table}: it has no column score; segment the image again")
        with open_image(self.image, axes=self.axes) as image, open_image(self.labels) as labels:
            if image.shape[-2:] != labels.shape[-2:]:
                raise ValueError(
                    f"{self.image}: {image.shape[-2:]} pixels, but its labels have {labels.shape[-2:]}; put back the "
                    "image that was segmented"
                )
            place = tuple(self.place.values())
            yield OpenPlane(self, image, labels.plane(place).channel(0), table)


@dataclass(frozen=True, eq=False)
class OpenPlane:
    """A plane with its files open; it is sliced as an array of C, Y, X.

    Args:
        of: which.
        image: its image.
        labels: YX ids.
        table: of its objects.
    """

    of: SegmentedPlane
    image: LazyImage
    labels: SlicedArray
    table: ObjectTable

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, Y and X."""
        channels, height, width = self.image.shape[-3:]
        return channels, height, width

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """Of the run, or else of the file."""
        return self.of.pixel_size_um or self.image.pixel_size_um

    def window(self, rows: slice, columns: slice, *, channels: Sequence[int] | None = None) -> np.ndarray:
        """Pixels of these channels, or of all, CYX as measured."""
        return self.image.window(tuple(self.of.place.values()), rows, columns, channels=channels)

    def __getitem__(self, at: tuple[int, slice, slice]) -> np.ndarray:
        """One channel of a window."""
        channel, rows, columns = at
        return self.window(rows, columns, channels=(channel,))[0]


def segmented_planes(run: Mapping[str, Any], folder: Path) -> tuple[list[SegmentedPlane], list[Fault]]:
    """The planes that a run segmented, and why some cannot be shown.

    Args:
        run: what its `run.json` says.
        folder: where that lies, with the results.
    """
    planes, faults = [], [Fault("segmenting", "failed", reason) for reason in run.get("failures", [])]
    size_um = run["about"].get("pixel_size_um")
    for entry in run["images"]:
        image, below = Path(entry["path"]), Path(entry["key"]).parent
        stem = (below / image_stem(image.name)).as_posix()
        labels, table = (_written(entry["files"], stem, exports) for exports in (LABEL_EXPORTS, ("csv",)))
        if labels is None or table is None:
            message = "its label image or its CSV table was not written; segment it with `--export labels,csv`"
            faults.append(Fault(stem, "no-results", message))
            continue
        axes, lengths = entry["axes"][:-3], entry["shape"][:-3]
        for at in itertools.product(*map(range, lengths)):
            place = dict(zip(axes, at, strict=True))
            planes.append(
                SegmentedPlane(
                    name=(below / image_stem(place_name(image.name, place))).as_posix(),
                    image=image,
                    place=place,
                    labels=folder / labels,
                    table=folder / table,
                    axes=run["about"].get("axes"),
                    pixel_size_um=None if size_um is None else (size_um[0], size_um[1]),
                )
            )
    return planes, faults


def _written(files: Sequence[str], stem: str, exports: Sequence[str]) -> str | None:
    """The first of these exports of an image that was written."""
    named = (f"{stem}{EXPORTS[name].suffix}" for name in exports)
    return next((name for name in named if name in files), None)


@lru_cache(maxsize=1)
def _read(path: Path, written_ns: int) -> ObjectTable:
    """A table, read once for all planes of a stack."""
    return read_table(path)
