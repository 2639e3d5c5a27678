"""What is asked of each run of a comparison, alike for all of them."""

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
    """Data, budget, seed and knobs: what runs must share to be compared.

    Args:
        dataset: the data set, an absolute path.
        datalist: of its sections, an absolute path; None: what the data set has.
        images: how many there are in each section.
        split: a digest of which image is in which section.
        epochs: of each training; None where minutes are given.
        minutes: of each training; None where epochs are given.
        seed: of each training.
        knobs: what else is overridden in each training.
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
        """In words."""
        if self.minutes is not None:
            return f"the epochs that fit into {self.minutes:g} minutes of training"
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'} of training"

    def as_json(self) -> dict[str, Any]:
        """As plain data, which equal requests have equal."""
        return asdict(self)

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """What another request, as plain data, has otherwise: `name was ..., now ...`."""
        mine = self.as_json()
        differing = [name for name in mine if other.get(name) != mine[name]]
        if differing == ["split"]:
            return ["its images were distributed otherwise over training, validation and test"]
        return [f"{name} was {other.get(name)!r}, now {mine[name]!r}" for name in differing if name != "split"]


def make_request(
    dataset_dir: str | Path,
    *,
    epochs: int | None,
    minutes: float | None,
    seed: int,
    datalist: str | Path | None,
    knobs: Mapping[str, Any],
) -> Request:
    """A request whose data set is there, with labelled images in every section.

    Raises:
        DatasetError: the data set cannot be used.
        ValueError: both or neither of epochs and minutes came, or one that is no budget.
    """
    if (epochs is None) == (minutes is None):
        raise ValueError(f"epochs={epochs} and minutes={minutes} came, but exactly one was expected: --epochs 5, say")
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise ValueError(f"epochs={epochs!r} came, but a whole number from 1 was expected")
    if minutes is not None and not (
        isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 < minutes < math.inf
    ):
        raise ValueError(f"minutes={minutes!r} came, but a number above 0 was expected")
    dataset, listed = os.path.abspath(dataset_dir), None if datalist is None else os.path.abspath(datalist)
    split_seed = int(knobs.get("split_seed", 0))
    sections = {section: section_items(dataset, section, listed, split_seed) for section in SECTIONS}
    names = [[Path(item["image"]).name for item in items] for items in sections.values()]
    return Request(
        dataset=dataset,
        datalist=listed,
        images={section: len(items) for section, items in sections.items()},
        split=hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16],
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        # Through JSON, so that a tuple off the command line equals the list of a file.
        knobs=json.loads(json.dumps(dict(knobs))),
    )
