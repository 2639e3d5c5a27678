"""Outlines and measurements for QuPath: GeoJSON, a detection an object."""

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
    """Write a FeatureCollection as QuPath 0.4 and later import it.

    Objects are detections, which QuPath draws and measures by the hundred thousand, where annotations, which a person
    edits, are slow. The id is the name and a measurement; all columns of the table are measurements, `score` among
    them. Coordinates are pixels of the full image from its corner on, as QuPath's are. In a stack, objects
    lie in the plane of their time and depth.

    Args:
        path: the file.
        segmentation: whose labels and table, with T and Z before Y and X, or without.
    """
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
    with replacing(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        features = (each for place, plane in segmentation.split() for each in _features(plane, place))
        for at, feature in enumerate(features):
            file.write((",\n" if at else "\n") + encode(feature))
        file.write("\n]}\n")


def _features(segmentation: Segmentation, place: dict[str, int]) -> Iterator[dict[str, Any]]:
    table = segmentation.table
    # c: all channels.
    plane = {"plane": {"c": -1, "z": place.get("Z", 0), "t": place.get("T", 0)}} if place else {}
    # Measurements are numbers alone.
    columns = {name: each.view(np.uint8) if each.dtype == bool else each for name, each in table.columns.items()}
    for number, pieces in object_polygons(segmentation.labels, table.boxes):
        row = int(table.positions(np.array(number)))
        values: dict[str, float] = {name: column[row].item() for name, column in columns.items()}
        known = {name: value for name, value in values.items() if isfinite(value)}
        properties = {"objectType": "detection", "name": str(number), "measurements": known}
        yield {"type": "Feature", "geometry": _geometry(pieces) | plane, "properties": properties}


def _geometry(pieces: Sequence[Polygon]) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in piece.rings] for piece in pieces]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: np.ndarray) -> list[list[int]]:
    corners: list[list[int]] = ring.tolist()
    return [*corners, corners[0]]
