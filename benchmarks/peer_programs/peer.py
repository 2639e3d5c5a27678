"""What the programs beside which we measure share: they learn from folders of images, and write label images.

This module runs in the environment of each program, and needs only NumPy and tifffile.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

__all__ = ["Pairs", "Segment", "median_diameter_px", "run"]

Pairs = list[tuple[np.ndarray, np.ndarray]]
"""Grey images and their true label images, both YX."""

Segment = Callable[[np.ndarray], np.ndarray]
"""A function that returns the label image of a grey image, both YX."""


def run(train: Callable[[Pairs, Pairs, Path, float], None], load: Callable[[Path], Segment]) -> None:
    """Train or predict, as the command line says.

    Args:
        train: function that trains on the first pairs, chooses settings on the second, and writes into a folder, within
            a number of seconds.
        load: function that returns the trained program in a folder.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    trained = commands.add_parser("train")
    for name in ("training", "validation", "model"):
        trained.add_argument(name, type=Path)
    trained.add_argument("--minutes", type=float, required=True)
    predicted = commands.add_parser("predict")
    for name in ("model", "images", "output"):
        predicted.add_argument(name, type=Path)
    options = parser.parse_args()
    if options.command == "train":
        options.model.mkdir(parents=True, exist_ok=True)
        train(_pairs(options.training), _pairs(options.validation), options.model, 60 * options.minutes)
    else:
        _predict(load(options.model), options.images, options.output)


def _pairs(folder: Path) -> Pairs:
    images = sorted((folder / "images").iterdir())
    return [(tifffile.imread(path), tifffile.imread(folder / "labels" / path.name)) for path in images]


def _predict(segment: Segment, images: Path, output: Path) -> None:
    """Write the label image of each image, and the time from files to files."""
    output.mkdir(parents=True, exist_ok=True)
    pixels = 0
    begun = time.perf_counter()
    for path in sorted(images.iterdir()):
        image = tifffile.imread(path)
        tifffile.imwrite(output / path.name, segment(image).astype(np.uint32), compression="zlib")
        pixels += image.size
    megapixels_per_second = pixels / 1e6 / (time.perf_counter() - begun)
    (output / "speed.json").write_text(json.dumps({"megapixels_per_second": megapixels_per_second}))


def median_diameter_px(pairs: Pairs) -> float:
    """Return the median diameter of discs with the areas of the true objects."""
    areas = np.concatenate([np.bincount(labels.ravel())[1:] for _, labels in pairs])
    return float(np.median(np.sqrt(4 / np.pi * areas[areas > 0])))
