"""Guards against a second training in the same folder, crops that are too small, divergence and missing scores.

A loss that is not finite ends the run before bad weights overwrite good ones. The last epoch is always validated,
regardless of `val_interval`. A run can also be validated before its first step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from cellseg_monai.errors import TrainingError
from cellseg_monai.lock import only_one
from cellseg_monai.training.distributed import is_writer

__all__ = ["CropGuard", "DivergenceGuard", "FinalValidation", "FirstValidation", "OneTraining"]

_SIDES = (32, 48, 64, 96, 128, 192, 256, 384, 512)


class OneTraining:
    """A handler that holds a lock on the output folder while the training runs.

    A second training in the folder would move the files of the first aside.

    Args:
        output_dir: output folder of the training.
    """

    def __init__(self, output_dir: str) -> None:
        self.path = Path(output_dir) / "cellseg_monai.lock"
        self._held = ExitStack()

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before all other handlers."""
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.COMPLETED | Events.TERMINATE, self._held.close)
        trainer.add_event_handler(Events.EXCEPTION_RAISED, self._release)

    def _start(self, trainer: Engine) -> None:
        # Ignite ignores an error that a handler sees. This one comes after the handlers that print or close something.
        if not trainer.has_event_handler(_raise, Events.EXCEPTION_RAISED):
            trainer.add_event_handler(Events.EXCEPTION_RAISED, _raise)
        if is_writer():
            self._held.enter_context(only_one(self.path, "training"))

    def _release(self, _: Engine, __: BaseException) -> None:
        self._held.close()


def _raise(_: Engine, error: BaseException) -> None:
    raise error


class CropGuard:
    """A handler that refuses crops on which the network cannot be trained, before anything is written.

    Batch normalisation needs more than one value per channel. If the network reduces a crop to a single pixel, a batch
    of one crop has only one. Such a batch can also be the last of an epoch.

    Args:
        network: the network, with or without a `DistributedDataParallel` wrapper.
        channels: number of channels of its input.
        roi_size: (Y, X) of the crops in pixels.
    """

    def __init__(self, network: torch.nn.Module, channels: int, roi_size: Sequence[int]) -> None:
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.channels = channels
        self.size = tuple(roi_size)

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before the handlers that write files."""
        trainer.add_event_handler(Events.STARTED, self._check)

    def _check(self, trainer: Engine) -> None:
        smallest = smallest_batch(trainer.state.dataloader)
        if (reason := self._fault(smallest, self.size)) is None:
            return
        larger = (side for side in _SIDES if side > min(self.size))
        works = next((side for side in larger if self._fault(smallest, (side, side)) is None), None)
        remedy = "use larger crops" if works is None else f'use at least --roi_size "[{works},{works}]"'
        one = ", or a --batch_size that leaves no crop alone" if smallest == 1 else ""
        raise TrainingError(
            f"got crops of {self.size[0]} × {self.size[1]} px, on which the network cannot be trained in batches of "
            f"{smallest} ({reason}); {remedy}{one}"
        )

    def _fault(self, batch: int, size: Sequence[int]) -> str | None:
        """Return why a batch of crops cannot be processed, or None; the network and random numbers do not change."""
        device = next(self.network.parameters()).device
        network = copy.deepcopy(self.network).train()
        devices = [device] if device.type == "cuda" else []
        with torch.no_grad(), torch.random.fork_rng(devices):
            try:
                network(torch.zeros((batch, self.channels, *size), device=device))
            except torch.OutOfMemoryError:  # larger crops would not help
                raise
            except (ValueError, RuntimeError) as error:
                return str(error).splitlines()[0] if str(error) else type(error).__name__
        return None


def smallest_batch(loader: DataLoader) -> int:
    """Return the number of crops in the smallest batch of an epoch."""
    crops, batch = len(cast("Sized", loader.sampler)), int(loader.batch_size or 1)
    return batch if loader.drop_last else min(crops, crops % batch or batch)


class DivergenceGuard:
    """A handler that ends a run whose loss is no longer finite, before bad weights overwrite good ones.

    Once a weight is NaN, every later loss is NaN too, so checking the last loss of each epoch is enough.
    """

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before all other handlers."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._check)

    def _check(self, trainer: Engine) -> None:
        loss = trainer.state.output["loss"].item()
        if not math.isfinite(loss):
            epoch = trainer.state.epoch
            raise TrainingError(
                f"training has diverged: got a loss of {loss} in epoch {epoch}, expected a finite number; start again "
                f"with a lower --learning_rate (the checkpoints up to epoch {epoch - 1} are intact)"
            )


class FinalValidation:
    """A handler that always validates the last epoch, so that the final network has a score.

    Args:
        validator: the validation engine.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, after its `ValidationHandler`."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)

    def _validate(self, trainer: Engine) -> None:
        epoch = trainer.state.epoch
        if epoch == trainer.state.max_epochs and self.validator.state.epoch != epoch:
            self.validator.run(epoch)


class FirstValidation:
    """A handler that validates the network before its first training step, as epoch 0, for comparison with later ones.

    `History` and `TensorBoardLog` record the scores. The network before training is never the best one, so it is not
    saved. A resumed run is not validated again, because its history has the scores.

    Args:
        validator: the validation engine.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer, before `History` and `TensorBoardLog`."""
        trainer.add_event_handler(Events.EPOCH_STARTED(once=1), self._validate)

    def _validate(self) -> None:
        state = self.validator.state
        best = state.best_metric, state.best_metric_epoch
        self.validator.run()
        state.epoch = 0
        state.best_metric, state.best_metric_epoch = best
