"""Writing the result files of one image.

The files are written to a hidden folder, plane by plane, and moved into place once all of them are complete. An image
can therefore never end up with labels but no table, even if a plane fails, the disk fills up or the process is killed.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellseg_monai.exports import EXPORTS, Segmentation, place_name, write_exports
from cellseg_monai.flag import Flag
from cellseg_monai.inference.flagging import on_plane
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Done, Failed, failed_by
from cellseg_monai.io import LabelSpool, LazyImage, Note, holds_labels
from cellseg_monai.labels import ObjectTable, join_tables

__all__ = ["ImageResults"]

_SPOOL = ".labels"


class ImageResults:
    """A writer for the objects in an image, plane by plane; the result files appear only after the last plane.

    Exports with one file per plane are written plane by plane. The labels and the table of a stack are a single file
    each. Until the last plane has been added, the labels are kept on disk in compressed chunks, and the tables in
    memory. There are two reasons why labels cannot be written directly to the TIFF file: its integer type depends on
    the highest id in any plane, and tifffile accepts tiles only from an iterator.

    Args:
        file: the image file.
        image: the same image, opened.
        folder: folder for the results.
        unfinished: temporary folder for this image alone, on the same disk; it is created when needed.
        exports: names of the exports to write, from `exports.EXPORTS`.
        notes: notes on the image; see `io.Note`.

    Attributes:
        is_abandoned: True once the image has failed, so that its remaining planes can be skipped.
    """

    def __init__(
        self,
        file: ImageFile,
        image: LazyImage,
        *,
        folder: Path,
        unfinished: Path,
        exports: Sequence[str],
        notes: tuple[Note, ...] = (),
    ) -> None:
        self.file, self.planes = file, tuple(image.planes())
        self.is_abandoned = False
        self._begun, self._objects, self._notes = time.perf_counter(), 0, notes
        self._axes, self._shape, self._stack_axes = image.axes, image.shape, image.axes[:-3]
        self._z_step_um, self._time_step_s = image.z_step_um, image.time_step_s
        self._folder, self._unfinished, self._exports = folder, unfinished, exports
        self._missing = set(self.planes)
        self._flags: list[Flag] = []
        self._measures: dict[tuple[int, ...], Mapping[str, float]] = {}
        self._choices: dict[tuple[int, ...], Mapping[str, Any]] = {}
        self._image_classes: dict[tuple[int, ...], Mapping[str, float]] = {}
        self._tables: dict[tuple[int, ...], ObjectTable] = {}
        self._spool = LabelSpool(unfinished / _SPOOL, (*image.shape[:-3], *image.shape[-2:]))

    def name_of(self, place: Sequence[int]) -> str:
        """Return the name of the image file; for a stack, it includes the position of the plane."""
        return place_name(self.file.path.name, dict(zip(self._stack_axes, place, strict=True)))

    def add(self, place: tuple[int, ...], segmentation: Segmentation) -> Done | None:
        """Write the objects of a plane.

        Args:
            place: index of the plane along each axis before C, Y and X; one of `planes`.
            segmentation: the objects in the plane.

        Returns:
            The outcome of the image if this was its last plane, otherwise None.

        Raises:
            OSError: a file could not be written.
            ValueError: a format cannot hold the objects.
        """
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._objects += len(segmentation.table)
            self._missing.discard(place)
            self._flags += on_plane(tuple(segmentation.flags), dict(zip(self._stack_axes, place, strict=True)))
            self._measures[place] = segmentation.measures
            if segmentation.choice:
                self._choices[place] = segmentation.choice
            if segmentation.image_classes:
                self._image_classes[place] = segmentation.image_classes
            self._write(place, segmentation)
            return None if self._missing else self._done(self._move_into_place())
        except OSError as error:
            if error.filename is not None and Path(error.filename).is_relative_to(self._unfinished):
                error.filename = str(self._folder / Path(error.filename).relative_to(self._unfinished))
            raise

    def fail(self, error: Exception) -> Failed:
        """Mark the image as failed, and delete the files that have been written for it.

        Args:
            error: the error that a plane of the image raised.

        Returns:
            The outcome of the image.
        """
        self.is_abandoned = True
        shutil.rmtree(self._unfinished, ignore_errors=True)
        return failed_by(self.file, error, self._notes)

    def _write(self, place: tuple[int, ...], segmentation: Segmentation) -> None:
        if not self._stack_axes:
            self._export(segmentation, self._exports)
            return
        of_stacks = [name for name in self._exports if EXPORTS[name].axes]
        self._export(segmentation, [name for name in self._exports if name not in of_stacks])
        if not of_stacks:
            return
        self._spool.add(place, segmentation.labels)
        self._tables[place] = segmentation.table
        if not self._missing:
            stack = replace(
                segmentation,
                labels=self._spool,
                table=join_tables(self._stack_axes, self._tables),
                image_name=self.file.path.name,
                image=None,
                axes=f"{self._stack_axes}YX",
                z_step_um=self._z_step_um,
                time_step_s=self._time_step_s,
            )
            self._export(stack, of_stacks)

    def _export(self, segmentation: Segmentation, names: Sequence[str]) -> None:
        """Write exports, and note those that are not written because there are no objects."""
        lengths = dict(zip(segmentation.axes[:-2], segmentation.labels.shape, strict=False))
        for name, paths in write_exports(self._unfinished, segmentation, names).items():
            files = math.prod(length for axis, length in lengths.items() if axis not in EXPORTS[name].axes)
            if len(paths) < files:
                is_plane_of_stack = bool(self._stack_axes) and not lengths
                owner = "some positions have" if paths else "some planes have" if is_plane_of_stack else "it has"
                text = f"{owner} no objects, so no {EXPORTS[name].suffix} was written, because an empty one is an error"
                note = Note("no-objects", text)
                if note not in self._notes:  # which it is after another plane of the stack
                    self._notes += (note,)

    def _move_into_place(self) -> tuple[Path, ...]:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._unfinished / _SPOOL, ignore_errors=True)
        written = sorted(self._unfinished.iterdir())
        targets = tuple(self._folder / path.name for path in written)
        for target in targets:
            if target.is_dir() and not holds_labels(target):
                raise FileExistsError(errno.EEXIST, "a folder with this name exists; move it elsewhere", str(target))
        for source, target in zip(written, targets, strict=True):
            if target.is_dir():  # left by an interrupted run; os.replace cannot replace a folder
                os.replace(target, self._unfinished / f"{target.name}.old")
            os.replace(source, target)
        shutil.rmtree(self._unfinished)
        return targets

    def _done(self, files: tuple[Path, ...]) -> Done:
        seconds = time.perf_counter() - self._begun
        return Done(
            self.file,
            self.file.sha256,
            self._axes,
            self._shape,
            self._objects,
            files,
            seconds,
            self._notes,
            tuple(self._flags),
            tuple(self._measures[place] for place in self.planes),
            tuple(self._choices[place] for place in self.planes if place in self._choices),
            tuple(self._image_classes[place] for place in self.planes if place in self._image_classes),
        )
