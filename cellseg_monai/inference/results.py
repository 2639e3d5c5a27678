"""The files of one image: written aside, plane by plane, and put into place when all of them are whole."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellseg_monai.exports import EXPORTS, Segmentation, place_name, write_exports
from cellseg_monai.io import LabelSpool, LazyImage, holds_labels
from cellseg_monai.labels import ObjectTable, join_tables

__all__ = ["ImageResults"]

_SPOOL = ".labels"


class ImageResults:
    """Writes what was found in an image; nothing is seen of it before the last plane is there.

    Exports that hold one plane are written at once. Labels and tables of a stack are one file each: its labels wait on
    disk meanwhile, its tables in memory.

    Args:
        folder: for the results.
        aside: a folder of its own on the same disk, made here.
        name: of the image file.
        image: as it was opened.
        exports: names of `exports.EXPORTS`.

    Attributes:
        failed: whether no more planes are wanted; set by whoever finds that one of them fails.
        dropped: whether `drop` was called.
        objects: how many there are so far.
        begun: when it was made, by `time.perf_counter`.
    """

    def __init__(self, folder: Path, aside: Path, name: str, image: LazyImage, exports: Sequence[str]) -> None:
        self.axes, self.shape = image.axes, image.shape
        self.failed = self.dropped = False
        self.objects, self.begun = 0, time.perf_counter()
        self._folder, self._aside, self._name, self._exports = folder, aside, name, exports
        self._stack_axes = image.axes[:-3]
        self._missing = {tuple(place) for place in image.planes()}
        self._tables: dict[tuple[int, ...], ObjectTable] = {}
        self._spool = LabelSpool(aside / _SPOOL, (*image.shape[:-3], *image.shape[-2:]))

    def name_of(self, place: Sequence[int]) -> str:
        """The name of the image file, with the place of a plane of a stack in it."""
        return place_name(self._name, dict(zip(self._stack_axes, place, strict=True)))

    def add(self, place: tuple[int, ...], segmentation: Segmentation) -> tuple[Path, ...] | None:
        """Write a plane; returns all files of the image when it was the last.

        Args:
            place: of the plane, one of those of the image.
            segmentation: of the plane.

        Raises:
            OSError: a file could not be written.
            ValueError: what a format cannot hold.
        """
        try:
            self._aside.mkdir(parents=True, exist_ok=True)
            self.objects += len(segmentation.table)
            self._missing.discard(place)
            if not self._stack_axes:
                write_exports(self._aside, segmentation, self._exports)
                return self._put_into_place()
            of_stacks = [name for name in self._exports if EXPORTS[name].axes]
            write_exports(self._aside, segmentation, [name for name in self._exports if name not in of_stacks])
            if of_stacks:
                self._spool.add(place, segmentation.labels)
                self._tables[place] = segmentation.table
            if self._missing:
                return None
            if of_stacks:
                whole = replace(
                    segmentation,
                    labels=self._spool,
                    table=join_tables(self._stack_axes, self._tables),
                    image_name=self._name,
                    image=None,
                    axes=f"{self._stack_axes}YX",
                )
                write_exports(self._aside, whole, of_stacks)
            return self._put_into_place()
        except OSError as error:
            if error.filename is not None and Path(error.filename).is_relative_to(self._aside):
                error.filename = str(self._folder / Path(error.filename).relative_to(self._aside))
            raise

    def drop(self) -> None:
        """Remove what was written of the image."""
        self.failed = self.dropped = True
        shutil.rmtree(self._aside, ignore_errors=True)

    def _put_into_place(self) -> tuple[Path, ...]:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._aside / _SPOOL, ignore_errors=True)
        written = sorted(self._aside.iterdir())
        targets = tuple(self._folder / each.name for each in written)
        for target in targets:
            if target.is_dir() and not holds_labels(target):
                raise FileExistsError(errno.EEXIST, "there is a folder of that name; move it away", str(target))
        for source, target in zip(written, targets, strict=True):
            if target.is_dir():  # of a run that was stopped; a folder is not replaced by renaming
                os.replace(target, self._aside / f"{target.name}.old")
            os.replace(source, target)
        shutil.rmtree(self._aside)
        return targets
