"""The progress bar for a comparison."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from cellseg_monai.comparison.steps import Step
from cellseg_monai.one_line import one_line
from cellseg_monai.text_file import read_text

__all__ = ["Progress"]


class Progress:
    """Progress bar on standard error that counts completed steps and names the running step.

    Args:
        runs: names of the runs, in order.
        steps: number of steps per run.
    """

    def __init__(self, runs: Sequence[str], *, steps: int) -> None:
        self.runs, self.steps, self.step = list(runs), steps, ""
        self._run = ""
        self._bar = tqdm(total=len(runs) * steps, unit="step", file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._advance_to(self._bar.total)
        self._bar.close()

    def start_run(self, name: str) -> None:
        """Show that a run starts. Steps that the previous run did not reach count as complete."""
        self._run = name
        self._advance_to(self.runs.index(name) * self.steps)

    def start_step(self, step: Step) -> None:
        """Show that a step starts, and count the previous step of the run as complete."""
        if self.step:
            self._bar.update()
        self.step = step.name
        self._bar.set_postfix_str("", refresh=False)
        self._bar.set_description(f"{self._run}: {step.name}")

    def show_epochs(self, output_dir: Path, epochs: int) -> None:
        """Show the current epoch if a training step is running; on a terminal, also refresh the elapsed time.

        Args:
            output_dir: folder to which the training step writes.
            epochs: total number of epochs.
        """
        metrics, shown = output_dir / "metrics.csv", self._bar.postfix
        if self.step in ("probing", "training") and metrics.is_file():
            done = len(read_text(metrics).splitlines()) - 1
            self._bar.set_postfix_str(f"epoch {min(done + 1, epochs)}/{epochs}", refresh=False)
        # If standard error is a file, every refresh would add a line to it.
        if self._bar.postfix != shown or sys.stderr.isatty():
            self._bar.refresh()

    def write(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.write(one_line(message), file=sys.stderr)

    def _advance_to(self, done: int) -> None:
        self.step = ""
        self._bar.update(done - self._bar.n)
