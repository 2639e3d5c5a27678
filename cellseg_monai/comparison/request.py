"""The settings that all runs in a comparison share."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cellseg_monai.data import section_items
from cellseg_monai.data.split import SECTIONS

__all__ = ["Request", "make_request"]


@dataclass(frozen=True)
class Request:
    """Data, budget, seed and knobs: everything that runs must share to be comparable.

    Args:
        dataset: absolute path of the data set.
        datalist: absolute path of the datalist that replaces the data set's own sections, or None.
        images: number of images in each section.
        split: digest of the assignment of images to sections.
        epochs: number of training epochs per run; None if the budget is `minutes`.
        minutes: training time per run in minutes; None if the budget is `epochs`.
        seed: random seed for every run.
        knobs: further training settings to override in every run.
    """

    dataset: str
    datalist: str | None
    images: dict[str, int]
    split: str
    epochs: int | None
    minutes: float | None
    seed: int
    knobs: dict[str, Any] = field(default_factory=dict)

    @property
    def budget(self) -> str:
        """The training budget of a run, in words."""
        if self.minutes is not None:
            return f"the epochs that fit into {self.minutes:g} minutes of training"
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'} of training"

    def as_json(self) -> dict[str, Any]:
        """Return the request as a JSON-compatible dict."""
        return asdict(self)

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Describe each difference from an earlier request, as in "seed was 0, now 1".

        Args:
            other: the earlier request, as returned by `as_json`.
        """
        own = self.as_json()
        differing = [name for name in own if other.get(name) != own[name]]
        if differing == ["split"]:
            return ["its images were assigned differently to training, validation and test"]
        return [f"{name} was {other.get(name)!r}, now {own[name]!r}" for name in differing if name != "split"]


def make_request(
    dataset_dir: str | Path,
    *,
    epochs: int | None,
    minutes: float | None,
    seed: int,
    datalist: str | Path | None,
    knobs: Mapping[str, Any],
) -> Request:
    """Make a request after checking its budget and its data set, which must have labelled images in every section.

    Args:
        dataset_dir: the data set folder.
        epochs: number of training epochs per run, or None.
        minutes: training time per run in minutes, or None.
        seed: random seed for every run.
        datalist: datalist that replaces the data set's own sections; None to use the data set's own.
        knobs: further training settings to override in every run.

    Raises:
        DatasetError: the data set cannot be used.
        ValueError: `epochs` and `minutes` are both None or both set, or the one that is set is invalid.
    """
    if (epochs is None) == (minutes is None):
        raise ValueError(
            f"got epochs={epochs} and minutes={minutes}, expected exactly one of the two, for example --epochs 5"
        )
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise ValueError(f"got epochs={epochs!r}, expected a whole number of at least 1, for example --epochs 5")
    if minutes is not None and not (
        isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 < minutes < math.inf
    ):
        raise ValueError(f"got minutes={minutes!r}, expected a number above 0, for example --minutes 30")
    dataset, datalist_path = os.path.abspath(dataset_dir), None if datalist is None else os.path.abspath(datalist)
    split_seed = int(knobs.get("split_seed", 0))
    sections = {section: section_items(dataset, section, datalist_path, split_seed) for section in SECTIONS}
    names = [[Path(item["image"]).name for item in items] for items in sections.values()]
    return Request(
        dataset=dataset,
        datalist=datalist_path,
        images={section: len(items) for section, items in sections.items()},
        split=hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16],
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        # The detour through JSON turns tuples from the command line into lists, as in the files of earlier runs.
        knobs=json.loads(json.dumps(dict(knobs))),
    )
