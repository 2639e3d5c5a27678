"""The bundles that a run used: one, or several among which one was chosen for each image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cellseg_monai.inference.choices import settings_of_choice
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import TrainingData

__all__ = ["UsedBundles"]


@dataclass(frozen=True, eq=False)
class UsedBundles:
    """The bundles that a run used, as its record describes them.

    Args:
        about: the entry `about` of the record for each bundle, by name; the name is "" if the run used only one bundle.
        training_data: descriptions of the data on which the bundles were trained, as far as they are known.
    """

    about: Mapping[str, Mapping[str, Any]]
    training_data: Mapping[str, TrainingData]

    @classmethod
    def of(cls, about: Mapping[str, Any], descriptions: Iterable[TrainingData]) -> UsedBundles:
        """Return the bundles of a run.

        Args:
            about: the entry `about` of the record.
            descriptions: descriptions of training data; those that belong to other weights are left out.
        """
        bundles = about.get("bundles") or {"": about}
        of_weights = {description.weights_sha256: description for description in descriptions}
        weights = {name: own["bundle"]["weights_sha256"] for name, own in bundles.items()}
        return cls(bundles, {name: of_weights[sha256] for name, sha256 in weights.items() if sha256 in of_weights})

    @property
    def names(self) -> tuple[str, ...]:
        """Name and version of each bundle."""
        return tuple(f"{own['bundle']['name']} {own['bundle']['version']}" for own in self.about.values())

    @property
    def has_tta(self) -> bool:
        """True if the run used test-time augmentation."""
        return any(own["tta"] for own in self.about.values())

    def settings(self, choice: Mapping[str, Any]) -> Preprocessing:
        """Return how a plane was prepared for the network.

        Args:
            choice: how the bundle was chosen for the plane; empty if it was fixed. See `Pipeline.choice`.

        Raises:
            ValueError: the record does not describe the bundle.
        """
        return settings_of_choice(Preprocessing(**self._of(choice)["preprocess"]), choice)

    def training(self, choice: Mapping[str, Any]) -> TrainingData | None:
        """Return the description of the data on which the bundle of a plane was trained, or None if unknown."""
        return self.training_data.get(self._name(choice))

    def _name(self, choice: Mapping[str, Any]) -> str:
        return "" if "" in self.about else str(choice.get("bundle"))

    def _of(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        name = self._name(choice)
        if name not in self.about:
            raise ValueError(
                f"the record of the run does not describe the bundle {name!r}; pass the run.json as written"
            )
        return self.about[name]
