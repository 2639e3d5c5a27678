"""Which sizes of objects a network segments best at the scale of the image, and which after resampling.

    python benchmarks/kept_sizes.py DATA OUTPUT [--bundle nuclei] [--checkpoint runs/a/model.pt] [--limit 24]

The validation images that the bundle is for are segmented as they are, and resampled by 0.5 and 2. Each image is
brought to several scales: its own, and those at which its typical object has some fraction of the diameter on which the
network was trained. The table has the mean F1 over images at an IoU of 0.5, and over the IoUs 0.50 to 0.95, by the size
of the objects. The limits in `cellseg_monai.pixels.scale` were read from it. OUTPUT gets `kept_sizes.json`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from altered_images import zoom_image, zoom_labels
from mixed_images import Case, by_group, find_cases, write_lists
from pooled_scores import PROTOCOL

from cellseg_monai import segment
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.inference import Chooser, Pipeline, ScoutedPipelines
from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import typical_diameter_px
from cellseg_monai.scouting import KINDS

FACTORS = (0.5, 1.0, 2.0)
FRACTIONS = (0.5, 0.6, 0.7, 0.8, 1.0)
EDGES = (0, 0.25, 0.35, 0.5, 0.6, 0.7, 0.85, 1.15, 1.3, 1.5, 1.8, 2.5, math.inf)
"""Limits of the rows of the table: the diameter in the image as a fraction of that in training."""

MOST_PIXELS = 2_500_000


def measure(cases: Sequence[Case], chooser: Chooser) -> Iterator[dict[str, Any]]:
    """Yield the scores of each image, at each of its sizes, at each scale."""
    for case in cases:
        image, labels = read(case.image), read_labels(case.label)
        for factor in FACTORS:
            pixels, truth = zoom_image(image.pixels, factor), zoom_labels(labels, factor)
            diameter_px = typical_diameter_px(truth)
            if truth.size > MOST_PIXELS or math.isnan(diameter_px):
                continue
            plane = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
            pipeline = _pipeline(chooser, pixels)
            relative = diameter_px / _trained_at(pipeline)
            scores = {}
            for fraction in (relative, *FRACTIONS):
                scaled = replace(pipeline, preprocess=pipeline.preprocess.at_zoom(fraction / relative))
                count = PROTOCOL.count(np.asarray(segment(plane, scaled).labels), truth)
                name = "own" if fraction == relative else f"{fraction:g}"
                scores[name] = {key: result.value for key, result in PROTOCOL.results([count]).items()}
            yield {"name": case.name, "factor": factor, "relative": relative, "scores": scores}


def _pipeline(chooser: Chooser, pixels: np.ndarray) -> Pipeline:
    """Return the pipeline with the polarity that suits an image."""
    if isinstance(chooser, Pipeline):
        return chooser
    shape = (pixels.shape[1], pixels.shape[2])
    return chooser.choose(lambda rows, columns: pixels[:, rows, columns], shape)


def _trained_at(pipeline: Pipeline) -> float:
    trained_at = pipeline.preprocess.diameter_px
    if trained_at is None:
        raise SystemExit(f"error: {pipeline.bundle} was not trained at one diameter; name another bundle")
    return trained_at


def table(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    scales = ["own", *(f"{fraction:g}" for fraction in FRACTIONS)]
    yield f"| diameter / diameter in training | images | {' | '.join(scales)} |"
    yield "|" + "---|" * (2 + len(scales))
    for low, high in pairwise(EDGES):
        rows = [one for one in measured if low <= one["relative"] < high]
        if rows:
            cells = (
                " / ".join(f"{np.mean([row['scores'][scale][key] for row in rows]):.3f}" for key in _keys(rows[0]))
                for scale in scales
            )
            yield f"| {low:g} to {high:g} | {len(rows)} | {' | '.join(cells)} |"


def _keys(row: dict[str, Any]) -> list[str]:
    return list(row["scores"]["own"])


def main() -> None:
    """Measure, write the scores and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--bundle", default="nuclei")
    parser.add_argument("--checkpoint", default=None)
    parser.add_argument("--limit", type=int, default=24, help="greatest number of images of a data set")
    options = parser.parse_args()
    given = {"bundle": options.bundle, "checkpoint": options.checkpoint, "diameter": "none"}
    chooser = load_pipeline(**{name: value for name, value in given.items() if value is not None})
    if isinstance(chooser, ScoutedPipelines) and not chooser.is_fixed:
        raise SystemExit(f"error: got --bundle {options.bundle}, expected one bundle; name it")
    lists = write_lists(options.data, options.output / "lists")
    cases = find_cases(options.data, lists, "validation", limit=options.limit)
    own = [case for group in by_group(cases).values() for case in group if KINDS[case.kind].bundle == options.bundle]
    measured = []
    for scores in measure(own, chooser):
        measured.append(scores)
        (options.output / "kept_sizes.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(measured)))


if __name__ == "__main__":
    main()
