"""Starting a training from weights instead of random numbers."""

from __future__ import annotations

import logging
from os import PathLike

import torch

from cellseg_monai.training.checkpoint_file import load_into, read_checkpoint
from cellseg_monai.training.input_channels import fitted_to_channels
from cellseg_monai.training.metadata_checks import checked_weights

__all__ = ["started_from"]

logger = logging.getLogger(__name__)


def started_from(network: torch.nn.Module, checkpoint: str | PathLike[str] | None) -> torch.nn.Module:
    """Return the network with the weights in a checkpoint.

    The weights can be from a network for grey images even if this one takes colour, and the other way round; see
    `fitted_to_channels`.

    Args:
        network: the network, changed in place.
        checkpoint: a `model.pt` or `last.pt`; None to keep the network as it is.

    Raises:
        CheckpointError: the file is not a readable checkpoint, or belongs to another network.
    """
    if checkpoint is not None:
        weights = checked_weights(read_checkpoint(checkpoint), checkpoint)
        load_into(network, fitted_to_channels(weights, network), checkpoint)
        logger.info(f"starting from the weights in {checkpoint}")
    return network
