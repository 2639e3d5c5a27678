"""How well the score of an object predicts that the object is right.

    OMP_NUM_THREADS=1 python benchmarks/score_quality.py [--data DIR] [--every N] [--bundle bundles/nuclei]

The bundle segments two sets of images: the validation section of BBBC039, images like those of its training on which
its settings were chosen; and every Nth image of the training set of the 2018 Data Science Bowl, from other
laboratories, microscopes and stains. The IoU of a predicted object is the largest with any true object, or 0 if it
overlaps none. For each score, this prints:

AUROC      the probability that an object with an IoU of 0.5 or more has a higher score than one below; 0.5 is chance.
           With the 95 % interval over images (percentile bootstrap of 500 draws).
rho        Spearman's rank correlation of score and IoU.
table      objects in tenths by their score: range of scores, mean IoU, and the share with an IoU of 0.5 or more.

`score` is the mean probability of the foreground over an object. `agreement` is computed for the objects that --tta
finds: the mean share of the eight symmetric views that see foreground there. The test section is not touched.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from cellseg_monai.bundle import load_pipeline
from cellseg_monai.data import image_items, section_items
from cellseg_monai.evaluation import find_protocol
from cellseg_monai.exports import Segmentation
from cellseg_monai.inference import Pipeline, prepared_plane, segment_plane
from cellseg_monai.io import read, read_labels
from cellseg_monai.scores import label_overlaps

GOOD_IOU, PARTS, DRAWS = 0.5, 10, 500

Scored = dict[str, tuple[np.ndarray, np.ndarray]]
"""The scores of the objects of an image and their IoUs, by the name of the score."""


def best_ious(segmentation: Segmentation, truth: np.ndarray) -> np.ndarray:
    """Return the largest IoU of each object with a true one, or 0 if there is none, in the order of the table."""
    # In BBBC039 separate objects can share an id; its protocol gives them ids of their own.
    ((prediction, pieces),) = find_protocol("bbbc039_mean_f1").prepare(np.asarray(segmentation.labels), truth)
    overlaps = label_overlaps(prediction, pieces)
    ious: np.ndarray = np.zeros(len(overlaps.prediction_ids))
    np.maximum.at(ious, overlaps.prediction_index, overlaps.iou)
    return ious[np.searchsorted(overlaps.prediction_ids, segmentation.table["id"])]


def scored(image: str, label: str, pipeline: Pipeline) -> Scored:
    """Return the scores and IoUs of the objects in an image, without and with test-time augmentation."""
    opened, truth = read(image), read_labels(label)
    plane = prepared_plane(
        opened.pixels, pipeline, channel_names=opened.channel_names, pixel_size_um=opened.pixel_size_um
    )
    plain, augmented = segment_plane(plane, pipeline), segment_plane(plane, replace(pipeline, tta=True))
    plain_ious, augmented_ious = best_ious(plain, truth), best_ious(augmented, truth)
    return {
        "score": (plain.table["score"], plain_ious),
        "score with --tta": (augmented.table["score"], augmented_ious),
        "agreement with --tta": (augmented.table["agreement"], augmented_ious),
    }


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the probability that a good object has a higher score than a bad one; ties count half."""
    good_count, bad_count = int(good.sum()), int((~good).sum())
    if not good_count or not bad_count:
        return float("nan")
    return float((rankdata(scores)[good].sum() - good_count * (good_count + 1) / 2) / (good_count * bad_count))


def interval(images: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return the 95 % interval of the AUROC over images."""
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        resample = [images[index] for index in generator.integers(0, len(images), len(images))]
        scores, ious = (np.concatenate(part) for part in zip(*resample, strict=True))
        draws.append(auroc(scores, ious >= GOOD_IOU))
    return float(np.nanpercentile(draws, 2.5)), float(np.nanpercentile(draws, 97.5))


def lines(name: str, images: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
    """Yield the lines to print for a score."""
    scores, ious = (np.concatenate(part) for part in zip(*images, strict=True))
    good = ious >= GOOD_IOU
    low, high = interval(images)
    yield (
        f"  {name}: AUROC {auroc(scores, good):.3f} ({low:.3f} to {high:.3f}), "
        f"Spearman's rho {spearmanr(scores, ious).statistic:.3f}; {len(scores)} objects, {int((~good).sum())} wrong"
    )
    yield f"    tenth   score from–to      mean IoU   IoU ≥ {GOOD_IOU}"
    order = np.argsort(scores, kind="stable")
    for number, part in enumerate(np.array_split(order, PARTS), start=1):
        span = f"{scores[part].min():.3f}–{scores[part].max():.3f}"
        yield f"    {number:5}   {span:15}   {ious[part].mean():8.3f}   {100 * good[part].mean():6.1f} %"


def main() -> int:
    """Print the results for both sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default=os.environ.get("CELLSEG_DATA"), help="folder that holds both sets; by default $CELLSEG_DATA"
    )
    parser.add_argument("--every", type=int, default=5, help="use every Nth image of the second set")
    parser.add_argument("--bundle", default="bundles/nuclei")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("missing --data; pass the folder that holds bbbc039 and dsb2018_stage1_train")
    pipeline = load_pipeline(arguments.bundle, device="cpu", amp=False).largest
    data = Path(arguments.data)
    sets = {
        "BBBC039, validation": section_items(data / "bbbc039", "validation"),
        f"DSB 2018, every {arguments.every}th image": image_items(data / "dsb2018_stage1_train", "all")[
            :: arguments.every
        ],
    }
    for name, items in sets.items():
        begun = time.perf_counter()
        images = [scored(item["image"], item["label"], pipeline) for item in items]
        print(f"{name}: {len(images)} images, {time.perf_counter() - begun:.0f} s")
        for kind in images[0]:
            print("\n".join(lines(kind, [image[kind] for image in images if len(image[kind][0])])), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
