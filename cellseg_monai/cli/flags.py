"""Parsing the command line: all words are checked, and converted to annotated types, before the command runs."""

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

from cellseg_monai.python_words import is_cut_at_comment, is_spaced_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["bound_command"]


class _Word(NamedTuple):
    """A flag with its value, or a positional word."""

    flag: str  # empty for a positional word; a single leading hyphen is kept, two are removed
    value: str | None  # None for a flag without a value


def bound_command(words: Sequence[str], commands: Mapping[str, Any]) -> partial[Any]:
    """Parse a command line, and return the command it names with its arguments bound.

    python-fire only shows help and usage. It is not used for parsing, because it would run the command first and reject
    wrong words afterwards. It also interprets words as Python: a folder named 2024_01_15 would become the number
    20240115, `exp#2` would become exp, and `--overwrite false` would become a string, which counts as true.

    Args:
        words: the words after `cellseg` on the command line.
        commands: table of functions by name; a value can also be a table of subcommands.

    Returns:
        The command as a partial call, or a partial call of python-fire if help or usage should be shown.

    Raises:
        ValueError: a flag is unknown or missing, or its value is missing or of the wrong type; or there are too many
            words.
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
        raise ValueError(f"{name} does not accept --; if a name begins with a hyphen, write it as ./-name")
    arguments = _arguments(name, _split(rest), signature.parameters)
    if set(_required(signature.parameters, "POSITIONAL_OR_KEYWORD")) - arguments.keys():
        # python-fire shows the usage and exits with code 2.
        return partial(fire.Fire, _for_help(path, command), command=path, name="cellseg")
    bound = inspect.BoundArguments(signature, arguments)
    return partial(command, *bound.args, **bound.kwargs)


def _for_help(path: Sequence[str], command: Callable[..., None]) -> dict[str, Any]:
    """Return a table with a single command whose types python-fire can print, such as int instead of int | None."""
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
    """Return the command's arguments by parameter name, in the form that `inspect.BoundArguments` takes."""
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
                f"got {word.value!r}, but {name} takes no further arguments; pass settings as flags, such as "
                "--output, and put names with spaces in quotes"
            )
    return {parameter: arguments[parameter] for parameter in parameters if parameter in arguments}


def _split(words: Sequence[str]) -> list[_Word]:
    """Separate flags from positional words, as python-fire does."""
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
    """Expand a flag with a single hyphen to its full name; one letter stands for the only flag that begins with it."""
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
        remedy = f"if you mean the file, write ./{word.flag}"
    raise ValueError(f"{name} has no flag {word.flag}; {remedy}")


def _is_flag(word: str) -> bool:
    return re.match("--|-[A-Za-z]", word) is not None


def _check_flags(name: str, parameters: Mapping[str, inspect.Parameter], flags: Sequence[str]) -> None:
    """Check that all flags are known and that no required flag is missing."""
    known = list(_named(parameters))
    if _of_kind(parameters, "VAR_KEYWORD") is None:
        for flag in flags:
            if flag in known or _is_negation(flag, parameters):
                continue
            nearest = difflib.get_close_matches(flag, known, n=1)
            choice = f"choose from {', '.join(f'--{flag}' for flag in known)}" if known else "remove the flag"
            raise ValueError(f"{name} has no flag --{flag}; {f'did you mean --{nearest[0]}?' if nearest else choice}")
    needed = _required(parameters, "KEYWORD_ONLY")
    missing = [f"--{flag}" for flag in needed if flag not in flags]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}; {name} needs {', '.join(f'--{flag}' for flag in needed)}")


def _named(parameters: Mapping[str, inspect.Parameter]) -> dict[str, inspect.Parameter]:
    """Return the parameters that can be passed as flags."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in collecting}


def _required(parameters: Mapping[str, inspect.Parameter], kind: str) -> list[str]:
    """Return the names of the parameters of the given kind that have no default."""
    return [
        name
        for name, parameter in parameters.items()
        if parameter.kind.name == kind and parameter.default is parameter.empty
    ]


def _of_kind(parameters: Mapping[str, inspect.Parameter], kind: str) -> inspect.Parameter | None:
    return next((parameter for parameter in parameters.values() if parameter.kind.name == kind), None)


def _is_negation(flag: str, parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Return True for a flag such as --noamp if the command has a Boolean parameter amp."""
    positive = parameters.get(flag.removeprefix("no"))
    return flag.startswith("no") and flag not in parameters and positive is not None and _kind(positive) is bool


def _flag_value(word: _Word, parameters: Mapping[str, inspect.Parameter]) -> tuple[str, Any]:
    """Return the name and value that a flag stands for, either of a parameter or of an additional setting."""
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
        return flag, _python_value(word.value)
    if parameter is not None and _kind(parameter) not in (None, bool):
        raise ValueError(f"got --{flag} without a value; write --{flag} VALUE")
    return flag, True


def _typed(value: str, parameter: inspect.Parameter) -> Any:
    """Convert a word to the type that a parameter declares; if that is not a simple type, parse it like python-fire."""
    kind, shown = _kind(parameter), f"--{parameter.name} {value or repr(value)}"
    if kind in (None, str) and parameter.default != "":
        _refuse_blank(value, f"--{parameter.name}")
    if kind is None:
        return _python_value(value)
    if kind is str or (kind is float and "str" in _kinds(parameter) and value.isalpha()):
        return value  # a word such as auto, where a number is also possible
    if kind is bool:
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise ValueError(f"got {shown}, expected true or false; the flag alone means true")
    try:
        number = math.nan if "_" in value else kind(value)  # Python reads 1_5 as 15
        float(number)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"got {shown}, expected a {'whole ' if kind is int else ''}number; change the value")
    return number


def _python_value(word: str) -> Any:
    """Return what python-fire makes of a word, unless that would change the name of a file or folder."""
    return word if is_cut_at_comment(word) or is_spaced_number(word) else DefaultParseValue(word)


def _refuse_blank(value: str, name: str) -> None:
    """Refuse an empty path or name; as a path, it would be the working folder."""
    if not value.strip():
        raise ValueError(f"got {name} {value!r}, expected a path or name; write one, or leave it out")


def _kind(parameter: inspect.Parameter) -> Any:
    """Return the first type in a parameter's annotation; None if it is not a simple type."""
    return {"str": str, "int": int, "float": float, "bool": bool}.get(_kinds(parameter)[0])


def _kinds(parameter: inspect.Parameter) -> list[str]:
    """Return the names of the types in a parameter's annotation, which is a string."""
    return str(parameter.annotation).split(" | ")
