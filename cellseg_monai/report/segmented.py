"""What a run of `cellseg segment` left: each plane with its image, its labels and its table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.data import Fault
from cellseg_monai.inference.stack import plane_name
from cellseg_monai.io import EXPORTS, LazyImage, image_stem, open_image
from cellseg_monai.io.table_csv import read as read_table
from cellseg_monai.labels import LabelArray, ObjectTable

__all__ = ["LABEL_EXPORTS", "OpenPlane", "SegmentedPlane", "segmented_planes"]

LABEL_EXPORTS = ("labels", "ome")
"""Those that hold what a report shows; either will do."""


@dataclass(frozen=True)
class SegmentedPlane:
    """Where a plane and its results lie.

    Args:
        name: of the image below the output, with the plane's place in it where it has several.
        image: its file.
        place: of the plane in it.
        labels: the file of its label image.
        table: the CSV file of its objects.
        axes: of the image file, where the run was told.
        pixel_size_um: where the run was told.
    """

    name: str
    image: Path
    place: tuple[int, ...]
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
        table = read_table(self.table)
        if "score" not in table.columns:
            raise ValueError(f"{self.table}: it has no column score; segment the image again")
        with open_image(self.image, axes=self.axes) as image, open_image(self.labels) as labels:
            if image.shape[-2:] != labels.shape[-2:]:
                raise ValueError(
                    f"{self.image}: {image.shape[-2:]} pixels, but its labels have {labels.shape[-2:]}; put back the "
                    "image that was segmented"
                )
            yield OpenPlane(self, image, labels.plane(), table)


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
    labels: LabelArray
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

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Pixels, CYX as measured."""
        return self.image.window(self.of.place, rows, columns)

    def __getitem__(self, at: tuple[int, slice, slice]) -> np.ndarray:
        """One channel of a window."""
        channel, rows, columns = at
        return self.image.window(self.of.place, rows, columns, channels=(channel,))[0]


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
        axes, lengths = entry["axes"][:-3], entry["shape"][:-3]
        for place in itertools.product(*map(range, lengths)):
            stem = image_stem(plane_name(image.name, axes, place))
            files = {name: (below / f"{stem}{EXPORTS[name].suffix}").as_posix() for name in (*LABEL_EXPORTS, "csv")}
            labels = next((files[name] for name in LABEL_EXPORTS if files[name] in entry["files"]), None)
            if labels is None or files["csv"] not in entry["files"]:
                message = "its label image or its CSV table was not written; segment it with `--export labels,csv`"
                faults.append(Fault((below / stem).as_posix(), "no-results", message))
                continue
            planes.append(
                SegmentedPlane(
                    name=(below / stem).as_posix(),
                    image=image,
                    place=place,
                    labels=folder / labels,
                    table=folder / files["csv"],
                    axes=run["about"].get("axes"),
                    pixel_size_um=None if size_um is None else (size_um[0], size_um[1]),
                )
            )
    return planes, faults
