"""Training a scout: random views of annotated images, their loss, and whole images for validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from cellseg_monai.data import Item
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import objects_are_dark, typical_diameter_px
from cellseg_monai.scouting import KINDS, NONE, views_of
from cellseg_monai.scouting.random_views import Sample, random_foreign_view, random_view, sample_of
from cellseg_monai.scouting.scout import visible_channels

__all__ = ["RandomViews", "ScoutLoss", "WholeViews"]

_LOG_VARIANCES = (-6.0, 3.0)
_EMPTY_WEIGHT = 0.2  # of the kind in views without objects, which could be anything


class RandomViews(Dataset):
    """Random views of images, each with what a scout should say about it; see `random_views.random_view`.

    Args:
        data: items with a tag `kind`, one of `scouting.KINDS`. Images of the kind "none" need no label.
        drawn: share of views that show a drawn picture instead, which is no microscope image.
        seed: seed of the views. Together with the epoch, the image and the number of the view, it determines every
            random choice.
    """

    def __init__(self, data: Sequence[Item], drawn: float = 0.12, seed: int = 0) -> None:
        self.data = list(data)
        self.drawn = drawn
        self.seed = seed
        self._samples: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: tuple[int, int, int] | int) -> dict[str, torch.Tensor]:
        """Return the view with the key (epoch, image, number), 3×Y×X, and its target."""
        epoch, index, number = (0, key, 0) if isinstance(key, int) else key
        generator = np.random.default_rng([self.seed, epoch, index, number])
        if generator.random() < self.drawn:
            view, target = random_foreign_view(generator)
        else:
            sample = self._sample(index)
            if sample.kind == NONE:
                view, target = random_foreign_view(
                    generator, np.broadcast_to(sample.pixels, (3, *sample.objects.shape))
                )
            else:
                view, target = random_view(sample, generator)
        return {"image": torch.from_numpy(np.ascontiguousarray(view)), "label": torch.from_numpy(target)}

    def _sample(self, index: int) -> Sample:
        if index not in self._samples:
            pixels, labels, kind = _loaded(self.data[index])
            self._samples[index] = sample_of(pixels, labels, kind)
        return self._samples[index]


class WholeViews(Dataset):
    """The views of whole images, as in inference, each with what a scout should say about it.

    Args:
        data: items with a tag `kind`; see `RandomViews`.
        known: False for images of which nothing is known.
    """

    def __init__(self, data: Sequence[Item], known: bool = True) -> None:
        self.data = list(data)
        self.known = known

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return the views of an image, N×3×Y×X, and N×5 targets, the last of which is the factor of the view."""
        item = self.data[index]
        if self.known:
            pixels, labels, kind = _loaded(item)
            diameter, is_dark = typical_diameter_px(labels), objects_are_dark(pixels.mean(axis=0), labels)
            number = list(KINDS).index(kind)
        else:
            pixels, diameter, is_dark, number = _pixels(item), math.nan, False, -1
        views = views_of(lambda rows, columns: pixels[:, rows, columns], (pixels.shape[1], pixels.shape[2]))
        is_known = diameter > 0
        targets = [
            [math.log2(diameter / view.factor) if is_known else 0, is_dark, number, is_known, view.factor]
            for view in views
        ]
        return {
            "image": torch.from_numpy(np.stack([view.pixels for view in views])),
            "label": torch.tensor(targets, dtype=torch.float32),
        }


def _pixels(item: Item) -> np.ndarray:
    """Return the visible channels of an image."""
    image = read(item["image"])
    if image.axes != "CYX":
        raise DatasetError(f"{item['image']}: got a stack, expected one plane; save each plane as a separate file")
    return visible_channels(image.pixels, image.channel_names)


def _loaded(item: Item) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the visible channels of an image, its labels and its kind."""
    kind = item.get("tags", {}).get("kind")
    if kind not in KINDS:
        raise DatasetError(
            f"{item['image']}: got kind={kind!r}, expected one of {', '.join(KINDS)}; set the tag `kind`"
        )
    pixels = _pixels(item)
    if "label" in item:
        return pixels, read_labels(item["label"]), str(kind)
    if kind != NONE:
        raise DatasetError(f"{item['image']}: an image of the kind {kind} needs a label; add it to the datalist")
    return pixels, np.zeros(pixels.shape[1:], np.uint8), NONE


class ScoutLoss(nn.Module):
    """The loss of a scout: of the diameter with its uncertainty, of the polarity, and of the kind.

    The logarithm of the diameter has a Gaussian likelihood whose variance the network predicts, weighted by the
    standard deviation so that uncertain views are still learnt (Seitzer et al. 2022, "On the pitfalls of
    heteroscedastic uncertainty estimation", arXiv 2203.09168). Diameter and polarity count only where they are known.

    Args:
        polarity: weight of the polarity.
        smoothing: share of certainty that is spread over the other kinds.
    """

    def __init__(self, polarity: float = 0.3, smoothing: float = 0.02) -> None:
        super().__init__()
        self.polarity, self.smoothing = polarity, smoothing

    def forward(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of B×K answers (see `scouting.OUTPUTS`) and B×4 targets."""
        answers = answers.float()
        is_known = targets[:, 3] > 0
        kinds = targets[:, 2].long()
        weights = torch.where(is_known | (kinds == list(KINDS).index(NONE)), 1.0, _EMPTY_WEIGHT)
        of_kind = F.cross_entropy(answers[:, 3:], kinds, reduction="none", label_smoothing=self.smoothing)
        loss = (weights * of_kind).sum() / weights.sum()
        if is_known.any():
            log_variance = answers[is_known, 1].clamp(*_LOG_VARIANCES)
            squares = (answers[is_known, 0] - targets[is_known, 0]) ** 2
            likelihood = 0.5 * (squares * torch.exp(-log_variance) + log_variance)
            loss = loss + (likelihood * torch.exp(log_variance.detach() / 2)).mean()
            polarity = F.binary_cross_entropy_with_logits(answers[is_known, 2], targets[is_known, 1])
            loss = loss + self.polarity * polarity
        return loss
