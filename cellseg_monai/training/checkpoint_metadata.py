"""Checkpoint metadata: a description of the network, stored in the same file as its weights.

`model.pt` remains a plain state dict that MONAI's tools can load. The metadata is stored in the state dict's own
`_metadata`, next to PyTorch's version numbers, where other tools ignore it.

The metadata records the bundle, its variants, the network definition, the head, the preparation of images, and the size
and overlap of tiles. Evaluation, inference and export build the network from this description. Nobody has to repeat the
variants and overrides used in training, and a checkpoint cannot run as a different network by mistake.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.heads import BoundaryClassesHead, BoundaryMasksHead, ForegroundHead, Head, head_from_mapping
from cellseg_monai.networks import build_network
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.settings import settings_from_mapping
from cellseg_monai.training.build_limit import BuildLimit
from cellseg_monai.training.checkpoint_file import load_into, read_checkpoint
from cellseg_monai.training.metadata_checks import checked_metadata, checked_weights

__all__ = [
    "TrainedNetwork",
    "make_metadata",
    "read_metadata",
    "state_with_metadata",
    "trained_network",
    "trained_preprocess",
]

logger = logging.getLogger(__name__)

Metadata = dict[str, Any]

_KEY = "cellseg_monai"


def make_metadata(network: torch.nn.Module, values: Mapping[str, Any]) -> Metadata:
    """Return the metadata for a network's checkpoints, as plain data.

    Args:
        network: the network. The metadata includes its `definition`, if it has one; see `networks.definition`.
        values: metadata from the config, such as `bundle`, `variants`, `preprocess`, `head`, `roi_size` and `overlap`.
            Dataclasses are converted to mappings.
    """
    plain = {name: _plain(value) for name, value in values.items()}
    # The round trip through JSON makes a tuple from the command line equal to a list from the config.
    return json.loads(json.dumps({**plain, "network": getattr(network, "definition", None)}))


def _plain(value: Any) -> Any:
    if isinstance(value, Head):
        return value.to_mapping()
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def state_with_metadata(network: torch.nn.Module, metadata: Metadata) -> OrderedDict[str, torch.Tensor]:
    """Return the network's state dict with the metadata attached."""
    state = network.state_dict()
    state._metadata[_KEY] = metadata
    return state


def read_metadata(state: Mapping[str, Any]) -> Metadata:
    """Return a checkpoint's metadata, or an empty dict if another program wrote the checkpoint.

    Args:
        state: contents of a `model.pt` or `last.pt`, as returned by `read_checkpoint`.
    """
    weights = state.get("network", state)
    recorded = getattr(weights, "_metadata", {})
    return recorded.get(_KEY, {}) if isinstance(recorded, Mapping) else {}


def trained_network(checkpoint: str | PathLike[str]) -> torch.nn.Module:
    """Build the network stored in a checkpoint, with its weights, on the CPU and in evaluation mode.

    Args:
        checkpoint: path of a `model.pt` or `last.pt` written by this package.

    Raises:
        CheckpointError: the file is missing or unreadable, or does not describe its network.
    """
    state = read_checkpoint(checkpoint)
    return _loaded(state, checked_metadata(read_metadata(state), checkpoint), None, checkpoint).eval()


def trained_preprocess(
    checkpoint: str | PathLike[str],
    *,
    bundle: str | None = None,
    variants: str | Sequence[str] = (),
    preprocess: Preprocessing | None = None,
) -> Preprocessing:
    """Return the preparation of images that a checkpoint records, without building its network.

    Args:
        checkpoint: path of a `model.pt`, a `last.pt`, or a plain state dict from another program.
        bundle: name of the bundle that the checkpoint must belong to; None accepts any bundle.
        variants: the variants, in any order, that the checkpoint must have been trained with. A string is one variant;
            an empty sequence accepts any.
        preprocess: preparation to return if the checkpoint records none; None means the default `Preprocessing()`.

    Raises:
        CheckpointError: the file is missing or unreadable, or belongs to another bundle or variant.
    """
    metadata = checked_metadata(read_metadata(read_checkpoint(checkpoint)), checkpoint)
    _check_origin(metadata, checkpoint, bundle, [variants] if isinstance(variants, str) else variants)
    return _preprocess(metadata, preprocess, checkpoint)


