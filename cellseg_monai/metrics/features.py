"""Metrics of an encoder that is trained without labels."""

from __future__ import annotations

from typing import Any, Literal

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.metrics import compute_embedding_collapse

from cellseg_monai.scores import same_image_share

__all__ = ["FeatureScore", "LossPart"]


class FeatureScore(Metric):
    """A score of the features of all crops in a validation.

    The engine must yield `features` in its prediction, and `image_path` in its batch.

    Args:
        score: "neighbours" for `scores.same_image_share`; or "collapse" for how far all images have become the same,
            from 0 to 1: the worse of two indicators of MONAI's `EmbeddingCollapseMetric`, the similarity of images and
            the rank. It is that of the projections, `views`, if the prediction has any, as these collapse first.

    Raises:
        ValueError: there is no such score.
    """

    def __init__(self, score: Literal["neighbours", "collapse"]) -> None:
        if score not in ("neighbours", "collapse"):
            raise ValueError(f"got score={score!r}, expected neighbours or collapse; choose one")
        self.score = score
        super().__init__()

    def reset(self) -> None:
        """Forget all crops."""
        self._features: list[torch.Tensor] = []
        self._sources: list[str] = []

    def iteration_completed(self, engine: Engine) -> None:
        """Keep the features of a batch."""
        prediction = engine.state.output["pred"]
        features = prediction["features"]
        if self.score == "collapse" and "views" in prediction:
            features = prediction["views"][:, 0]
        self.update((features, engine.state.batch["image_path"]))

    def update(self, output: tuple[torch.Tensor, list[str]]) -> None:
        """Keep the B×F floats that are the features of B crops, and the paths of the B images that they are from."""
        features, sources = output
        self._features.append(features.detach().float().cpu())
        self._sources += list(sources)

    def compute(self) -> float:
        """Return the score of all crops, from 0 to 1; NaN if there are too few, see `same_image_share`."""
        features = torch.cat(self._features)
        if self.score == "neighbours":
            return same_image_share(features.numpy(), self._sources)
        if len(features) < 2:
            return float("nan")
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self._sources))}
        labels = torch.tensor([numbers[name] for name in self._sources])
        indicators = compute_embedding_collapse(
            features, labels, include_indicators=["centroid_similarity", "effective_rank"]
        )
        return float(indicators["aggregate"])


class LossPart(Metric):
    """The mean of a part of a loss over the batches of a validation.

    Args:
        loss: a loss that leaves its parts in an attribute `parts`, by name, after each call.
        part: name of the part.
    """

    def __init__(self, loss: Any, part: str) -> None:
        self.loss, self.part = loss, part
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self._total, self._crops = 0.0, 0

    def iteration_completed(self, engine: Engine) -> None:
        """Compute the loss of a batch."""
        prediction, target = engine.state.output["pred"], engine.state.output["label"]
        self.loss(prediction, target)
        self.update((self.loss.parts.get(self.part), len(target)))

    def update(self, output: tuple[torch.Tensor | None, int]) -> None:
        """Add the mean over a batch, and its number of crops."""
        value, crops = output
        if value is not None:  # a single crop has no contrast
            self._total += float(value) * crops
            self._crops += crops

    def compute(self) -> float:
        """Return the mean over all crops; NaN if the loss has no such part."""
        return self._total / self._crops if self._crops else float("nan")
