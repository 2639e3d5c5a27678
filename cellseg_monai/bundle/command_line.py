"""Checking the options in a `python -m monai.bundle run` command before anything is built.

MONAI adds any `--key value` to the config, so it silently ignores a misspelt override. python-fire reads `false` as a
string, which counts as true. This module rejects both and suggests the right spelling.

MONAI reports an error deep inside an engine as `Failed to evaluate ConfigExpression`. For errors from this package,
this module therefore prints the original message as the last line.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import logging
import pydoc
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from monai.bundle import ComponentLocator, ConfigParser
from monai.bundle.scripts import run
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

from cellseg_monai import errors
from cellseg_monai.bundle.override_text import check_expression
from cellseg_monai.bundle.references import unreferenced_keys
from cellseg_monai.bundle.variants import check_variants
from cellseg_monai.errors import BundleError
from cellseg_monai.one_line import Lines, lines, message_of, one_line
from cellseg_monai.python_words import is_cut_at_comment, is_spaced_number

__all__ = ["check_command_line", "check_overrides", "command_line_options", "config_files", "file_list", "own_message"]

logger = logging.getLogger(__name__)

RUN_OPTIONS = frozenset(inspect.signature(run).parameters) - {"override"}
OWN_ERRORS = tuple(value for name in errors.__all__ if not inspect.isfunction(value := getattr(errors, name)))
# Keys that MONAI itself reads in any component of a config.
COMPONENT_KEYS = frozenset({"_target_", "_disabled_", "_requires_", "_desc_", "_mode_"})


def check_overrides(names: Iterable[str], config: Mapping[str, Any]) -> None:
    """Check that every override names a key in the config or an argument of one of its components.

    Args:
        names: names of the overrides, such as `epochs`, `train#trainer#max_epochs` or `loss#lambda_dice`.
        config: content of the config file.

    Raises:
        BundleError: some names are unknown. The message lists each of them with the closest match.

    >>> check_overrides(["epoch"], {"epochs": 20})
    Traceback (most recent call last):
    cellseg_monai.errors.BundleError: unknown override --epoch: did you mean --epochs?
    """
    parser = ConfigParser(dict(config))
    unknown = [
        _unknown(name, config) for name in names if name not in parser and not _is_component_argument(name, parser)
    ]
    if unknown:
        raise BundleError(lines(*unknown))


def _is_component_argument(name: str, parser: ConfigParser) -> bool:
    owner, _, argument = name.replace("::", "#").rpartition("#")
    component = parser.get(owner) if owner and owner in parser else None
    if not isinstance(component, Mapping) or "_target_" not in component:
        return False
    target = component["_target_"]
    if "." in target:
        callee = pydoc.locate(target)
    else:
        module = pydoc.locate(str(ComponentLocator().get_component_module_name(target)))
        callee = getattr(module, target, None)
    if not callable(callee):
        return False
    parameters = inspect.signature(callee).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return takes_any or argument in COMPONENT_KEYS | parameters.keys()


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
    """Check the overrides on the command line of `monai.bundle`. In any other program, do nothing.

    The function also installs a hook: if an error from this package or from the operating system ends the command, its
    message is repeated as the last line, after MONAI's traceback. A config file that sets what the others do not use,
    such as a variant for training in another workflow, is named in a warning.

    Raises:
        SystemExit: an override has an unknown name, an override is text instead of a number, True or False, or the
            variants cannot be combined. The message has one line per problem.
    """
    options = command_line_options()
    if not options:
        return
    sys.excepthook = _explain_own_errors
    overrides: dict[str, Any] = {name: value for name, value in options.items() if name not in RUN_OPTIONS}
    for file in file_list(options.get("args_file")):
        arguments = ConfigParser.load_config_file(file)
        overrides = {name: value for name, value in arguments.items() if name not in RUN_OPTIONS} | overrides
    known = {key for settings in DEFAULT_EXP_MGMT_SETTINGS.values() for key in settings["configs"]}
    tracking = known if "tracking" in options else set()
    files = config_files()
    config = ConfigParser.load_config_files(files)
    try:
        _check_words(config)
        check_variants(files)
        if "variants" in overrides and "train" in config:
            raise BundleError(
                "--variants names the variants that a checkpoint must have; to train a variant, add its file to the "
                """config: --config_file "['train.json','variants/NAME.json']\""""
            )
        check_overrides((name for name in overrides if name not in tracking), config)
        for name, value in overrides.items():
            if isinstance(value, str):
                check_expression(name, value, config)
            _check_value(name, value, config.get(name))
    except BundleError as error:
        raise SystemExit(f"error: {error}") from error
    _warn_of_idle_keys(files, config)


def _warn_of_idle_keys(files: Sequence[str], config: Mapping[str, Any]) -> None:
    """Warn of overlays that set what the workflow does not use, such as a variant that only concerns training.

    Args:
        files: the config file and its overlays.
        config: what they give together.
    """
    unused = {*unreferenced_keys(config)}
    for file in files[1:]:
        keys = [key for key in ConfigParser.load_config_file(file) if re.split("#|::", key.lstrip("+"))[0] in unused]
        if keys:
            logger.warning(f"{file}: {', '.join(keys)} has no effect, because nothing in {files[0]} uses it")


