"""What the score of an object is worth: whether a low one tells that the object is wrong.

    OMP_NUM_THREADS=1 python benchmarks/score_quality.py [--data DIR] [--every N] [--bundle bundles/nuclei]

The bundle segments the validation section of BBBC039, images like those of its training on which its settings were
chosen, and every Nth image of the training set of the 2018 Data Science Bowl, of other laboratories, microscopes and
stains. Each object found has an IoU: the largest with any true object, 0 where there is none. Of each score it prints

AUROC      the chance that an object with an IoU of 0.5 or more has a higher score than one below; 0.5 is a coin. With
           the 95 % interval over images (percentile bootstrap of 500 draws).
rho        Spearman's rank correlation of score and IoU.
table      objects in tenths by their score: mean score, mean IoU, and the share with an IoU of 0.5 or more.

`score` is the mean probability of the foreground over an object; `agreement` the mean share of the eight symmetric
views that see foreground there, of the objects that --tta finds. The test section is not touched.
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
"""Of an image, by the name of a score: the scores of its objects, and their IoUs."""


def best_ious(segmentation: Segmentation, truth: np.ndarray) -> np.ndarray:
    """The largest IoU of every object with a true one, 0 where there is none, in the order of the table."""
    # In BBBC039 objects apart share an id: its protocol makes them separate objects.
    ((prediction, pieces),) = find_protocol("bbbc039_mean_f1").prepare(np.asarray(segmentation.labels), truth)
    overlaps = label_overlaps(prediction, pieces)
    found: np.ndarray = np.zeros(len(overlaps.prediction_ids))
    np.maximum.at(found, overlaps.prediction_index, overlaps.iou)
    return found[np.searchsorted(overlaps.prediction_ids, segmentation.table["id"])]


def scored(image: str, label: str, pipeline: Pipeline) -> Scored:
    """The scores and IoUs of the objects that are found in an image, without and with test-time augmentation."""
    opened, truth = read(image), read_labels(label)
    plane = prepared_plane(
        opened.pixels, pipeline, channel_names=opened.channel_names, pixel_size_um=opened.pixel_size_um
    )
    once, often = segment_plane(plane, pipeline), segment_plane(plane, replace(pipeline, tta=True))
    ious, ious_often = best_ious(once, truth), best_ious(often, truth)
    return {
        "score": (once.table["score"], ious),
        "score with --tta": (often.table["score"], ious_often),
        "agreement with --tta": (often.table["agreement"], ious_often),
    }


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """The chance that a good object has a higher score than another, ties counting half."""
    of_good, of_bad = int(good.sum()), int((~good).sum())
    if not of_good or not of_bad:
        return float("nan")
    return float((rankdata(scores)[good].sum() - of_good * (of_good + 1) / 2) / (of_good * of_bad))


def interval(images: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """The 95 % interval of the AUROC over images."""
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        chosen = [images[at] for at in generator.integers(0, len(images), len(images))]
        scores, ious = (np.concatenate(part) for part in zip(*chosen, strict=True))
        drawn.append(auroc(scores, ious >= GOOD_IOU))
    return float(np.nanpercentile(drawn, 2.5)), float(np.nanpercentile(drawn, 97.5))


def lines(name: str, images: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
    """What is printed of a score."""
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
    """Print the figures of both sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("CELLSEG_DATA"), help="holds both; by itself $CELLSEG_DATA")
    parser.add_argument("--every", type=int, default=5, help="Nth image of the second set")
    parser.add_argument("--bundle", default="bundles/nuclei")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("--data is missing: name the folder that holds bbbc039 and dsb2018_stage1_train")
    pipeline = load_pipeline(arguments.bundle, device="cpu", amp=False)
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
