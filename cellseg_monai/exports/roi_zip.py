"""Write a zip of outlines for the ROI Manager of ImageJ and Fiji, with one region per object, named after its id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import ObjectTable, Polygon, class_colours, object_polygons

__all__ = ["write"]

# Limits of a traced outline, which has 16-bit fields: coordinates (ImageJ reads larger ones as negative), lengths of
# the sides, and number of corners.
_MAX_COORDINATE, _MAX_SIDE, _MAX_CORNERS = 60_535, 2**15 - 1, 2**16 - 1
_GROUPS = 255
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def write(path: Path, segmentation: Segmentation) -> None:
    """Write each object as a region along its pixel edges, so that ImageJ fills exactly the pixels of the object.

    A connected object without holes becomes a traced outline, like those from ImageJ's wand tool, unless it is too
    large for one. Any other object becomes a composite of all its rings. In a stack, regions are assigned to their
    slice and frame, which are also part of their names. The class of an object becomes its group, numbered from 1 in
    the order of the classes, and its colour. ImageJ has 255 groups; objects of further classes have none.

    Args:
        path: file to write.
        segmentation: objects to export; the axes are Y and X, optionally preceded by T and Z.
    """
    # ImageJ counts the planes of a plain stack as slices. A stack with channels or a second axis is a hyperstack.
    is_plain = len(segmentation.axes) == 3 and len(segmentation.table.channels) < 2
    with replacing(path) as aside, ZipFile(aside, "w", ZIP_DEFLATED) as regions:
        for place, plane in segmentation.split():
            prefix = "".join(f"{axis}{index:03d}_" for axis, index in place.items())
            numbers = plane.table.class_numbers if plane.table.classes else None
            for object_id, polygons in object_polygons(plane.labels, plane.table.boxes):
                region = _region(f"{prefix}{object_id}", polygons)
                if numbers is not None:
                    _classify(region, int(numbers[plane.table.positions(np.array(object_id))]), plane.table)
                if is_plain:
                    (region.position,) = (index + 1 for index in place.values())
                else:
                    region.t_position, region.z_position = place.get("T", -1) + 1, place.get("Z", -1) + 1
                # ZipInfo defaults to a fixed time, so that the same labels always give the same bytes.
                entry = ZipInfo(f"{region.name}.roi")
                entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
                regions.writestr(entry, region.tobytes())


def _region(name: str, polygons: Sequence[Polygon]) -> ImagejRoi:
    """Return the polygons of an object as an ImageJ region."""
    rings = [ring for polygon in polygons for ring in polygon.rings]
    corners: np.ndarray = np.concatenate(rings)
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    region = ImagejRoi(name=name, left=left, top=top, right=right, bottom=bottom)
    region.options = ROI_OPTIONS.OVERLAY_BACKGROUNDS | ROI_OPTIONS.OVERLAY_LABELS
    fits = max(right, bottom) <= _MAX_COORDINATE and max(right - left, bottom - top) <= _MAX_SIDE
    if len(rings) == 1 and fits and len(corners) <= _MAX_CORNERS:
        region.roitype = ROI_TYPE.TRACED
        region.integer_coordinates = (corners - (left, top)).astype(np.int32)
        region.n_coordinates = len(corners)
    else:
        region.roitype = ROI_TYPE.RECT
        region.multi_coordinates = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        region.shape_roi_size = len(region.multi_coordinates)
    return region


def _classify(region: ImagejRoi, number: int, table: ObjectTable) -> None:
    """Give a region the group and the colour of its class."""
    if number < _GROUPS:
        region.group = number + 1
    region.stroke_color = bytes((255, *class_colours(len(table.classes))[number]))


def _path(ring: np.ndarray) -> np.ndarray:
    """Return a ring as a Java path that moves to the first corner, draws lines to the others, and closes."""
    steps = np.full((len(ring), 3), _LINE)
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring
    return np.r_[steps.ravel(), _CLOSE]
