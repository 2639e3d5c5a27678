"""An evaluation as one HTML page: scores, distributions, and the images with their mistakes, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.data import list_images
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import Evaluation, summary
from cellseg_monai.evaluation.figure import f1_figure
from cellseg_monai.evaluation.results import OVER_WORDS
from cellseg_monai.faults import Fault
from cellseg_monai.report.compared import INTENSITY, IOU, ComparedImage, compare_image, find_images
from cellseg_monai.report.distributions import distribution_figure, medians
from cellseg_monai.report.html import Cell, chart, items, paragraph, table, text_cell
from cellseg_monai.report.overlay import MARKS
from cellseg_monai.report.overlays import chosen_overlays, draw_overlays, legend
from cellseg_monai.report.page_file import check_output, write_page
from cellseg_monai.report.page_pictures import Drawn, left_out_note
from cellseg_monai.report.run_part import run_part

__all__ = ["LabelReport", "check_report", "write_report"]

_ROOM_BYTES = 28_000_000  # for overlays; the rest of a page takes less than 2 MB


@dataclass(frozen=True)
class LabelReport:
    """What was written.

    Args:
        page: the HTML file.
        numbers: the JSON file beside it.
        faults: every file, pair or image that is not in the report, and why.
        notes: what else it lacks.
    """

    page: Path
    numbers: Path
    faults: Sequence[Fault]
    notes: Sequence[str]


def write_report(
    evaluation: Evaluation,
    images_dir: str | Path,
    output: str | Path,
    *,
    run_dir: str | Path | None = None,
    overlays: int = 24,
) -> LabelReport:
    """Write an evaluation as one HTML page that needs nothing beside it, and its numbers as JSON.

    Args:
        evaluation: of `evaluate_folders`.
        images_dir: the folder of the images, which have the names of their label images.
        output: the HTML file; an earlier one is replaced. The JSON file lies beside it, with the suffix .json.
        run_dir: the `output_dir` of a training, whose losses and calibration are shown as far as they are there.
        overlays: how many of the worst images are shown; three typical and three best ones come on top.

    Raises:
        DatasetError: there is no such folder.
        ValueError: the output is no HTML file, or the number of overlays no number from 0.
    """
    check_report(images_dir, output, run_dir=run_dir, overlays=overlays)
    page = Path(output)
    found, faults = find_images([each.files for each in evaluation.images], images_dir)
    compared = []
    for evaluated in evaluation.images:
        image, image_faults = compare_image(evaluated, evaluation.protocol, found.get(evaluated.files.name))
        compared.append(image)
        faults += image_faults
    ordered = sorted(compared, key=lambda each: (each.score, -sum(each.mistakes.values()), each.name))
    ranks = {each.name: rank for rank, each in enumerate(ordered, start=1)}
    drawn = draw_overlays(chosen_overlays(ordered, overlays), ranks, evaluation.protocol, _ROOM_BYTES)
    run, notes = ("", []) if run_dir is None else run_part(Path(run_dir))
    all_faults = [*evaluation.faults, *faults]
    numbers = summary(evaluation)
    sections = [
        ("Scores", _scores(numbers, ordered)),
        *([("Not in this report", _faults(all_faults))] if all_faults else []),
        *([("Doubtful label images", _warnings(evaluation.warnings))] if evaluation.warnings else []),
        ("F1 over IoU", _f1(evaluation, numbers)),
        ("Sizes and intensities", _distributions(ordered)),
        *([("Run", run)] if run_dir is not None else []),
        ("Images", _table(ordered, ranks, set(drawn.shown), evaluation)),
        ("Overlays", _overlays(drawn, len(ordered))),
        ("How this was made", _how(evaluation, images_dir)),
    ]
    title = f"{_folder(evaluation.images[0].files.prediction)} against {_folder(evaluation.images[0].files.truth)}"
    beside = write_page(page, title, _lead(numbers), sections, {**numbers, **_as_data(ordered)})
    return LabelReport(page, beside, all_faults, notes)


def check_report(
    images_dir: str | Path, output: str | Path, *, run_dir: str | Path | None = None, overlays: int = 24
) -> None:
    """Refuse what `write_report` cannot do; whoever evaluates many images for it asks before that.

    Args:
        images_dir: see `write_report`, as all others.
        output: the page.
        run_dir: the folder of a training.
        overlays: how many.

    Raises:
        DatasetError: there is no such folder.
        ValueError: the output is no HTML file, or the number of overlays no number from 0.
    """
    check_output(Path(output), overlays, such_as="24 shows the 24 worst")
    if run_dir is not None and not Path(run_dir).is_dir():
        raise DatasetError(f"{run_dir}: no such folder; pass the output_dir of a training, or leave --run away")
    list_images(images_dir)


def _folder(path: Path) -> str:
    """The last two parts of the folder of a file, which often tell more than one."""
    return "/".join(path.absolute().parent.parts[-2:])


def _lead(numbers: dict[str, Any]) -> str:
    text = (
        f"{numbers['images']:,} image(s) with {numbers['true_objects']:,} true and {numbers['predicted_objects']:,} "
        f"predicted objects, compared under the protocol {numbers['protocol']}: {numbers['measures']}."
    )
    return paragraph(text)


def _scores(numbers: dict[str, Any], images: Sequence[ComparedImage]) -> str:
    rows = []
    for name, score in numbers["scores"].items():
        interval = score["interval_95"]
        told = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "unknown for one image"
        value = score["value"]
        rows.append([text_cell(name), text_cell(f"{value:.3f}"), text_cell(told), text_cell(OVER_WORDS[score["over"]])])
    reach = "exceeds" if numbers["iou"]["matches"].startswith("greater") else "reaches"
    counts = [[text_cell("found"), text_cell(f"{sum(each.found for each in images):,}"), text_cell(_FOUND)]]
    for kind, total in _totals(images).items():
        mark, meaning = MARKS[kind]
        counts.append([text_cell(f"{kind} {mark}"), text_cell(f"{total:,}"), text_cell(meaning.partition(": ")[2])])
    return "\n".join(
        [
            f'<div class="words">{table(["score", "value", "95 % interval over images", "made of"], rows)}</div>',
            paragraph(
                f"What happened to the objects, where one counts as found if its IoU with its partner {reach} {IOU}:"
            ),
            f'<div class="words">{table(["objects", "number", "meaning"], counts)}</div>',
        ]
    )


_FOUND = "true objects with a predicted partner"


def _totals(images: Sequence[ComparedImage]) -> dict[str, int]:
    return {kind: sum(each.mistakes[kind] for each in images) for kind in MARKS}


def _faults(faults: Sequence[Fault]) -> str:
    listed = items(map(str, faults))
    count = f"{len(faults)} file(s), pair(s) or image(s) are not counted in the scores"
    without = sum(fault.kind == "no-image" for fault in faults)
    if without:
        count += f", except for {without} that were compared, but are shown without their image"
    if len(faults) <= 10:
        return f'<div class="note fault">{paragraph(f"{count}:")}{listed}</div>'
    return f'<details class="note fault"><summary>{escape(count)}. Show them.</summary>{listed}</details>'


def _warnings(warnings: Sequence[Fault]) -> str:
    text = "These were compared as they are, each id as one object, which lowers the scores:"
    return f'<div class="note fault">{paragraph(text)}{items(map(str, warnings))}</div>'


def _f1(evaluation: Evaluation, numbers: dict[str, Any]) -> str:
    thresholds, pooled = numbers["iou"]["thresholds"], numbers["iou"]["f1_pooled"]
    text = (
        f"F1 of all images pooled goes from {pooled[0]:.3f} at an IoU of {thresholds[0]:g} to {pooled[-1]:.3f} at "
        f"{thresholds[-1]:g}. Low on the left: objects are missed, invented, split or merged. Falling on the right: "
        "outlines are off."
    )
    return chart(f1_figure(evaluation.protocol, evaluation.counts), f"F1 over IoU. {text}") + "\n" + paragraph(text)


def _distributions(images: Sequence[ComparedImage]) -> str:
    seen = [each for each in images if each.image is not None]
    truth, prediction = ([getattr(each, side) for each in images] for side in ("truth", "prediction"))
    measures = [("area (px)", _joined(truth, "area_px"), _joined(prediction, "area_px"))]
    if seen:
        true, predicted = ([getattr(each, side) for each in seen] for side in ("truth", "prediction"))
        name = "mean intensity (units of the files)"
        measures.append((name, _joined(true, f"mean_{INTENSITY}"), _joined(predicted, f"mean_{INTENSITY}")))
    told = "; ".join(f"{name.partition(' (')[0]}: {medians(*values)}" for name, *values in measures)
    text = (
        f"{told[0].upper()}{told[1:]}. Thin upright lines are medians. Objects are those that the protocol compares; "
        "of images of several channels, the intensity is their mean."
    )
    return chart(distribution_figure(measures), f"Distributions. {text}") + "\n" + paragraph(text)


def _joined(objects: Sequence[Any], name: str) -> np.ndarray:
    return np.concatenate([each[name] for each in objects])


def _table(images: Sequence[ComparedImage], ranks: dict[str, int], shown: set[str], evaluation: Evaluation) -> str:
    at = evaluation.protocol.thresholds.index(IOU)
    head = ["image", evaluation.protocol.scores[0].image_name, f"F1 at {IOU}", "true", "predicted", "found"]
    head += [f"{kind} {mark}" for kind, (mark, _) in MARKS.items()]
    rows = []
    for each in images:
        name = escape(each.name)
        link = f'<a href="#image-{ranks[each.name]}">{name}</a>' if each.name in shown else name
        counts = each.evaluated.counts
        numbers = [f"{each.score:.3f}", f"{counts.objects[at].f1:.3f}", counts.true_objects, counts.predicted_objects]
        first: Cell = (link, each.name)
        rows.append([first, *map(text_cell, [*numbers, each.found, *each.mistakes.values()])])
    text = "The worst first; a click on a heading sorts by it. Names lead to the overlays that are in this report."
    return f'{paragraph(text)}\n<div class="scroll" tabindex="0">\n{table(head, rows, sortable=True)}\n</div>'


def _overlays(drawn: Drawn, images: int) -> str:
    parts = [legend()]
    if len(drawn.shown) < images:
        text = f"{len(drawn.shown)} of {images:,} images are shown; --overlays N shows the N worst."
        parts.append(paragraph(text, "note"))
    parts += left_out_note(drawn)
    return "\n".join([*parts, drawn.content])


def _how(evaluation: Evaluation, images_dir: str | Path) -> str:
    files = evaluation.images[0].files
    facts = [
        f"Images of {images_dir}, truths of {files.truth.parent}, predictions of {files.prediction.parent}.",
        f"cellseg_monai {__version__}; protocol {evaluation.protocol.name}, after {evaluation.protocol.source}.",
        "Numbers, outlines, sizes and marks are of the label images as the protocol prepares them; of images that it "
        "cuts into tiles, all but the scores are of the label images as they are.",
        "Images are shown by their first three channels at most, each stretched between its percentiles 0.1 and 99.9, "
        "empty fields left dark. Images of more than 1,400 pixels on a side are shown smaller.",
        "Where a true object counts as found although it was split, or one of several was found in a merged one, it is "
        "both among the found and among the mistakes.",
    ]
    return items(facts)


def _as_data(images: Sequence[ComparedImage]) -> dict[str, Any]:
    rows = [{"image": each.name, "score": each.score, "found": each.found, **each.mistakes} for each in images]
    return {f"mistakes_at_iou_{IOU}": _totals(images), "worst_first": rows}
