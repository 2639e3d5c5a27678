"""The flags of a command, checked before it runs."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_flags"]


def check_flags(words: Sequence[str], commands: Mapping[str, Any]) -> None:
    """Refuse wrong and missing flags before anything is done; python-fire runs a command first and refuses then.

    Args:
        words: what follows `cellseg`.
        commands: by name, each a function, or a mapping of more.

    Raises:
        ValueError: a flag that the command does not know, with the nearest right one; one without its value; a word
            that belongs to no flag; or a flag that the command needs is missing.
    """
    command: Any = commands
    path, words = [], list(words)
    while isinstance(command, dict) and words and words[0] in command:
        path.append(words.pop(0))
        command = command[path[-1]]
    if isinstance(command, dict) or {"--", "--help", "-h"} & set(words):
        return  # fire shows what there is
    parameters = inspect.signature(command).parameters
    flags = [match[1].replace("-", "_") for word in words if (match := re.match(r"--([A-Za-z][\w-]*)", word))]
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        for name in flags:
            if name in parameters or name.removeprefix("no") in parameters:
                continue
            nearest = difflib.get_close_matches(name, parameters, n=1)
            known = "it knows " + ", ".join(f"--{each}" for each in parameters)
            remedy = f"did you mean --{nearest[0]}?" if nearest else known
            raise ValueError(f"--{name} came, which `cellseg {' '.join(path)}` does not know; {remedy}")
    _check_values(words, parameters)
    required = [each.name for each in parameters.values() if each.default is each.empty]
    needed = [f"--{name}" for name in required if parameters[name].kind is inspect.Parameter.KEYWORD_ONLY]
    missing = [flag for flag in needed if flag.removeprefix("--") not in flags]
    if missing and not any(re.match(r"-[A-Za-z]", word) for word in words):  # fire lets a letter stand for a flag
        raise ValueError(f"{', '.join(missing)} missing; `cellseg {' '.join(path)}` needs {', '.join(needed)}")
    _check_loose_words(words, parameters, " ".join(path))


def _check_values(words: Sequence[str], parameters: Mapping[str, inspect.Parameter]) -> None:
    """Refuse a flag that is followed by no value; fire takes it for a switch, and the folder is then named True."""
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        parameter = parameters.get(word.removeprefix("--").replace("-", "_")) if word.startswith("--") else None
        if parameter is not None and following.startswith("--") and "bool" not in str(parameter.annotation):
            raise ValueError(f"{word} came without a value; write {word} VALUE")


def _check_loose_words(words: Sequence[str], parameters: Mapping[str, inspect.Parameter], command: str) -> None:
    """Refuse words that fire would trip over when the command has run, as of a path with spaces and no quotes."""
    kinds = [each.kind for each in parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return
    follows_flag = [False, *(word.startswith("-") and "=" not in word for word in words[:-1])]
    loose = [word for word, taken in zip(words, follows_flag, strict=True) if not taken and not word.startswith("-")]
    beyond = loose[kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) :]
    if beyond:
        raise ValueError(
            f"{', '.join(map(repr, beyond))} came, and no flag before it; `cellseg {command}` knows "
            f"{', '.join(f'--{each}' for each in parameters)}; a path with spaces needs quotes"
        )
