"""The folder of one run of a comparison: what was asked, which steps are done, and the result at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.comparison.child import Measured, run_child
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.steps import Step

__all__ = ["RunFolder"]


class RunFolder:
    """Keeps `steps.json`, written after each step, `result.json`, written last, and `log.txt`, the steps' output.

    A step that is done is not done again, and a run that has its result not at all. A training that was killed goes
    on from its last epoch, which is its own affair (`--resume True`).

    Args:
        path: the folder.
        request: what is asked of the run; must be what was asked of it before, see `refusal`.
    """

    def __init__(self, path: Path, request: Request) -> None:
        self.path, self.request = path, request

    @property
    def log(self) -> Path:
        """What the steps printed."""
        return self.path / "log.txt"

    @property
    def epochs(self) -> int | None:
        """How many are to be trained; None as long as that has not been measured."""
        return self._state().get("epochs", self.request.epochs)

    @epochs.setter
    def epochs(self, epochs: int) -> None:
        self._write("steps.json", {**self._state(), "epochs": epochs})

    def refusal(self) -> str | None:
        """Why this folder cannot be gone on with; None if it can."""
        found = self._read("result.json") or self._read("steps.json")
        if found is None:
            if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
                return None
            return f"{self.path} is there, but no comparison made it; use another --output, or delete it"
        differences = self.request.differences(found["request"])
        if not differences:
            return None
        return f"{self.path} is of another request: {'; '.join(differences)}; use another --output, or delete it"

    def result(self) -> dict[str, Any] | None:
        """What was kept of the finished run; None where it has not finished."""
        found = self._read("result.json")
        return None if found is None else found["result"]

    def keep_result(self, result: dict[str, Any]) -> None:
        """Keep the result: from now on the run is finished."""
        self._write("result.json", {"request": self.request.as_json(), "epochs": self.epochs, "result": result})

    def measured(self) -> dict[str, Measured]:
        """What each step took that is done."""
        return {name: Measured(**values) for name, values in self._state()["steps"].items()}

    def run(self, steps: Iterable[Step], *, announce: Callable[[Step], None], tick: Callable[[], None]) -> None:
        """Run those of the steps that are not done yet.

        Args:
            steps: in order.
            announce: called with each step, done or not, before its turn.
            tick: called now and then while a step runs.

        Raises:
            ChildError: a step failed; those before it stay done.
        """
        for step in steps:
            announce(step)
            if step.name in self.measured():
                continue
            # Before it starts: a folder that holds half a training must say what was asked of it.
            self._write("steps.json", self._state())
            took = run_child(step.command, self.log, while_waiting=tick)
            state = self._state()
            self._write("steps.json", {**state, "steps": {**state["steps"], step.name: asdict(took)}})

    def _state(self) -> dict[str, Any]:
        empty = {"request": self.request.as_json(), "epochs": self.request.epochs, "steps": {}}
        return self._read("steps.json") or empty

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        with replacing(self.path / name) as aside:
            aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
