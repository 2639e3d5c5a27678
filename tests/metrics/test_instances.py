"""Scores of instances, compared with values calculated by hand and with MONAI."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import compute_panoptic_quality

from cellseg_monai.metrics import InstanceScore, OverlapScore
from cellseg_monai.scores import label_overlaps, match_objects, panoptic_counts

# Two objects: 3 / 4 of the pixels of the first are predicted, and the second exactly.
TRUTH = torch.tensor([[[[1, 1, 1, 1, 0, 70_000]]]])
PREDICTION = torch.tensor([[[[3, 3, 3, 0, 0, 9]]]])
EMPTY = torch.zeros(1, 1, 1, 6, dtype=torch.long)


@pytest.mark.parametrize(
    ("prediction", "truth", "at_half", "mean"),
    [
        # Both objects match at six of the ten thresholds, and one of the two at the other four.
        (PREDICTION, TRUTH, 1, 0.8),
        (TRUTH, TRUTH, 1, 1),
        (EMPTY, EMPTY, 1, 1),
        (PREDICTION, EMPTY, 0, 0),
        (EMPTY, TRUTH, 0, 0),
    ],
    ids=["one object without a quarter", "the truth itself", "both empty", "an empty truth", "an empty prediction"],
)
def test_f1_of_one_image(prediction, truth, at_half, mean):
    half, ten = InstanceScore(thresholds=[0.5]), InstanceScore()
    for metric in (half, ten):
        metric(prediction, truth)
    assert half.aggregate() == pytest.approx(at_half)
    assert ten.aggregate() == pytest.approx(mean)


def test_pooled_objects_and_the_mean_of_images_differ_whatever_the_batches():
    # Two of two objects are found, then two false ones in an empty image: 4 / (4 + 2) pooled, (1 + 0) / 2 as a mean.
    for batches in ([[PREDICTION, PREDICTION]], [[PREDICTION], [PREDICTION]]):
        pooled, mean = InstanceScore(thresholds=[0.5]), InstanceScore(thresholds=[0.5], over="mean")
        truths = iter([TRUTH, EMPTY])
        for batch in batches:
            truth = torch.cat([next(truths) for _ in batch])
            for metric in (pooled, mean):
                metric(torch.cat(batch), truth)
        assert pooled.aggregate() == pytest.approx(4 / 6)
        assert mean.aggregate() == pytest.approx(1 / 2)
        pooled.reset()
        pooled(TRUTH, TRUTH)
        assert pooled.aggregate() == 1


def test_images_of_different_sizes_can_be_a_list_without_a_batch_axis():
    metric = InstanceScore(thresholds=[0.5])
    metric([PREDICTION[0], EMPTY[0, :, :, :2]], [TRUTH[0], EMPTY[0, :, :, :2]])
    assert metric.aggregate() == 1


def test_whole_floats_are_ids_and_others_are_refused():
    metric = InstanceScore(thresholds=[0.5])
    metric(PREDICTION.float(), TRUTH.float())
    assert metric.aggregate() == 1
    for prediction in (PREDICTION * 0.5, PREDICTION.float() * 2**24, PREDICTION.float() * torch.nan):
        with pytest.raises(ValueError, match=r"got prediction of dtype torch\.float32"):
            metric(prediction, TRUTH)
    with pytest.raises(ValueError, match=r"got truth of dtype torch\.float16, .* below 2048"):
        metric(PREDICTION, torch.full_like(TRUTH, 3000).half())


def test_counts_stay_on_the_cpu_if_the_device_has_no_float64(monkeypatch):
    real_tensor, devices = torch.tensor, []

    class MpsTensor(torch.Tensor):
        device = torch.device("mps")

    def tensor(data, *, dtype, device):
        devices.append(str(device))
        return real_tensor(data, dtype=dtype)

    labels = torch.tensor([[[[1, 1, 0]]]]).as_subclass(MpsTensor)
    monkeypatch.setattr("cellseg_monai.metrics.instances.torch.tensor", tensor)
    metric = InstanceScore()
    metric(labels, labels)
    assert metric.aggregate() == 1
    assert devices == ["cpu"]


def test_a_score_of_no_images_is_an_error():
    with pytest.raises(ValueError, match="no images have been counted"):
        InstanceScore().aggregate()


@pytest.mark.parametrize(
    "truth", [TRUTH[..., :2], TRUTH.expand(1, 2, 1, 6), None], ids=["smaller", "two channels", "none"]
)
def test_other_shapes_are_an_error(truth):
    prediction = PREDICTION.expand(1, 2, 1, 6) if truth is not None and truth.shape[1] == 2 else PREDICTION
    with pytest.raises(ValueError, match="expected B×1×Y×X label images"):
        InstanceScore()(prediction, truth)


# One predicted object covers both true objects, and another is elsewhere. AJI pairs the former with both,
# (3 + 1) / (4 + 4 + 1), and AJI+ only with the first, 3 / (4 + 1 + 1). SEG is the mean of 3/4 and 1/4.
MERGED = torch.tensor([[[[5, 5, 5, 5, 0, 8]]]]), torch.tensor([[[[1, 1, 1, 2, 0, 0]]]])


@pytest.mark.parametrize(("score", "value"), [("aji", 4 / 9), ("aji_plus", 3 / 6), ("seg", 1 / 2)])
def test_scores_without_a_threshold(score, value):
    for prediction, truth, expected in (
        (*MERGED, value),
        (TRUTH, TRUTH, 1),
        (EMPTY, EMPTY, 1),
        (PREDICTION, EMPTY, 0),
        (EMPTY, TRUTH, 0),
    ):
        metric = OverlapScore(score)
        metric(prediction, truth)
        assert metric.aggregate() == pytest.approx(expected)


@pytest.mark.parametrize(
    # The image above, and one with two objects with IoUs of 3/4 and 1: numerators of 4 and 4, denominators of 9 and 5.
    ("score", "pooled", "mean"),
    [
        ("aji", 8 / 14, (4 / 9 + 4 / 5) / 2),
        ("aji_plus", 7 / 11, (3 / 6 + 4 / 5) / 2),
        ("seg", (3 / 4 + 1 / 4 + 3 / 4 + 1) / 4, (1 / 2 + 7 / 8) / 2),
    ],
)
def test_ratios_of_images_are_pooled_or_averaged(score, pooled, mean):
    for metric, expected in ((OverlapScore(score), pooled), (OverlapScore(score, over="mean"), mean)):
        metric(*MERGED)
        metric(PREDICTION, TRUTH)
        assert metric.aggregate() == pytest.approx(expected)


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="got score 'pq', expected one of aji, aji_plus, seg"):
        OverlapScore("pq")


def test_an_engine_reports_the_scores_of_its_whole_epoch():
    # As in MONAI's evaluator, the output is a list of items of different sizes, without a batch axis.
    first = {"objects": PREDICTION[0].int(), "truth": TRUTH[0].int()}
    second = {"objects": EMPTY[0, :, :, :3].int(), "truth": torch.ones(1, 1, 3, dtype=torch.int32)}
    engine = Engine(lambda engine, batch: batch)
    metrics = {"f1_50": InstanceScore(thresholds=[0.5]), "f1": InstanceScore(), "aji": OverlapScore("aji")}
    for name, metric in metrics.items():
        handler = IgniteMetricHandler(metric_fn=metric, output_transform=from_engine(["objects", "truth"]))
        handler.attach(engine, name)
    for _ in range(2):  # each epoch starts from zero
        engine.run([[first], [second]])
        # 2 of 3 true objects; 2 · 2 / (2 · 2 + 1), and at four of the ten thresholds 2 · 1 / (2 · 1 + 1 + 2).
        assert engine.state.metrics["f1_50"] == pytest.approx(4 / 5)
        assert engine.state.metrics["f1"] == pytest.approx((6 * 4 / 5 + 4 * 2 / 5) / 10)
        assert engine.state.metrics["aji"] == pytest.approx(4 / 8)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_scores_agree_with_monai(seed, largest):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, largest + 1, (6, 7)).repeat(2, axis=1)
    prediction = np.where(rng.random(truth.shape) < 0.25, rng.integers(0, largest + 1, truth.shape), truth)
    overlaps = label_overlaps(prediction, truth)
    for threshold in (0.5, 0.75):
        counts = match_objects(overlaps, [threshold], strict=True)[0].counts
        theirs = compute_panoptic_quality(
            torch.from_numpy(prediction),
            torch.from_numpy(truth),
            match_iou_threshold=threshold,
            output_confusion_matrix=True,
        )
        assert theirs.tolist() == pytest.approx([counts.tp, counts.fp, counts.fn, counts.iou_sum])
    ours = panoptic_counts(overlaps)
    for name, value in (("pq", ours.panoptic_quality), ("sq", ours.segmentation_quality), ("rq", ours.f1)):
        theirs = compute_panoptic_quality(torch.from_numpy(prediction), torch.from_numpy(truth), metric_name=name)
        if ours.tp + ours.fp + ours.fn:
            assert theirs.item() == pytest.approx(value, abs=1e-5)
