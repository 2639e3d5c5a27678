"""Reading a bundle's JSON files, with the path in every message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json

__all__ = ["read_config"]


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a bundle's JSON file.

    Raises:
        BundleError: the file is missing, is not JSON, or contains no JSON object.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; copy the bundle again") from error
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}; copy the bundle again") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path}: got a JSON {type(content).__name__}, expected an object; copy the bundle again")
    return content
