"""The available export formats, and the function that writes them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cellseg_monai.formats.registry import image_stem

if TYPE_CHECKING:
    from cellseg_monai.exports.segmentation import Segmentation

__all__ = ["EXPORTS", "Export", "chosen_exports", "write_exports"]


@dataclass(frozen=True)
class Export:
    """An export format.

    Args:
        suffix: file suffix, appended to the stem of the image name.
        summary: content of the file, in a few words.
        backend: name of the module in this package whose `write(path, segmentation)` writes the file; the module is
            imported when needed.
        package: additional package that the format requires, installed by the extra `tables`; empty if none.
        axes: stack axes that a single file can hold: any of the letters T, P and Z. A stack is split along its other
            axes.
        needs_objects: True if programs fail on a file without objects, so that none is written.
    """

    suffix: str
    summary: str
    backend: str
    package: str = ""
    axes: str = ""
    needs_objects: bool = False

    def writer(self) -> Callable[[Path, Segmentation], None]:
        """Return the backend's `write` function."""
        write = importlib.import_module(f"cellseg_monai.exports.{self.backend}").write
        return cast("Callable[[Path, Segmentation], None]", write)


EXPORTS: dict[str, Export] = {
    "labels": Export(".tif", "label image, TIFF", "label_tiff", axes="TPZ"),
    "ome": Export(".ome.tif", "label image, OME-TIFF", "label_ome_tiff", axes="TPZ"),
    "zarr": Export(".zarr", "label image, OME-Zarr with lower resolutions", "label_zarr", axes="TPZ"),
    "rois": Export("_rois.zip", "outlines for ImageJ's ROI Manager", "roi_zip", axes="TZ", needs_objects=True),
    "geojson": Export(".geojson", "outlines and measurements for QuPath", "qupath_geojson", axes="TZ"),
    "coco": Export("_coco.json", "run-length masks in COCO's format", "coco_json"),
    "csv": Export(".csv", "measurements, one row per object", "table_csv", axes="TPZ"),
    "parquet": Export(".parquet", "measurements, one row per object", "table_parquet", "pyarrow", axes="TPZ"),
    "h5ad": Export(".h5ad", "measurements for scanpy and squidpy", "table_anndata", "anndata", axes="TPZ"),
    "overlay": Export("_overlay.png", "outlines over the image", "overlay_png"),
}
"""All export formats by name. A new format needs a line here, a backend, tests and a row in docs/exports.md."""


def chosen_exports(names: str | Sequence[str]) -> tuple[str, ...]:
    """Check the names of the requested exports, and return them without duplicates.

    Call this before segmenting, so that a wrong name or a missing package is reported early.

    Args:
        names: names of exports, as a list or as one comma-separated string.

    Raises:
        ValueError: a name is unknown, or the package that an export needs is missing.

    >>> chosen_exports("labels, csv,labels")
    ('labels', 'csv')
    >>> chosen_exports("tiff")
    Traceback (most recent call last):
    ValueError: got export 'tiff', expected one or more of labels, ome, zarr, rois, geojson, coco, csv, parquet, h5ad,
    overlay, separated by commas; choose from these names
    """
    requested = names.split(",") if isinstance(names, str) else names
    chosen = tuple(dict.fromkeys(name.strip() for name in requested if name.strip()))
    for name in chosen:
        if name not in EXPORTS:
            raise ValueError(
                f"got export {name!r}, expected one or more of {', '.join(EXPORTS)}, separated by commas; "
                "choose from these names"
            )
        package = EXPORTS[name].package
        if package and find_spec(package) is None:
            raise ValueError(
                f"export {name!r} needs {package}, which is not installed; run pip install 'cellseg_monai[tables]'"
            )
    return chosen


def write_exports(
    folder: str | PathLike[str], segmentation: Segmentation, names: str | Sequence[str]
) -> dict[str, tuple[Path, ...]]:
    """Write the requested exports of an image or stack.

    Files are named after the image. Each is written completely or not at all.

    Args:
        folder: folder for the files, created if missing; existing files with the same names are replaced.
        segmentation: objects to export.
        names: names of the exports; see `chosen_exports`.

    Returns:
        The files written, by export name. If a format cannot hold every axis of a stack, there are several files, whose
        names include their place in the stack. Without objects, there is no ROI zip.

    Raises:
        ValueError: a name is unknown, a package is missing, or a format cannot hold the objects.
        OSError: a file could not be written; the message names it.
    """
    written: dict[str, tuple[Path, ...]] = {}
    for name in chosen_exports(names):
        export, written[name] = EXPORTS[name], ()
        for _, part in segmentation.split(export.axes):
            path = Path(folder) / f"{image_stem(part.image_name)}{export.suffix}"
            if export.needs_objects and not len(part.table):
                path.unlink(missing_ok=True)  # so that the outlines of an earlier result do not seem to belong to it
                continue
            export.writer()(path, part)
            written[name] = (*written[name], path)
    return written
