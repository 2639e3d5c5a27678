"""Time of measuring and exporting 70,000 objects of 97 pixels, and of measuring them one by one with scikit-image.

    OMP_NUM_THREADS=1 python benchmarks/exports.py

The objects are discs in rows, in an image of 3445² with one channel and a map of probabilities. Times are processor
times of one call each, in this process and one thread. scikit-image measures a fifteenth of the objects, and its time
is multiplied. Exports whose package is not installed are skipped, with a line that says so. Exits with 1 if measuring
is not at least ten times faster.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from skimage.measure import regionprops_table

from cellseg_monai.exports import EXPORTS, Segmentation, chosen_exports, write_exports
from cellseg_monai.labels import measure_objects

COUNT, PITCH, PART, AIM = 70_000, 13, 15, 10
PROPERTIES = ("label", "area", "centroid", "bbox", "equivalent_diameter_area", "perimeter", "eccentricity", "solidity")
INTENSITIES = ("intensity_mean", "intensity_min", "intensity_max")


def discs() -> np.ndarray:
    """Return a label image of discs, YX uint32."""
    rows, columns = np.ogrid[:PITCH, :PITCH]
    disc = (rows - PITCH // 2) ** 2 + (columns - PITCH // 2) ** 2 <= (PITCH // 2 - 0.4) ** 2
    side = int(np.ceil(np.sqrt(COUNT)))
    ids: np.ndarray = np.arange(1, side * side + 1, dtype=np.uint32)
    return np.kron(np.where(ids > COUNT, 0, ids).reshape(side, side), disc).astype(np.uint32)


def seconds(function: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> int:
    """Print all times and return the exit code."""
    labels = discs()
    image = np.random.default_rng(0).integers(0, 2**12, (1, *labels.shape)).astype(np.uint16)
    keywords = {"channel_names": ["DAPI"], "pixel_size_um": (0.5, 0.5), "probabilities": image[0] / 2**12}
    measure_objects(labels[:PITCH], image[:, :PITCH])
    ours = seconds(lambda: measure_objects(labels, image, **keywords))
    rows = len(labels) // PART // PITCH * PITCH
    some_labels, some_pixels = labels[:rows], image[0, :rows]
    share = (len(np.unique(some_labels)) - 1) / COUNT
    theirs = seconds(lambda: regionprops_table(some_labels, some_pixels, properties=PROPERTIES + INTENSITIES)) / share
    print(f"{COUNT:,} objects of {np.count_nonzero(labels) / COUNT:.0f} pixels in {len(labels)}²:")
    print(f"  measure_objects    {ours:5.1f} s")
    print(f"  regionprops_table  {theirs:5.1f} s, {theirs / ours:.0f} times ours (aim {AIM})")
    segmentation = Segmentation(
        labels, measure_objects(labels, image, **keywords), "cells.tif", image=image, channel_names=["DAPI"]
    )
    with TemporaryDirectory() as folder:
        for name in EXPORTS:
            try:
                chosen_exports(name)
            except ValueError as error:
                print(f"  {name} skipped: {error}")
                continue
            spent = seconds(lambda name=name: write_exports(Path(folder), segmentation, name))  # type: ignore[misc]
            size = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
            print(f"  {name:18} {spent:5.1f} s {size:6.1f} MB")
            for file in Path(folder).iterdir():
                file.unlink()
    return int(theirs < AIM * ours)


if __name__ == "__main__":
    sys.exit(main())
