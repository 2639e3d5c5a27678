"""Outlines for the ROI Manager of ImageJ and Fiji: a zip with a region an object, named by its id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import Polygon, object_polygons

__all__ = ["write"]

# What the 16 bits of a plain outline hold: corners' places, as ImageJ reads them, sides, and the number of corners.
_FARTHEST, _LONGEST, _MOST_CORNERS = 60_535, 2**15 - 1, 2**16 - 1
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def write(path: Path, segmentation: Segmentation) -> None:
    """Write one region an object: along the edges of its pixels, so that ImageJ fills exactly these.

    An object in one piece without holes is a traced outline, as ImageJ's wand makes it; any other is a composite of
    all its rings. In a stack, regions lie on their slice and frame, which their names tell too.

    Args:
        path: the file.
        segmentation: whose labels, with T and Z before Y and X, or without.
    """
    # A stack along one axis alone counts slices; with channels or another axis it is what ImageJ calls a hyperstack.
    is_plain = len(segmentation.axes) == 3 and len(segmentation.table.channels) < 2
    with replacing(path) as aside, ZipFile(aside, "w", ZIP_DEFLATED) as regions:
        for place, plane in segmentation.split():
            where = "".join(f"{axis}{at:03d}_" for axis, at in place.items())
            for number, pieces in object_polygons(plane.labels, plane.table.boxes):
                region = _region(f"{where}{number}", pieces)
                if is_plain:
                    (region.position,) = (at + 1 for at in place.values())
                else:
                    region.t_position, region.z_position = place.get("T", -1) + 1, place.get("Z", -1) + 1
                # A time of its own would make the same labels another file.
                entry = ZipInfo(f"{region.name}.roi")
                entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
                regions.writestr(entry, region.tobytes())


def _region(name: str, pieces: Sequence[Polygon]) -> ImagejRoi:
    rings = [ring for piece in pieces for ring in piece.rings]
    corners: np.ndarray = np.concatenate(rings)
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    region = ImagejRoi(name=name, left=left, top=top, right=right, bottom=bottom)
    region.options = ROI_OPTIONS.OVERLAY_BACKGROUNDS | ROI_OPTIONS.OVERLAY_LABELS
    plain = max(right, bottom) <= _FARTHEST and max(right - left, bottom - top) <= _LONGEST
    if len(rings) == 1 and plain and len(corners) <= _MOST_CORNERS:
        region.roitype = ROI_TYPE.TRACED
        region.integer_coordinates = (corners - (left, top)).astype(np.int32)
        region.n_coordinates = len(corners)
    else:
        region.roitype = ROI_TYPE.RECT
        region.multi_coordinates = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        region.shape_roi_size = len(region.multi_coordinates)
    return region


def _path(ring: np.ndarray) -> np.ndarray:
    """A ring in Java's way: move to the first corner, lines to the others, close."""
    steps = np.full((len(ring), 3), _LINE)
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring
    return np.r_[steps.ravel(), _CLOSE]
