"""HTML report on an evaluation: scores, distributions, and images with their mistakes, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellseg_monai._version import __version__
from cellseg_monai.data import list_images
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import Evaluation, read_classes, summary
from cellseg_monai.evaluation.figure import f1_figure
from cellseg_monai.evaluation.results import OVER_WORDS
from cellseg_monai.faults import Fault
from cellseg_monai.report.class_part import class_part, tag_part
from cellseg_monai.report.compared_image import INTENSITY, IOU, ComparedImage, compare_image, find_images
from cellseg_monai.report.distributions import distribution_figure, medians
from cellseg_monai.report.html import Cell, chart, escape, items, paragraph, table, text_cell
from cellseg_monai.report.overlay import MARKS
from cellseg_monai.report.overlay_figures import chosen_overlays, draw_overlays, legend
from cellseg_monai.report.page_file import check_output, write_page
from cellseg_monai.report.page_pictures import Drawn, left_out_note
from cellseg_monai.report.run_part import run_part

__all__ = ["LabelReport", "check_report", "write_report"]

_ROOM_BYTES = 28_000_000  # size limit for the overlays; the rest of the page takes less than 2 MB


@dataclass(frozen=True)
class LabelReport:
    """The files of a report, and what the report leaves out.

    Args:
        page: path of the HTML file.
        numbers: path of the JSON file, in the same folder.
        faults: one fault for every file, pair or image that could not be compared or shown.
        notes: one sentence about each part of the training run that is missing from the report.
    """

    page: Path
    numbers: Path
    faults: Sequence[Fault]
    notes: Sequence[str]


def write_report(
    evaluation: Evaluation,
    images_dir: str | Path | None,
    output: str | Path,
    *,
    run_dir: str | Path | None = None,
    overlays: int = 24,
) -> LabelReport:
    """Write an HTML report on an evaluation as a self-contained page, and its numbers as JSON.

    Args:
        evaluation: result of `evaluate_folders` or `read_training`.
        images_dir: folder with the images, named like their label images; None to use the image paths stored in the
            evaluation of a training run.
        output: HTML file to write; an existing file is overwritten. The JSON file gets the same name with the suffix
            .json.
        run_dir: `output_dir` of a training run, to include its loss curves and calibration if they exist.
        overlays: number of worst images to show, in addition to three typical images and the three best.

    Raises:
        DatasetError: a folder does not exist.
        ValueError: the output is not an HTML file, or `overlays` is negative or not an integer.
    """
    check_report(images_dir, output, run_dir=run_dir, overlays=overlays)
    page = Path(output)
    image_paths, faults = find_images([evaluated.files for evaluated in evaluation.images], images_dir)
    compared = []
    for evaluated in evaluation.images:
        image, image_faults = compare_image(evaluated, evaluation.protocol, image_paths.get(evaluated.files.name))
        compared.append(image)
        faults += image_faults
    ordered = sorted(compared, key=lambda image: (image.score, -sum(image.mistakes.values()), image.name))
    ranks = {image.name: rank for rank, image in enumerate(ordered, start=1)}
    drawn = draw_overlays(chosen_overlays(ordered, overlays), ranks, evaluation.protocol, _ROOM_BYTES)
    run, notes = ("", []) if run_dir is None else run_part(Path(run_dir))
    classes = {} if run_dir is None else read_classes(Path(run_dir) / "evaluation")
    all_faults = [*evaluation.faults, *faults]
    numbers = summary(evaluation)
    by_tag = tag_part(numbers, classes)
    sections = [
        ("Scores", _scores(numbers, ordered)),
        *([("Not in this report", _faults(all_faults))] if all_faults else []),
        *([("Doubtful label images", _warnings(evaluation.warnings))] if evaluation.warnings else []),
        *([("Classes", class_part(classes))] if classes else []),
        *([("By tag", by_tag)] if by_tag else []),
        ("F1 over IoU", _f1(evaluation, numbers)),
        ("Sizes and intensities", _distributions(ordered)),
        *([("Run", run)] if run_dir is not None else []),
        ("Images", _image_table(ordered, ranks, set(drawn.shown), evaluation)),
        ("Overlays", _overlays(drawn, len(ordered))),
        ("How this was made", _provenance(evaluation, images_dir)),
    ]
    title = _title(evaluation, run_dir)
    json_path = write_page(page, title, _lead(numbers), sections, {**numbers, **_as_data(ordered)})
    return LabelReport(page, json_path, all_faults, notes)


def check_report(
    images_dir: str | Path | None, output: str | Path, *, run_dir: str | Path | None = None, overlays: int = 24
) -> None:
    """Check the arguments of `write_report`, so that invalid arguments are reported before a long evaluation.

    Args:
        images_dir: folder with the images; None to use the image paths stored in the evaluation of a training run.
        output: HTML file to write.
        run_dir: `output_dir` of a training run, to include its loss curves and calibration.
        overlays: number of worst images to show.

    Raises:
        DatasetError: a folder does not exist.
        ValueError: the output is not an HTML file, or `overlays` is negative or not an integer.
    """
    check_output(Path(output), overlays, such_as="with 24, the report shows the 24 worst images")
    if run_dir is not None and not Path(run_dir).is_dir():
        raise DatasetError(f"{run_dir}: no such folder; pass the output_dir of a training run, or leave out --run")
    if images_dir is not None:
        list_images(images_dir)


def _title(evaluation: Evaluation, run_dir: str | Path | None) -> str:
    files = evaluation.images[0].files
    predictions = files.prediction.absolute().parent
    if run_dir is not None and predictions.is_relative_to(Path(run_dir).absolute()):
        predictions = Path(run_dir).absolute()
    return f"{_last_parts(predictions)} against {_last_parts(files.truth.absolute().parent)}"


def _last_parts(folder: Path) -> str:
    """Return the last two parts of a path, because the last one alone is often ambiguous."""
    return "/".join(folder.parts[-2:])


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
        interval_text = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "unknown for one image"
        value = score["value"]
        rows.append(
            [text_cell(name), text_cell(f"{value:.3f}"), text_cell(interval_text), text_cell(OVER_WORDS[score["over"]])]
        )
    comparison = "exceeds" if numbers["iou"]["matches"].startswith("greater") else "reaches"
    counts = [[text_cell("found"), text_cell(f"{sum(image.found for image in images):,}"), text_cell(_FOUND_MEANING)]]
    for kind, total in _totals(images).items():
        mark, meaning = MARKS[kind]
        counts.append([text_cell(f"{kind} {mark}"), text_cell(f"{total:,}"), text_cell(meaning.partition(": ")[2])])
    return "\n".join(
        [
            f'<div class="words">{table(["score", "value", "95 % interval over images", "combined as"], rows)}</div>',
            paragraph(
                f"Outcome per object. A true object counts as found if its IoU with its partner {comparison} {IOU}:"
            ),
            f'<div class="words">{table(["objects", "number", "meaning"], counts)}</div>',
        ]
    )


_FOUND_MEANING = "true objects with a predicted partner"


def _totals(images: Sequence[ComparedImage]) -> dict[str, int]:
    return {kind: sum(image.mistakes[kind] for image in images) for kind in MARKS}


def _faults(faults: Sequence[Fault]) -> str:
    listed = items(map(str, faults))
    count = f"{len(faults)} file(s), pair(s) or image(s) do not count towards the scores"
    without_image = sum(fault.kind == "no-image" for fault in faults)
    if without_image:
        count += f", except for {without_image} that were compared but could not be shown with the image"
    if len(faults) <= 10:
        return f'<div class="note fault">{paragraph(f"{count}:")}{listed}</div>'
    return f'<details class="note fault"><summary>{escape(count)}. Show details.</summary>{listed}</details>'


def _warnings(warnings: Sequence[Fault]) -> str:
    text = "These label images look like masks. They were compared with each id as one object, which lowers scores:"
    return f'<div class="note fault">{paragraph(text)}{items(map(str, warnings))}</div>'


def _f1(evaluation: Evaluation, numbers: dict[str, Any]) -> str:
    thresholds, pooled = numbers["iou"]["thresholds"], numbers["iou"]["f1_pooled"]
    text = (
        f"The F1 of all images pooled is {pooled[0]:.3f} at an IoU of {thresholds[0]:g} and {pooled[-1]:.3f} at "
        f"{thresholds[-1]:g}. A low left end means that objects are missed, invented, split or merged. A steep fall to "
        "the right means that outlines are inaccurate."
    )
    return chart(f1_figure(evaluation.protocol, evaluation.counts), f"F1 over IoU. {text}") + "\n" + paragraph(text)


def _distributions(images: Sequence[ComparedImage]) -> str:
    with_pixels = [image for image in images if image.image is not None]
    truth, prediction = ([getattr(image, side) for image in images] for side in ("truth", "prediction"))
    measures = [("area (px)", _joined(truth, "area_px"), _joined(prediction, "area_px"))]
    if with_pixels:
        true, predicted = ([getattr(image, side) for image in with_pixels] for side in ("truth", "prediction"))
        name = "mean intensity (units of the image files)"
        measures.append((name, _joined(true, f"mean_{INTENSITY}"), _joined(predicted, f"mean_{INTENSITY}")))
    sentence = "; ".join(f"{name.partition(' (')[0]}: {medians(*values)}" for name, *values in measures)
    text = (
        f"{sentence[0].upper()}{sentence[1:]}. Thin vertical lines are medians. The objects are the ones that the "
        "protocol compares. For images with several channels, the intensity is the mean over the channels."
    )
    return chart(distribution_figure(measures), f"Distributions. {text}") + "\n" + paragraph(text)


def _joined(objects: Sequence[Any], name: str) -> np.ndarray:
    return np.concatenate([table[name] for table in objects])


def _image_table(
    images: Sequence[ComparedImage], ranks: dict[str, int], shown: set[str], evaluation: Evaluation
) -> str:
    threshold = evaluation.protocol.thresholds.index(IOU)
    head = ["image", evaluation.protocol.scores[0].image_name, f"F1 at {IOU}", "true", "predicted", "found"]
    head += [f"{kind} {mark}" for kind, (mark, _) in MARKS.items()]
    rows = []
    for image in images:
        name = escape(image.name)
        link = f'<a href="#image-{ranks[image.name]}">{name}</a>' if image.name in shown else name
        counts = image.evaluated.counts
        f1 = counts.objects[threshold].f1
        numbers = [f"{image.score:.3f}", f"{f1:.3f}", counts.true_objects, counts.predicted_objects]
        first: Cell = (link, image.name)
        rows.append([first, *map(text_cell, [*numbers, image.found, *image.mistakes.values()])])
    text = "Worst images first. Click a heading to sort by that column. Names link to overlays in this report."
    return f'{paragraph(text)}\n<div class="scroll" tabindex="0">\n{table(head, rows, sortable=True)}\n</div>'


def _overlays(drawn: Drawn, images: int) -> str:
    parts = [legend()]
    if len(drawn.shown) < images:
        text = f"{len(drawn.shown)} of {images:,} images are shown. Pass --overlays N to show the N worst."
        parts.append(paragraph(text, "note"))
    parts += left_out_note(drawn)
    return "\n".join([*parts, drawn.content])


def _provenance(evaluation: Evaluation, images_dir: str | Path | None) -> str:
    files = evaluation.images[0].files
    images = images_dir if images_dir is not None or files.image is None else files.image.parent
    facts = [
        f"Images from {images}, ground truth from {files.truth.parent}, predictions from {files.prediction.parent}.",
        *(f"{name}: {_fact(value)}" for name, value in evaluation.about.items()),
        f"cellseg_monai {__version__}; protocol {evaluation.protocol.name}. Source: {evaluation.protocol.source}.",
        *([f"Predicted foreground: {evaluation.foreground}."] if evaluation.protocol.counts_foreground else []),
        "Numbers, outlines, sizes and marks describe the label images as prepared by the protocol. If the protocol "
        "cuts images into tiles, everything except the scores describes the label images as stored.",
        "At most the first three channels of an image are shown, each stretched between its 0.1 and 99.9 "
        "percentiles. Empty fields stay dark. Images larger than 1,400 pixels on a side are reduced in size.",
        "A true object can count both as found and as a mistake: it was found but split, or it is one of several "
        "objects in a merged prediction.",
    ]
    return items(facts)


def _fact(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_fact, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(part)}" for name, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_data(images: Sequence[ComparedImage]) -> dict[str, Any]:
    rows = [{"image": image.name, "score": image.score, "found": image.found, **image.mistakes} for image in images]
    return {f"mistakes_at_iou_{IOU}": _totals(images), "worst_first": rows}
