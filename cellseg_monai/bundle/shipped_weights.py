"""Facts about the weights shipped with a bundle: their checksum, fitted settings, scores and training data.

A script writes these facts to `models/weights.json`, while people edit `bundle.json`. With separate files, neither can
overwrite the other's changes. The configs of the bundle are built from both.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.bundle.layout import json_text
from cellseg_monai.bundle.recipe import read_json
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.errors import BundleError
from cellseg_monai.quality import TrainingData
from cellseg_monai.scouting import Certainty
from cellseg_monai.settings import settings_from_mapping

__all__ = ["ShippedWeights", "find_shipped_weights", "postprocess_from_mapping"]

_REMEDY = "write the file with scripts/ship_weights.py"


@dataclass(frozen=True)
class ShippedWeights:
    """The content of a bundle's `models/weights.json`, which describes its weights.

    `scripts/ship_weights.py` writes this file next to the weights. Everything in the file applies only to the weights
    with the given SHA-256.

    Args:
        sha256: SHA-256 of `model.pt`, 64 hexadecimal digits.
        postprocess: the post-processing settings fitted to the weights, or the certainty fitted to those of a scout.
        eval_metrics: scores of the weights by name, such as `dice_mean`.
        training_data: description of the training images, or None if they were not measured.
    """

    sha256: str
    postprocess: Postprocessing | Certainty
    eval_metrics: Mapping[str, float] = field(default_factory=dict)
    training_data: TrainingData | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"got sha256={self.sha256!r}, expected 64 hexadecimal digits in lower case; {_REMEDY}")
        if not isinstance(self.postprocess, Postprocessing | Certainty):
            raise ValueError(f"got postprocess={self.postprocess!r}, expected post-processing settings; {_REMEDY}")
        if not isinstance(self.eval_metrics, Mapping):
            raise ValueError(f"got eval_metrics={self.eval_metrics!r}, expected a number for each name; {_REMEDY}")
        for name, score in self.eval_metrics.items():
            if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
                raise ValueError(f"got the metric {name}={score!r}, expected a finite number; {_REMEDY}")

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> ShippedWeights:
        """Read a `weights.json`.

        Raises:
            BundleError: the file is missing or is not JSON, a name is unknown or missing, or a value is invalid.
        """
        values = read_json(Path(path))
        if not isinstance(values, dict) or not {"sha256", "postprocess"} <= values.keys():
            names = ", ".join(values) if isinstance(values, dict) else f"a {type(values).__name__}"
            raise BundleError(f"{path}: got {names or 'nothing'}, expected at least sha256 and postprocess; {_REMEDY}")
        for name in ("postprocess", "training_data"):
            if name in values and not isinstance(values[name], dict):
                raise BundleError(
                    f"{path}: got {name}={values[name]!r}, expected an object with names and values; {_REMEDY}"
                )
        values["postprocess"] = postprocess_from_mapping(values["postprocess"], source=f"{path}: postprocess")
        if "training_data" in values:
            described = values["training_data"] | {"weights_sha256": values["sha256"]}
            values["training_data"] = settings_from_mapping(TrainingData, described, source=f"{path}: training_data")
        return settings_from_mapping(cls, values, source=str(path))

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write a `weights.json` that `from_json` reads back unchanged. An existing file is replaced."""
        values: dict[str, Any] = {"sha256": self.sha256, "postprocess": self.postprocess.to_mapping()}
        if self.eval_metrics:
            values["eval_metrics"] = dict(self.eval_metrics)
        if self.training_data is not None:
            values["training_data"] = dataclasses.asdict(self.training_data)
            del values["training_data"]["weights_sha256"]  # already at the top of the file
        with replacing(path) as aside:
            aside.write_text(json_text(values), encoding="ascii")


def postprocess_from_mapping(values: Mapping[str, Any], *, source: str) -> Postprocessing | Certainty:
    """Return post-processing settings, or the certainty of a scout, whose settings have a temperature.

    Args:
        values: settings by name.
        source: where the values come from, for error messages.

    Raises:
        BundleError: a setting is unknown or has an invalid value.
    """
    kind = Certainty if "temperature" in values else Postprocessing
    return kind.from_mapping(values, source=source)


def find_shipped_weights(bundle: Path) -> ShippedWeights | None:
    """Return the content of a bundle's `models/weights.json`, or None if the file does not exist.

    Args:
        bundle: the bundle folder.

    Raises:
        BundleError: the file is not a valid `weights.json`.
    """
    path = bundle / "models" / "weights.json"
    return ShippedWeights.from_json(path) if path.is_file() else None
