"""What a checkpoint says of itself: its bundle and variants, its network and head, and how images are prepared.

`model.pt` stays a plain state dict, which MONAI's tools load. What it says of itself lies in the state dict's own
metadata, beside the versions that PyTorch keeps there, so that it travels with the file and no tool stumbles on it.
"""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.heads import Head, head_from_mapping
from cellseg_monai.networks import build_network
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.settings import settings_from_mapping
from cellseg_monai.training.checkpoint_file import load_into, read_checkpoint

__all__ = [
    "TrainedNetwork",
    "make_record",
    "read_record",
    "stamped_state",
    "trained_network",
    "trained_preprocess",
]

Record = dict[str, Any]

_KEY = "cellseg_monai"


def make_record(network: torch.nn.Module, said: Mapping[str, Any]) -> Record:
    """What a checkpoint of this network is to say of itself, as plain data.

    Args:
        network: its `definition` is noted, where the function that built it left one.
        said: by the config, such as `bundle`, `variants`, `preprocess`, `roi_size`, `overlap`; dataclasses become
            mappings.
    """
    plain = {name: _plain(value) for name, value in said.items()}
    # Through JSON, so that a tuple off the command line equals a list out of the config.
    return json.loads(json.dumps({**plain, "network": getattr(network, "definition", None)}))


def _plain(value: Any) -> Any:
    if isinstance(value, Head):
        return value.to_mapping()
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def stamped_state(network: torch.nn.Module, record: Record) -> OrderedDict[str, torch.Tensor]:
    """The network's state dict, with the record in its metadata."""
    state = network.state_dict()
    state._metadata[_KEY] = record
    return state


def read_record(state: Mapping[str, Any]) -> Record:
    """What a checkpoint says of itself; empty where it says nothing, as one of another origin.

    Args:
        state: what `model.pt` or `last.pt` holds.
    """
    weights = state.get("network", state)
    return dict(getattr(weights, "_metadata", {}).get(_KEY, {}))


def trained_network(checkpoint: str | PathLike[str]) -> torch.nn.Module:
    """The network of a checkpoint with its weights, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is missing or unreadable, or does not say what network it is of.
    """
    return TrainedNetwork(checkpoint).network.eval()


def trained_preprocess(
    checkpoint: str | PathLike[str],
    *,
    bundle: str | None = None,
    variants: str | Sequence[str] = (),
    preprocess: Preprocessing | None = None,
) -> Preprocessing:
    """How images are prepared for the network of a checkpoint, which is not built for that.

    Args:
        checkpoint: as for `TrainedNetwork`.
        bundle: likewise.
        variants: likewise.
        preprocess: likewise.

    Raises:
        CheckpointError: the file is missing or unreadable, or of another bundle or variant.
    """
    record = read_record(read_checkpoint(checkpoint))
    _check_origin(record, checkpoint, bundle, [variants] if isinstance(variants, str) else variants)
    return _preprocess(record, preprocess, checkpoint)


class TrainedNetwork:
    """A network with its weights, and how images are brought to it, as its checkpoint says.

    Where the checkpoint is of a run of this package, the network is built as it was trained: with its variants and
    with whatever was overridden. What is given here then serves only to refuse what does not fit.

    Args:
        checkpoint: `model.pt`, `last.pt`, or a plain state dict of another origin.
        bundle: the bundle that the checkpoint must be of; None: any.
        variants: the variant, or variants in any order, that it must have been trained with; empty: whatever.
        network: the network where the checkpoint does not say.
        head: the head where it does not say.
        preprocess: how images are prepared where it does not say.
        roi_size: (Y, X) of the sliding window in pixels; None: as trained.
        overlap: of neighbouring windows, 0 to below 1; None: as trained.

    Attributes:
        network: with its weights.
        head: reads the network's answer; None if neither the checkpoint nor the caller says which.
        preprocess: how images are prepared for it.
        roi_size: (Y, X) of the sliding window, in pixels.
        overlap: of neighbouring windows.
        variants: names of the variants that it was trained with.

    Raises:
        CheckpointError: the file is missing or unreadable, or of another bundle, variant or network.
    """

    def __init__(
        self,
        checkpoint: str | PathLike[str],
        *,
        bundle: str | None = None,
        variants: str | Sequence[str] = (),
        network: torch.nn.Module | None = None,
        head: Head | None = None,
        preprocess: Preprocessing | None = None,
        roi_size: Sequence[int] | None = None,
        overlap: float | None = None,
    ) -> None:
        state = read_checkpoint(checkpoint)
        record = read_record(state)
        _check_origin(record, checkpoint, bundle, [variants] if isinstance(variants, str) else variants)
        self.variants = tuple(record.get("variants", ()))
        self.network = _network(record, network, checkpoint)
        load_into(self.network, state, checkpoint)
        self.head = head_from_mapping(record["head"], source=str(checkpoint)) if "head" in record else head
        self.preprocess = _preprocess(record, preprocess, checkpoint)
        self.roi_size = list(roi_size or record.get("roi_size") or _unknown_size(checkpoint))
        self.overlap = float(record.get("overlap", 0.25) if overlap is None else overlap)


def _preprocess(record: Record, otherwise: Preprocessing | None, checkpoint: object) -> Preprocessing:
    if "preprocess" in record:
        return settings_from_mapping(Preprocessing, record["preprocess"], source=str(checkpoint))
    return otherwise or Preprocessing()


def _network(record: Record, otherwise: torch.nn.Module | None, checkpoint: object) -> torch.nn.Module:
    definition = record.get("network")
    if definition is None:
        if otherwise is None:
            raise CheckpointError(f"{checkpoint} does not say what network it is of; train it anew with this package")
        return otherwise
    if otherwise is not None and definition == getattr(otherwise, "definition", None):
        return otherwise
    return build_network(definition)


def _unknown_size(checkpoint: object) -> Sequence[int]:
    raise CheckpointError(
        f'{checkpoint} does not say at what size its network works best; pass --roi_size, such as "[256,256]"'
    )


def _check_origin(record: Record, checkpoint: object, bundle: str | None, variants: Sequence[str]) -> None:
    if not record:
        if variants:
            raise CheckpointError(
                f"{checkpoint} does not say what variant it was trained with, but {_spelt(variants)} was asked for; "
                "leave --variants away"
            )
        return
    if bundle is not None and record["bundle"] != bundle:
        raise CheckpointError(
            f"{checkpoint} is of the bundle {record['bundle']!r}, not {bundle!r}; use the configs of "
            f"{record['bundle']!r}, or a checkpoint of {bundle!r}"
        )
    if variants and sorted(variants) != sorted(record["variants"]):
        raise CheckpointError(
            f"{checkpoint} was trained with {_spelt(record['variants'])}, but {_spelt(variants)} was asked for; "
            "leave --variants away to take it as it was trained, or name the checkpoint of that variant"
        )


def _spelt(variants: Sequence[str]) -> str:
    return "variant " + " + ".join(variants) if variants else "no variant"
