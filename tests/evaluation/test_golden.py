"""Protocols against the results of the original programs on the same label images; see scripts/golden_tables.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.evaluation import find_protocol
from cellseg_monai.scores import over_images
from tests.evaluation.golden_images import PAIRS

GOLDEN = json.loads((Path(__file__).parent / "golden_tables.json").read_text(encoding="utf-8"))


def counted(protocol, pairs=PAIRS):
    return [protocol.count(*pair) for pair in pairs.values()]


def test_the_images_have_the_properties_that_make_scores_differ():
    _, truth = PAIRS["discs"]
    assert truth.max() == 65_535
    assert (np.unique(truth)[1:3] == [3, 4]).all()
    assert truth[0].any()
    assert (PAIRS["tissue"][0] > 0).all()
    assert (PAIRS["tissue"][1] > 0).all()


def test_stardist():
    protocol, expected = find_protocol("stardist"), GOLDEN["stardist"]
    images = counted(protocol)
    assert list(protocol.thresholds) == expected["thresholds"]
    pooled = [sum(column[1:], column[0]) for column in zip(*(image.objects for image in images), strict=True)]
    assert [[each.tp, each.fp, each.fn] for each in pooled] == expected["counts"]
    at_half = expected["thresholds"].index(0.5)
    results = protocol.results(images)
    assert set(results) == set(expected["scores"])
    for name, values in expected["scores"].items():
        # StarDist sums IoU in single precision.
        assert results[name].value == pytest.approx(values[at_half], rel=1e-6), name
    for name in ("f1", "precision", "recall", "accuracy"):
        found = over_images([image.objects for image in images], name, "pooled")
        assert found == pytest.approx(expected["scores"][name])


def test_cellpose():
    protocol, expected = find_protocol("cellpose_ap"), GOLDEN["cellpose_ap"]
    images = counted(protocol)
    for position, threshold in enumerate(expected["thresholds"]):
        score = next(score for score in protocol.scores if score.iou == threshold)
        theirs = [row[position] for row in expected["ap_of_images"]]
        # Cellpose computes in single precision.
        assert [protocol.value(score, [image]) for image in images] == pytest.approx(theirs, rel=1e-6)
        assert protocol.value(score, images) == pytest.approx(np.mean(theirs), rel=1e-6)
    # In a field without background, Cellpose counts one object less on both sides: 7 / 30 rather than 7 / 32.
    tissue = list(PAIRS).index("tissue")
    assert protocol.value(protocol.scores[0], [images[tissue]]) == 7 / 32
    assert expected["ap_of_images_as_given"][tissue][0] == pytest.approx(7 / 30, rel=1e-6)


def test_coco_takes_predictions_of_one_score_as_one_point_of_the_curve():
    protocol, expected = find_protocol("coco"), GOLDEN["coco"]
    results = protocol.results(counted(protocol))
    assert set(results) == set(expected["worst_first"])
    for name, result in results.items():
        assert result.value == pytest.approx(expected["worst_first"][name]), name
    # In pycocotools the order of equal scores decides.
    assert expected["worst_first"]["ap"] < expected["by_id"]["ap"] < expected["best_first"]["ap"]


def test_cell_tracking_challenge():
    protocol = find_protocol("ctc_seg")
    pairs = {name: pair for name, pair in PAIRS.items() if name != "tissue"}
    assert protocol.results(counted(protocol, pairs))["seg"].value == pytest.approx(GOLDEN["ctc_seg"]["seg"])
