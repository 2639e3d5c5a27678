"""The folder for one run in a comparison, with records of its request, its completed steps and its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.comparison.child import Usage, run_child
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.steps import Step
from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import read_text

__all__ = ["TrainingFolder"]


class TrainingFolder:
    """The folder in which a run trains and evaluates its bundle.

    The folder contains `steps.json`, updated after each step, `result.json`, written at the end, and `log.txt` with the
    output of the steps. Completed steps are not repeated. If training was killed, it resumes after the last complete
    epoch (`--resume True`).

    Args:
        path: path of the folder.
        request: the request of the comparison. It must equal that of any earlier comparison in this folder; see
            `refusal`.
        code_sha256: SHA-256 of the bundle's configs and code; None for a bundle that ships with this package.
    """

    def __init__(self, path: Path, request: Request, *, code_sha256: str | None = None) -> None:
        self.path, self.request, self.code_sha256 = path, request, code_sha256

    @property
    def log(self) -> Path:
        """Log file with the output of the steps."""
        return self.path / "log.txt"

    @property
    def epochs(self) -> int | None:
        """Number of epochs to train; None until a trial has determined it."""
        return self._state().get("epochs", self.request.epochs)

    @epochs.setter
    def epochs(self, epochs: int) -> None:
        self._write("steps.json", {**self._state(), "epochs": epochs})

    def refusal(self) -> str | None:
        """Return the reason why this folder cannot be used for the request, or None if it can."""
        earlier = self._read("result.json") or self._read("steps.json")
        if earlier is None:
            if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
                return None
            return f"{self.path} already exists and is not from a comparison; choose another --output or delete it"
        differences = self.request.differences(earlier["request"])
        if earlier.get("code_sha256") != self.code_sha256:
            differences.append("the configs or the code of its bundle were others")
        if not differences:
            return None
        return (
            f"{self.path} was made with other settings: {'; '.join(differences)}; choose another --output, or delete it"
        )

    def result(self) -> dict[str, Any] | None:
        """Return the stored result, or None if the run has not finished."""
        content = self._read("result.json")
        return None if content is None else content["result"]

    def keep_result(self, result: dict[str, Any]) -> None:
        """Store the result, which marks the run as finished."""
        self._write("result.json", {**self._about(), "epochs": self.epochs, "result": result})

    def usage(self) -> dict[str, Usage]:
        """Return the time and memory used by each completed step, keyed by step name."""
        try:
            return {name: Usage(**values) for name, values in self._state()["steps"].items()}
        except TypeError as error:
            raise _damaged(self.path / "steps.json", str(error)) from error

    def run(self, steps: Iterable[Step], *, announce: Callable[[Step], None], tick: Callable[[], None]) -> None:
        """Run the steps that are not complete yet.

        Args:
            steps: the steps, in order.
            announce: function to call with each step before it runs or, if it is complete, before it is skipped.
            tick: function to call twice a second while a step runs.

        Raises:
            ChildError: a step failed; earlier steps remain complete.
        """
        for step in steps:
            announce(step)
            if step.name in self.usage():
                continue
            # Written before the step starts, so that even the folder of an unfinished run records the request.
            self._write("steps.json", self._state())
            usage = run_child(step.command, self.log, while_waiting=tick)
            state = self._state()
            self._write("steps.json", {**state, "steps": {**state["steps"], step.name: asdict(usage)}})

    def _about(self) -> dict[str, Any]:
        code = {} if self.code_sha256 is None else {"code_sha256": self.code_sha256}
        return {"request": self.request.as_json(), **code}

    def _state(self) -> dict[str, Any]:
        return self._read("steps.json") or {**self._about(), "epochs": self.request.epochs, "steps": {}}

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        if not path.is_file():
            return None
        try:
            content = parse_json(read_text(path))
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        wanted = {"request": dict, "result": dict} if name == "result.json" else {"request": dict, "steps": dict}
        for key, kind in wanted.items():
            if not isinstance(content, dict) or not isinstance(content.get(key), kind):
                raise _damaged(path, f"it has no object {key!r}")
        epochs = content.get("epochs")
        if epochs is not None and (not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1):
            raise _damaged(path, f"got epochs={epochs!r}, expected a number from 1")
        return dict(content)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        with replacing(self.path / name) as aside:
            aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _damaged(path: Path, reason: str) -> BundleError:
    return BundleError(f"{path} is no record of a comparison: {reason}; pass another --output, or delete the file")
