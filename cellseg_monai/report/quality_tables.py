"""Sections of a quality report: flags, distributions, and a table of images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cellseg_monai.inference.choices import choice_text
from cellseg_monai.quality import FLAGS, LEAST_COMPARED, compared_measures
from cellseg_monai.report.distributions import objects_figure
from cellseg_monai.report.html import Cell, chart, escape, items, paragraph, table, text_cell
from cellseg_monai.report.survey import Survey
from cellseg_monai.report.used_bundles import UsedBundles

__all__ = ["distribution_part", "flag_part", "table_part"]

_ROWS, _LISTED = 5000, 100  # maximum number of table rows and of list items


def flag_part(surveyed: Survey, bundles: UsedBundles) -> str:
    """Return the section on flags as HTML: images per flag, the reasons, and the basis of comparison.

    Args:
        surveyed: survey of the run.
        bundles: the bundles that the run used.
    """
    by_kind: dict[str, list[str]] = {kind: [] for kind in FLAGS}
    for plane in surveyed.planes:
        for flag in plane.flags:
            by_kind[flag.kind].append(f"{plane.name}: {flag.reason}")
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
    absent = [kind for kind, reasons in by_kind.items() if not reasons]
    parts.append(
        paragraph(f"No image has these flags: {', '.join(absent)}.") if rows else paragraph("No image has a flag.")
    )
    parts.append(paragraph(_compared_with(bundles, surveyed), "note"))
    return "\n".join(parts)


def _compared_with(bundles: UsedBundles, surveyed: Survey) -> str:
    known = bundles.training_data
    if not known:
        first = (
            "The bundle does not describe the data on which these weights were trained. Images are therefore not "
            "compared with training data, and there are no flags for intensity and object size."
        )
    else:
        first = " ".join(
            f"Images{f' segmented by {name}' if name else ''} are compared with the {training.images:,} images on "
            f"which the weights were trained ({training.name}) and with their {training.objects:,} objects."
            for name, training in known.items()
        )
    measures = compared_measures([plane.measures for plane in surveyed.planes])
    if measures:
        return f"{first} Images are compared with each other by {' and '.join(measures)}."
    return f"{first} Images are compared with each other only in runs of at least {LEAST_COMPARED} images."


def distribution_part(surveyed: Survey, bundles: UsedBundles) -> str:
    """Return histograms of the sizes, shapes, scores and intensities of all objects, as HTML.

    Args:
        surveyed: survey of the run.
        bundles: the bundles that the run used.
    """
    # A band stands for the training data of one bundle.
    training = next(iter(bundles.training_data.values())) if len(bundles.training_data) == 1 else None
    titles = {
        "diameter_px": "equivalent diameter (px)",
        "eccentricity": "eccentricity",
        "solidity": "solidity",
        "score": "score",
        "agreement": "agreement",
    }
    intensities = [name for name in surveyed.objects if name.startswith("mean_")]
    titles |= {name: f"mean intensity, {name.removeprefix('mean_')}" for name in intensities}
    measures = []
    for name, title in titles.items():
        values = surveyed.objects.get(name, np.zeros(0))
        if len(values := values[np.isfinite(values)]):
            training_range = None
            if name == "diameter_px" and training is not None:
                training_range = training.diameter_px.low, training.diameter_px.high
            measures.append((title, values, training_range))
    medians = "; ".join(f"{name}: median {np.median(values):.3g}" for name, values, _ in measures)
    text = (
        f"{medians[0].upper()}{medians[1:]}. Thin vertical lines are medians. Diameters are at the scale of the "
        "network, and intensities are in the units of the image files."
    )
    if training is not None:
        text += " The shaded band covers 90 % of the foreground in the training images."
    return chart(objects_figure(measures), f"Distributions. {text}") + "\n" + paragraph(text)


def table_part(surveyed: Survey, ranks: Mapping[str, int], shown: set[str]) -> str:
    """Return the table of images as HTML, lowest scores first.

    Args:
        surveyed: survey of the run.
        ranks: rank of each plane by name.
        shown: names of the planes that the page shows, to which the table links.
    """
    agreement = any(not np.isnan(plane.agreement) for plane in surveyed.planes)
    chosen = any(plane.plane.choice for plane in surveyed.planes)
    head = [
        "image",
        *(["seen and chosen"] if chosen else []),
        "flags",
        "objects",
        "score",
        "lowest score",
        *(["agreement"] if agreement else []),
    ]
    head += ["diameter (px)", "cut (%)", "sharpness", "saturated (%)"]
    rows = []
    for plane in surveyed.planes[:_ROWS]:
        name, measures = escape(plane.name), plane.measures
        link = f'<a href="#image-{ranks[plane.name]}">{name}</a>' if plane.name in shown else name
        first: Cell = (link, plane.name)
        scores = [plane.score, plane.lowest, *([plane.agreement] if agreement else [])]
        rows.append(
            [
                first,
                *([text_cell(choice_text(plane.plane.choice) if plane.plane.choice else "")] if chosen else []),
                ("".join(f'<span class="flag">{flag.kind}</span>' for flag in plane.flags), str(len(plane.flags))),
                text_cell(measures.objects),
                *(_number(value, ".3f") for value in scores),
                _number(measures.diameter_px, ".1f"),
                _number(100 * measures.cut, ".0f"),
                _number(measures.sharpness, ".3f"),
                _number(100 * measures.saturated, ".2f"),
            ]
        )
    text = (
        "Lowest scores first. Click a heading to sort by that column. Names link to the images shown below. Score and "
        "agreement are means over the objects. The diameter is the median over the objects, at the scale of the "
        "network. “Cut” is the share of objects that touch the border. The JSON file next to this page contains more "
        "measures."
    )
    if chosen:
        text += (
            " “Seen and chosen” says what a scout saw in an image before it was segmented, with the diameter of the "
            "objects in pixels of the image, and by which bundle and at which scale it was segmented for that reason."
        )
    if len(surveyed.planes) > _ROWS:
        text += f" {_ROWS:,} of {len(surveyed.planes):,} images are listed here; the JSON file lists every image."
    return f'{paragraph(text)}\n<div class="scroll" tabindex="0">\n{table(head, rows, sortable=True)}\n</div>'


def _number(value: float, format_spec: str) -> Cell:
    return ("–", "-1") if np.isnan(value) else (format(value, format_spec), str(value))
