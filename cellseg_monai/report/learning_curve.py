"""The page of a learning curve: score over number of annotated images, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from cellseg_monai.atomic import replacing
from cellseg_monai.report.html import Cell, chart, paragraph, table, text_cell
from cellseg_monai.report.line_styles import COLOURS
from cellseg_monai.report.page_file import write_page
from cellseg_monai.spreadsheets import writing_table

__all__ = ["CurvePoint", "curve_answer", "curve_files", "write_curve"]

_WORTH_IT = 0.01
"""A smaller gain in the score is not worth annotating more images for."""


@dataclass(frozen=True)
class CurvePoint:
    """The score that a network reaches after fine-tuning on some annotated images.

    Args:
        images: number of annotated images; 0 for the network before fine-tuning.
        score: score on the images held out.
        low: lower end of its 95 % interval over the images held out; NaN if unknown.
        high: upper end of its interval; NaN if unknown.
        folder: name of the folder with the fine-tuned bundle; empty for 0 images.
    """

    images: int
    score: float
    low: float
    high: float
    folder: str = ""

    def described(self, score_words: str) -> str:
        """Return the score with its interval as text.

        Args:
            score_words: name of the score.

        >>> CurvePoint(5, 0.8123, 0.75, 0.86).described("F1 at IoU 0.5")
        'F1 at IoU 0.5 0.812 [0.750, 0.860]'
        """
        interval = "" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{score_words} {self.score:.3f}{interval}"


def curve_answer(points: Sequence[CurvePoint], score_words: str) -> str:
    """Answer in one sentence how many annotated images are enough.

    Args:
        points: points with different numbers of images, the lowest first.
        score_words: name of the score.

    >>> points = [CurvePoint(0, 0.5, 0.4, 0.6), CurvePoint(5, 0.8, 0.7, 0.9), CurvePoint(10, 0.805, 0.7, 0.9)]
    >>> curve_answer(points, "F1")
    '5 annotated images are enough: F1 is 0.800 [0.700, 0.900], within 0.01 of the best with up to 10 images (0.805)'
    >>> curve_answer([CurvePoint(5, 0.8, 0.7, 0.9), CurvePoint(10, 0.85, 0.7, 0.9)], "F1")
    'more than 10 annotated images are worth having: F1 still rose from 0.800 with 5 to 0.850 [0.700, 0.900] with 10'
    """
    last = points[-1]
    best = max(point.score for point in points)
    enough = next(point for point in points if point.score >= best - _WORTH_IT)
    if enough.images == 0:
        return (
            f"no annotated images are needed: {enough.described(f'without any, {score_words} is')}, and up to "
            f"{last.images} images raise it to {best:.3f}"
        )
    if enough is last and len(points) > 1:
        before = points[-2]
        return (
            f"more than {last.images} annotated images are worth having: {score_words} still rose from "
            f"{before.score:.3f} with {before.images} to {last.described('')[1:]} with {last.images}"
        )
    return (
        f"{enough.images} annotated images are enough: {enough.described(f'{score_words} is')}, within {_WORTH_IT} of "
        f"the best with up to {last.images} images ({best:.3f})"
    )


def curve_files(output_dir: str | Path) -> list[Path]:
    """Return the paths of the files that `write_curve` writes."""
    return [Path(output_dir) / f"learning_curve.{suffix}" for suffix in ("html", "json", "svg", "csv")]


def write_curve(
    output_dir: str | Path, points: Sequence[CurvePoint], *, score_words: str, held_out: int, about: dict[str, Any]
) -> None:
    """Write a learning curve as an HTML page, an SVG figure, a CSV table and JSON.

    Args:
        output_dir: folder to write to.
        points: points with different numbers of images, the lowest first.
        score_words: name of the score.
        held_out: number of images that the scores were computed on.
        about: facts about the curve, such as its bundle and its seed, as plain data.
    """
    page, _, drawing, numbers = curve_files(output_dir)
    answer = curve_answer(points, score_words)
    figure = curve_figure(points, score_words, held_out)
    with replacing(drawing) as aside, rc_context({"svg.hashsalt": "cellseg_monai"}):
        figure.savefig(aside, format="svg", metadata={"Date": None})
    rows = [asdict(point) for point in points]
    with writing_table(numbers, rows[0]) as writer:
        for row in rows:
            writer.write("" if value != value else value for value in row.values())
    how = (
        f"Each point is a network that was fine-tuned on some of the images, and scored on the same {held_out} other "
        "images. Larger selections contain the smaller ones. Bars are 95 % bootstrap intervals over the images held "
        "out. They show how the scores would vary with other images, not with other selections for training."
    )
    sections = [
        ("How many images", f"{paragraph(answer[0].upper() + answer[1:] + '.')}\n{chart(figure, answer)}"),
        (
            "Numbers",
            f'<div class="words">{table(["annotated images", score_words, "95 % interval"], _cells(points))}</div>',
        ),
        ("About", f"{paragraph(how)}\n{table(['', ''], [[text_cell(key), text_cell(about[key])] for key in about])}"),
    ]
    content = {
        "answer": answer,
        "score": score_words,
        "held_out": held_out,
        "about": about,
        "points": [{key: None if value != value else value for key, value in row.items()} for row in rows],
    }
    write_page(page, "Learning curve", "", sections, content)


def curve_figure(points: Sequence[CurvePoint], score_words: str, held_out: int) -> Figure:
    """Draw the score over the number of annotated images, on an axis on which each doubling has the same length.

    Args:
        points: points with different numbers of images, the lowest first.
        score_words: name of the score.
        held_out: number of images that the scores were computed on.
    """
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    tuned = [point for point in points if point.images]
    for point in points:
        if point.images == 0:
            axes.axhline(point.score, color=COLOURS[1], linestyle="--", label="without fine-tuning")
            if not math.isnan(point.low):
                axes.axhspan(point.low, point.high, color=COLOURS[1], alpha=0.12, linewidth=0)
    numbers = [point.images for point in tuned]
    axes.plot(numbers, [point.score for point in tuned], "o-", color=COLOURS[0], label="fine-tuned")
    with_interval = [point for point in tuned if not math.isnan(point.low)]
    axes.vlines(
        [point.images for point in with_interval],
        [point.low for point in with_interval],
        [point.high for point in with_interval],
        color=COLOURS[0],
        linewidth=2,
        alpha=0.6,
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.grid(alpha=0.4)
    axes.set_xlabel("annotated images")
    axes.set_ylabel(f"{score_words}, {held_out} images held out")
    axes.legend(loc="lower right")
    return figure


def _cells(points: Sequence[CurvePoint]) -> list[list[Cell]]:
    return [
        [
            text_cell(point.images),
            text_cell(f"{point.score:.3f}"),
            text_cell("unknown" if math.isnan(point.low) else f"{point.low:.3f} to {point.high:.3f}"),
        ]
        for point in points
    ]
