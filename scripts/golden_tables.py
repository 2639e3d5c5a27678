"""Write the scores that the original programs give the label images in tests/evaluation/golden_images.py.

    pip install stardist cellpose pycocotools py-ctcmetrics   # in a separate environment
    python scripts/golden_tables.py tests/evaluation/golden_tables.json

The tests compare our protocols with the committed table. Run this again only when an image is added. A program that is
not installed is an error, so that the table is always complete.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.evaluation.golden_images import PAIRS, dense

IOU = tuple(hundredths / 100 for hundredths in range(50, 100, 5))


def stardist_table() -> dict[str, Any]:
    """Return the results of `matching_dataset` over all images; its own relabelling handles gaps in the ids."""
    from stardist.matching import matching_dataset

    predictions, truths = zip(*PAIRS.values(), strict=True)
    thresholds = tuple(tenths / 10 for tenths in range(1, 10))
    names = ("precision", "recall", "accuracy", "f1", "mean_true_score", "mean_matched_score", "panoptic_quality")
    table = matching_dataset(truths, predictions, thresh=thresholds, show_progress=False)
    counts = [[int(row.tp), int(row.fp), int(row.fn)] for row in table]
    scores = {name: [float(getattr(row, name)) for row in table] for name in names}
    return {"thresholds": thresholds, "counts": counts, "scores": scores}


def cellpose_table() -> dict[str, Any]:
    """Return the `average_precision` of each image, with a frame of background and without.

    Cellpose takes one id for background even if there is none, so confluent tissue is only scored correctly with the
    frame.
    """
    from cellpose.metrics import average_precision

    def table(frame_px: int) -> list[list[float]]:
        sides = ([np.pad(dense(pair[side]), frame_px) for pair in PAIRS.values()] for side in (0, 1))
        predictions, truths = sides
        precisions, *_ = average_precision(truths, predictions, threshold=[0.5, 0.75, 0.9])
        return np.asarray(precisions, float).tolist()

    return {"thresholds": [0.5, 0.75, 0.9], "ap_of_images": table(1), "ap_of_images_as_given": table(0)}


def coco_table() -> dict[str, Any]:
    """Return the results of `COCOeval` with equal scores for all predictions, in three orders.

    It takes predictions with the same score in the order of the file. The orders are: worst first, in which no
    prediction benefits, as our protocol states; best first; and by id.
    """
    orders = {"worst_first": 1, "best_first": -1, "by_id": 0}
    return {name: _coco(order) for name, order in orders.items()}


def _coco(order: int) -> dict[str, float]:
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def annotations(side: int) -> list[dict[str, Any]]:
        entries = []
        for image, pair in enumerate(PAIRS.values()):
            labels = pair[side]
            for label in np.unique(labels[labels > 0]):
                encoded = mask.encode(np.asfortranarray(labels == label, np.uint8))
                best = _best_iou(labels == label, pair[1 - side])
                entries.append({"image_id": image, "category_id": 1, "segmentation": encoded, "best": best})
        return entries

    truths, predictions = annotations(1), annotations(0)
    for number, annotation in enumerate(truths, start=1):
        annotation.update(id=number, area=float(mask.area(annotation["segmentation"])), iscrowd=0)
    if order:
        # Across images only scores count, so slightly different scores stand for an order of equal ones.
        predictions.sort(key=lambda annotation: order * annotation["best"])
    for rank, annotation in enumerate(predictions):
        annotation["score"] = 1 - 1e-6 * rank if order else 1.0
    data = COCO()
    images = [
        {"id": image, "height": truth.shape[0], "width": truth.shape[1]}
        for image, (_, truth) in enumerate(PAIRS.values())
    ]
    data.dataset = {"info": {}, "images": images, "categories": [{"id": 1}], "annotations": truths}
    with contextlib.redirect_stdout(sys.stderr):
        data.createIndex()
        evaluated = COCOeval(data, data.loadRes(predictions), "segm")
        evaluated.params.maxDets = [10**6]
        evaluated.params.areaRng, evaluated.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluated.evaluate()
        evaluated.accumulate()
    precision = evaluated.eval["precision"].mean(axis=1).ravel()
    recall = evaluated.eval["recall"].ravel()
    return {
        "ap": float(precision.mean()),
        "ap_0.5": float(precision[IOU.index(0.5)]),
        "ap_0.75": float(precision[IOU.index(0.75)]),
        "ar": float(recall.mean()),
    }


def _best_iou(inside: np.ndarray, others: np.ndarray) -> float:
    overlapping = [others == label for label in np.unique(others[inside & (others > 0)])]
    return max(((inside & other).sum() / (inside | other).sum() for other in overlapping), default=0.0)


def ctc_table() -> dict[str, Any]:
    """Return SEG over all images from the challenge's own Python package."""
    import tifffile
    from ctc_metrics.metrics.technical.seg import seg
    from ctc_metrics.utils.representations import match

    labels, ious = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, (prediction, truth) in PAIRS.items():
            if not (prediction == 0).any() or not (truth == 0).any():
                continue  # the package takes the lowest id for background
            for side, image in (("prediction", prediction), ("truth", truth)):
                tifffile.imwrite(f"{folder}/{side}.tif", image)
            matched = match(f"{folder}/truth.tif", f"{folder}/prediction.tif")
            labels.append(matched[0])
            ious.append(matched[4])
            print(f"{name}: {len(matched[0])} reference objects, {len(matched[4])} matched", file=sys.stderr)
    return {"images": "all but those without background", "seg": seg(labels, ious)}


def main() -> None:
    """Write the table to the file that is named on the command line."""
    packages = ("stardist", "cellpose", "pycocotools", "py-ctcmetrics", "numpy")
    table = {
        "made_with": {name: version(name) for name in packages},
        "stardist": stardist_table(),
        "cellpose_ap": cellpose_table(),
        "coco": coco_table(),
        "ctc_seg": ctc_table(),
    }
    parts = (f'"{name}": {json.dumps(content)}' for name, content in table.items())
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
