"""Flags of real images: how much a blur lowers sharpness, and which good images are flagged anyway.

    OMP_NUM_THREADS=1 python benchmarks/quality_flags.py [--data DIR] [--every N] [--bundle bundles/nuclei]

For every Nth training image of BBBC039, this prints the range of the sharpness as it is, and after a Gaussian blur with
a standard deviation of one pixel. Noise of the original level is added after the blur, as by a camera behind a lens
that is out of focus. Then the bundle segments the validation images. They are compared with each other and with the
training data that the bundle describes, and their flags are printed with the reasons. The test section is not touched.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.bundle import find_training_data, load_pipeline
from cellseg_monai.data import section_items
from cellseg_monai.inference import Pipeline, prepared_plane, segment_plane
from cellseg_monai.io import Image, read, read_labels
from cellseg_monai.labels import ObjectTable, measure_objects
from cellseg_monai.pixels import Preprocessing, noise_level
from cellseg_monai.quality import PlaneMeasures, flags_of, measure_plane

BLUR_PX = 1.0


def measured(image: Image, labels: SlicedArray, table: ObjectTable, settings: Preprocessing) -> PlaneMeasures:
    """Return the measures of an image in memory."""

    def window(rows: slice, columns: slice) -> np.ndarray:
        return image.pixels[:, rows, columns]

    names, size_um = image.channel_names, image.pixel_size_um
    return measure_plane(window, labels, table, settings, channel_names=names, pixel_size_um=size_um)


def out_of_focus(image: Image, generator: np.random.Generator) -> Image:
    """Return the image blurred, with its original level of noise."""
    blurred = [
        gaussian_filter(channel.astype(np.float32), BLUR_PX)
        + generator.normal(0, noise_level(channel), channel.shape).astype(np.float32)
        for channel in image.pixels
    ]
    return replace(image, pixels=np.stack(blurred))


def print_sharpness(pairs: Sequence[tuple[str, str]], settings: Preprocessing) -> None:
    """Print the range of the sharpness of images, as they are and blurred."""
    generator = np.random.default_rng(0)
    changes: dict[str, Callable[[Image], Image]] = {
        "as they are": lambda image: image,
        f"blurred by {BLUR_PX:g} px": lambda image: out_of_focus(image, generator),
    }
    opened = [(read(image), read_labels(label)) for image, label in pairs]
    tables = [measure_objects(labels) for _, labels in opened]
    print(f"sharpness of {len(pairs)} training images: percentiles 0, 10, 50, 90, 100")
    for name, change in changes.items():
        sharpness = [
            measured(change(image), labels, table, settings).sharpness
            for (image, labels), table in zip(opened, tables, strict=True)
        ]
        percentiles = ", ".join(f"{np.nanpercentile(sharpness, percent):.4f}" for percent in (0, 10, 50, 90, 100))
        print(f"  {name}: {percentiles}")


def print_flags(paths: Sequence[str], pipeline: Pipeline, bundle: str) -> None:
    """Print the flags of images, compared with each other and with the training data."""
    measures = []
    for path in paths:
        image = read(path)
        plane = prepared_plane(
            image.pixels, pipeline, channel_names=image.channel_names, pixel_size_um=image.pixel_size_um
        )
        cells = segment_plane(plane, pipeline)
        measures.append(measured(image, cells.labels, cells.table, pipeline.preprocess))
    flags = flags_of(measures, find_training_data(bundle), noise_floor=pipeline.preprocess.noise_floor)
    print(f"{sum(map(bool, flags))} of {len(paths)} validation images have a flag")
    for path, image_flags in zip(paths, flags, strict=True):
        for flag in image_flags:
            print(f"  {Path(path).name}: {flag.kind}: {flag.reason}")


def main() -> int:
    """Print the sharpness of training images and the flags of validation images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default=os.environ.get("CELLSEG_DATA"), help="folder that holds bbbc039; by default $CELLSEG_DATA"
    )
    parser.add_argument("--every", type=int, default=4, help="use every Nth training image")
    parser.add_argument("--bundle", default="bundles/nuclei")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("missing --data; pass the folder that holds bbbc039")
    pipeline = load_pipeline(arguments.bundle, device="cpu", amp=False).largest
    training, validation = (
        section_items(Path(arguments.data) / "bbbc039", name) for name in ("training", "validation")
    )
    pairs = [(item["image"], item["label"]) for item in training[:: arguments.every]]
    print_sharpness(pairs, pipeline.preprocess)
    print_flags([item["image"] for item in validation], pipeline, arguments.bundle)
    return 0


if __name__ == "__main__":
    sys.exit(main())
