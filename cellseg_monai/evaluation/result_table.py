"""Table of an evaluation: one row per image with its files, scores and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from cellseg_monai.evaluation.evaluated import EvaluatedImage, Evaluation
from cellseg_monai.evaluation.pairs import FilePair
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol
from cellseg_monai.scores import ForegroundCounts, ObjectCounts

__all__ = ["read_row", "table_rows"]

_TAG = "tag_"
_PIXELS = {field.name: f"{field.name}_px" for field in fields(ForegroundCounts)}


def table_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return one row per image as a dict from column name to value.

    The table has no columns for false and missed objects. At each threshold, they are the predicted and the true
    objects minus the matched pairs, `tp`.

    Args:
        evaluation: evaluation with at least one image.
    """
    names = sorted({name for image in evaluation.images for name in image.tags})
    return [
        _row(image, evaluation.protocol) | {f"{_TAG}{name}": image.tags.get(name, "") for name in names}
        for image in evaluation.images
    ]


def _row(image: EvaluatedImage, protocol: Protocol) -> dict[str, object]:
    files, counts = image.files, image.counts
    row: dict[str, object] = {
        "image": files.name,
        "image_file": "" if files.image is None else files.image.as_posix(),
        "truth": files.truth.as_posix(),
        "prediction": files.prediction.as_posix(),
        "true_objects": counts.true_objects,
        "predicted_objects": counts.predicted_objects,
    }
    for score in protocol.scores:
        if score.image_name not in row:
            row[score.image_name] = f"{protocol.value(score, [counts]):.6f}"
    row |= {f"tp_{at:.2f}": objects.tp for at, objects in zip(protocol.thresholds, counts.objects, strict=True)}
    row |= {
        f"iou_sum_{at:.2f}": objects.iou_sum for at, objects in zip(protocol.thresholds, counts.objects, strict=True)
    }
    if counts.foreground is not None:
        row |= {column: getattr(counts.foreground, name) for name, column in _PIXELS.items()}
    return row


def read_row(row: Mapping[str, str], protocol: Protocol) -> EvaluatedImage:
    """Restore an image and its counts from a row of the table.

    Args:
        row: cells of the row by column name.
        protocol: the protocol of the table. Scores with their own counting function are not supported, because the
            table does not contain their counts.

    Raises:
        KeyError: the table lacks a column.
        ValueError: a cell is not a number.
    """
    true, predicted = int(row["true_objects"]), int(row["predicted_objects"])
    objects = []
    for at in protocol.thresholds:
        tp = int(row[f"tp_{at:.2f}"])
        objects.append(ObjectCounts(tp, predicted - tp, true - tp, float(row[f"iou_sum_{at:.2f}"])))
    tags = {name.removeprefix(_TAG): value for name, value in row.items() if name.startswith(_TAG) and value}
    pixels = {name: int(row[column]) for name, column in _PIXELS.items()} if protocol.counts_foreground else None
    return EvaluatedImage(
        FilePair(
            name=row["image"],
            truth=Path(row["truth"]),
            prediction=Path(row["prediction"]),
            image=Path(row["image_file"]) if row["image_file"] else None,
        ),
        ImageCounts(tuple(objects), foreground=None if pixels is None else ForegroundCounts(**pixels)),
        tags,
    )
