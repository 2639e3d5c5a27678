"""Exponential moving average of a network's weights, which validates better than the weights of any one step."""

from __future__ import annotations

import copy
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

__all__ = ["WeightAverage"]


class WeightAverage:
    """A handler that averages a network's weights during training.

    The average is validated, saved and deployed. After update number n, it moves towards the current weights by
    1 - min(`decay`, n / (n + 9)), so the average of a short training does not depend on the random start. Running
    statistics of normalisation layers are averaged, too.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992, doi:10.1137/0330046.

    Args:
        network: the network in training, with or without a `DistributedDataParallel` wrapper.
        decay: share of the old average that is kept in each step, at least 0 and below 1; 0 to average nothing.

    Raises:
        ValueError: `decay` is not in this range.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"got a decay of {decay}, expected a number from 0 to below 1")
        self.decay = decay
        self.steps = 0
        self._trained = network.module if isinstance(network, DistributedDataParallel) else network
        self.network: torch.nn.Module = network if decay == 0 else copy.deepcopy(self._trained)
        """The averaged network; without averaging, the network in training, with its wrapper."""

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer; `Checkpoint` does this."""
        if self.decay > 0:
            trainer.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    @torch.no_grad()
    def update(self, trainer: Engine | None = None) -> None:
        """Move the average towards the current weights."""
        self.steps += 1
        share = 1 - min(self.decay, self.steps / (self.steps + 9))
        current = self._trained.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name], share)
            else:  # a counter
                average.copy_(current[name])
        if trainer is not None and trainer.state.iteration % trainer.state.epoch_length == 0:
            self._share_statistics()

    def _share_statistics(self) -> None:
        """Give all processes the statistics of the first, which is validated and saved, as in the wrapped network."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for statistics in self.network.buffers():
                torch.distributed.broadcast(statistics, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs in addition to the averaged network: the weights in training."""
        if self.decay == 0:
            return {}
        return {"steps": self.steps, "weights": self._trained.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state after the averaged network has been restored."""
        if self.decay > 0:
            self.steps = state["steps"]
            self._trained.load_state_dict(state["weights"])
