"""The words of a command, checked before it runs and converted as its annotations say."""

from __future__ import annotations

import difflib
import inspect
import math
import re
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import fire
from fire.parser import DefaultParseValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["bound_command"]


class _Word(NamedTuple):
    """A flag with its value, or a word that belongs to no flag."""

    flag: str  # empty for a word that belongs to no flag; a single hyphen is kept, two are removed
    value: str | None  # None for a flag that stands alone


def bound_command(words: Sequence[str], commands: Mapping[str, Any]) -> partial[Any]:
    """Return the command that the words name, with its arguments; wrong and missing words are refused.

    python-fire only shows help and usage. It is not used to parse the words, because it would run a command first and
    refuse wrong words afterwards. It also reads words as Python: a folder named 2024_01_15 would become the number
    20240115, `exp#2` would become exp, and `--overwrite false` a text, which counts as true.

    Args:
        words: the words after `cellseg`.
        commands: functions, or mappings of further commands, by name.

    Returns:
        A partial call of the command, or of python-fire if there is help or usage to show.

    Raises:
        ValueError: a flag is unknown, lacks its value, has a value of the wrong type, or is missing; or there are more
            words than the command takes.
    """
    command: Any = commands
    path, rest = [], list(words)
    while isinstance(command, dict) and rest and rest[0] in command:
        path.append(rest.pop(0))
        command = command[path[-1]]
    if isinstance(command, dict):
        return partial(fire.Fire, commands, command=list(words), name="cellseg")  # lists the commands
    if {"--help", "-h"} & set(rest):
        return partial(fire.Fire, _for_help(path, command), command=[*path, "--help"], name="cellseg")
    name, signature = f"`cellseg {' '.join(path)}`", inspect.signature(command)
    if "--" in rest:
        raise ValueError(f"{name} does not take --; write a name that begins with a hyphen as ./-name")
    arguments = _arguments(name, _split(rest), signature.parameters)
    if set(_required(signature.parameters, "POSITIONAL_OR_KEYWORD")) - arguments.keys():
        # python-fire shows the usage and exits with code 2.
        return partial(fire.Fire, _for_help(path, command), command=path, name="cellseg")
    bound = inspect.BoundArguments(signature, arguments)
    return partial(command, *bound.args, **bound.kwargs)


def _for_help(path: Sequence[str], command: Callable[..., None]) -> dict[str, Any]:
    """Return a table with only this command, and types that python-fire can print, such as int for int | None."""
    signature = inspect.signature(command)
    parameters = [
        parameter.replace(annotation=_kind(parameter) or parameter.annotation)
        for parameter in signature.parameters.values()
    ]

    @wraps(command)
    def described(*words: Any, **flags: Any) -> None:
        command(*words, **flags)

    described.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    table: Any = described
    for name in reversed(path):
        table = {name: table}
    return dict(table)


def _arguments(name: str, words: Sequence[_Word], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Return the values of the command's parameters, as `inspect.BoundArguments` wants them, by name."""
    words = [_with_full_flag(name, word, parameters) for word in words]
    flags = [word.flag for word in words if word.flag]
    _check_flags(name, parameters, flags)
    several, others = (_of_kind(parameters, kind) for kind in ("VAR_POSITIONAL", "VAR_KEYWORD"))
    named = _named(parameters)
    positional = [parameter for parameter in named.values() if parameter.kind is not parameter.KEYWORD_ONLY]
    places = iter([parameter for parameter in positional if parameter.name not in flags])
    arguments: dict[str, Any] = {}
    for word in words:
        if word.flag:
            flag, value = _flag_value(word, named)
            target = arguments if flag in named or others is None else arguments.setdefault(others.name, {})
            if flag in target:
                raise ValueError(f"got --{flag} more than once; give it once")
            target[flag] = value
        elif (place := next(places, None)) is not None:
            arguments[place.name] = _typed(word.value or "", place)
        elif several is not None:
            arguments[several.name] = (*arguments.get(several.name, ()), _typed(word.value or "", several))
        else:
            raise ValueError(
                f"got {word.value!r}, but {name} takes no further words; pass settings by name, such as "
                "--output, and put names with spaces in quotes"
            )
    return {parameter: arguments[parameter] for parameter in parameters if parameter in arguments}


def _split(words: Sequence[str]) -> list[_Word]:
    """Separate flags from other words, as python-fire does."""
    split, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not _is_flag(word):
            split.append(_Word("", word))
            continue
        flag, equals, value = word.partition("=")
        flag = flag.removeprefix("--").replace("-", "_") if flag.startswith("--") else flag
        if equals:
            split.append(_Word(flag, value))
        else:
            split.append(_Word(flag, rest.pop(0) if rest and not _is_flag(rest[0]) else None))
    return split


def _with_full_flag(name: str, word: _Word, parameters: Mapping[str, inspect.Parameter]) -> _Word:
    """Return a flag with one hyphen under its full name; a letter stands for the only flag that begins with it."""
    if not word.flag.startswith("-"):
        return word
    short = word.flag[1:].replace("-", "_")
    matches = [known for known in _named(parameters) if known == short or (len(short) == 1 and known.startswith(short))]
    if len(matches) == 1:
        return word._replace(flag=matches[0])
    remedy = "write two hyphens before the name of a flag"
    if matches:
        remedy = f"write one of {', '.join(f'--{match}' for match in matches)}"
    if Path(word.flag).exists():
        remedy = f"for the file of that name, write ./{word.flag}"
    raise ValueError(f"{name} has no flag {word.flag}; {remedy}")


def _is_flag(word: str) -> bool:
    return re.match("--|-[A-Za-z]", word) is not None


def _check_flags(name: str, parameters: Mapping[str, inspect.Parameter], flags: Sequence[str]) -> None:
    """Refuse unknown flags and missing required flags."""
    known = list(_named(parameters))
    if _of_kind(parameters, "VAR_KEYWORD") is None:
        for flag in flags:
            if flag in known or _is_negation(flag, parameters):
                continue
            nearest = difflib.get_close_matches(flag, known, n=1)
            choice = f"choose from {', '.join(f'--{flag}' for flag in known)}" if known else "leave it out"
            raise ValueError(f"{name} has no flag --{flag}; {f'did you mean --{nearest[0]}?' if nearest else choice}")
    needed = _required(parameters, "KEYWORD_ONLY")
    missing = [f"--{flag}" for flag in needed if flag not in flags]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}; {name} needs {', '.join(f'--{flag}' for flag in needed)}")


