"""Overrides that MONAI takes for an expression although the user probably means a file or folder of that name."""

from __future__ import annotations

import ast
import builtins
import os
import re
from collections.abc import Mapping
from typing import Any

from cellseg_monai.errors import BundleError

__all__ = ["check_expression"]

_REFERENCE = re.compile(r"@[\w#:]+")
_ALWAYS_KNOWN = ("monai", "torch", "np", "numpy")


def check_expression(name: str, value: str, config: Mapping[str, Any]) -> None:
    """Check that an override which MONAI evaluates is not meant as a path.

    Args:
        name: name of the override.
        value: its value; only one that begins with `$`, `@` or `%` is checked.
        config: content of the config.

    Raises:
        BundleError: a file or folder has this name, or the value is no expression that could be evaluated.

    >>> check_expression("dataset_dir", "@plate1", {"dataset_dir": "."})
    Traceback (most recent call last):
    cellseg_monai.errors.BundleError: --dataset_dir @plate1: the config has no plate1; for a file or folder of this
    name, write ./@plate1
    """
    if not value.startswith(("$", "@", "%")):
        return
    reason = "MONAI takes this for an expression" if os.path.lexists(value) else _fault(value, config)
    if reason:
        raise BundleError(f"--{name} {value}: {reason}; for a file or folder of this name, write ./{value}")


def _fault(value: str, config: Mapping[str, Any]) -> str:
    """Return why a value cannot be evaluated, or "" if it could be."""
    for reference in _REFERENCE.findall(value) if value.startswith(("$", "@")) else ():
        key = re.split("#|::", reference[1:])[0]
        if key not in config:
            return f"the config has no {key}"
    if not value.startswith("$") or re.match(r"\$\s*(import|from)\b", value):
        return ""
    try:
        parsed = ast.parse(_REFERENCE.sub("None", value[1:]).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return "this is no Python expression"
    imported = " ".join(map(str, config.get("imports", ())))
    if isinstance(parsed, ast.Name) and not hasattr(builtins, parsed.id) and parsed.id not in _ALWAYS_KNOWN:
        return "" if re.search(rf"\b{parsed.id}\b", imported) else f"the name {parsed.id} is not defined"
    return ""
