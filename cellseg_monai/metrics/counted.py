"""A base class for MONAI metrics that gather counts over batches and processes, and compute a score at the end."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric

from cellseg_monai.scores import Counts, Over, over_images
from cellseg_monai.scores.counts import check_over

__all__ = ["CountedScore"]


class CountedScore(CumulativeIterationMetric):
    """Base class of metrics that compute a score from counts.

    A subclass sets `kind`, and implements `_compute_tensor` to return the fields of `kind` for each image, along the
    last axis.

    Args:
        score: name of a score in `kind`. If a score has several values per image, such as one per threshold, they are
            averaged.
        over: "mean" or "median" over the scores of the images, or "pooled" to score the counts of all images together.

    Raises:
        ValueError: `over` is none of the three.
    """

    kind: ClassVar[type[Counts]]

    def __init__(self, score: str, over: Over) -> None:
        super().__init__()
        check_over(over)
        self.score = score
        self.over = over

    def aggregate(self) -> float:
        """Return the score over all images counted since the last reset.

        Raises:
            ValueError: no images have been counted, or `kind` has no score of this name.
        """
        return float(np.mean(over_images(self.counts(), self.score, self.over)))

    def counts(self) -> Counts:
        """Return the counts of all images since the last reset, with images along the first axis.

        Raises:
            ValueError: no images have been counted.
        """
        buffer = self.get_buffer()
        if not isinstance(buffer, torch.Tensor):
            raise ValueError("no images have been counted; call the metric with predictions and ground truth first")
        return self._of_fields(buffer.cpu().numpy())

    def _of_fields(self, fields: np.ndarray) -> Counts:
        """Return the counts of many images, given what `_compute_tensor` returned for each."""
        return self.kind(*np.moveaxis(fields, -1, 0))