def _named(parameters: Mapping[str, inspect.Parameter]) -> dict[str, inspect.Parameter]:
    """Return the parameters that have a flag."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in collecting}


def _required(parameters: Mapping[str, inspect.Parameter], kind: str) -> list[str]:
    """Return the names of the parameters of a kind that have no default."""
    return [
        name
        for name, parameter in parameters.items()
        if parameter.kind.name == kind and parameter.default is parameter.empty
    ]


def _of_kind(parameters: Mapping[str, inspect.Parameter], kind: str) -> inspect.Parameter | None:
    return next((parameter for parameter in parameters.values() if parameter.kind.name == kind), None)


def _is_negation(flag: str, parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Return True for a flag such as --noamp, where amp is true or false."""
    positive = parameters.get(flag.removeprefix("no"))
    return flag.startswith("no") and flag not in parameters and positive is not None and _kind(positive) is bool


def _flag_value(word: _Word, parameters: Mapping[str, inspect.Parameter]) -> tuple[str, Any]:
    """Return the name of a parameter, or of an additional setting, and its value."""
    flag, parameter = word.flag, parameters.get(word.flag)
    if parameter is None and flag.startswith("no") and (word.value is None or _is_negation(flag, parameters)):
        if word.value is not None:
            raise ValueError(
                f"got {word.value!r} after --{flag}, which takes no value; write --{flag[2:]} false instead"
            )
        return flag[2:], False
    if word.value is not None and parameter is not None:
        return flag, _typed(word.value, parameter)
    if word.value is not None:
        _refuse_blank(word.value, f"--{flag}")
        return flag, DefaultParseValue(word.value)
    if parameter is not None and _kind(parameter) not in (None, bool):
        raise ValueError(f"got --{flag} without a value; write --{flag} VALUE")
    return flag, True


def _typed(value: str, parameter: inspect.Parameter) -> Any:
    """Return a word as the type of the parameter's annotation; if that is not simple, as python-fire reads it."""
    kind, shown = _kind(parameter), f"--{parameter.name} {value or repr(value)}"
    if kind in (None, str) and parameter.default != "":
        _refuse_blank(value, f"--{parameter.name}")
    if kind is None:
        return DefaultParseValue(value)
    if kind is str:
        return value
    if kind is bool:
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise ValueError(f"got {shown}, expected true or false; the flag alone means true")
    try:
        number = math.nan if "_" in value else kind(value)  # Python reads 1_5 as 15
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"got {shown}, expected a {'whole ' if kind is int else ''}number; correct it")
    return number


def _refuse_blank(value: str, name: str) -> None:
    """Refuse an empty path or name; as a path, it would be the working folder."""
    if not value.strip():
        raise ValueError(f"got {name} {value!r}, expected a path or name; write one, or leave it out")


def _kind(parameter: inspect.Parameter) -> Any:
    """Return the first type of a parameter's annotation, which is a string; None if it is not a simple type."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool}
    return kinds.get(str(parameter.annotation).split(" | ")[0])
