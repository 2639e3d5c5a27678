"""Progress bars for training, evaluation and inference."""

from __future__ import annotations

import sys

from ignite.engine import Engine, Events
from tqdm import tqdm

from cellseg_monai.training.distributed import is_writer

__all__ = ["EvaluationProgress", "TrainingProgress"]


class TrainingProgress:
    """A progress bar for a whole training run, with the loss, the best validation score and the time left.

    Args:
        evaluator: the validation engine, whose key metric the bar shows.
    """

    def __init__(self, evaluator: Engine) -> None:
        self.evaluator = evaluator

    def attach(self, trainer: Engine) -> None:
        """Register this handler with the trainer."""
        if not is_writer():
            return
        # At STARTED, a resumed run has not restored its iteration yet, so open the bar at EPOCH_STARTED.
        trainer.add_event_handler(Events.EPOCH_STARTED, self._open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        trainer.add_event_handler(Events.COMPLETED, self._close)
        trainer.add_event_handler(Events.TERMINATE, self._close)
        trainer.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        self._bar: tqdm | None = None

    def _open(self, trainer: Engine) -> None:
        if self._bar is None:
            length, done = trainer.state.epoch_length, trainer.state.epoch - 1
            self._bar = tqdm(total=trainer.state.max_epochs * length, initial=done * length, unit="it", file=sys.stderr)
        self._bar.set_description(f"epoch {trainer.state.epoch}/{trainer.state.max_epochs}")

    def _advance(self, trainer: Engine) -> None:
        assert self._bar is not None
        self._bar.update()
        # Reading the loss stalls the GPU, so read it only when tqdm redraws the bar.
        if self._bar.n >= self._bar.last_print_n + self._bar.miniters or self._bar.n == self._bar.total:
            values = {"loss": f"{trainer.state.output['loss'].item():.4f}"}
            if self.evaluator.state.best_metric_epoch > 0:
                values[f"best {self.evaluator.state.key_metric_name}"] = f"{self.evaluator.state.best_metric:.4f}"
            self._bar.set_postfix(values, refresh=False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _fail(self, trainer: Engine, error: BaseException) -> None:
        # An open bar would be redrawn below the error message. Ignite considers an exception handled if any handler
        # listens to EXCEPTION_RAISED, so raise it again.
        self._close()
        raise error


class EvaluationProgress:
    """A progress bar for evaluation and inference, with the number of images done and the time left."""

    def attach(self, evaluator: Engine) -> None:
        """Register this handler with the evaluator."""
        if not is_writer():
            return
        evaluator.add_event_handler(Events.STARTED, self._open)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        evaluator.add_event_handler(Events.COMPLETED, self._close)
        evaluator.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    def _open(self, evaluator: Engine) -> None:
        self._bar = tqdm(total=evaluator.state.epoch_length, unit="image", file=sys.stderr)

    def _advance(self) -> None:
        self._bar.update()

    def _close(self) -> None:
        self._bar.close()

    def _fail(self, evaluator: Engine, error: BaseException) -> None:
        self._close()
        raise error