class TrainedNetwork:
    """A trained network, with everything that is needed to run it, loaded from a checkpoint.

    A checkpoint written by this package yields the network exactly as it was trained, with its variants and overrides.
    The arguments `network`, `head` and `preprocess` only fill in what the checkpoint does not describe.

    Args:
        checkpoint: path of a `model.pt`, a `last.pt`, or a plain state dict from another program.
        bundle: name of the bundle that the checkpoint must belong to; None accepts any bundle.
        variants: the variants, in any order, that the checkpoint must have been trained with. A string is one variant;
            an empty sequence accepts any.
        network: network to use if the checkpoint does not describe one.
        head: head to use if the checkpoint does not describe one.
        preprocess: preparation to use if the checkpoint records none; None means the default `Preprocessing()`.
        roi_size: (Y, X) of the tiles in pixels; None for the size used in training.
        overlap: fraction of a tile shared with its neighbour, at least 0 and below 1; None for the overlap used in
            training.

    Attributes:
        network: the network with its weights.
        head: the head that interprets the network's output, or None if neither the checkpoint nor the caller names one.
        preprocess: preparation of images for the network.
        roi_size: (Y, X) of the tiles in pixels.
        overlap: fraction of a tile shared with its neighbour.
        variants: names of the variants that the network was trained with.

    Raises:
        CheckpointError: the file is missing or unreadable, or belongs to another bundle, variant or network. Also
            raised if neither the checkpoint nor the caller gives the network or `roi_size`.
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
        metadata = checked_metadata(read_metadata(state), checkpoint)
        _check_origin(metadata, checkpoint, bundle, [variants] if isinstance(variants, str) else variants)
        self.variants = tuple(metadata.get("variants", ()))
        self.network = _loaded(state, metadata, network, checkpoint)
        self.head = _head(metadata, head, checkpoint)
        self.preprocess = _preprocess(metadata, preprocess, checkpoint)
        _warn_of_edits(preprocess, self.preprocess, metadata, checkpoint)
        self.roi_size = list(roi_size or metadata.get("roi_size") or _refuse_unknown_size(checkpoint))
        self.overlap = float(metadata.get("overlap", 0.25) if overlap is None else overlap)


def _preprocess(metadata: Metadata, default: Preprocessing | None, checkpoint: object) -> Preprocessing:
    if "preprocess" in metadata:
        return settings_from_mapping(Preprocessing, metadata["preprocess"], source=str(checkpoint))
    return default or Preprocessing()


def _warn_of_edits(
    given: Preprocessing | None, recorded: Preprocessing, metadata: Metadata, checkpoint: object
) -> None:
    """Say that the checkpoint's record is used, if the bundle prepares images in another way.

    A variant can have its own preparation, so with one, a difference says nothing about edits.
    """
    if given is None or given == recorded or metadata.get("variants"):
        return
    used, other = dataclasses.asdict(recorded), dataclasses.asdict(given)
    listed = "; ".join(f"{name} {used[name]!r}, not {other[name]!r}" for name in used if used[name] != other[name])
    logger.warning(
        f"the preprocess.json of the bundle {metadata.get('bundle')} has no effect where it differs from the record of "
        f"how {checkpoint} was trained, which is used: {listed}. To prepare images in another way, train again"
    )


def _loaded(
    state: Mapping[str, Any], metadata: Metadata, default: torch.nn.Module | None, checkpoint: str | PathLike[str]
) -> torch.nn.Module:
    """Build the network of a checkpoint, or take the default if it describes none, and load its weights."""
    with BuildLimit(checked_weights(state, checkpoint), checkpoint):
        network = _network(metadata, default, checkpoint)
    load_into(network, state, checkpoint)
    return network


def _network(metadata: Metadata, default: torch.nn.Module | None, checkpoint: object) -> torch.nn.Module:
    definition = metadata.get("network")
    if definition is None:
        if default is None:
            raise CheckpointError(f"{checkpoint} does not describe its network; repeat the training with this package")
        return default
    if default is not None and definition == getattr(default, "definition", None):
        return default
    return build_network(definition)


def _head(metadata: Metadata, default: Head | None, checkpoint: object) -> Head | None:
    head = head_from_mapping(metadata["head"], source=str(checkpoint)) if "head" in metadata else default
    channels = (metadata.get("network") or {}).get("classes")
    if head is None or channels is None or channels == len(head.channels):
        return head
    if "head" not in metadata and channels == 2:  # a variant trained before checkpoints recorded the head
        if isinstance(head, BoundaryClassesHead):
            return BoundaryMasksHead(head.width)
        if isinstance(head, ForegroundHead):
            return ForegroundHead(softmax=True)
    raise CheckpointError(
        f"the network in {checkpoint} has {channels} output channels, but its head reads {len(head.channels)}: "
        f"{', '.join(head.channels)}; use the bundle that the network was trained with"
    )


def _refuse_unknown_size(checkpoint: object) -> Sequence[int]:
    raise CheckpointError(
        f'{checkpoint} does not record the tile size used in training; pass it, for example --roi_size "[256,256]"'
    )


def _check_origin(metadata: Metadata, checkpoint: object, bundle: str | None, variants: Sequence[str]) -> None:
    if not metadata:
        if variants:
            raise CheckpointError(
                f"{checkpoint} does not record which variant it was trained with, expected {_variant_text(variants)}; "
                "leave out --variants to use the checkpoint anyway"
            )
        return
    if bundle is not None and metadata["bundle"] != bundle:
        raise CheckpointError(
            f"{checkpoint} belongs to the bundle {metadata['bundle']!r}, not {bundle!r}; use the bundle "
            f"{metadata['bundle']!r}, or a checkpoint from {bundle!r}"
        )
    if variants and sorted(variants) != sorted(metadata["variants"]):
        raise CheckpointError(
            f"{checkpoint} was trained with {_variant_text(metadata['variants'])}, expected {_variant_text(variants)}; "
            "leave out --variants to use the network as trained, or pass a checkpoint trained with that variant"
        )


def _variant_text(variants: Sequence[str]) -> str:
    return "variant " + " + ".join(variants) if variants else "no variant"
