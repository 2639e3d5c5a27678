"""Search for the best post-processing settings on annotated images, using the same functions as inference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cellseg_monai.decoding import Maps, Postprocessing, foreground_mask, label_objects
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.scores.bootstrap import bootstrap_interval
from cellseg_monai.scores.counts import over_images
from cellseg_monai.scores.foreground import ForegroundCounts, foreground_counts
from cellseg_monai.scores.matching import ObjectCounts, object_counts

__all__ = ["OBJECTIVES", "Found", "Sweep", "Trial", "check_sweeps", "search_postprocessing"]

OBJECTIVES = ("f1", "f1_50", "dice")


@dataclass(frozen=True)
class Sweep:
    """A setting, the values to try, and the score that the best value maximises.

    Args:
        setting: name of a setting of `Postprocessing` or its method.
        values: values to try, in any order.
        objective: score to maximise. "f1" is the object F1, pooled over images and averaged over the ten IoU
            thresholds; use it for settings that move outlines. "f1_50" is the pooled object F1 at an IoU of 0.5; use it
            for settings that create or remove objects. "dice" is the foreground Dice averaged over images, which
            ignores objects.

    Raises:
        ValueError: the objective is unknown, or there are no values.
    """

    setting: str
    values: tuple[Any, ...]
    objective: str = "f1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if self.objective not in OBJECTIVES:
            raise ValueError(f"got objective {self.objective!r}, expected one of {', '.join(OBJECTIVES)}; choose one")
        if not self.values:
            raise ValueError(f"got no values for {self.setting}, expected at least one; add values, or drop the sweep")


@dataclass(frozen=True)
class Trial:
    """The scores for one value of a setting, while all other settings keep their current values.

    Args:
        round: number of the search round, starting at 1.
        setting: name of the setting that was swept.
        value: value that was tried.
        f1: object F1, pooled over images and averaged over the ten IoU thresholds.
        f1_50: object F1 at an IoU of 0.5, pooled over images.
        dice: foreground Dice, averaged over images.
        iou: foreground IoU, averaged over images.
    """

    round: int
    setting: str
    value: Any
    f1: float
    f1_50: float
    dice: float
    iou: float


@dataclass(frozen=True)
class Found:
    """The result of a search.

    All scores except `f1_before` are those of the best settings.

    Args:
        settings: the best settings.
        trials: all trials, in order.
        f1: object F1, pooled over images and averaged over the ten IoU thresholds.
        f1_interval: 95 % bootstrap interval of `f1` over images; NaN for a single image.
        f1_50: object F1 at an IoU of 0.5, pooled over images.
        dice: foreground Dice, averaged over images.
        f1_before: `f1` with the initial settings.
    """

    settings: Postprocessing
    trials: tuple[Trial, ...]
    f1: float
    f1_interval: tuple[float, float]
    f1_50: float
    dice: float
    f1_before: float


def search_postprocessing(
    images: Sequence[tuple[Maps, np.ndarray]],
    start: Postprocessing,
    sweeps: Iterable[Sweep],
    *,
    rounds: int = 2,
) -> Found:
    """Find the settings that score best on annotated images, by sweeping one setting at a time.

    Five settings with about ten values each take 50 trials per round, while a full grid would take 100,000. Each sweep
    can also be plotted as a curve.

    If several values are equally good, the one nearest to the current setting wins. The search stops after a round that
    changes nothing.

    Args:
        images: pairs of the Y×X maps of an image, by name, and its true label image, which can have another size.
        start: initial settings.
        sweeps: sweeps, in the order in which to run them.
        rounds: maximum number of rounds; every round runs all sweeps.

    Returns:
        The best settings, their scores, and all trials.

    Raises:
        ValueError: there are no images, the maps or labels are invalid, or a sweep does not suit the method.

    >>> maps = {"foreground": np.array([[0.0, 0.45, 0.45, 0.2]])}
    >>> best = search_postprocessing(
    ...     [(maps, np.array([[0, 3, 3, 0]]))], Postprocessing(min_area_px=0), [Sweep("threshold", (0.1, 0.3, 0.5))]
    ... )
    >>> best.settings.threshold, best.f1
    (0.3, 1.0)
    """
    if not images:
        raise ValueError("got no images, expected at least one annotated image; check that the section is not empty")
    # Cached because later rounds repeat many trials of earlier ones.
    scored = cache(lambda settings: _scores(*_counted(images, settings)))
    settings, sweeps, trials = start, list(sweeps), []
    check_sweeps(start, sweeps)
    for number in range(1, rounds + 1):
        before = settings
        for sweep in sweeps:
            candidates = [
                Trial(number, sweep.setting, value, *scored(settings.with_setting(sweep.setting, value)))
                for value in sweep.values
            ]
            trials += candidates
            settings = settings.with_setting(sweep.setting, _best(candidates, sweep.objective, settings))
        if settings == before:
            break
    objects, masks = _counted(images, settings)
    interval = bootstrap_interval(objects, lambda counts: np.mean(counts.f1, axis=-1), over="pooled")
    f1, f1_50, dice, _ = _scores(objects, masks)
    return Found(settings, tuple(trials), f1, interval, f1_50, dice, scored(start)[0])


def check_sweeps(start: Postprocessing, sweeps: Iterable[Sweep]) -> None:
    """Check that all sweeps suit the method, before any work is done.

    Args:
        start: initial settings of the search.
        sweeps: planned sweeps.

    Raises:
        ValueError: a setting does not apply to the method, or a value is invalid.
    """
    for sweep in sweeps:
        for value in sweep.values:
            start.with_setting(sweep.setting, value)


def _best(trials: list[Trial], objective: str, settings: Postprocessing) -> Any:
    best = max(getattr(trial, objective) for trial in trials)
    current = settings.to_mapping()[trials[0].setting]
    winners = [trial.value for trial in trials if getattr(trial, objective) == best]
    if current in winners:
        return current
    return min(winners, key=lambda value: abs(value - current))


def _counted(
    images: Sequence[tuple[Maps, np.ndarray]], settings: Postprocessing
) -> tuple[list[list[ObjectCounts]], list[ForegroundCounts]]:
    objects, masks = [], []
    for maps, truth in images:
        shape = (int(truth.shape[0]), int(truth.shape[1]))
        objects.append(object_counts(label_objects(maps, settings, shape), truth))
        mask = rescale_labels(foreground_mask(np.asarray(maps["foreground"]), settings), shape)
        masks.append(foreground_counts(mask, truth > 0))
    return objects, masks


def _scores(objects: list[list[ObjectCounts]], masks: list[ForegroundCounts]) -> tuple[float, float, float, float]:
    f1 = over_images(objects, "f1", "pooled")
    dice, iou = (float(over_images(masks, name, "mean")) for name in ("dice", "iou"))
    return float(f1.mean()), float(f1[0]), dice, iou
