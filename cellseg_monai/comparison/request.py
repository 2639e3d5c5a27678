"""The request of a comparison, which is the same for all of its runs."""

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
        datalist: absolute path of the data list with its sections; None for the data set's own.
        images: number of images in each section.
        split: digest of which image is in which section.
        epochs: number of epochs of each training; None if `minutes` is given.
        minutes: duration of each training; None if `epochs` is given.
        seed: seed of each training.
        knobs: further overrides of each training.
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
        """The budget of each training, in words."""
        if self.minutes is not None:
            return f"the epochs that fit into {self.minutes:g} minutes of training"
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'} of training"

    def as_json(self) -> dict[str, Any]:
        """Return the request as plain data, which is equal for equal requests."""
        return asdict(self)

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Describe each difference to an earlier request as `name was ..., now ...`.

        Args:
            other: the earlier request, as plain data.
        """
        own = self.as_json()
        differing = [name for name in own if other.get(name) != own[name]]
        if differing == ["split"]:
            return ["its images were split differently into training, validation and test"]
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
    """Make a request, and check that its data set exists and has labelled images in every section.

    Args:
        dataset_dir: folder of the data set.
        epochs: number of epochs of each training, or None.
        minutes: duration of each training, or None.
        seed: seed of each training.
        datalist: data list with the sections of the data set; None for the data set's own.
        knobs: further overrides of each training.

    Raises:
        DatasetError: the data set cannot be used.
        ValueError: both or neither of `epochs` and `minutes` are given, or the one given is not a valid budget.
    """
    if (epochs is None) == (minutes is None):
        raise ValueError(
            f"got epochs={epochs} and minutes={minutes}, expected exactly one; pass one, such as --epochs 5"
        )
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise ValueError(f"got epochs={epochs!r}, expected a whole number of at least 1; correct --epochs")
    if minutes is not None and not (
        isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 < minutes < math.inf
    ):
        raise ValueError(f"got minutes={minutes!r}, expected a number above 0; correct --minutes")
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
        # Through JSON, so that a tuple from the command line equals the list in a file.
        knobs=json.loads(json.dumps(dict(knobs))),
    )
