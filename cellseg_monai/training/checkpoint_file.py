"""Reading and writing checkpoint files, without partial writes and with a clear message for each problem."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import CheckpointError, cause_of
from cellseg_monai.training.metadata_checks import checked_weights

__all__ = ["BEST", "LAST", "fitted_settings", "load_into", "read_checkpoint", "save_checkpoint"]

BEST, LAST = "model.pt", "last.pt"


def fitted_settings(checkpoint: str | PathLike[str]) -> Path:
    """Return the path of the post-processing settings that belong to a checkpoint.

    Each checkpoint has its own settings file, so the settings fitted to one are never used for another. Calibration
    writes this file next to the weights. Training deletes it when a later epoch replaces the weights.

    >>> [fitted_settings(f"run/{name}").name for name in ("model.pt", "last.pt")]
    ['postprocess.json', 'last_postprocess.json']
    """
    path = Path(checkpoint)
    return path.with_name("postprocess.json" if path.name == BEST else f"{path.stem}_postprocess.json")


def save_checkpoint(state: Any, path: str | PathLike[str]) -> None:
    """Write a checkpoint to a temporary file, then rename it, so that a failed write leaves the earlier one intact.

    Args:
        state: anything that `torch.save` can write.
        path: path of the checkpoint. An existing file is replaced.

    Raises:
        CheckpointError: the file cannot be written, for example because the disk is full.
    """
    try:
        with replacing(path) as aside, open(aside, "wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # torch.save turns a full disk into a RuntimeError from its archive writer. The OSError is its cause.
        cause = error.__cause__ or error.__context__ or error
        raise CheckpointError(
            f"cannot write {path}: {cause}; free up some space or check the permissions, then continue with "
            "`--resume True` (any earlier checkpoint at this path is intact)"
        ) from error


def read_checkpoint(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the contents of a checkpoint, with every tensor on the CPU.

    Raises:
        CheckpointError: the file is missing or is not a readable checkpoint.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"no checkpoint at {path}; train the bundle first, or pass `--checkpoint PATH`")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # unpickling arbitrary bytes can raise almost any exception
        # torch advises to load other files with weights_only=False, which would run their code.
        is_unsafe = isinstance(error, UnpicklingError)
        reason = "it is damaged, or holds more than tensors" if is_unsafe else cause_of(error)
        remedy = "download the file again, repeat the training, or pass another file with `--checkpoint PATH`"
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}; {remedy}") from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path} is not a checkpoint: got a {type(state).__name__}, expected a state dict; pass a `model.pt` or "
            "`last.pt`"
        )
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Load the weights from a `model.pt` (a plain state dict) or `last.pt` into a network.

    Args:
        network: the network, changed in place.
        state: contents of the checkpoint, as returned by `read_checkpoint`.
        path: path of the checkpoint, for error messages.

    Raises:
        CheckpointError: the weights belong to another network. `network` is then left unchanged.
    """
    weights = checked_weights(state, path)
    expected = network.state_dict()
    missing, unknown = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    reshaped = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    if missing or unknown or reshaped:
        example = min([*missing, *unknown, *reshaped])
        raise CheckpointError(
            f"{path} belongs to another network: {len(missing)} of the {len(expected)} expected tensors are missing, "
            f"{len(unknown)} are unknown, {len(reshaped)} have another shape (for example {example}); "
            "pass a checkpoint from this bundle, or repeat the settings used in training"
        )
    network.load_state_dict(weights)
