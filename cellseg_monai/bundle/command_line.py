"""The words of a `python -m monai.bundle run` command, checked before anything is built.

MONAI takes any `--key value` as one more item of the config, so a misspelt override is silently without effect;
and what went wrong deep inside an engine ends as `Failed to evaluate ConfigExpression`.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.scripts import run

from cellseg_monai.errors import BundleError, CheckpointError, DatasetError, UnreadableImageError

__all__ = ["check_command_line", "check_overrides", "command_line_options", "file_list"]

RUN_OPTIONS = frozenset(inspect.signature(run).parameters) - {"override"}
OWN_ERRORS = (BundleError, CheckpointError, DatasetError, UnreadableImageError)


def check_overrides(names: Iterable[str], config: Mapping[str, Any]) -> None:
    """Check that every override names something that the config has.

    Args:
        names: such as `epochs` or `train#trainer#max_epochs`.
        config: the content of the config file.

    Raises:
        BundleError: lists every unknown name with the nearest right one.

    >>> check_overrides(["epoch"], {"epochs": 20})
    Traceback (most recent call last):
    cellseg_monai.errors.BundleError: unknown override --epoch: did you mean --epochs?
    """
    unknown = [_unknown(name, config) for name in names if ConfigParser(dict(config)).get(name, _ABSENT) is _ABSENT]
    if unknown:
        raise BundleError("\n".join(unknown))


_ABSENT = object()


def _unknown(name: str, config: Mapping[str, Any]) -> str:
    known = [*_ids(config), *RUN_OPTIONS]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    remedy = f"did you mean --{nearest[0]}?" if nearest else f"known: {', '.join(config)}"
    return f"unknown override --{name}: {remedy}"


def _ids(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    ids = []
    for key, value in config.items():
        ids.append(prefix + key)
        if isinstance(value, Mapping):
            ids += _ids(value, f"{prefix}{key}#")
    return ids


def check_command_line() -> None:
    """Check the overrides of the running `monai.bundle` command; nothing to check when Python was started otherwise.

    From here on, an error of ours that ends the command is also its last line, after MONAI's own account of it.

    Raises:
        SystemExit: an override names nothing, or has a value that python-fire reads as another; says so in one line.
    """
    options = command_line_options()
    if not options:
        return
    sys.excepthook = _explain_own_errors
    overrides = {name: value for name, value in options.items() if name not in RUN_OPTIONS}
    files = [file for name in ("config_file", "args_file") for file in file_list(options.get(name))]
    try:
        check_overrides(overrides, ConfigParser.load_config_files(files))
    except BundleError as error:
        raise SystemExit(f"error: {error}") from error
    for name, value in overrides.items():
        if value in _PYTHON_SPELLING:
            raise SystemExit(f"error: --{name} {value} would be taken as text: write {_PYTHON_SPELLING[value]}")


# python-fire reads Python's literals and takes everything else as text, and the text "false" counts as true.
_PYTHON_SPELLING = {"true": "True", "false": "False", "null": "None", "none": "None"}


def command_line_options() -> dict[str, str]:
    """Name and value of each `--name value` or `--name=value` of the running `monai.bundle` command, if it is one."""
    if not sys.argv[0].replace("\\", "/").endswith("monai/bundle/__main__.py"):
        return {}
    words = sys.argv[2:]
    options = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            options[name.replace("-", "_")] = value if equals else following
    return options


def file_list(value: str | None) -> list[str]:
    """The files of an option: one path, or a list as python-fire reads it.

    >>> file_list("['a.json','b.json']")
    ['a.json', 'b.json']
    """
    if not value:
        return []
    return [part.strip(" '\"") for part in value.strip("[]() ").split(",")]


def _explain_own_errors(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OWN_ERRORS):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and cause is not error:
        sys.stderr.write(f"error: {cause}\n")
