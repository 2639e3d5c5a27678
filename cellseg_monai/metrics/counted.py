"""Counts of images as a MONAI metric: gathered over batches and processes, and scored at the end."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric

from cellseg_monai.scores import Counts, Over, over_images
from cellseg_monai.scores.counts import check_over

__all__ = ["CountedScore"]


class CountedScore(CumulativeIterationMetric):
    """Base of metrics that count: `_compute_tensor` returns, for each image, the numbers of `kind` along the last axis.

    Args:
        score: name of a score of `kind`. A score with several numbers per image, such as one per threshold, is averaged
            over these.
        over: "mean" or "median" of the scores of the images, or "pooled" for all images counted together.

    Raises:
        ValueError: `over` is not one of these.
    """

    kind: ClassVar[type[Counts]]

    def __init__(self, score: str, over: Over) -> None:
        super().__init__()
        check_over(over)
        self.score = score
        self.over = over

    def aggregate(self) -> float:
        """Return the score of all images so far.

        Raises:
            ValueError: no image has been counted, or there is no such score.
        """
        buffer = self.get_buffer()
        if not isinstance(buffer, torch.Tensor):
            raise ValueError("no image has been counted; call the metric with predictions and truth first")
        counts = self.kind(*np.moveaxis(buffer.cpu().numpy(), -1, 0))
        return float(np.mean(over_images(counts, self.score, self.over)))
