"""Counts of images as a MONAI metric: gathered over batches and processes, scored at the end."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric

from cellseg_monai.scores import Counts, over_images

__all__ = ["CountedScore"]


class CountedScore(CumulativeIterationMetric):
    """Base of metrics whose `_compute_tensor` gives the numbers of `kind`, along the last axis, for each image.

    Args:
        score: one of the scores of `kind`; where an image has several, such as one a threshold, their mean.
        pooled: True counts all images together; False takes the mean of the images' own scores.
    """

    kind: ClassVar[type[Counts]]

    def __init__(self, score: str, pooled: bool) -> None:
        super().__init__()
        self.score = score
        self.pooled = pooled

    def aggregate(self) -> float:
        """The score of all images so far.

        Raises:
            ValueError: no image has been counted, or there is no such score.
        """
        buffer = self.get_buffer()
        if not isinstance(buffer, torch.Tensor):
            raise ValueError("no image has been counted; call the metric with predictions and truth first")
        counts = self.kind(*np.moveaxis(buffer.cpu().numpy(), -1, 0))
        score = self.kind.score_named(self.score)
        return float(np.mean(over_images(counts, score, "pooled" if self.pooled else "mean")))
