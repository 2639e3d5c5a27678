"""Write outlines and measurements as GeoJSON for QuPath, with one detection per object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import ObjectTable, Polygon, class_colours, object_polygons

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write a FeatureCollection that QuPath 0.4 and later can import.

    Objects become detections, because QuPath can handle hundreds of thousands of them. Annotations can be edited, but
    are slow. Each detection is named after the id of its object. All finite values in the table, including the id and
    `score`, become measurements. Coordinates are in pixels from the top left corner of the full image, as in QuPath.
    In a stack, each object is assigned to its time point and depth. The class of an object becomes its classification,
    with a colour.

    Args:
        path: file to write.
        segmentation: objects to export, with their table; the axes are Y and X, optionally preceded by T and Z.
    """
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
    with replacing(path) as aside, open(aside, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        features = (feature for place, plane in segmentation.split() for feature in _features(plane, place))
        for index, feature in enumerate(features):
            file.write((",\n" if index else "\n") + encode(feature))
        file.write("\n]}\n")


def _features(segmentation: Segmentation, place: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield one GeoJSON feature per object in a plane."""
    table = segmentation.table
    # In QuPath, channel -1 stands for all channels.
    plane = {"plane": {"c": -1, "z": place.get("Z", 0), "t": place.get("T", 0)}} if place else {}
    # QuPath accepts only numbers as measurements, so booleans become 0 and 1.
    columns = {
        name: column.view(np.uint8) if column.dtype == bool else column
        for name, column in table.columns.items()
        if column.dtype.kind not in "OU"
    }
    classifications = _classifications(table)
    for object_id, polygons in object_polygons(segmentation.labels, table.boxes):
        row = int(table.positions(np.array(object_id)))
        values: dict[str, float] = {name: column[row].item() for name, column in columns.items()}
        measurements = {name: value for name, value in values.items() if isfinite(value)}
        properties = {"objectType": "detection", "name": str(object_id), "measurements": measurements}
        if classifications:
            properties["classification"] = classifications[str(table["class"][row])]
        yield {"type": "Feature", "geometry": _geometry(polygons) | plane, "properties": properties}


def _classifications(table: ObjectTable) -> dict[str, dict[str, Any]]:
    """Return the classes by name, as QuPath 0.4 and later write them; earlier versions ignore the colour."""
    colours = class_colours(len(table.classes))
    return {name: {"name": name, "color": list(colour)} for name, colour in zip(table.classes, colours, strict=True)}


def _geometry(polygons: Sequence[Polygon]) -> dict[str, Any]:
    coordinates = [[_closed(ring) for ring in polygon.rings] for polygon in polygons]
    if len(coordinates) == 1:
        return {"type": "Polygon", "coordinates": coordinates[0]}
    return {"type": "MultiPolygon", "coordinates": coordinates}


def _closed(ring: np.ndarray) -> list[list[int]]:
    corners: list[list[int]] = ring.tolist()
    return [*corners, corners[0]]
