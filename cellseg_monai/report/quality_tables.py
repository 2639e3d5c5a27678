"""The numbers of a report without truth: flags, distributions, and a row per image."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from cellseg_monai.quality import FLAGS, LEAST_COMPARED, TrainingData, compared_measures
from cellseg_monai.report.distributions import objects_figure
from cellseg_monai.report.html import Cell, chart, items, paragraph, table, text_cell
from cellseg_monai.report.survey import Survey

__all__ = ["distribution_part", "flag_part", "table_part"]

_ROWS, _LISTED = 5000, 100  # of the table, and of a list


def flag_part(found: Survey, training: TrainingData | None) -> str:
    """How many images have which flag, which these are and why, and what they were compared with.

    Args:
        found: the run.
        training: what the network was trained on, if that is known.
    """
    by_kind: dict[str, list[str]] = {kind: [] for kind in FLAGS}
    for each in found.planes:
        for flag in each.flags:
            by_kind[flag.kind].append(f"{each.name}: {flag.reason}")
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
    parts.append(paragraph(f"No image has: {', '.join(clear)}.") if rows else paragraph("No image has a flag."))
    parts.append(paragraph(_compared_with(training, found), "note"))
    return "\n".join(parts)


def _compared_with(training: TrainingData | None, found: Survey) -> str:
    if training is None:
        first = (
            "The bundle does not say what these weights were trained on, so images are not compared with training "
            "data: there are no flags for intensity and object size."
        )
    else:
        first = (
            f"Compared with the {training.images:,} images that the weights were trained on ({training.name}), and "
            f"their {training.objects:,} objects."
        )
    measures = compared_measures([each.measures for each in found.planes])
    if measures:
        return f"{first} Also compared with each other: by {' and '.join(measures)}."
    return f"{first} Images are compared with each other only where there are {LEAST_COMPARED} or more."


def distribution_part(found: Survey, training: TrainingData | None) -> str:
    """Sizes, shapes, scores and intensities of all objects.

    Args:
        found: the run.
        training: what the network was trained on, if that is known.
    """
    titles = {
        "diameter_px": "equivalent diameter (px)",
        "eccentricity": "eccentricity",
        "solidity": "solidity",
        "score": "score",
        "agreement": "agreement",
    }
    intensities = [name for name in found.objects if name.startswith("mean_")]
    titles |= {name: f"mean intensity, {name.removeprefix('mean_')}" for name in intensities}
    measures = []
    for name, shown in titles.items():
        values = found.objects.get(name, np.zeros(0))
        if len(values := values[np.isfinite(values)]):
            known = None
            if name == "diameter_px" and training is not None:
                known = training.diameter_px.low, training.diameter_px.high
            measures.append((shown, values, known))
    medians = "; ".join(f"{name}: median {np.median(values):.3g}" for name, values, _ in measures)
    text = (
        f"{medians[0].upper()}{medians[1:]}. Thin upright lines are medians; diameters are at the scale of the "
        "network, intensities in units of the files."
    )
    if training is not None:
        text += " The band covers 90 % of the foreground of the training images."
    return chart(objects_figure(measures), f"Distributions. {text}") + "\n" + paragraph(text)


def table_part(found: Survey, ranks: Mapping[str, int], shown: set[str]) -> str:
    """A row per image, the lowest scores first.

    Args:
        found: the run.
        ranks: of every plane, its place among all.
        shown: the names of those whose pictures are on the page.
    """
    agreement = any(not np.isnan(each.agreement) for each in found.planes)
    head = ["image", "flags", "objects", "score", "lowest score", *(["agreement"] if agreement else [])]
    head += ["diameter (px)", "cut (%)", "sharpness", "saturated (%)"]
    rows = []
    for each in found.planes[:_ROWS]:
        name, measures = escape(each.name), each.measures
        link = f'<a href="#image-{ranks[each.name]}">{name}</a>' if each.name in shown else name
        first: Cell = (link, each.name)
        scores = [each.score, each.lowest, *([each.agreement] if agreement else [])]
        rows.append(
            [
                first,
                ("".join(f'<span class="flag">{flag.kind}</span>' for flag in each.flags), str(len(each.flags))),
                text_cell(measures.objects),
                *(_number(value, ".3f") for value in scores),
                _number(measures.diameter_px, ".1f"),
                _number(100 * measures.cut, ".0f"),
                _number(measures.sharpness, ".3f"),
                _number(100 * measures.saturated, ".2f"),
            ]
        )
    text = (
        "The lowest scores first; a click on a heading sorts by it. Names lead to the images that are shown below. "
        "Score and agreement are means over the objects, the diameter is their median, at the scale of the network; "
        "“cut” is the share of objects that touch the border. The JSON file beside this page has more."
    )
    if len(found.planes) > _ROWS:
        text += f" {_ROWS:,} of {len(found.planes):,} images are listed; all are in the JSON file beside this page."
    return f'{paragraph(text)}\n<div class="scroll" tabindex="0">\n{table(head, rows, sortable=True)}\n</div>'


def _number(value: float, how: str) -> Cell:
    return ("–", "-1") if np.isnan(value) else (format(value, how), str(value))
