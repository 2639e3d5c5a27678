"""A run of `cellseg segment` as one HTML page, without truth: unusual images, and the lowest scores first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.faults import Fault
from cellseg_monai.inference.run_record import read_run
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import TrainingData
from cellseg_monai.report.html import items, paragraph
from cellseg_monai.report.page_file import check_output, write_page
from cellseg_monai.report.page_pictures import Drawn, left_out_note
from cellseg_monai.report.quality_pictures import (
    chosen_planes,
    draw_low_objects,
    draw_planes,
    quality_legend,
)
from cellseg_monai.report.quality_tables import distribution_part, flag_part, table_part
from cellseg_monai.report.segmented_plane import segmented_planes
from cellseg_monai.report.survey import Survey, SurveyedPlane, survey

__all__ = ["QualityReport", "write_quality_report"]

_ROOM_BYTES = 24_000_000  # for images; the crops of objects and the rest take less than 6 MB
_LISTED = 100
_LOW_PERCENT = 5

_SCORE_MEANING = (
    "The score of an object is the mean foreground probability over its pixels. It ranks objects, which shows where "
    "to look first; it is not the probability that an object is right. With the bundle nuclei, a right object scored "
    "higher than a wrong one in 90 % of pairs on images like its training images (BBBC039), and in 89 % on "
    "other images (DSB 2018). But the same score means different things in different sets: on DSB 2018, one in ten "
    "objects with scores above 0.96 was still wrong. An object counts as right if its IoU with a true one is 0.5 or "
    "more; docs/quality.md has the details. Missed objects have no score."
)


@dataclass(frozen=True)
class QualityReport:
    """The result of writing a report.

    Args:
        page: the HTML file.
        numbers: the JSON file next to it.
        faults: every image that is not in the report, with the reason.
        flagged: number of images with a flag.
    """

    page: Path
    numbers: Path
    faults: Sequence[Fault]
    flagged: int


def write_quality_report(
    run: str | Path, output: str | Path | None = None, *, training: TrainingData | None = None, overlays: int = 16
) -> QualityReport:
    """Write a run as one self-contained HTML page, and its numbers as JSON.

    Images are read again, one at a time and in parts; nothing is segmented.

    Args:
        run: the run.json next to the results.
        output: HTML file to write, replacing an existing one; by default report.html next to the run. The JSON file
            has the same name with the suffix .json.
        training: description of the training data from the bundle; ignored if it belongs to other weights.
        overlays: number of images with the lowest scores to show.

    Raises:
        FileNotFoundError: the run does not exist.
        ValueError: the file is not a run.json, the output is not an HTML file, or the number of overlays is not a
            whole number of 0 or more.
    """
    run = Path(run)
    page = run.with_name("report.html") if output is None else Path(output)
    check_output(page, overlays, such_as="16 shows the 16 lowest")
    record = read_run(run)
    about = record["about"]
    if training is not None and training.weights_sha256 != about["bundle"]["weights_sha256"]:
        training = None
    planes, faults = segmented_planes(record, run.parent)
    surveyed = survey(planes, Preprocessing(**about["preprocess"]), training)
    faults += surveyed.faults
    ranks = {plane.name: rank for rank, plane in enumerate(surveyed.planes, start=1)}
    scores = surveyed.objects.get("score", np.zeros(0))
    low_score = float(np.percentile(scores, _LOW_PERCENT)) if len(scores) else 0.0
    drawn = draw_planes(chosen_planes(surveyed.planes, overlays), ranks, low_score, _ROOM_BYTES)
    sections = [
        ("Flags", flag_part(surveyed, training)),
        *([("Not in this report", _faults(faults))] if faults else []),
        *([("Sizes, shapes, intensities and scores", distribution_part(surveyed, training))] if len(scores) else []),
        ("Images", table_part(surveyed, ranks, set(drawn.shown))),
        ("Where to look first", _pictures(surveyed, ranks, drawn)),
        ("How this was made", _provenance(about, run)),
    ]
    title = f"Segmentation of {run.absolute().parent.name}"
    numbers = write_page(page, title, _lead(surveyed, about), sections, _as_data(surveyed, faults, training))
    return QualityReport(page, numbers, faults, sum(bool(plane.flags) for plane in surveyed.planes))


def _lead(surveyed: Survey, about: Mapping[str, Any]) -> str:
    flagged = sum(bool(plane.flags) for plane in surveyed.planes)
    objects = sum(plane.measures.objects for plane in surveyed.planes)
    return paragraph(
        f"{objects:,} objects in {len(surveyed.planes):,} image(s), found by {about['bundle']['name']} "
        f"{about['bundle']['version']}; {flagged:,} image(s) with a flag. There is no truth to compare with: "
        "flags and low scores show where to look first."
    )


def _faults(faults: Sequence[Fault]) -> str:
    more = [f"and {len(faults) - _LISTED:,} more"] if len(faults) > _LISTED else []
    listed = items([*map(str, faults[:_LISTED]), *more])
    return f'<div class="note fault">{paragraph(f"{len(faults):,} image(s), with the reasons:")}{listed}</div>'


def _pictures(surveyed: Survey, ranks: Mapping[str, int], drawn: Drawn) -> str:
    parts = [paragraph(_SCORE_MEANING), quality_legend()]
    if surveyed.low:
        planes = {plane.name: plane for plane in surveyed.planes}
        parts += [
            "<h3>The objects with the lowest scores</h3>",
            paragraph("The lowest first, at most four from each image. The object is tinted and in the middle."),
            draw_low_objects(surveyed.low, planes, ranks, drawn.shown),
        ]
    if len(drawn.shown) < len(surveyed.planes):
        parts.append(paragraph(f"{len(drawn.shown)} of {len(surveyed.planes):,} images are shown.", "note"))
    parts += left_out_note(drawn)
    parts.append(
        paragraph(f"In the images below, the objects with the lowest {_LOW_PERCENT} % of all scores are tinted.")
    )
    return "\n".join([*parts, drawn.content])


def _provenance(about: Mapping[str, Any], run: Path) -> str:
    tta = "with test-time augmentation" if about["tta"] else "without test-time augmentation"
    return items(
        [
            f"Made from {run.name}, which records how to repeat the run.",
            f"Segmented by cellseg_monai {about['cellseg_monai']}, {tta}.",
            f"This page: cellseg_monai {__version__}. Measures and flags: docs/quality.md.",
            "At most the first three channels of an image are shown, each stretched between its percentiles 0.1 and "
            "99.9; empty fields stay dark, and large images are shown smaller. Images larger than 16 windows of "
            "768 × 768 pixels are measured in 16 windows spread over them.",
        ]
    )


def _as_data(surveyed: Survey, faults: Sequence[Fault], training: TrainingData | None) -> dict[str, Any]:
    return {
        "training_data": None if training is None else asdict(training),
        "images": [_row(plane) for plane in surveyed.planes],
        "lowest_objects": [_without_nan(asdict(item)) for item in surveyed.low],
        "faults": [str(fault) for fault in faults],
    }


def _row(plane: SurveyedPlane) -> dict[str, Any]:
    measures = {field.name: getattr(plane.measures, field.name) for field in fields(plane.measures)}
    flags = {flag.kind: flag.reason for flag in plane.flags}
    scores = {"score": plane.score, "lowest_score": plane.lowest, "agreement": plane.agreement}
    return {"image": plane.name, "flags": flags, **_without_nan({**scores, **measures})}


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace values that JSON cannot hold, NaN and infinity, by None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()
    }
