"""Measurements of every object in a label image: position, size, shape, brightness, and the mean of each map.

All objects are measured together, because measuring 70,000 objects one by one, as `regionprops` does, takes half a
minute. The same numbers result from sums over runs of pixels, codes for border pixels, and jointly pruned hulls. Tests
compare every column.

The mean foreground probability is called `score`, not confidence. It ranks wrong objects below right ones, but its
values are not comparable between sets of images; see docs/quality.md and `benchmarks/score_quality.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellseg_monai.boxes import Run, SlicedArray
from cellseg_monai.labels.convex_hull import convex_areas
from cellseg_monai.labels.crops import BLOCK_PX, Crop, ObjectBoxes, crop_of, groups_of_objects, object_boxes
from cellseg_monai.labels.object_runs import ObjectRuns
from cellseg_monai.labels.object_table import ObjectTable
from cellseg_monai.labels.perimeter import perimeters

__all__ = ["measure_objects"]

# Maps whose columns have names of their own, because users filter and sort by these columns.
_NAMED_COLUMNS = {"foreground": "score", "views": "agreement"}
_CLASS = "class/"
_SQUARE_TOLERANCE = 1e-6  # pixels are square if height and width differ by at most this fraction


def measure_objects(
    labels: SlicedArray,
    image: Any = None,
    *,
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
    maps: Mapping[str, Any] | None = None,
    block_px: int = BLOCK_PX,
    run: Run = map,
) -> ObjectTable:
    """Measure every object in a label image.

    Definitions and values are those of `skimage.measure.regionprops`, but all objects are measured together. An object
    consists of all pixels with its id, in one component or several. Positions are relative to the centre of the first
    pixel. The bottom and right of a box are one past the last pixel.

    These columns are always present:

    - `id`, `area_px`, `centroid_y_px`, `centroid_x_px`, `top_px`, `left_px`, `bottom_px`, `right_px`;
    - `equivalent_diameter_px`: diameter of the disc with the same area;
    - `perimeter_px`: see `perimeters`;
    - `eccentricity`: eccentricity of the ellipse with the same second moments, 0 for a disc (Hu 1962,
      doi:10.1109/TIT.1962.1057692); with a pixel size, it is computed in µm;
    - `solidity`: area as a fraction of the area of the convex hull;
    - `touches_edge`: True if the object touches the edge of the image, which may have cut the object.

    A pixel size adds `area_um2`, `centroid_y_um`, `centroid_x_um`, `equivalent_diameter_um` and `perimeter_um` (NaN if
    pixels are not square). An image adds `mean_NAME`, `min_NAME` and `max_NAME` for each channel. Each map adds its
    mean over the object's pixels, called `score` for the map `foreground`, `agreement` for `views`, and `mean_NAME` for
    all other maps, with slashes in the name replaced by underscores. Two or more maps `class/NAME` also add `class`,
    the NAME with the highest mean, and `class_probability`, this mean.

    Args:
        labels: Y×X ids of any integer dtype, 0 is background. Ids can have gaps and be large. The array is only sliced,
            so it can be on disk.
        image: C×Y×X pixels; only sliced, so it can be on disk.
        channel_names: one name per channel; missing or empty names become `channel_0` and so on, and the number of the
            channel is appended to names that occur twice.
        pixel_size_um: height and width of a pixel in µm.
        maps: Y×X floats by name, with the same pixels as the image; only sliced, so they can be on disk.
        block_px: number of pixels held in memory at a time, unless a single object is larger.
        run: a function that calls another function for each block: `map`, or the `map` of a thread pool, in which each
            thread holds one block.

    Returns:
        One row per object, in the order of the ids.

    Raises:
        ValueError: `labels` are negative or not integers; the image, the maps or the names do not fit the labels; or
            the pixel size is not positive and finite.

    >>> table = measure_objects(np.array([[7, 7, 0], [7, 7, 0], [0, 0, 9]]), pixel_size_um=(0.5, 0.5))
    >>> table["id"], table["area_px"], table["area_um2"], table["centroid_x_px"], table["touches_edge"]
    (array([7, 9]), array([4, 1]), array([1.  , 0.25]), array([0.5, 2. ]), array([ True,  True]))
    """
    names = _channel_names(labels, image, channel_names)
    means = _columns_of_maps(labels, maps or {}, names)
    if pixel_size_um is not None and not all(np.isfinite(size) and size > 0 for size in pixel_size_um):
        raise ValueError(f"got pixel_size_um={pixel_size_um}, expected two positive lengths; pass height and width")
    boxes = object_boxes(labels, block_px=block_px, run=run)
    groups = list(groups_of_objects(boxes, int(labels.shape[1]), block_px=block_px))

    def measure_group(group: ObjectBoxes | None) -> dict[str, np.ndarray]:
        crop = _empty_crop(boxes) if group is None else crop_of(labels, group)
        runs, (rows, columns) = ObjectRuns.of(crop), crop.window
        part = {"id": crop.ids, **_shapes(crop, runs)}
        for channel, name in enumerate(names):
            part.update(runs.brightness(np.asarray(image[channel, rows, columns]), name))
        return part | {column: runs.mean(np.asarray(values[crop.window])) for column, values in means.items()}

    parts = list(run(measure_group, groups or [None]))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(joined["id"], kind="stable")
    measured = {name: column[order] for name, column in joined.items()}
    classes = _class_names(maps or {})
    return ObjectTable(
        _columns(_classified(measured, classes), boxes, tuple(labels.shape), pixel_size_um), names, classes
    )


def _empty_crop(boxes: ObjectBoxes) -> Crop:
    """Return a crop without objects, so that the table of an empty image has the same columns with the same types."""
    places: np.ndarray = np.zeros(0, np.intp)
    ids: np.ndarray = np.zeros(0, np.int32)
    return Crop((slice(0, 0), slice(0, 0)), boxes.ids, (ids, places, places))


def _columns_of_maps(labels: SlicedArray, maps: Mapping[str, Any], channels: Sequence[str]) -> dict[str, Any]:
    """Return each map under the name of its column."""
    for name, values in maps.items():
        if tuple(values.shape) != tuple(labels.shape):
            raise ValueError(
                f"got the map {name} of shape {tuple(values.shape)} and labels of shape {tuple(labels.shape)}, "
                "expected equal shapes; resample the map to the pixels of the image"
            )
    columns = {_column(name): values for name, values in maps.items()}
    if len(columns) < len(maps):
        raise ValueError(f"got the maps {', '.join(maps)}, two of which would share a column; rename one of the maps")
    for channel in channels:
        if f"mean_{channel}" in columns:
            raise ValueError(f"got a map and a channel that share the name {channel}; rename the channel")
    return columns


def _class_names(maps: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes of objects; empty if there are not two classes to choose from."""
    names = tuple(name.removeprefix(_CLASS) for name in maps if name.startswith(_CLASS))
    return names if len(names) > 1 else ()


