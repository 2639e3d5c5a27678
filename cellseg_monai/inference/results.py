"""The files of one image: collected in a hidden folder, plane by plane, and moved into place when all are complete.

So no image is left with labels and without a table, whether a plane is bad, the disk is full or the process is killed.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellseg_monai.exports import EXPORTS, Segmentation, place_name, write_exports
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Done, Failed, failed_by
from cellseg_monai.io import LabelSpool, LazyImage, Note, holds_labels
from cellseg_monai.labels import ObjectTable, join_tables

__all__ = ["ImageResults"]

_SPOOL = ".labels"


class ImageResults:
    """Writes the objects of an image; its files appear under their names only after the last plane.

    Exports that hold one plane are written as it comes. The labels and the table of a stack are one file each: until
    the last plane its labels wait on disk, in compressed chunks, and its tables in memory. Labels
    cannot go directly into the TIFF, because its integer type depends on the highest id of all planes, and because
    tifffile pulls tiles from an iterator rather than accepting them as they come.

    Args:
        file: the image file.
        image: the same, open.
        folder: where the results go.
        unfinished: a folder of its own on the same disk, which is made here.
        exports: names of `exports.EXPORTS`.
        notes: on what the file states but was not used.

    Attributes:
        is_abandoned: True after `fail`, when no more planes are wanted.
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
        self._folder, self._unfinished, self._exports = folder, unfinished, exports
        self._missing = set(self.planes)
        self._tables: dict[tuple[int, ...], ObjectTable] = {}
        self._spool = LabelSpool(unfinished / _SPOOL, (*image.shape[:-3], *image.shape[-2:]))

    def name_of(self, place: Sequence[int]) -> str:
        """Return the name of the image file, with the place of a plane of a stack in it."""
        return place_name(self.file.path.name, dict(zip(self._stack_axes, place, strict=True)))

    def add(self, place: tuple[int, ...], segmentation: Segmentation) -> Done | None:
        """Write a plane.

        Args:
            place: of the plane, one of `planes`.
            segmentation: its objects.

        Returns:
            The outcome of the image after its last plane, else None.

        Raises:
            OSError: a file could not be written.
            ValueError: a format cannot hold the objects.
        """
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._objects += len(segmentation.table)
            self._missing.discard(place)
            self._write(place, segmentation)
            return None if self._missing else self._done(self._move_into_place())
        except OSError as error:
            if error.filename is not None and Path(error.filename).is_relative_to(self._unfinished):
                error.filename = str(self._folder / Path(error.filename).relative_to(self._unfinished))
            raise

    def fail(self, error: Exception) -> Failed:
        """Remove what was written of the image.

        Args:
            error: why a plane of it could not be segmented.

        Returns:
            The outcome of the image.
        """
        self.is_abandoned = True
        shutil.rmtree(self._unfinished, ignore_errors=True)
        return failed_by(self.file, error, self._notes)

    def _write(self, place: tuple[int, ...], segmentation: Segmentation) -> None:
        if not self._stack_axes:
            write_exports(self._unfinished, segmentation, self._exports)
            return
        of_stacks = [name for name in self._exports if EXPORTS[name].axes]
        write_exports(self._unfinished, segmentation, [name for name in self._exports if name not in of_stacks])
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
            )
            write_exports(self._unfinished, stack, of_stacks)

    def _move_into_place(self) -> tuple[Path, ...]:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._unfinished / _SPOOL, ignore_errors=True)
        written = sorted(self._unfinished.iterdir())
        targets = tuple(self._folder / path.name for path in written)
        for target in targets:
            if target.is_dir() and not holds_labels(target):
                raise FileExistsError(errno.EEXIST, "there is a folder of that name; move it away", str(target))
        for source, target in zip(written, targets, strict=True):
            if target.is_dir():  # left by a run that was stopped; renaming does not replace a folder
                os.replace(target, self._unfinished / f"{target.name}.old")
            os.replace(source, target)
        shutil.rmtree(self._unfinished)
        return targets

    def _done(self, files: tuple[Path, ...]) -> Done:
        seconds = time.perf_counter() - self._begun
        return Done(self.file, self.file.sha256, self._axes, self._shape, self._objects, files, seconds, self._notes)
