"""The files in which objects can be written: one line each, all with the same ids."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cellseg_monai.io.registry import image_stem

if TYPE_CHECKING:
    from cellseg_monai.exports.segmentation import Segmentation

__all__ = ["EXPORTS", "Export", "chosen_exports", "write_exports"]


@dataclass(frozen=True)
class Export:
    """A kind of file.

    Args:
        suffix: of the file, behind the stem of the image.
        summary: what it holds, in a few words.
        backend: the module of this package that has `write(path, segmentation)`; imported when it is needed.
        package: what it needs beyond this package's own requirements; the extra `tables` installs it.
        axes: letters of T, P, Z along which one file holds a stack; along the others it is parted into several.
    """

    suffix: str
    summary: str
    backend: str
    package: str = ""
    axes: str = ""

    def writer(self) -> Callable[[Path, Segmentation], None]:
        """The backend's `write`."""
        write = importlib.import_module(f"cellseg_monai.exports.{self.backend}").write
        return cast("Callable[[Path, Segmentation], None]", write)


EXPORTS: dict[str, Export] = {
    "labels": Export(".tif", "label image, TIFF", "label_tiff", axes="TPZ"),
    "ome": Export(".ome.tif", "label image, OME-TIFF", "label_ome_tiff", axes="TPZ"),
    "zarr": Export(".zarr", "label image, OME-Zarr with lower resolutions", "label_zarr", axes="TPZ"),
    "rois": Export("_rois.zip", "outlines for ImageJ's ROI Manager", "roi_zip", axes="TZ"),
    "geojson": Export(".geojson", "outlines and measurements for QuPath", "qupath_geojson", axes="TZ"),
    "coco": Export("_coco.json", "masks in COCO's run lengths", "coco_json"),
    "csv": Export(".csv", "measurements, a row an object", "table_csv", axes="TPZ"),
    "parquet": Export(".parquet", "measurements, a row an object", "table_parquet", "pyarrow", axes="TPZ"),
    "h5ad": Export(".h5ad", "measurements for scanpy and squidpy", "table_anndata", "anndata", axes="TPZ"),
    "overlay": Export("_overlay.png", "outlines over the image", "overlay_png"),
}
"""Every export by its name. A new one is a line here, a backend, its tests, and a row in docs/exports.md."""


def chosen_exports(names: str | Sequence[str]) -> tuple[str, ...]:
    """The exports that were asked for, checked, so that a wrong name costs no segmentation.

    Args:
        names: as a list, or in one text with commas.

    Raises:
        ValueError: a name that is none, or an export whose package is missing.

    >>> chosen_exports("labels, csv,labels")
    ('labels', 'csv')
    >>> chosen_exports("tiff")
    Traceback (most recent call last):
    ValueError: export 'tiff' came, but some of labels, ome, zarr, rois, geojson, coco, csv, parquet, h5ad, overlay
    were expected, with commas between; correct it
    """
    asked = names.split(",") if isinstance(names, str) else names
    chosen = tuple(dict.fromkeys(name.strip() for name in asked if name.strip()))
    for name in chosen:
        if name not in EXPORTS:
            raise ValueError(
                f"export {name!r} came, but some of {', '.join(EXPORTS)} were expected, with commas between; correct it"
            )
        package = EXPORTS[name].package
        if package and find_spec(package) is None:
            raise ValueError(
                f"export {name!r} needs {package}, which is not installed; pip install 'cellseg_monai[tables]'"
            )
    return chosen


def write_exports(
    folder: str | PathLike[str], segmentation: Segmentation, names: str | Sequence[str]
) -> dict[str, tuple[Path, ...]]:
    """Write some exports of an image or stack under the stem of its file, each file whole or not at all.

    Args:
        folder: made where it is missing; what lies there under the same names is replaced.
        segmentation: the objects.
        names: see `chosen_exports`.

    Returns:
        The file of each; several of a stack, with the place in the name, where one does not hold all of its axes.

    Raises:
        ValueError: a name that is none, a package that is missing, or what a format cannot hold.
        OSError: a file could not be written; it is named.
    """
    written: dict[str, tuple[Path, ...]] = {}
    for name in chosen_exports(names):
        export = EXPORTS[name]
        for _, part in segmentation.split(export.axes):
            path = Path(folder) / f"{image_stem(part.image_name)}{export.suffix}"
            export.writer()(path, part)
            written[name] = (*written.get(name, ()), path)
    return written
