"""Checkpoint files: written whole or not at all, read with every fault named."""

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
    """Where the settings of post-processing that were fitted to a checkpoint lie.

    Each checkpoint has a file of its own, that the settings of one are never used for another.

    >>> [fitted_settings(f"run/{name}").name for name in ("model.pt", "last.pt")]
    ['postprocess.json', 'last_postprocess.json']
    """
    path = Path(checkpoint)
    return path.with_name("postprocess.json" if path.name == BEST else f"{path.stem}_postprocess.json")


def save_checkpoint(state: Any, path: str | PathLike[str]) -> None:
    """Write a checkpoint aside, then rename it: what stood there stays whole until the new one is.

    Raises:
        CheckpointError: nothing could be written (disk full, no permission); what stood there is untouched.
    """
    try:
        with replacing(path) as aside, open(aside, "wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError of its archive writer, with the OSError as its cause.
        cause = error.__cause__ or error.__context__ or error
        raise CheckpointError(
            f"cannot write {path}: {cause}; free some space or check the permissions, then continue with "
            "`--resume True` (an earlier checkpoint there, if any, is untouched)"
        ) from error


def read_checkpoint(path: str | PathLike[str]) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU.

    Raises:
        CheckpointError: the file is missing or is no checkpoint.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"no checkpoint at {path}; train first, or name one with `--checkpoint PATH`")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # unpickling what is no pickle raises nearly anything
        reason = f"{type(error).__name__} {error}".splitlines()[0].strip()
        remedy = "fetch or train it again, or name another by `--checkpoint PATH`"
        raise CheckpointError(f"{path} is not a checkpoint that can be read: {reason}; {remedy}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not the state of a network")
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Load the weights of `model.pt` (a plain state dict) or `last.pt` into a network, all of them or none.

    Args:
        network: is changed.
        state: as `read_checkpoint` gives it.
        path: where it comes from, for the message.

    Raises:
        CheckpointError: they belong to another network, which is left as it was.
    """
    weights = state["network"] if set(state) >= {"network", "optimizer", "epoch"} else state
    expected = network.state_dict()
    missing, unknown = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    other = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    if missing or unknown or other:
        example = min([*missing, *unknown, *other])
        raise CheckpointError(
            f"{path} is of another network: {len(missing)} of its {len(expected)} tensors are missing, "
            f"{len(unknown)} are unknown, {len(other)} have another shape (such as {example}); "
            "give the checkpoint of this bundle, or the settings that it was trained with"
        )
    network.load_state_dict(weights)
