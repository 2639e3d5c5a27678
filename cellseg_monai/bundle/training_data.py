"""What a bundle says of the images that its weights were trained on."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.bundle.run import find_bundle
from cellseg_monai.quality import TrainingData

__all__ = ["find_training_data"]


def find_training_data(bundle: str | Path) -> TrainingData | None:
    """The bundle's `configs/training_data.json`; None where it has none, as bundles without weights have not.

    Args:
        bundle: its name or folder.

    Raises:
        BundleError: no such bundle, or a file that says something else.
    """
    path = find_bundle(bundle) / "configs" / "training_data.json"
    return TrainingData.from_json(path) if path.is_file() else None
