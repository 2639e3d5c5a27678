"""Write measurements as AnnData, the table format of scanpy and squidpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import class_colours

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write one row per object, with the mean intensities in `X`, one column per channel.

    `layers["min"]` and `layers["max"]` hold the lowest and highest intensities, and `obs` holds all other columns of
    the table. `obs_names` are the ids, preceded in a stack by the plane, as in "T0_Z3_17". `obsm["spatial"]` holds the
    centroids in pixels, x before y as squidpy expects. `uns["pixel_size_um"]` is present if the pixel size is known.
    The class of an object is a category in `obs["class"]`, whose colours are in `uns["class_colors"]`, where scanpy
    looks for them.

    Args:
        path: file to write.
        segmentation: objects whose table to write.
    """
    import anndata
    import pandas

    table = segmentation.table

    def by_channel(kind: str) -> np.ndarray:
        names = [f"{kind}_{name}" for name in table.channels]
        return np.stack([table[name] for name in names], axis=1) if names else np.zeros((len(table), 0))

    intensity_columns = {f"{kind}_{name}" for kind in ("mean", "min", "max") for name in table.channels}
    places = [[f"{axis}{index}" for index in table[axis.lower()].tolist()] for axis in segmentation.axes[:-2]]
    names = pandas.Index(list(map("_".join, zip(*places, map(str, table["id"].tolist()), strict=True))), dtype=object)
    rest = {name: column for name, column in table.columns.items() if name not in intensity_columns}
    uns = (
        {}
        if segmentation.pixel_size_um is None
        else {"pixel_size_um": np.array(segmentation.pixel_size_um, np.float64)}
    )
    if table.classes:
        rest["class"] = pandas.Categorical(table["class"], categories=list(table.classes))
        colours = class_colours(len(table.classes))
        uns["class_colors"] = np.array([f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours], object)
    annotated = anndata.AnnData(
        X=by_channel("mean"),
        obs=pandas.DataFrame(rest, index=names),
        var=pandas.DataFrame(index=pandas.Index(list(table.channels), dtype=object)),
        layers={kind: by_channel(kind) for kind in ("min", "max")},
        obsm={"spatial": np.stack([table["centroid_x_px"], table["centroid_y_px"]], axis=1)},
        uns=uns,
    )
    with replacing(path) as aside:
        annotated.write_h5ad(aside, compression="gzip")
