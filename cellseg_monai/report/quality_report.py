"""A run of `cellseg segment` as one HTML page, without truth: what is unusual, and the lowest scores first."""

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
from cellseg_monai.report.segmented import segmented_planes
from cellseg_monai.report.survey import Survey, SurveyedPlane, survey

__all__ = ["QualityReport", "write_quality_report"]

_ROOM_BYTES = 24_000_000  # for images; the crops of objects and the rest take less than 6 MB
_LISTED = 100
_LOW_PERCENT = 5

_WORTH = (
    "The score of an object is the mean probability of the foreground over it. It ranks objects, and so says where to "
    "look first; it is not the probability that an object is right. With the bundle nuclei, a right object scored "
    "higher than a wrong one in 90 % of pairs on images like those that it was trained on (BBBC039), and in 89 % on "
    "other images (DSB 2018). But the same score means different things in different sets: on DSB 2018, one in ten "
    "objects with scores above 0.96 was still wrong. An object counts as right if its IoU with a true one is 0.5 or "
    "more; docs/quality.md has the figures. Objects that were missed have no score."
)


@dataclass(frozen=True)
class QualityReport:
    """What was written.

    Args:
        page: the HTML file.
        numbers: the JSON file beside it.
        faults: every image that is not in the report, and why.
        flagged: how many images have a flag.
    """

    page: Path
    numbers: Path
    faults: Sequence[Fault]
    flagged: int


def write_quality_report(
    run: str | Path, output: str | Path | None = None, *, training: TrainingData | None = None, overlays: int = 16
) -> QualityReport:
    """Write a run as one HTML page that needs nothing beside it, and its numbers as JSON.

    Images are read again, one at a time and in parts; nothing is segmented.

    Args:
        run: the run.json beside the results.
        output: the HTML file; an earlier one is replaced. None: report.html beside the run. The JSON file lies beside
            it, with the suffix .json.
        training: what the network was trained on, as its bundle says; left aside where it is of other weights.
        overlays: how many of the images of the lowest scores are shown.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: it is no run.json, the output is no HTML file, or the number of overlays no number from 0.
    """
    run = Path(run)
    page = run.with_name("report.html") if output is None else Path(output)
    check_output(page, overlays, such_as="16 shows the 16 lowest")
    told = read_run(run)
    about = told["about"]
    if training is not None and training.weights_sha256 != about["bundle"]["weights_sha256"]:
        training = None
    planes, faults = segmented_planes(told, run.parent)
    found = survey(planes, Preprocessing(**about["preprocess"]), training)
    faults += found.faults
    ranks = {each.name: rank for rank, each in enumerate(found.planes, start=1)}
    scores = found.objects.get("score", np.zeros(0))
    low_score = float(np.percentile(scores, _LOW_PERCENT)) if len(scores) else 0.0
    drawn = draw_planes(chosen_planes(found.planes, overlays), ranks, low_score, _ROOM_BYTES)
    sections = [
        ("Flags", flag_part(found, training)),
        *([("Not in this report", _faults(faults))] if faults else []),
        *([("Sizes, shapes, intensities and scores", distribution_part(found, training))] if len(scores) else []),
        ("Images", table_part(found, ranks, set(drawn.shown))),
        ("Where to look first", _pictures(found, ranks, drawn)),
        ("How this was made", _how(about, run, training)),
    ]
    title = f"Segmentation of {run.absolute().parent.name}"
    numbers = write_page(page, title, _lead(found, about), sections, _as_data(found, faults, training))
    return QualityReport(page, numbers, faults, sum(bool(each.flags) for each in found.planes))


def _lead(found: Survey, about: Mapping[str, Any]) -> str:
    flagged = sum(bool(each.flags) for each in found.planes)
    objects = sum(each.measures.objects for each in found.planes)
    return paragraph(
        f"{objects:,} objects in {len(found.planes):,} image(s), found by {about['bundle']['name']} "
        f"{about['bundle']['version']}; {flagged:,} image(s) with a flag. There is no truth to compare with: "
        "flags and low scores say where to look first."
    )


def _faults(faults: Sequence[Fault]) -> str:
    more = [f"and {len(faults) - _LISTED:,} more"] if len(faults) > _LISTED else []
    listed = items([*map(str, faults[:_LISTED]), *more])
    return f'<div class="note fault">{paragraph(f"{len(faults):,} image(s), and why:")}{listed}</div>'


def _pictures(found: Survey, ranks: Mapping[str, int], drawn: Drawn) -> str:
    parts = [paragraph(_WORTH), quality_legend()]
    if found.low:
        planes = {each.name: each for each in found.planes}
        parts += [
            "<h3>The objects of the lowest scores</h3>",
            paragraph(
                "The lowest first, at most four from each image. The object itself is tinted, and in the middle."
            ),
            draw_low_objects(found.low, planes, ranks, drawn.shown),
        ]
    if len(drawn.shown) < len(found.planes):
        parts.append(paragraph(f"{len(drawn.shown)} of {len(found.planes):,} images are shown.", "note"))
    parts += left_out_note(drawn)
    parts.append(paragraph(f"In the images below, objects with the lowest {_LOW_PERCENT} % of all scores are tinted."))
    return "\n".join([*parts, drawn.content])


def _how(about: Mapping[str, Any], run: Path, training: TrainingData | None) -> str:
    tta = "with test-time augmentation" if about["tta"] else "without test-time augmentation"
    return items(
        [
            f"Made from {run.name}, which says how to repeat the run.",
            f"Segmented by cellseg_monai {about['cellseg_monai']}, {tta}.",
            f"This page: cellseg_monai {__version__}. Measures and flags: docs/quality.md.",
            "Images are shown by their first three channels at most, each stretched between its percentiles 0.1 and "
            "99.9; empty fields are left dark, large images are shown smaller. Images larger than 16 windows of "
            "768 × 768 pixels are measured in 16 windows spread over them.",
        ]
    )


def _as_data(found: Survey, faults: Sequence[Fault], training: TrainingData | None) -> dict[str, Any]:
    return {
        "training_data": None if training is None else asdict(training),
        "images": [_row(each) for each in found.planes],
        "lowest_objects": [_plain(asdict(each)) for each in found.low],
        "faults": [str(fault) for fault in faults],
    }


def _row(each: SurveyedPlane) -> dict[str, Any]:
    measures = {field.name: getattr(each.measures, field.name) for field in fields(each.measures)}
    flags = {flag.kind: flag.reason for flag in each.flags}
    scores = {"score": each.score, "lowest_score": each.lowest, "agreement": each.agreement}
    return {"image": each.name, "flags": flags, **_plain({**scores, **measures})}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can hold: nothing for what is not a number."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()
    }
