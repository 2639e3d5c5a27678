"""The results of an image written plane by plane, and those of a stack put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cellseg_monai.io import LazyImage, Segmentation, image_stem, write_exports

__all__ = ["StackWriter", "plane_name"]


def plane_name(name: str, axes: str, place: Sequence[int]) -> str:
    """The name of a file for one plane of a stack: that of the file, with the plane's place in it.

    >>> plane_name("cells.ome.tif", "TZCYX", (3, 0)), plane_name("cells.tif", "CYX", ())
    ('cells_T003_Z000.tif', 'cells.tif')
    """
    if not place:
        return name
    where = "".join(f"_{axis}{at:03d}" for axis, at in zip(axes, place, strict=False))
    return f"{image_stem(name)}{where}{Path(name).suffix}"


class StackWriter:
    """Writes the exports of each plane as it comes, and knows when the image is whole.

    Args:
        folder: for the results.
        name: of the image file.
        image: as it was opened.
        exports: names of `io.EXPORTS`.
    """

    def __init__(self, folder: Path, name: str, image: LazyImage, exports: Sequence[str]) -> None:
        self.axes, self.shape = image.axes, image.shape
        self.objects = 0
        self._folder, self._name, self._exports = folder, name, exports
        self._missing = {tuple(place) for place in image.planes()}
        self._written: list[Path] = []

    def add(self, place: tuple[int, ...], segmentation: Segmentation) -> tuple[Path, ...] | None:
        """Write a plane; returns all files of the image when it was the last.

        Raises:
            OSError: a file could not be written.
            ValueError: what a format cannot hold.
        """
        written = write_exports(self._folder, segmentation, self._exports)
        self._written += written.values()
        self.objects += len(segmentation.table)
        self._missing.discard(place)
        return None if self._missing else tuple(self._written)