def _classified(measured: dict[str, np.ndarray], classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the columns with the likeliest class of each object, and its probability."""
    if not classes:
        return measured
    means = np.stack([measured[_column(f"{_CLASS}{name}")] for name in classes])
    return measured | {"class": np.array(classes)[means.argmax(axis=0)], "class_probability": means.max(axis=0)}


def _column(name: str) -> str:
    # AnnData and HDF5 would read a slash as a path.
    return _NAMED_COLUMNS.get(name, f"mean_{name.replace('/', '_')}")


def _shapes(crop: Crop, runs: ObjectRuns) -> dict[str, np.ndarray]:
    """Return the measurements that depend only on pixel positions: area, means, second moments, perimeter, hull."""
    # Positions are relative to each object's bounding box, so that sums stay small and exact.
    counts = np.diff(runs.first, append=len(runs.rows))
    top, left = (np.minimum.reduceat(positions, runs.first) for positions in (runs.rows, runs.columns))
    y, x, n = runs.rows - np.repeat(top, counts), runs.columns - np.repeat(left, counts), runs.lengths
    steps = n * (n - 1) // 2  # 0 + 1 + ... along a run
    along = n * x + steps
    squares = x * x * n + 2 * x * steps + steps * (2 * n - 1) // 3
    mean_y, mean_x, yy, xx, yx = (
        runs.sums(terms) / runs.areas for terms in (y * n, along, y * y * n, squares, y * along)
    )
    starts_row = np.diff(runs.rows, prepend=-1) != 0  # True for the first run in each row of an object
    starts_row[runs.first] = True
    row_starts = np.flatnonzero(starts_row)
    rights: np.ndarray = np.maximum.reduceat(runs.columns + n - 1, row_starts)
    convex = convex_areas(
        np.asarray(np.searchsorted(row_starts, runs.first)), runs.rows[row_starts], runs.columns[row_starts], rights
    )
    return {
        "area": runs.areas,
        "y": mean_y + top + crop.window[0].start,
        "x": mean_x + left + crop.window[1].start,
        "yy": yy - mean_y**2,
        "xx": xx - mean_x**2,
        "yx": yx - mean_y * mean_x,
        "perimeter": perimeters(crop, runs),
        "convex": convex,
    }


def _columns(
    measured: dict[str, np.ndarray],
    boxes: ObjectBoxes,
    shape: tuple[int, ...],
    pixel_size_um: tuple[float, float] | None,
) -> dict[str, np.ndarray]:
    """Return the columns of the table by name."""
    area, y, x, yy, xx, yx, perimeter, convex = (
        measured.pop(name) for name in ("area", "y", "x", "yy", "xx", "yx", "perimeter", "convex")
    )
    height_um, width_um = map(float, pixel_size_um or (1, 1))
    columns = {
        "id": measured.pop("id"),
        "area_px": area,
        "centroid_y_px": y,
        "centroid_x_px": x,
        "top_px": boxes.top,
        "left_px": boxes.left,
        "bottom_px": boxes.bottom,
        "right_px": boxes.right,
        "equivalent_diameter_px": np.sqrt(4 * area / np.pi),
        "perimeter_px": perimeter,
        "eccentricity": _eccentricity(yy * height_um**2, xx * width_um**2, yx * height_um * width_um),
        "solidity": area / convex,
        "touches_edge": (boxes.top == 0) | (boxes.left == 0) | (boxes.bottom == shape[0]) | (boxes.right == shape[1]),
    }
    if pixel_size_um is not None:
        is_square = abs(height_um - width_um) <= _SQUARE_TOLERANCE * width_um
        columns |= {
            "area_um2": area * (height_um * width_um),
            "centroid_y_um": y * height_um,
            "centroid_x_um": x * width_um,
            "equivalent_diameter_um": np.sqrt(4 * area * (height_um * width_um) / np.pi),
            "perimeter_um": perimeter * (width_um if is_square else np.nan),
        }
    return columns | measured


def _eccentricity(yy: np.ndarray, xx: np.ndarray, yx: np.ndarray) -> np.ndarray:
    """Return the eccentricities of the ellipses with these second moments."""
    mean, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    longest, shortest = mean + spread, np.maximum(mean - spread, 0)
    share = np.divide(shortest, longest, out=np.ones_like(longest), where=longest > 0)
    return np.sqrt(1 - share)


def _channel_names(labels: SlicedArray, image: Any, channel_names: Sequence[str]) -> tuple[str, ...]:
    """Return a unique name for each channel."""
    if image is None:
        return ()
    shape = tuple(image.shape)
    if len(shape) != 3 or shape[1:] != tuple(labels.shape) or (channel_names and len(channel_names) != shape[0]):
        raise ValueError(
            f"got an image {shape}, {len(channel_names)} channel names and labels {tuple(labels.shape)}, expected "
            "an image (C, Y, X) with the Y and X of the labels, and either one name per channel or no names; "
            "rescale the image or the labels, or pass a single plane from a stack"
        )
    names = enumerate(channel_names or [""] * shape[0])
    return _distinct([_as_text(name) or f"channel_{channel}" for channel, name in names])


def _as_text(name: str) -> str:
    """Return a name without surrogates and zeros, which some formats of tables cannot hold."""
    return name.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Append the number of the channel to every name that occurs twice, and again until no other channel has it."""
    taken = {name for name in names if names.count(name) == 1}
    distinct = []
    for channel, name in enumerate(names):
        if names.count(name) > 1:
            name = f"{name}_{channel}"
            while name in taken:
                name = f"{name}_{channel}"
            taken.add(name)
        distinct.append(name)
    return tuple(distinct)
