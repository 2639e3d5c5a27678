"""Label images of any size as TIFF in tiles, read and written some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.io.label_files import CLASSIC_TIFF_BYTES, id_type
from cellseg_monai.io.label_tags import size_tags
from cellseg_monai.labels import LabelArray

__all__ = ["write_label_tiles"]

_SIDE = 512


def write_label_tiles(
    path: Path,
    labels: LabelArray,
    *,
    highest_id: int,
    pixel_size_um: tuple[float, float] | None = None,
    ome_name: str | None = None,
) -> None:
    """Write a label image as TIFF in tiles: uint16, or uint32 if an id exceeds 65,535; BigTIFF from 4 GB on.

    The same labels give the same bytes.

    Args:
        path: an existing file is replaced when the new one is whole.
        labels: YX ids, sliced some rows at a time.
        highest_id: of them.
        pixel_size_um: height and width of a pixel.
        ome_name: the name of the image in OME's metadata, which are written if it is given.

    Raises:
        ValueError: no pixels, an id of more than 32 bits or above the highest, or an impossible pixel size.
    """
    import tifffile  # costs more than this whole package to import

    height, width = (int(length) for length in labels.shape)
    if height * width == 0:
        raise ValueError(f"labels have shape {(height, width)}; they must be (Y, X) and not empty")
    dtype = np.dtype(id_type(highest_id))
    tags = size_tags(pixel_size_um)
    metadata = tags["metadata"]
    if ome_name is not None and pixel_size_um is not None:
        height_um, width_um = map(float, metadata.pop("pixel_size_um"))
        metadata |= {"PhysicalSizeX": width_um, "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": height_um, "PhysicalSizeYUnit": "µm"}
    if ome_name is not None:
        # The file's own name for itself: by default it would be another each time.
        metadata |= {"Name": ome_name, "UUID": str(uuid5(NAMESPACE_OID, f"{ome_name} {height} {width} {highest_id}"))}
    with replacing(path) as aside:
        tifffile.imwrite(
            aside,
            _tiles(labels, dtype, highest_id),
            shape=(height, width),
            dtype=dtype,
            tile=(_SIDE, _SIDE),
            photometric="minisblack",
            compression="zlib",
            ome=ome_name is not None,
            bigtiff=height * width * dtype.itemsize > CLASSIC_TIFF_BYTES,
            **tags,
        )


def _tiles(labels: LabelArray, dtype: np.dtype, highest: int) -> Iterator[np.ndarray]:
    height, width = labels.shape
    for top in range(0, height, _SIDE):
        rows = np.asarray(labels[top : min(top + _SIDE, height), 0:width])
        if int(rows.max()) > highest:
            raise ValueError(f"id {rows.max()} in labels whose highest id is {highest}; measure these labels again")
        strip: np.ndarray = np.zeros((_SIDE, -(-width // _SIDE) * _SIDE), dtype)
        strip[: len(rows), :width] = rows
        for left in range(0, width, _SIDE):
            yield np.ascontiguousarray(strip[:, left : left + _SIDE])
