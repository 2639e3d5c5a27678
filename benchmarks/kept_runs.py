"""Results of runs that take long, kept in a file so that a benchmark can be stopped and continued."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.child_process import in_child
from cellseg_monai.atomic import replacing

__all__ = ["KeptRuns", "spread"]

Run = tuple[str, Callable[..., Any], tuple[Any, ...]]
"""Key of a run, the function that does it in a process of its own, and its arguments."""


class KeptRuns:
    """The results of finished runs, in RESULTS/results.json.

    Args:
        output: the folder RESULTS.
        settings: what all runs in the file share.

    Raises:
        SystemExit: the file is of other settings.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any]) -> None:
        self.path = output / "results.json"
        self.settings = dict(settings)
        self.content: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["settings"] != self.settings:
                raise SystemExit(f"error: {self.path} is of {content['settings']}; choose another --output")
            self.content = content["runs"]

    def do(self, runs: Iterable[Run], most: int | None = None) -> None:
        """Do the runs that are not recorded yet, and record each.

        Args:
            runs: the runs, which may depend on the results of those before.
            most: greatest number of runs to do; None for all.
        """
        left = math.inf if most is None else most
        for key, function, words in runs:
            if key in self.content:
                continue
            if left < 1:
                return
            left -= 1
            print(key, flush=True)
            self.content[key] = in_child(function, *words)
            with replacing(self.path) as aside:
                content = {"settings": self.settings, "runs": self.content}
                aside.write_text(json.dumps(content, indent=2), encoding="utf-8")


def spread(values: Sequence[float]) -> str:
    """Return the mean, with the standard deviation if there are several values.

    >>> spread([0.5]), spread([0.4, 0.6])
    ('0.500', '0.500 ± 0.141')
    """
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.3f}"
