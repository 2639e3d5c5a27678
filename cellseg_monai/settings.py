"""Settings as plain data: frozen dataclasses that are read from and written to JSON files.

A bundle stores the settings it was trained with (`preprocess.json`) and the settings fitted to it afterwards
(`postprocess.json`) as data. The configs, the command line and a runtime without torch can therefore read the same
values. A misspelt name in such a file is an error, and is never silently replaced by a default.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import read_text

__all__ = ["read_mapping", "read_settings", "register", "settings_from_mapping", "write_settings"]

_MOST_BYTES = 2**26  # of a file with settings

Settings = TypeVar("Settings")


def register(kinds: dict[str, type], kind: type, name: str) -> None:
    """Register a class under the name by which plain data refers to it.

    Args:
        kinds: the registered classes by name; changed in place.
        kind: the class to register.
        name: the name of the class.

    Raises:
        ValueError: another class already has this name.
    """
    other = kinds.get(name, kind)
    if (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(
            f"got the name {name!r} for {kind.__module__}.{kind.__qualname__}, but {other.__module__}."
            f"{other.__qualname__} already has it; choose another name"
        )
    kinds[name] = kind


def settings_from_mapping(kind: type[Settings], values: Mapping[str, Any], *, source: str) -> Settings:
    """Create settings of a given class from a mapping of names to values.

    Args:
        kind: a dataclass whose `__post_init__` checks its values.
        values: values by name; missing settings keep their defaults.
        source: where the values come from, for error messages.

    Raises:
        BundleError: a name is unknown, or the class rejects a value.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known settings: {', '.join(names)}"
            raise BundleError(f"{source}: {kind.__name__} has no setting {name!r}; {remedy}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{source}: {error}") from error


def read_mapping(
    path: str | os.PathLike[str], *, remedy: str = "pass the bundle folder with --bundle_root"
) -> dict[str, Any]:
    """Return the JSON object in a file.

    Args:
        path: the file.
        remedy: what to do if there is no such file, for the error message.

    Raises:
        BundleError: the file does not exist, or does not contain a JSON object.
    """
    path = Path(path)
    try:
        values = parse_json(read_text(path, most_bytes=_MOST_BYTES))
    except FileNotFoundError as error:
        raise BundleError(f"cannot find {path.name} at {path}; {remedy}") from error
    except ValueError as error:
        raise BundleError(f"{path}: not a JSON file ({error}); fix or restore the file") from error
    if not isinstance(values, dict):
        raise BundleError(
            f'{path}: got a JSON {type(values).__name__}, expected a JSON object; write {{"name": value, ...}}'
        )
    return values


def read_settings(kind: type[Settings], path: str | os.PathLike[str]) -> Settings:
    """Read settings of a given class from a JSON file.

    Args:
        kind: a dataclass whose `__post_init__` checks its values.
        path: a file that contains a JSON object.

    Raises:
        BundleError: the file does not exist or contains no JSON object, a name is unknown, or the class rejects a
            value.
    """
    return settings_from_mapping(kind, read_mapping(path), source=str(path))


def write_settings(settings: object, path: str | os.PathLike[str]) -> None:
    """Write settings as JSON that `read_settings` reads back unchanged.

    The file is written under a temporary name and then renamed, so that readers never see a partial file.

    Args:
        settings: a dataclass instance.
        path: the file to write; an existing file is replaced.
    """
    values = dataclasses.asdict(settings)  # type: ignore[call-overload]
    with replacing(path) as aside:
        aside.write_text(json.dumps(values, indent=4) + "\n", encoding="utf-8")
