"""Training a network's encoder more gently than the rest, which keeps what it learnt from many other images."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

from cellseg_monai.errors import TrainingError
from cellseg_monai.networks import encoder_parameters

__all__ = ["FrozenEncoder", "parameter_groups"]


def parameter_groups(network: torch.nn.Module, learning_rate: float, encoder_rate: float = 1.0) -> list[dict[str, Any]]:
    """Return the parameters of a network for an optimiser, with a learning rate of its own for the encoder.

    Args:
        network: the network.
        learning_rate: learning rate of the decoder.
        encoder_rate: learning rate of the encoder, as a fraction of `learning_rate`. With 1, all parameters are one
            group, and the network need not have an encoder.

    Raises:
        ValueError: the fraction is not above 0.
        BundleError: the fraction is not 1, and it is not known which part of the network is its encoder.

    >>> from cellseg_monai.networks import unet
    >>> [group["lr"] for group in parameter_groups(unet(channels=(2, 4)), 0.01, encoder_rate=0.5)]
    [0.01, 0.005]
    """
    if not encoder_rate > 0:
        raise ValueError(
            f"got encoder_rate={encoder_rate}, expected a fraction above 0; to leave the encoder as it is, pass a "
            "--frozen_epochs that is as large as --epochs"
        )
    if encoder_rate == 1:
        return [{"params": list(network.parameters()), "lr": learning_rate}]
    encoder = encoder_parameters(network)
    in_encoder = {id(parameter) for parameter in encoder}
    others = [parameter for parameter in network.parameters() if id(parameter) not in in_encoder]
    return [{"params": others, "lr": learning_rate}, {"params": encoder, "lr": learning_rate * encoder_rate}]


class FrozenEncoder:
    """A handler that leaves the weights of the encoder unchanged in the first epochs.

    A new decoder, or one that meets images of a new kind, first makes large errors. Their gradients would spoil an
    encoder that is already good. The statistics of normalisation layers follow the new images from the first step.

    Args:
        network: the network.
        epochs: number of epochs without changes to the encoder; 0 to train the whole network from the start.

    Raises:
        BundleError: `epochs` is above 0, and it is not known which part of the network is its encoder.
        TrainingError: `epochs` is above 0 in a training run with several processes, which wait for all gradients.
    """

    def __init__(self, network: torch.nn.Module, epochs: int) -> None:
        if epochs > 0 and isinstance(network, DistributedDataParallel):
            raise TrainingError(
                f"got frozen_epochs={epochs} with several processes, expected 0; pass --frozen_epochs 0, or train in "
                "one process"
            )
        self.parameters = encoder_parameters(network) if epochs > 0 else []
        self.epochs = epochs

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self._set)

    def _set(self, trainer: Engine) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(trainer.state.epoch > self.epochs)
