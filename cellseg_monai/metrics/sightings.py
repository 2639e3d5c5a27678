"""Scores of a scout."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric

from cellseg_monai.scouting import KINDS, sighting_of

__all__ = ["SightingScore"]

Score = Literal["kind", "diameter_error", "polarity", "both"]


class SightingScore(CumulativeIterationMetric):
    """A score of what a scout says about whole images.

    Args:
        score: "kind" for the share of images whose kind is right; "polarity" for the share of images whose polarity is
            right; "diameter_error" for the median relative error of the diameter; or "both" for the share of images
            whose kind is right and whose diameter is wrong by at most `tolerance`.
        tolerance: largest relative error of a right diameter.

    Images without objects count only for "kind" and "both".
    """

    def __init__(self, score: Score, tolerance: float = 0.2) -> None:
        super().__init__()
        if score not in ("kind", "diameter_error", "polarity", "both"):
            raise ValueError(f"got score={score!r}, expected kind, diameter_error, polarity or both; choose one")
        self.score = score
        self.tolerance = tolerance

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor, **_: Any) -> torch.Tensor:
        """Return the relative error of the diameter (NaN if unknown), and if polarity and kind are right.

        Args:
            y_pred: N×K answers about the views of one image.
            y: N×5 targets; see `training.views.WholeViews`.
        """
        targets = y.numpy(force=True)
        sighting = sighting_of(y_pred.float().numpy(force=True), targets[:, 4])
        log2_diameter, is_dark, kind, is_known, factor = targets[0]
        error = abs(sighting.diameter_px / (2.0**log2_diameter * factor) - 1) if is_known else np.nan
        is_right = list(KINDS)[int(kind)] == sighting.kind
        return torch.tensor([[error, (sighting.dark > 0.5) == bool(is_dark), is_right]])

    def aggregate(self) -> float:
        """Return the score over all images since the last reset."""
        buffer = self.get_buffer()
        if not isinstance(buffer, torch.Tensor):
            raise ValueError("no images have been scored; call the metric with answers and targets first")
        errors, polarities, kinds = buffer.numpy(force=True).T
        is_known = np.isfinite(errors)
        values = {
            "kind": kinds.mean(),
            "polarity": polarities[is_known].mean() if is_known.any() else np.nan,
            "diameter_error": np.median(errors[is_known]) if is_known.any() else np.nan,
            "both": (kinds.astype(bool) & (~is_known | (errors <= self.tolerance))).mean(),
        }
        return float(values[self.score])
