"""What the scout costs, and what it saves on large objects.

    CELLSEG_DATA=DIR python benchmarks/scout.py [--checkpoint FILE] [--images 8] [--rounds 5]

Share of the time    Processor time of looking at generated images of 520 × 696 with 16 bit, divided by the processor
                     time of all that is done with them: reading, looking, the network, objects and tables. At most 5 %
                     is the aim.
Large objects        Images of DIR/sbsst265_neuroblastoma, whose nuclei have about 95 px, segmented with
                     `--diameter 95` and with `--diameter none`: megapixels per second, and their ratio. The aim is 4.

Both are ratios of processor times of this process, as other programs may run at the same time. Images and repetitions
alternate, and the medians over rounds are printed. Exits with 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch

from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.bundle import load_pipeline, load_scout
from cellseg_monai.data.synthetic_nuclei import nuclei
from cellseg_monai.inference import Failed, Job, Pipeline, find_images
from cellseg_monai.io import open_image
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import Scout, views_of

SHAPE, COUNT = (520, 696), 120
LARGE_PX, TRAINED_PX = 95.0, 28.0
MOST_SHARE, LEAST_GAIN = 0.05, 4.0


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the processor time of all threads of this process that a piece of work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def segment(pipeline: Pipeline, images: list[Path]) -> None:
    """Segment files into label images and tables."""
    with tempfile.TemporaryDirectory() as output:
        for outcome in Job(pipeline, Path(output)).run(find_images([str(path) for path in images])[0]):
            if isinstance(outcome, Failed):
                raise SystemExit(outcome.reason)


def reader(image: np.ndarray) -> Callable[[slice, slice], np.ndarray]:
    """Return a function that returns the C×Y×X pixels in the given rows and columns."""
    return lambda rows, columns: image[:, rows, columns]


def look(scout: Scout, images: list[np.ndarray]) -> None:
    """Look at images in memory."""
    for image in images:
        scout.look(reader(image), SHAPE)


def scale(pipeline: Pipeline, diameter_px: float | None) -> Pipeline:
    """Return the pipeline for objects of a diameter, or for images at their own size."""
    trained = pipeline.preprocess.diameter_px or TRAINED_PX
    settings: Preprocessing = replace(pipeline.preprocess, diameter_px=trained, polarity="bright")
    return replace(pipeline, preprocess=settings.for_objects(diameter_px))


def share_of_the_time(pipeline: Pipeline, scout: Scout, count: int, rounds: int) -> bool:
    """Print what looking costs; return True if the aim is met."""
    images = [nuclei(SHAPE, seed=seed, count=COUNT).image for seed in range(count)]
    stacked = [image[np.newaxis] for image in images]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{seed:03}.tif" for seed in range(count)]
        for path, image in zip(paths, images, strict=True):
            tifffile.imwrite(path, image, compression="zlib")
        look(scout, stacked)
        times = []
        for _ in range(rounds):
            views = cpu_seconds(lambda: [views_of(reader(image), SHAPE) for image in stacked])
            looking = cpu_seconds(lambda: look(scout, stacked))
            times.append((views, looking, cpu_seconds(lambda: segment(pipeline, paths))))
    views, looking, segmenting = np.median(times, axis=0) / count * 1e3
    share = float(np.median([looks / (looks + others) for _, looks, others in times]))
    print(f"{count} images of {SHAPE[0]} × {SHAPE[1]}, processor time an image")
    print(f"  looking      {looking:7.1f} ms, of which {views:.1f} ms for the views")
    print(f"  segmenting   {segmenting:7.1f} ms")
    print(f"  share        {100 * share:7.1f} % (aim: at most {100 * MOST_SHARE:.0f} %)", flush=True)
    return share <= MOST_SHARE


def large_objects(pipeline: Pipeline, folder: Path, rounds: int) -> bool:
    """Print how fast images of large nuclei are segmented, plain and scaled; return True if the aim is met."""
    images = sorted(folder.glob("*"))[:2]
    pixels = sum(megapixels(path) for path in images)
    scaled, plain = scale(pipeline, LARGE_PX), scale(pipeline, None)
    times = [
        (cpu_seconds(lambda: segment(scaled, images)), cpu_seconds(lambda: segment(plain, images)))
        for _ in range(max(1, rounds // 2))
    ]
    fast, slow = (pixels / seconds for seconds in np.median(times, axis=0))
    gain = float(np.median([slowly / quickly for quickly, slowly in times]))
    print(f"{len(images)} images of nuclei of about {LARGE_PX:.0f} px, {pixels:.1f} megapixels")
    print(f"  --diameter {LARGE_PX:.0f}    {fast:6.2f} MP a second of processor time")
    print(f"  --diameter none  {slow:6.2f} MP")
    print(f"  ratio            {gain:6.2f} (aim: at least {LEAST_GAIN:.0f})", flush=True)
    return gain >= LEAST_GAIN


def megapixels(path: Path) -> float:
    """Return the size of an image."""
    with open_image(path) as image:
        return image.shape[-2] * image.shape[-1] / 1e6


def main() -> int:
    """Run both measurements and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", help="weights of the scout, if not the shipped ones")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if "CELLSEG_DATA" not in os.environ:
        parser.error("CELLSEG_DATA is not set; set it to the folder with sbsst265_neuroblastoma/images")
    keep_freed_memory()
    torch.set_num_threads(1)
    pipeline = load_pipeline("nuclei", diameter="none").largest
    scout = load_scout(arguments.checkpoint)
    folder = Path(os.environ["CELLSEG_DATA"]) / "sbsst265_neuroblastoma" / "images"
    aims_met = [
        share_of_the_time(pipeline, scout, arguments.images, arguments.rounds),
        large_objects(pipeline, folder, arguments.rounds),
    ]
    return int(not all(aims_met))


if __name__ == "__main__":
    sys.exit(main())