def _check_words(config: Mapping[str, Any]) -> None:
    """Check that no option is given twice or with an empty value, and that python-fire reads each as it is written."""
    given: set[str] = set()
    for name, value in _options():
        if name in given:
            raise BundleError(f"got --{name} more than once; write it once")
        given.add(name)
        if value is None:
            continue
        if not value.strip():
            raise BundleError(f"got --{name} {value!r}, expected a value; write one, or leave the option out")
        if is_cut_at_comment(value):
            raise BundleError(
                f"--{name} {value}: only what stands before the # would be read; for a file or folder of this name, "
                f"write --{name} '\"{value}\"'"
            )
        if is_spaced_number(value) and not isinstance(config.get(name), int | float):
            raise BundleError(
                f"--{name} {value} would be read as the number {int(value)}; for a file or folder of this name, write "
                f"./{value}"
            )


# python-fire parses Python literals and treats everything else as a string, and any string counts as true.
_SPELLINGS = {"true": "True", "yes": "True", "on": "True", "false": "False", "no": "False", "off": "False"}
_SPELLINGS |= {"null": "None", "none": "None"}


def _check_value(name: str, value: Any, default: Any) -> None:
    if isinstance(default, list) and default and all(type(number) is int for number in default):
        _check_lengths(name, value, default)
        return
    if not isinstance(value, str):
        return
    spelling = _SPELLINGS.get(value.lower())
    if spelling is not None and value != spelling:
        raise BundleError(f"--{name} {value} would be read as a string; write {spelling}")
    if value.startswith(("$", "@")) or not isinstance(default, bool | int | float):
        return
    try:
        parsed = ast.literal_eval(value) if value else True
    except (ValueError, SyntaxError):
        parsed = value
    if isinstance(parsed, bool) != isinstance(default, bool) or not isinstance(parsed, bool | int | float):
        expected = "True or False" if isinstance(default, bool) else f"a number such as {default}"
        raise BundleError(f"--{name}: got {value}, expected {expected}; change the value")


def _check_lengths(name: str, value: Any, default: list[int]) -> None:
    """Check an override of a list of lengths, such as `roi_size`, which must have as many whole numbers, from 1."""
    parsed = value
    if isinstance(value, str):
        if value.startswith(("$", "@", "%")):
            return
        with suppress(ValueError, SyntaxError):
            parsed = ast.literal_eval(value)
    if (
        not isinstance(parsed, list | tuple)
        or len(parsed) != len(default)
        or not all(type(number) is int and number >= 1 for number in parsed)
    ):
        example = str(default).replace(" ", "")
        raise BundleError(
            f'--{name}: got {value}, expected {len(default)} whole numbers from 1; write them like "{example}"'
        )


def command_line_options() -> dict[str, str]:
    """Return the command-line options of the running `monai.bundle` command by name, as python-fire reads them.

    An option has the form `--name value` or `--name=value`, with one or two dashes. The value of an option without one
    is "". In any other program, the result is empty.
    """
    return {name: value or "" for name, value in _options()}


def _options() -> Iterator[tuple[str, str | None]]:
    """Yield name and value of each option of the running `monai.bundle` command; None for an option without a value."""
    if not sys.argv[0].replace("\\", "/").endswith("monai/bundle/__main__.py"):
        return
    words = sys.argv[2:]
    is_option = [re.match(r"--?[A-Za-z]", word) is not None for word in words]
    for position, word in enumerate(words):
        if is_option[position]:
            name, equals, value = word.lstrip("-").partition("=")
            has_value = not equals and position + 1 < len(words) and not is_option[position + 1]
            found = words[position + 1] if has_value else value if equals else None
            yield name.replace("-", "_"), found


def config_files() -> list[str]:
    """Return the config files of the running `monai.bundle` command, from its options or from its arguments file."""
    options = command_line_options()
    named = file_list(options.get("config_file"))
    for file in file_list(options.get("args_file")):
        named = named or file_list(ConfigParser.load_config_file(file).get("config_file"))
    return named


def file_list(value: str | list[str] | None) -> list[str]:
    """Return the paths in the value of an option, which is either one path or a list as python-fire reads it.

    Args:
        value: value of the option. None and "" give an empty list.

    >>> file_list("['a.json','b.json']")
    ['a.json', 'b.json']
    >>> file_list("data/run,2/train.json")
    ['data/run,2/train.json']
    """
    if not value:
        return []
    if isinstance(value, str):
        value = ast.literal_eval(value) if value.startswith(("[", "(")) else [value]
    return list(value)


def _explain_own_errors(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    message = own_message(error)
    if message is not None:
        sys.stderr.write(f"error: {message if isinstance(message, Lines) else one_line(message)}\n")


def own_message(error: BaseException | None) -> str | None:
    """Return the message of the package error or OS error behind `error`, or None if there is none.

    Args:
        error: an error, which MONAI may have wrapped in others.
    """
    while error is not None:
        # A data-loading worker passes on only the text of its traceback.
        from_worker = re.findall(rf"^{errors.__name__}\.\w+: (.*)", str(error), re.MULTILINE)
        if from_worker:
            return from_worker[-1]
        if isinstance(error, (*OWN_ERRORS, OSError)):
            return message_of(error)
        error = error.__cause__ or error.__context__
    return None
