"""Scores of the foreground, compared with values calculated by hand and with MONAI."""

import pytest
import torch
from monai.metrics import DiceMetric, MeanIoU

from cellseg_monai.metrics import ForegroundScore

EMPTY, HALF, FULL = torch.zeros(1, 1, 1, 4), torch.tensor([[[[1.0, 1, 0, 0]]]]), torch.ones(1, 1, 1, 4)

# Prediction, truth, and the scores calculated from tp, fp, fn and tn counted by hand.
TABLE = [
    (HALF, FULL, {"dice": 2 / 3, "iou": 0.5, "precision": 1, "recall": 0.5, "accuracy": 0.5}),
    (FULL, HALF, {"dice": 2 / 3, "iou": 0.5, "precision": 0.5, "recall": 1, "accuracy": 0.5}),
    (EMPTY, EMPTY, {"dice": 1, "iou": 1, "precision": 1, "recall": 1, "accuracy": 1}),
    (HALF, EMPTY, {"dice": 0, "iou": 0, "precision": 0, "recall": 0, "accuracy": 0.5}),
    (EMPTY, HALF, {"dice": 0, "iou": 0, "precision": 0, "recall": 0, "accuracy": 0.5}),
]


@pytest.mark.parametrize(("prediction", "truth", "expected"), TABLE)
def test_scores_of_one_image(prediction: torch.Tensor, truth: torch.Tensor, expected: dict[str, float]) -> None:
    for score, value in expected.items():
        metric = ForegroundScore(score)
        metric(prediction, truth)
        assert metric.aggregate() == pytest.approx(value), score


def test_mean_of_images_and_pooled_pixels_differ() -> None:
    # 2 of 4 pixels found, and a correct empty image: (2/3 + 1) / 2, but 2·2 / (2·2 + 2) over all pixels.
    mean, pooled = ForegroundScore("dice"), ForegroundScore("dice", over="pooled")
    for metric in (mean, pooled):
        metric(torch.cat([HALF, EMPTY]), torch.cat([FULL, EMPTY]))
    assert mean.aggregate() == pytest.approx(5 / 6)
    assert pooled.aggregate() == pytest.approx(2 / 3)


@pytest.mark.parametrize(("score", "monai_metric"), [("dice", DiceMetric), ("iou", MeanIoU)])
def test_scores_agree_with_monai(score: str, monai_metric: type) -> None:
    generator = torch.Generator().manual_seed(0)
    predictions, truths = (torch.rand(6, 1, 8, 8, generator=generator).round() for _ in range(2))
    truths[0], truths[1], predictions[1] = 0, 0, 0
    ours, theirs = ForegroundScore(score), monai_metric(ignore_empty=False)
    for metric in (ours, theirs):
        metric(predictions, truths)
    assert ours.aggregate() == pytest.approx(theirs.aggregate().item())


def test_a_score_of_no_images_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images have been counted"):
        ForegroundScore().aggregate()


def test_other_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 1, 1, 4\) and ground truth of shape \(1, 1, 1, 2\)"):
        ForegroundScore()(HALF, HALF[..., :2])


def test_an_unknown_way_to_combine_images_is_an_error() -> None:
    with pytest.raises(ValueError, match="got over='all', expected one of mean, median, pooled"):
        ForegroundScore(over="all")
