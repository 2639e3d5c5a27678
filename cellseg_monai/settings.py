"""Settings as plain data: frozen dataclasses that are read from and written to JSON files.

A bundle keeps what it was trained with (`preprocess.json`) and what was fitted to it
(`postprocess.json`) as data, so that the configs, the command line and a runtime without torch
read the same values. A misspelt name in such a file is an error, never silently replaced by a default.
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

__all__ = ["read_mapping", "read_settings", "register", "settings_from_mapping", "write_settings"]

Settings = TypeVar("Settings")


def register(kinds: dict[str, type], kind: type, name: str) -> None:
    """Enter a class under the name by which plain data refers to it.

    Args:
        kinds: the classes by name; it is changed.
        kind: the class.
        name: its name.

    Raises:
        ValueError: another class has this name already.
    """
    other = kinds.get(name, kind)
    if (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(
            f"got the name {name!r} for {kind.__module__}.{kind.__qualname__}, but {other.__module__}."
            f"{other.__qualname__} has it already; choose another name"
        )
    kinds[name] = kind


def settings_from_mapping(kind: type[Settings], values: Mapping[str, Any], *, source: str) -> Settings:
    """Return the settings of a kind from a mapping of names to values.

    Args:
        kind: a dataclass whose `__post_init__` checks its values.
        values: names and values; settings that are left out keep their defaults.
        source: where the values come from, for the messages.

    Raises:
        BundleError: a name is unknown, or the kind refuses a value.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(names)}"
            raise BundleError(f"{source}: {kind.__name__} has no setting {name!r}; {remedy}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{source}: {error}") from error


def read_mapping(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the JSON object in a file of settings.

    Args:
        path: the file.

    Raises:
        BundleError: there is no such file, or it does not hold one JSON object.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"no {path.name} at {path}: is bundle_root right? pass --bundle_root PATH") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: not a JSON file ({error}); correct or restore it") from error
    if not isinstance(values, dict):
        raise BundleError(
            f'{path}: got a JSON {type(values).__name__}, expected one object of settings; write {{"name": value, ...}}'
        )
    return values


def read_settings(kind: type[Settings], path: str | os.PathLike[str]) -> Settings:
    """Return the settings of a kind that a JSON file holds.

    Args:
        kind: a dataclass whose `__post_init__` checks its values.
        path: a file that holds one JSON object.

    Raises:
        BundleError: there is no such file, it holds no JSON object, a name is unknown, or the kind refuses a value.
    """
    return settings_from_mapping(kind, read_mapping(path), source=str(path))


def write_settings(settings: object, path: str | os.PathLike[str]) -> None:
    """Write settings as a JSON file, which `read_settings` reads back equal.

    The file is written under another name and renamed, so that a reader never sees half of it.

    Args:
        settings: a dataclass instance.
        path: the file; an existing one is replaced.
    """
    values = dataclasses.asdict(settings)  # type: ignore[call-overload]
    with replacing(path) as aside:
        aside.write_text(json.dumps(values, indent=4) + "\n", encoding="utf-8")
