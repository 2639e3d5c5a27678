import numpy as np
import pytest
import torch

from cellseg_monai.metrics import CellClassScore, ImageClassScore
from cellseg_monai.scores import cell_class_counts, over_images


def labelled(seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(16), 4).reshape(1, 64)
    classes = np.r_[-1, rng.integers(0, 3, 15)][ids]
    return torch.from_numpy(np.stack([ids, classes]))[None]


@pytest.mark.parametrize("over", ["pooled", "mean"])
@pytest.mark.parametrize("score", ["balanced_accuracy", "accuracy"])
def test_the_metric_is_the_score_over_all_batches(score, over) -> None:
    metric = CellClassScore(3, score, over)
    pairs = [(labelled(seed), labelled(seed + 10)) for seed in range(4)]
    metric(torch.cat([pairs[0][0], pairs[1][0]]), torch.cat([pairs[0][1], pairs[1][1]]))
    for prediction, truth in pairs[2:]:
        metric(prediction, truth)
    counts = [cell_class_counts(prediction[0].numpy(), truth[0].numpy(), 3) for prediction, truth in pairs]
    assert metric.aggregate() == pytest.approx(float(over_images(counts, score, over)))
    assert metric.confusion.tolist() == sum(counts[1:], counts[0]).confusion.tolist()
    metric.reset()
    metric(*pairs[0])
    assert metric.confusion.sum() == counts[0].confusion.sum()


@pytest.mark.parametrize("kind", [CellClassScore, ImageClassScore])
def test_without_images_there_is_no_score(kind) -> None:
    with pytest.raises(ValueError, match="no images have been counted"):
        kind(2).aggregate()


def test_without_classes_the_score_is_one() -> None:
    metric = CellClassScore(0)
    metric(torch.zeros(1, 2, 4, 4, dtype=torch.int64), torch.zeros(1, 2, 4, 4, dtype=torch.int64))
    assert metric.aggregate() == 1


def test_the_class_of_images_is_scored() -> None:
    metric = ImageClassScore(3)
    metric(torch.tensor([[0], [2]]), torch.tensor([[0], [1]]))
    metric(torch.tensor([[1]]), torch.tensor([[-1]]))
    assert metric.confusion.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert metric.aggregate() == 0.5
