"""Checkpoint files: written completely or not at all, and read with an explicit error for every fault."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import CheckpointError

__all__ = ["BEST", "LAST", "fitted_settings", "load_into", "read_checkpoint", "save_checkpoint"]

BEST, LAST = "model.pt", "last.pt"


def fitted_settings(checkpoint: str | PathLike[str]) -> Path:
    """Return the path of the post-processing settings that were fitted to a checkpoint.

    Each checkpoint has its own file, so that the settings of one are never used for another. Calibration writes it next
    to the weights, and a training that replaces the weights by those of a better epoch removes it.

    >>> [fitted_settings(f"run/{name}").name for name in ("model.pt", "last.pt")]
    ['postprocess.json', 'last_postprocess.json']
    """
    path = Path(checkpoint)
    return path.with_name("postprocess.json" if path.name == BEST else f"{path.stem}_postprocess.json")


def save_checkpoint(state: Any, path: str | PathLike[str]) -> None:
    """Write a checkpoint to a temporary file and rename it, so that an earlier one stays intact until then.

    Raises:
        CheckpointError: the file could not be written (disk full, no permission). An earlier checkpoint is untouched.
    """
    try:
        with replacing(path) as aside, open(aside, "wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError from its archive writer, with the OSError as its cause.
        cause = error.__cause__ or error.__context__ or error
        raise CheckpointError(
            f"cannot write {path}: {cause}; free some space or check the permissions, then continue with "
            "`--resume True` (an earlier checkpoint at this path is untouched)"
        ) from error


def read_checkpoint(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the contents of a checkpoint, with all tensors on the CPU.

    Raises:
        CheckpointError: the file is missing or is not a checkpoint.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"no checkpoint at {path}; train first, or pass one with `--checkpoint PATH`")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # unpickling a file that is not a pickle can raise nearly anything
        reason = f"{type(error).__name__} {error}".splitlines()[0].strip()
        remedy = "download or train it again, or pass another with `--checkpoint PATH`"
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}; {remedy}") from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path} holds a {type(state).__name__}, expected the state of a network; pass a `model.pt` or `last.pt`"
        )
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Load the weights of `model.pt` (a plain state dict) or `last.pt` into a network: all of them, or none.

    Args:
        network: the network, changed in place.
        state: contents of the checkpoint, from `read_checkpoint`.
        path: path of the checkpoint, for the message.

    Raises:
        CheckpointError: the weights belong to another network. `network` is then unchanged.
    """
    weights = state["network"] if set(state) >= {"network", "optimizer", "epoch"} else state
    expected = network.state_dict()
    missing, unknown = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    reshaped = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    if missing or unknown or reshaped:
        example = min([*missing, *unknown, *reshaped])
        raise CheckpointError(
            f"{path} belongs to another network: {len(missing)} of the {len(expected)} tensors expected are missing, "
            f"{len(unknown)} are unknown, {len(reshaped)} have another shape (such as {example}); "
            "pass a checkpoint of this bundle, or the settings that it was trained with"
        )
    network.load_state_dict(weights)
