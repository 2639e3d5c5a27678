"""The words of a command, checked before it runs, and each taken for what the command says it is."""

from __future__ import annotations

import difflib
import inspect
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["checked_words"]


class _Word(NamedTuple):
    """A flag with its value, or a word that belongs to none."""

    flag: str  # empty for a word that belongs to none; one hyphen is kept, two are not
    value: str | None  # None for a flag that stands alone


def checked_words(words: Sequence[str], commands: Mapping[str, Any]) -> list[str]:
    """The words for python-fire; wrong and missing ones are refused before anything is done.

    Left to itself, python-fire runs a command first and refuses then, and takes words for Python: a folder named
    2024_01_15 becomes the number 20240115, `exp#2` becomes exp, and `--overwrite false` a text, which counts as true.

    Args:
        words: what follows `cellseg`.
        commands: by name, each a function, or a mapping of more.

    Returns:
        The same, with each value written as Python would, where the annotation of its parameter says what it is.

    Raises:
        ValueError: a flag that the command does not know, with the nearest right one; one that it needs is missing, or
            has no value; a value of another kind; or more words than it takes.
    """
    command: Any = commands
    path, rest = [], list(words)
    while isinstance(command, dict) and rest and rest[0] in command:
        path.append(rest.pop(0))
        command = command[path[-1]]
    if isinstance(command, dict):
        return list(words)  # fire shows what there is
    if {"--help", "-h"} & set(rest):
        return [*path, "--help"]  # alone, as fire runs the command first if it can
    name, parameters = f"`cellseg {' '.join(path)}`", inspect.signature(command).parameters
    if "--" in rest:
        raise ValueError(f"-- came, which {name} does not know; a name that begins with a hyphen is written ./-name")
    given = [_spelt_out(name, word, parameters) for word in _parted(rest)]
    flags = [word.flag for word in given if word.flag]
    _check_names(name, parameters, flags)
    places = iter(
        [one for one in parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD and one.name not in flags]
    )
    several = next((one for one in parameters.values() if one.kind is one.VAR_POSITIONAL), None)
    found = []
    for word in given:
        if word.flag:
            found.append(_flag_for_fire(word, parameters.get(word.flag)))
            continue
        place = next(places, several)
        if place is None:
            raise ValueError(
                f"{word.value!r} came, for which {name} has no place; settings are given by their names, such as "
                "--output, and names with spaces stand in quotes"
            )
        found.append(_for_fire(word.value or "", place))
    return path + found


def _parted(words: Sequence[str]) -> list[_Word]:
    """Flags and other words, told apart as python-fire does it."""
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not _is_flag(word):
            found.append(_Word("", word))
            continue
        flag, equals, value = word.partition("=")
        flag = flag.removeprefix("--").replace("-", "_") if flag.startswith("--") else flag
        if equals:
            found.append(_Word(flag, value))
        else:
            found.append(_Word(flag, rest.pop(0) if rest and not _is_flag(rest[0]) else None))
    return found


def _spelt_out(name: str, word: _Word, parameters: Mapping[str, inspect.Parameter]) -> _Word:
    """A flag of one hyphen by its whole name, which a letter stands for where it begins no other."""
    if not word.flag.startswith("-"):
        return word
    short = word.flag[1:].replace("-", "_")
    meant = [each for each in parameters if each == short or (len(short) == 1 and each.startswith(short))]
    if len(meant) == 1:
        return word._replace(flag=meant[0])
    remedy = f"it may be {', '.join(f'--{each}' for each in meant)}" if meant else "flags begin with two hyphens"
    if Path(word.flag).exists():
        remedy = f"for the file of that name, write ./{word.flag}"
    raise ValueError(f"{word.flag} came, which {name} does not know; {remedy}")


def _is_flag(word: str) -> bool:
    return re.match("--|-[A-Za-z]", word) is not None


def _check_names(name: str, parameters: Mapping[str, inspect.Parameter], flags: Sequence[str]) -> None:
    """Refuse flags that the command does not know, and miss those that it needs."""
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        for flag in flags:
            if flag in parameters or flag.removeprefix("no") in parameters:
                continue
            nearest = difflib.get_close_matches(flag, parameters, n=1)
            known = "it knows " + (", ".join(f"--{each}" for each in parameters) or "none")
            remedy = f"did you mean --{nearest[0]}?" if nearest else known
            raise ValueError(f"--{flag} came, which {name} does not know; {remedy}")
    needed = [one.name for one in parameters.values() if one.default is one.empty and one.kind is one.KEYWORD_ONLY]
    missing = [f"--{each}" for each in needed if each not in flags]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing; {name} needs {', '.join(f'--{each}' for each in needed)}")


def _flag_for_fire(word: _Word, parameter: inspect.Parameter | None) -> str:
    shown = f"--{word.flag}"
    if word.value is not None:
        return f"{shown}={_for_fire(word.value, parameter)}"
    if parameter is not None and _kind(parameter) not in (None, bool):
        raise ValueError(f"{shown} came without a value; give it one, such as {shown} VALUE")
    return shown


def _for_fire(value: str, parameter: inspect.Parameter | None) -> str:
    """A value as python-fire has to see it, so that the command gets what its annotation says."""
    kind = _kind(parameter) if parameter is not None else None
    if parameter is None or kind is None:
        return value
    if kind is str:
        return repr(value)
    if kind is bool:
        if value.lower() in ("true", "false"):
            return value.capitalize()
        raise ValueError(f"--{parameter.name} {value} came, expected true or false; the flag alone means true")
    try:
        number = kind(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"--{parameter.name} {value} came, expected a {'whole ' if kind is int else ''}number")
    return repr(number)


def _kind(parameter: inspect.Parameter) -> Any:
    """The type of its values by its annotation, which is a text here; None for what python-fire may find out."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool}
    return kinds.get(str(parameter.annotation).removesuffix(" | None"))
