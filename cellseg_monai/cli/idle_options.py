"""Options that have no effect beside others: the user is told, instead of believing that they had one.

A new case is one line in `IDLE`. Combinations that contradict each other are refused where they are used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["IDLE", "idle_options"]


class Idle(NamedTuple):
    """Options of a command that have no effect in some case.

    Args:
        options: names of the options.
        case: returns True for the values of all options of the command, by name, if it is the case.
        words: the case in words, to follow "because".
    """

    options: tuple[str, ...]
    case: Callable[[Mapping[str, Any]], bool]
    words: str


IDLE: dict[str, tuple[Idle, ...]] = {
    "segment": (
        Idle(
            ("postprocess", "report", "resume", "dask", "workers"),
            lambda values: values["dry_run"],
            "--dry_run segments and writes nothing; values are only checked",
        ),
    ),
    "report": (
        Idle(
            ("truth_suffix", "pred_suffix"),
            lambda values: values["truth"] is None and values["pred"] is None,
            "the label images of a training are those that it recorded",
        ),
    ),
}


def idle_options(command: Callable[..., Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence about options that were given in vain.

    Args:
        command: the function of the command.
        given: values of the options that the user gave, by name.

    >>> def segment(*, dry_run=False, report=False, resume=False, dask=None, workers=None, postprocess=None): ...
    >>> list(idle_options(segment, {"dry_run": True, "report": True, "workers": 2}))
    ['--report, --workers have no effect, because --dry_run segments and writes nothing; values are only checked']
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    for idle in IDLE.get(command.__name__, ()):
        vain = [f"--{name}" for name in idle.options if name in given and given[name] != defaults[name]]
        if vain and idle.case({**defaults, **given}):
            yield f"{', '.join(vain)} {'has' if len(vain) == 1 else 'have'} no effect, because {idle.words}"
