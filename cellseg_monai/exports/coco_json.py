"""Write COCO annotations with run-length masks, which are exact, unlike polygons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.run_lengths import compressed_counts
from cellseg_monai.exports.segmentation import Segmentation
from cellseg_monai.labels import Crop, crops_of_whole_objects
from cellseg_monai.labels.relabel import id_runs

__all__ = ["write"]

_IMAGE, _CATEGORY = 1, 1  # the first numbers


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the image entry and one annotation per object.

    The `id` of an annotation is the id of its object. A `score` is included if the table has a finite score for the
    object. Each class of objects is a category, and `class_probability` belongs to that category. Without classes,
    there is a single category, `cell`.

    Args:
        path: file to write.
        segmentation: objects to export, with their table.
    """
    height, width = segmentation.shape
    image = {"id": _IMAGE, "file_name": segmentation.image_name, "height": height, "width": width}
    names = segmentation.table.classes or ("cell",)
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=_CATEGORY)]
    with replacing(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"images": [{json.dumps(image)}],\n"categories": {json.dumps(categories)},\n"annotations": [')
        for index, annotation in enumerate(_annotations(segmentation)):
            file.write((",\n" if index else "\n") + json.dumps(annotation, allow_nan=False))
        file.write("\n]}\n")


def _annotations(segmentation: Segmentation) -> Iterator[dict[str, Any]]:
    """Yield one annotation per object."""
    table, shape = segmentation.table, segmentation.shape
    numbers = table.class_numbers if table.classes else np.zeros(len(table), np.int64)
    kept = [name for name in ("score", "class_probability") if name in table.columns]
    for crop in crops_of_whole_objects(segmentation.labels, table.boxes):
        rows = table.positions(crop.ids)
        sides = (table[name][rows] for name in ("left_px", "top_px", "right_px", "bottom_px"))
        objects = zip(crop.ids.tolist(), rows, *(side.tolist() for side in sides), _masks(crop, shape), strict=True)
        for object_id, row, left, top, right, bottom, counts in objects:
            annotation = {
                "id": object_id,
                "image_id": _IMAGE,
                "category_id": _CATEGORY + int(numbers[row]),
                "iscrowd": 0,
                "area": int(table["area_px"][row]),
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": {"size": list(shape), "counts": counts},
            }
            yield annotation | {name: float(table[name][row]) for name in kept if np.isfinite(table[name][row])}


def _masks(crop: Crop, shape: tuple[int, int]) -> list[str]:
    """Return the compressed COCO run lengths of each object in a crop, counted down the columns of the whole image."""
    transposed = np.ascontiguousarray(crop.numbers.T)
    numbers, starts, lengths = id_runs(transposed, by_row=True)
    order = np.argsort(numbers, kind="stable")[np.count_nonzero(numbers == 0) :]
    numbers, lengths = numbers[order], lengths[order]
    columns, rows = np.divmod(starts[order], transposed.shape[1])
    begins = (columns + crop.window[1].start) * shape[0] + rows + crop.window[0].start
    # A run that reaches the bottom of a column can continue at the top of the next column.
    first = np.r_[True, (numbers[1:] != numbers[:-1]) | (begins[1:] != begins[:-1] + lengths[:-1])]
    ends = np.r_[(begins + lengths)[:-1][first[1:]], begins[-1] + lengths[-1]]
    return compressed_counts(numbers[first], begins[first], ends, shape[0] * shape[1])
