"""Writing and reading the files of an evaluation: a table of images, a summary with intervals, and a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation.by_tag import positions_by_tag
from cellseg_monai.evaluation.evaluated import LABELLED, Evaluation
from cellseg_monai.evaluation.figure import draw_f1
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol, ScoreResult
from cellseg_monai.evaluation.result_table import read_row, table_rows
from cellseg_monai.evaluation.summary_checks import OVER_WORDS, check_summary
from cellseg_monai.faults import Fault
from cellseg_monai.json_text import parse_json
from cellseg_monai.scores import over_images
from cellseg_monai.spreadsheets import read_table, writing_table
from cellseg_monai.text_file import read_text

__all__ = ["OVER_WORDS", "format_results", "read_results", "read_summary", "result_files", "summary", "write_results"]


def write_results(evaluation: Evaluation, output_dir: str | Path) -> list[Path]:
    """Write an evaluation to a folder, which can contain evaluations under several protocols.

    Args:
        evaluation: evaluation with at least one image.
        output_dir: output folder, created if needed. An earlier evaluation under the same protocol is overwritten.

    Returns:
        Paths of `<protocol>_images.csv`, `<protocol>_summary.json` and `<protocol>_f1.png`.
    """
    table, report, figure = result_files(output_dir, evaluation.protocol)
    rows = table_rows(evaluation)
    with writing_table(table, rows[0]) as writer:
        for row in rows:
            writer.write(row[name] for name in rows[0])
    with replacing(report) as aside:
        aside.write_text(json.dumps(summary(evaluation), indent=2) + "\n", encoding="utf-8")
    draw_f1(figure, evaluation.protocol, evaluation.counts)
    return [table, report, figure]


_NAMES = ("images.csv", "summary.json", "f1.png")


def result_files(output_dir: str | Path, protocol: Protocol) -> list[Path]:
    """Return the paths of the files that `write_results` writes for a protocol: the table, the summary and the figure.

    Args:
        output_dir: output folder.
        protocol: the protocol.
    """
    return [_file(output_dir, protocol, name) for name in _NAMES]


def _file(output_dir: str | Path, protocol: Protocol, name: str) -> Path:
    return Path(output_dir) / f"{protocol.name}_{name}"


def read_results(output_dir: str | Path, protocol: Protocol) -> Evaluation:
    """Read an evaluation that `write_results` wrote.

    Args:
        output_dir: folder that contains the evaluation.
        protocol: the protocol of the evaluation. Scores with their own counting function are not supported, because the
            files do not contain their counts.

    Raises:
        DatasetError: the folder contains no evaluation under this protocol, or its files cannot be read.
    """
    table, numbers = _file(output_dir, protocol, _NAMES[0]), read_summary(output_dir, protocol)
    try:
        images = [read_row(row, protocol) for row in read_table(table)]
        faults, warnings = ([_fault(line) for line in numbers[name]] for name in ("not_evaluated", "warnings"))
        return Evaluation(protocol, images, faults, warnings, numbers["about"], numbers.get("foreground", LABELLED))
    except (AttributeError, KeyError, ValueError, TypeError, OSError) as error:
        raise DatasetError(
            f"cannot read {table} as an evaluation table ({type(error).__name__}: {error}); repeat the evaluation"
        ) from error


def read_summary(output_dir: str | Path, protocol: Protocol) -> dict[str, Any]:
    """Read a summary that `write_results` wrote.

    Args:
        output_dir: folder that contains the evaluation.
        protocol: the protocol of the evaluation.

    Raises:
        DatasetError: the folder contains no evaluation under this protocol, or its summary cannot be read.
    """
    path = _file(output_dir, protocol, _NAMES[1])
    if not path.is_file():
        raise DatasetError(
            f"{Path(output_dir)}: {path.name} not found; run the evaluation first, or pass another folder"
        )
    try:
        content = parse_json(read_text(path))
        check_summary(content)
        return dict(content)
    except ValueError as error:
        raise DatasetError(f"cannot read {path} ({error}); repeat the evaluation") from error


def _fault(line: str) -> Fault:
    place, kind, message = line.split(": ", 2)
    if kind.endswith(" (warning)"):
        return Fault(place, kind.removesuffix(" (warning)"), message, "warning")
    return Fault(place, kind, message)


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Summarise an evaluation as a JSON-compatible dict, with everything needed to interpret its scores.

    Args:
        evaluation: evaluation with at least one image.
    """
    protocol, curves = evaluation.protocol, [image.objects for image in evaluation.counts]
    by = positions_by_tag([image.tags for image in evaluation.images])
    return {
        "protocol": protocol.name,
        "measures": protocol.measures,
        "source": protocol.source,
        "cellseg_monai": __version__,
        "about": dict(evaluation.about),
        "images": len(curves),
        "not_evaluated": [str(fault) for fault in evaluation.faults],
        "warnings": [str(fault) for fault in evaluation.warnings],
        "true_objects": sum(image.true_objects for image in evaluation.counts),
        "predicted_objects": sum(image.predicted_objects for image in evaluation.counts),
        **({"foreground": evaluation.foreground} if protocol.counts_foreground else {}),
        "scores": _scores(protocol, evaluation.counts),
        **({"by": {tag: _by_value(evaluation, by_value) for tag, by_value in by.items()}} if by else {}),
        "iou": {
            "thresholds": list(protocol.thresholds),
            "matches": "greater than the threshold" if protocol.strict else "at least the threshold",
            "f1_mean": over_images(curves, "f1", "mean").tolist(),
            "f1_pooled": over_images(curves, "f1", "pooled").tolist(),
        },
    }


def _scores(protocol: Protocol, counts: Sequence[ImageCounts]) -> dict[str, Any]:
    results = protocol.results(counts)
    return {
        score.name: {
            "value": results[score.name].value,
            "interval_95": _interval(results[score.name]),
            "over": score.over,
        }
        for score in protocol.scores
    }


def _by_value(evaluation: Evaluation, by_value: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the scores of the images with each value of a tag."""
    return {
        value: {
            "images": len(positions),
            "scores": _scores(evaluation.protocol, [evaluation.counts[position] for position in positions]),
        }
        for value, positions in by_value.items()
    }


def _interval(result: ScoreResult) -> list[float] | None:
    return None if math.isnan(result.low) else [result.low, result.high]


def format_results(numbers: dict[str, Any]) -> str:
    """Format a summary as text, one score per line.

    Args:
        numbers: summary as returned by `summary` or `read_summary`.

    >>> score = {"value": 0.81, "interval_95": [0.7, 0.9], "over": "mean"}
    >>> print(format_results({"protocol": "dsb2018", "images": 9, "true_objects": 80, "predicted_objects": 78,
    ...                       "scores": {"mean_average_precision": score}}))
    dsb2018: 9 image(s), 80 true and 78 predicted objects
      mean_average_precision  0.8100  (95 % interval 0.7000 to 0.9000; mean over images)
    """
    head = f"{numbers['protocol']}: {numbers['images']} image(s), "
    lines = [f"{head}{numbers['true_objects']} true and {numbers['predicted_objects']} predicted objects"]
    width = max(map(len, numbers["scores"]))
    for name, score in numbers["scores"].items():
        interval = score["interval_95"]
        low_high = f"95 % interval {interval[0]:.4f} to {interval[1]:.4f}; " if interval else ""
        lines.append(f"  {name:<{width}}  {score['value']:.4f}  ({low_high}{OVER_WORDS[score['over']]})")
    return "\n".join(lines)
