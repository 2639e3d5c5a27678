"""The description of the images that a bundle's weights were trained on."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.bundle.locate import find_bundle
from cellseg_monai.bundle.shipped_weights import find_shipped_weights
from cellseg_monai.quality import TrainingData

__all__ = ["find_training_data"]


def find_training_data(bundle: str | Path) -> TrainingData | None:
    """Return the description of the training data from a bundle's `models/weights.json`.

    Args:
        bundle: name, folder or zip of the bundle.

    Returns:
        The description, or None if the bundle has no `weights.json` or the file does not describe the training data.

    Raises:
        BundleError: the bundle does not exist, or its `weights.json` is invalid.
    """
    shipped = find_shipped_weights(find_bundle(bundle))
    return None if shipped is None else shipped.training_data
