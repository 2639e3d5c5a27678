"""HTML report on a `cellseg segment` run without ground truth: flagged images and objects with low scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.faults import Fault
from cellseg_monai.inference.run_record import read_run
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
from cellseg_monai.report.used_bundles import UsedBundles

__all__ = ["QualityReport", "write_quality_report"]

_ROOM_BYTES = 24_000_000  # size limit for images; crops and everything else take less than 6 MB
_LISTED = 100
_LOW_PERCENT = 5

_SCORE_MEANING = (
    "The score of an object is the mean foreground probability over its pixels. It ranks objects and so shows where "
    "to look first, but it is not the probability that an object is correct. With the bundle nuclei, a correct object "
    "scored higher than a wrong one in 90 % of pairs on images like its training images (BBBC039), and in 89 % on "
    "other images (DSB 2018). The same score means different things in different data sets: on DSB 2018, one in ten "
    "objects with scores above 0.96 was still wrong. An object counts as correct if its IoU with a true object is at "
    "least 0.5; see docs/quality.md for details. Missed objects have no score."
)


@dataclass(frozen=True)
class QualityReport:
    """The files of a quality report, and a summary of the findings.

    Args:
        page: path of the HTML file.
        numbers: path of the JSON file, in the same folder.
        faults: one fault for every image that could not be shown.
        flagged: number of images with at least one flag.
    """

    page: Path
    numbers: Path
    faults: Sequence[Fault]
    flagged: int


def write_quality_report(
    run: str | Path,
    output: str | Path | None = None,
    *,
    training: TrainingData | Sequence[TrainingData] | None = None,
    overlays: int = 16,
) -> QualityReport:
    """Write an HTML report on a segmentation run as a self-contained page, and its numbers as JSON.

    The images are read again, one at a time and in parts, but nothing is segmented.

    Args:
        run: path of the run.json in the results folder.
        output: HTML file to write; an existing file is overwritten. The default is report.html next to run.json. The
            JSON file gets the same name with the suffix .json.
        training: the bundle's description of its training data, or those of several bundles; ignored if the run used
            other weights.
        overlays: number of images with the lowest scores to show.

    Raises:
        FileNotFoundError: the run.json does not exist.
        ValueError: the file is not a run.json, the output is not an HTML file, or `overlays` is negative or not an
            integer.
    """
    run = Path(run)
    page = run.with_name("report.html") if output is None else Path(output)
    check_output(page, overlays, such_as="with 16, the report shows the 16 images with the lowest scores")
    record = read_run(run)
    about = record["about"]
    descriptions = [training] if isinstance(training, TrainingData) else training or []
    bundles = UsedBundles.of(about, descriptions)
    planes, faults = segmented_planes(record, run.parent)
    surveyed = survey(planes, bundles)
    faults += surveyed.faults
    ranks = {plane.name: rank for rank, plane in enumerate(surveyed.planes, start=1)}
    scores = surveyed.objects.get("score", np.zeros(0))
    low_score = float(np.percentile(scores, _LOW_PERCENT)) if len(scores) else 0.0
    drawn = draw_planes(chosen_planes(surveyed.planes, overlays), ranks, low_score, _ROOM_BYTES)
    sections = [
        ("Flags", flag_part(surveyed, bundles)),
        *([("Not in this report", _faults(faults))] if faults else []),
        *([("Sizes, shapes, intensities and scores", distribution_part(surveyed, bundles))] if len(scores) else []),
        ("Images", table_part(surveyed, ranks, set(drawn.shown))),
        ("Where to look first", _pictures(surveyed, ranks, drawn)),
        ("How this was made", _provenance(about, bundles, run)),
    ]
    title = f"Segmentation of {run.absolute().parent.name}"
    numbers = write_page(page, title, _lead(surveyed, bundles), sections, _as_data(surveyed, faults, bundles))
    return QualityReport(page, numbers, faults, sum(bool(plane.flags) for plane in surveyed.planes))


def _lead(surveyed: Survey, bundles: UsedBundles) -> str:
    flagged = sum(bool(plane.flags) for plane in surveyed.planes)
    objects = sum(plane.measures.objects for plane in surveyed.planes)
    return paragraph(
        f"{objects:,} objects in {len(surveyed.planes):,} image(s), found by {', '.join(bundles.names)}; {flagged:,} "
        "flagged image(s). There is no ground truth to compare with, but flags and low scores show where to look first."
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
            paragraph("Lowest score first, with at most four objects per image. The object is tinted and centred."),
            draw_low_objects(surveyed.low, planes, ranks, drawn.shown),
        ]
    if len(drawn.shown) < len(surveyed.planes):
        parts.append(paragraph(f"{len(drawn.shown)} of {len(surveyed.planes):,} images are shown.", "note"))
    parts += left_out_note(drawn)
    parts.append(paragraph(f"In the images below, objects in the lowest {_LOW_PERCENT} % of all scores are tinted."))
    return "\n".join([*parts, drawn.content])


def _provenance(about: Mapping[str, Any], bundles: UsedBundles, run: Path) -> str:
    tta = "with test-time augmentation" if bundles.has_tta else "without test-time augmentation"
    return items(
        [
            f"Made from {run.name}, which records everything needed to repeat the run.",
            f"Segmented by cellseg_monai {about['cellseg_monai']}, {tta}.",
            f"This page: cellseg_monai {__version__}. Measures and flags: docs/quality.md.",
            "At most the first three channels of an image are shown, each stretched between its 0.1 and 99.9 "
            "percentiles. Empty fields stay dark, and large images are reduced in size. Images larger than 16 windows "
            "of 768 × 768 pixels are measured in 16 windows spread over the image.",
        ]
    )


def _as_data(surveyed: Survey, faults: Sequence[Fault], bundles: UsedBundles) -> dict[str, Any]:
    known = {name: asdict(description) for name, description in bundles.training_data.items()}
    return {
        "training_data": known.get("") if "" in bundles.about else known,
        "images": [_row(plane) for plane in surveyed.planes],
        "lowest_objects": [_without_nan(asdict(item)) for item in surveyed.low],
        "faults": [str(fault) for fault in faults],
    }


def _row(plane: SurveyedPlane) -> dict[str, Any]:
    measures = {field.name: getattr(plane.measures, field.name) for field in fields(plane.measures)}
    flags = {flag.kind: flag.reason for flag in plane.flags}
    scores = {"score": plane.score, "lowest_score": plane.lowest, "agreement": plane.agreement}
    choice = {"choice": dict(plane.plane.choice)} if plane.plane.choice else {}
    return {"image": plane.name, "flags": flags, **choice, **_without_nan({**scores, **measures})}


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace NaN and infinite values, which JSON cannot represent, with None."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()
    }
