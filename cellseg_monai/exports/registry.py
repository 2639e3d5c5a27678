"""The files to which objects can be exported, one line each, all with the same ids."""

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
        suffix: suffix of the file, appended to the stem of the image.
        summary: content of the file, in a few words.
        backend: module of this package with `write(path, segmentation)`; imported when needed.
        package: package that this export needs beyond the regular requirements; the extra `tables` installs it.
        axes: letters of T, P, Z along which one file holds a stack; the stack is split along the others.
    """

    suffix: str
    summary: str
    backend: str
    package: str = ""
    axes: str = ""

    def writer(self) -> Callable[[Path, Segmentation], None]:
        """Return the function `write` of the backend."""
        write = importlib.import_module(f"cellseg_monai.exports.{self.backend}").write
        return cast("Callable[[Path, Segmentation], None]", write)


EXPORTS: dict[str, Export] = {
    "labels": Export(".tif", "label image, TIFF", "label_tiff", axes="TPZ"),
    "ome": Export(".ome.tif", "label image, OME-TIFF", "label_ome_tiff", axes="TPZ"),
    "zarr": Export(".zarr", "label image, OME-Zarr with lower resolutions", "label_zarr", axes="TPZ"),
    "rois": Export("_rois.zip", "outlines for ImageJ's ROI Manager", "roi_zip", axes="TZ"),
    "geojson": Export(".geojson", "outlines and measurements for QuPath", "qupath_geojson", axes="TZ"),
    "coco": Export("_coco.json", "masks in COCO's run lengths", "coco_json"),
    "csv": Export(".csv", "measurements, one row per object", "table_csv", axes="TPZ"),
    "parquet": Export(".parquet", "measurements, one row per object", "table_parquet", "pyarrow", axes="TPZ"),
    "h5ad": Export(".h5ad", "measurements for scanpy and squidpy", "table_anndata", "anndata", axes="TPZ"),
    "overlay": Export("_overlay.png", "outlines over the image", "overlay_png"),
}
"""All exports by name. A new one needs a line here, a backend, its tests and a row in docs/exports.md."""


def chosen_exports(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return the requested exports, checked before any segmentation starts.

    Args:
        names: names of exports, as a list or as one text with commas.

    Raises:
        ValueError: a name is unknown, or the package that an export needs is missing.

    >>> chosen_exports("labels, csv,labels")
    ('labels', 'csv')
    >>> chosen_exports("tiff")
    Traceback (most recent call last):
    ValueError: got export 'tiff', expected some of labels, ome, zarr, rois, geojson, coco, csv, parquet, h5ad, overlay,
    separated by commas; correct it
    """
    requested = names.split(",") if isinstance(names, str) else names
    chosen = tuple(dict.fromkeys(name.strip() for name in requested if name.strip()))
    for name in chosen:
        if name not in EXPORTS:
            raise ValueError(
                f"got export {name!r}, expected some of {', '.join(EXPORTS)}, separated by commas; correct it"
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
    """Write exports of an image or stack under the stem of its file, each file complete or not at all.

    Args:
        folder: folder for the files, created if missing; files of the same names are replaced.
        segmentation: objects to export.
        names: names of the exports; see `chosen_exports`.

    Returns:
        The files of each export. A stack has several, with the place in the name, if one file cannot hold all of its
        axes.

    Raises:
        ValueError: a name is unknown, a package is missing, or a format cannot hold the objects.
        OSError: a file could not be written; the message names it.
    """
    written: dict[str, tuple[Path, ...]] = {}
    for name in chosen_exports(names):
        export = EXPORTS[name]
        for _, part in segmentation.split(export.axes):
            path = Path(folder) / f"{image_stem(part.image_name)}{export.suffix}"
            export.writer()(path, part)
            written[name] = (*written.get(name, ()), path)
    return written
