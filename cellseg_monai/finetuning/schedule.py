"""The settings of `train.json` with which a network is fine-tuned, derived from the number of images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cellseg_monai.bundle import check_overrides
from cellseg_monai.errors import BundleError

__all__ = ["check_budget", "check_knobs", "schedule"]

_EPOCHS, _EPOCHS_WITHOUT_VALIDATION = 20, 10
_FEWEST, _MOST = 20, 50  # numbers of images between which epochs become longer with every image
_VALIDATIONS = 20  # most validations per training run, because large images take longer than a short epoch
_LEAST_PATIENCE = 3  # epochs
_RATE, _ENCODER_RATE = 0.5, 0.2  # relative to the rate for training from scratch, and to the rest of the network

# Settings that `finetune` passes itself.
_SET_HERE = ("bundle_root", "datalist", "dataset_dir", "name", "output_dir", "resume", "seed", "start_from", "variants")


def schedule(train: Mapping[str, Any], *, images: int, validated: bool, epochs: int | None) -> dict[str, Any]:
    """Return the settings for fine-tuning.

    The encoder is frozen for the first fifth of the epochs, and then learns at a fifth of the rate of the rest. An
    epoch has as many crops as an ordinary epoch would have for 20 to 50 images. Without validation images, there are
    fewer epochs, none is the best, and the last network is kept.

    Args:
        train: content of the bundle's `train.json`, with the user's overrides.
        images: number of training images.
        validated: True if there are validation images.
        epochs: number of epochs; None to choose it.

    >>> train = {"batch_size": 8, "crops_per_image": 4, "learning_rate": 0.002}
    >>> chosen = schedule(train, images=8, validated=True, epochs=None)
    >>> [chosen[name] for name in ("epochs", "steps_per_epoch", "frozen_epochs", "early_stop", "learning_rate")]
    [20, 10, 4, 7, 0.001]
    """
    if epochs is None:
        epochs = _EPOCHS if validated else _EPOCHS_WITHOUT_VALIDATION
    crops = train["crops_per_image"] * min(max(images, _FEWEST), _MOST)
    interval = math.ceil(epochs / _VALIDATIONS)
    return {
        "epochs": epochs,
        "steps_per_epoch": math.ceil(crops / train["batch_size"]),
        "learning_rate": train["learning_rate"] * _RATE,
        "encoder_rate": _ENCODER_RATE,
        "frozen_epochs": epochs // 5,
        "val_interval": interval if validated else epochs,
        "early_stop": max(_LEAST_PATIENCE, math.ceil(epochs / 3)) if validated else 0,
    }


def check_budget(epochs: int | None, minutes: float | None) -> None:
    """Check the number of epochs and the time for training, of which at most one can be set.

    Raises:
        ValueError: both are set, or the one that is set is not above 0.
    """
    if epochs is not None and minutes is not None:
        raise ValueError(f"got epochs={epochs} and minutes={minutes}, expected at most one of the two; leave one out")
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise ValueError(f"got epochs={epochs!r}, expected a whole number of at least 1, for example --epochs 20")
    is_number = isinstance(minutes, int | float) and not isinstance(minutes, bool)
    if minutes is not None and not (is_number and 0 < minutes < math.inf):
        raise ValueError(f"got minutes={minutes!r}, expected a number above 0, for example --minutes 10")


def check_knobs(knobs: Mapping[str, Any], train: Mapping[str, Any]) -> None:
    """Check overrides of `train.json`.

    Raises:
        BundleError: a name is unknown, or `finetune` sets it itself.
    """
    for name in knobs:
        if name in _SET_HERE:
            raise BundleError(f"--{name} is set by `cellseg finetune` itself; remove this flag")
    check_overrides(knobs, train)
    if "steps_per_epoch" not in train or "encoder_rate" not in train:
        raise BundleError(
            "the train.json of this bundle has no steps_per_epoch or no encoder_rate, so it cannot be fine-tuned; name "
            "a bundle that finds cells, such as nuclei, or build the configs of your own again with "
            "`cellseg bundle build`"
        )
