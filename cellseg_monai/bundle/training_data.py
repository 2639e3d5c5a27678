"""The description of the images on which the weights of a bundle were trained."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.bundle.run import find_bundle
from cellseg_monai.bundle.shipped_weights import find_shipped_weights
from cellseg_monai.quality import TrainingData

__all__ = ["find_training_data"]


def find_training_data(bundle: str | Path) -> TrainingData | None:
    """Return the training data in a bundle's `models/weights.json`; None if it has no such file or entry.

    Args:
        bundle: name or folder of the bundle, or a zip of it.

    Raises:
        BundleError: there is no such bundle, or the file is not a valid `weights.json`.
    """
    shipped = find_shipped_weights(find_bundle(bundle))
    return None if shipped is None else shipped.training_data
