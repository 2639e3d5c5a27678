"""The peak memory of `cellseg segment`, for images of growing size.

    python benchmarks/segment_memory.py [--sides 4096 8192 16384] [--network]

Each image shows generated nuclei. It is written as a tiled TIFF, and segmented into labels and a table in its own
process. By default a threshold replaces the network, so that a run takes minutes; the memory of the network for its
tiles does not depend on the size of the image. --network uses that of `bundles/nuclei`. Exits with 1 if the peak grows
by 300 MB or more from the first image to the last.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from child_process import held_bytes, in_child
from segment_throughput import field

from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.inference import Failed, Job, find_images

MOST_GROWTH = 300 * 10**6


def write_image(path: Path, side: int) -> None:
    """Write an image of nuclei, tile by tile."""
    tile_images = [field((1024, 1024), seed) for seed in range(8)]
    count = -(-side // 1024)
    tiles = (tile_images[(3 * row + column) % 8] for row in range(count) for column in range(count))
    tifffile.imwrite(path, tiles, shape=(side, side), dtype=np.uint16, tile=(1024, 1024), compression="zlib")


def thresholded(batch: np.ndarray) -> np.ndarray:
    """Return logits of background, interior and boundary that stand for a threshold."""
    bright = 20 * (batch[:, :1] - 0.25)
    return np.concatenate([-bright, bright, np.full_like(bright, -20)], axis=1)


def measure(path: Path, network: bool) -> tuple[int, float, int]:
    """Segment an image; return the peak memory in bytes, the seconds, and the number of objects."""
    keep_freed_memory()  # as the command does
    pipeline = load_pipeline("nuclei").largest
    if not network:
        pipeline = replace(pipeline, network=thresholded)
    with tempfile.TemporaryDirectory(dir=path.parent) as output:
        begun = time.perf_counter()
        (outcome,) = Job(pipeline, Path(output)).run(find_images([str(path)])[0])
        if isinstance(outcome, Failed):
            raise SystemExit(outcome.reason)
        return held_bytes("VmHWM"), time.perf_counter() - begun, outcome.objects


def main() -> int:
    """Measure each size and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    parser.add_argument("--network", action="store_true")
    arguments = parser.parse_args()
    peaks = []
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.tif"
            write_image(path, side)
            peak, seconds, objects = in_child(measure, path, arguments.network)
        peaks.append(peak)
        speed = side**2 / 1e6 / seconds
        print(f"{side}²: {peak / 1e6:.0f} MB peak memory, {objects} objects, {speed:.2f} MP/s", flush=True)
    growth = peaks[-1] - peaks[0]
    print(f"the peak grows by {growth / 1e6:.0f} MB (aim: below {MOST_GROWTH / 1e6:.0f} MB)")
    return int(growth >= MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
