"""Write outlines and measurements for QuPath as GeoJSON, with a detection for each object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import Polygon, object_polygons

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write a FeatureCollection that QuPath 0.4 and later can import.

    Objects are detections, which QuPath draws and measures by the hundred thousand. Annotations, which people can edit,
    are slow. The id is the name and a measurement; all columns of the table are measurements, including `score`.
    Coordinates are pixels from the corner of the full image, as in QuPath. In a stack, objects lie in the plane of
    their time and depth.

    Args:
        path: path of the file.
        segmentation: objects with their table, with or without T and Z before Y and X.
    """
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
    with replacing(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        features = (feature for place, plane in segmentation.split() for feature in _features(plane, place))
        for index, feature in enumerate(features):
            file.write((",\n" if index else "\n") + encode(feature))
        file.write("\n]}\n")


def _features(segmentation: Segmentation, place: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the feature of each object of a plane."""
    table = segmentation.table
    # -1 stands for all channels.
    plane = {"plane": {"c": -1, "z": place.get("Z", 0), "t": place.get("T", 0)}} if place else {}
    # QuPath takes only numbers as measurements.
    columns = {
        name: column.view(np.uint8) if column.dtype == bool else column for name, column in table.columns.items()
    }
    for object_id, polygons in object_polygons(segmentation.labels, table.boxes):
        row = int(table.positions(np.array(object_id)))
        values: dict[str, float] = {name: column[row].item() for name, column in columns.items()}
        measurements = {name: value for name, value in values.items() if isfinite(value)}
        properties = {"objectType": "detection", "name": str(object_id), "measurements": measurements}
        yield {"type": "Feature", "geometry": _geometry(polygons) | plane, "properties": properties}


def _geometry(polygons: Sequence[Polygon]) -> dict[str, Any]:
    coordinates = [[_closed(ring) for ring in polygon.rings] for polygon in polygons]
    if len(coordinates) == 1:
        return {"type": "Polygon", "coordinates": coordinates[0]}
    return {"type": "MultiPolygon", "coordinates": coordinates}


def _closed(ring: np.ndarray) -> list[list[int]]:
    corners: list[list[int]] = ring.tolist()
    return [*corners, corners[0]]
