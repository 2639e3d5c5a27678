"""A run of `cellseg segment` as one HTML page, without truth: what is unusual, and the lowest scores first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.data import Fault
from cellseg_monai.inference.record import read_run
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import FLAGS, TrainingData
from cellseg_monai.report.distributions import objects_figure
from cellseg_monai.report.html import Cell, chart, items, paragraph, render_page, table, text_cell
from cellseg_monai.report.overlays import Overlays
from cellseg_monai.report.quality_pictures import (
    chosen_planes,
    draw_low_objects,
    draw_planes,
    quality_legend,
)
from cellseg_monai.report.segmented import segmented_planes
from cellseg_monai.report.survey import Survey, SurveyedPlane, survey

__all__ = ["QualityReport", "write_quality_report"]

_ROOM_BYTES = 24_000_000  # for images; the crops of objects and the rest take less than 6 MB
_ROWS, _LISTED = 5000, 100  # of the table, and of a list
_LOW_PERCENT = 5

_WORTH = (
    "The score of an object is the mean probability of the foreground over it. It is no probability of being right: it "
    "puts objects in an order, and says where to look first. How well that order tells wrong objects from right ones, "
    "on images with truth, is measured in docs/quality.md."
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
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir():
        raise ValueError(f"output {str(page)!r} came, but an HTML file was expected; name one, such as report.html")
    if type(overlays) is not int or overlays < 0:
        raise ValueError(f"overlays={overlays!r} came, but a whole number from 0 was expected; 16 shows the 16 lowest")
    told = read_run(run)
    about = told["about"]
    if training is not None and training.weights_sha256 != about["bundle"]["weights_sha256"]:
        training = None
    planes, faults = segmented_planes(told, run.parent)
    found = survey(planes, Preprocessing(**about["preprocess"]), training)
    faults += found.faults
    ranks = {each.plane.name: rank for rank, each in enumerate(found.planes, start=1)}
    scores = found.objects.get("score", np.zeros(0))
    low_score = float(np.percentile(scores, _LOW_PERCENT)) if len(scores) else 0.0
    drawn = draw_planes(chosen_planes(found.planes, overlays), ranks, low_score, _ROOM_BYTES)
    sections = [
        ("Flags", _flags(found, training)),
        *([("Not in this report", _faults(faults))] if faults else []),
        *([("Sizes, shapes, intensities and scores", _distributions(found, training))] if len(scores) else []),
        ("Images", _table(found, ranks, set(drawn.shown))),
        *([("Objects of the lowest scores", _low_objects(found, ranks, drawn))] if len(scores) else []),
        ("Images with their outlines", _overlays(drawn, len(found.planes))),
        ("How this was made", _how(about, run, training)),
    ]
    title = f"Segmentation of {run.absolute().parent.name}"
    with replacing(page) as aside:
        aside.write_text(render_page(title, _lead(found, about), sections), encoding="utf-8")
    numbers = page.with_suffix(".json")
    with replacing(numbers) as aside:
        aside.write_text(json.dumps(_as_data(found, training), indent=2) + "\n", encoding="utf-8")
    return QualityReport(page, numbers, faults, sum(bool(each.flags) for each in found.planes))


def _lead(found: Survey, about: Mapping[str, Any]) -> str:
    flagged = sum(bool(each.flags) for each in found.planes)
    objects = sum(each.measures.objects for each in found.planes)
    return paragraph(
        f"{objects:,} objects in {len(found.planes):,} image(s), found by {about['bundle']['name']} "
        f"{about['bundle']['version']}; {flagged:,} image(s) with a flag. Nothing is known here of what is true: flags "
        "and low scores say where to look first."
    )


def _flags(found: Survey, training: TrainingData | None) -> str:
    by_kind: dict[str, list[str]] = {kind: [] for kind in FLAGS}
    for each in found.planes:
        for flag in each.flags:
            by_kind[flag.kind].append(f"{each.plane.name}: {flag.reason}")
    rows = [
        [text_cell(kind), text_cell(len(by_kind[kind])), text_cell(meaning)]
        for kind, meaning in FLAGS.items()
        if by_kind[kind]
    ]
    parts = [f'<div class="words">{table(["flag", "images", "meaning"], rows)}</div>'] if rows else []
    for kind, reasons in by_kind.items():
        if reasons:
            more = [f"and {len(reasons) - _LISTED:,} more"] if len(reasons) > _LISTED else []
            listed = items([*reasons[:_LISTED], *more])
            parts.append(f"<details><summary>{escape(kind)}: {len(reasons):,} image(s)</summary>{listed}</details>")
    clear = [kind for kind, reasons in by_kind.items() if not reasons]
    parts.append(paragraph(f"On no image: {', '.join(clear)}.") if rows else paragraph("No image has a flag."))
    parts.append(paragraph(_compared_with(training, len(found.planes)), "note"))
    return "\n".join(parts)


def _compared_with(training: TrainingData | None, images: int) -> str:
    if training is None:
        first = (
            "The bundle does not say what these weights were trained on, so no image is compared with that: there are "
            "no flags for intensity and object size."
        )
    else:
        first = (
            f"Compared with the {training.images:,} images that the weights were trained on ({training.name}), and "
            f"their {training.objects:,} objects."
        )
    others = (
        "Also compared with each other." if images >= 8 else "Fewer than 8 images are not compared with each other."
    )
    return f"{first} {others}"


def _faults(faults: Sequence[Fault]) -> str:
    more = [f"and {len(faults) - _LISTED:,} more"] if len(faults) > _LISTED else []
    listed = items([*map(str, faults[:_LISTED]), *more])
    return f'<div class="note fault">{paragraph(f"{len(faults):,} image(s), and why:")}{listed}</div>'


def _distributions(found: Survey, training: TrainingData | None) -> str:
    titles = {
        "equivalent_diameter_px": "equivalent diameter (px)",
        "eccentricity": "eccentricity",
        "solidity": "solidity",
        "score": "score",
        "agreement": "agreement",
    }
    intensities = [name for name in found.objects if name.startswith("mean_")][:1]
    titles |= {name: f"mean intensity, {name.removeprefix('mean_')}" for name in intensities}
    measures = []
    for name, shown in titles.items():
        values = found.objects.get(name, np.zeros(0))
        if len(values := values[np.isfinite(values)]):
            known = None
            if name == "equivalent_diameter_px" and training is not None:
                known = (training.diameter_px[0], training.diameter_px[2])
            measures.append((shown, values, known))
    medians = "; ".join(f"{name}: median {np.median(values):.3g}" for name, values, _ in measures)
    text = f"{medians[0].upper()}{medians[1:]}. Thin upright lines are medians; intensities are in units of the files."
    if training is not None:
        text += " The band is where 90 % of the foreground of the training images lies, at the scale of the network."
    return chart(objects_figure(measures), f"Distributions. {text}") + "\n" + paragraph(text)


def _table(found: Survey, ranks: Mapping[str, int], shown: set[str]) -> str:
    agreement = any(not np.isnan(each.agreement) for each in found.planes)
    head = ["image", "flags", "objects", "mean score", "lowest score", *(["mean agreement"] if agreement else [])]
    head += [
        "median diameter (px)",
        "cut by border (%)",
        "sharpness",
        "saturated (%)",
        "contrast / noise",
        "brightness",
    ]
    rows = []
    for each in found.planes[:_ROWS]:
        name, measures = escape(each.plane.name), each.measures
        link = f'<a href="#image-{ranks[each.plane.name]}">{name}</a>' if each.plane.name in shown else name
        first: Cell = (link, each.plane.name)
        scores = [each.score, each.lowest, *([each.agreement] if agreement else [])]
        rows.append(
            [
                first,
                text_cell(", ".join(flag.kind for flag in each.flags)),
                text_cell(measures.objects),
                *(_number(value, ".3f") for value in scores),
                _number(measures.diameter_px, ".1f"),
                _number(100 * measures.cut, ".0f"),
                _number(measures.sharpness, ".3f"),
                _number(100 * measures.saturated, ".2f"),
                _number(measures.contrast, ".0f"),
                _number(measures.brightness, ".2f"),
            ]
        )
    text = "The lowest scores first; a click on a heading sorts by it. Names lead to the images that are shown below."
    if len(found.planes) > _ROWS:
        text += f" {_ROWS:,} of {len(found.planes):,} images are listed; all are in the JSON file beside this page."
    return f'{paragraph(text)}\n<div class="scroll" tabindex="0">\n{table(head, rows, sortable=True)}\n</div>'


def _number(value: float, how: str) -> Cell:
    return ("–", "-1") if np.isnan(value) else (format(value, how), str(value))


def _low_objects(found: Survey, ranks: Mapping[str, int], drawn: Overlays) -> str:
    planes = {each.plane.name: each for each in found.planes}
    crops = draw_low_objects(found.low, planes, ranks, drawn.shown)
    text = "The very lowest first, no more than four of an image. The object itself is tinted."
    return f"{paragraph(_WORTH)}\n{paragraph(text)}\n{crops}"


def _overlays(drawn: Overlays, images: int) -> str:
    text = f"Outlines of the objects; tinted are those whose scores are among the lowest {_LOW_PERCENT} % of all here."
    parts = [paragraph(text), quality_legend()]
    if len(drawn.shown) < images:
        parts.append(paragraph(f"{len(drawn.shown)} of {images:,} images are shown.", "note"))
    if drawn.left_out:
        told = f"No room was left on a page of 30 MB for {len(drawn.left_out)} more: {', '.join(drawn.left_out)}."
        parts.append(paragraph(told, "note"))
    return "\n".join([*parts, drawn.content])


def _how(about: Mapping[str, Any], run: Path, training: TrainingData | None) -> str:
    tta = "with test-time augmentation" if about["tta"] else "without test-time augmentation"
    return items(
        [
            f"Of {run.name}, which tells how to repeat it; segmented by cellseg_monai {about['cellseg_monai']}, {tta}.",
            f"This page: cellseg_monai {__version__}. Measures and flags: docs/quality.md.",
            "Images are shown by their first three channels at most, each stretched between its percentiles 0.1 and "
            "99.9, empty fields left dark, large images smaller. Measures of images beyond 16 windows of 768 pixels a "
            "side are of 16 windows spread over them.",
        ]
    )


def _as_data(found: Survey, training: TrainingData | None) -> dict[str, Any]:
    return {
        "training_data": None if training is None else asdict(training),
        "images": [_row(each) for each in found.planes],
        "lowest_objects": [_plain(asdict(each)) for each in found.low],
        "faults": [str(fault) for fault in found.faults],
    }


def _row(each: SurveyedPlane) -> dict[str, Any]:
    measures = {field.name: getattr(each.measures, field.name) for field in fields(each.measures)}
    flags = {flag.kind: flag.reason for flag in each.flags}
    scores = {"score": each.score, "lowest_score": each.lowest, "agreement": each.agreement}
    return {"image": each.plane.name, "flags": flags, **_plain({**scores, **measures})}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can hold: nothing for what is not a number."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()
    }
