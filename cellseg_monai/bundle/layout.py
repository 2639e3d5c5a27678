"""JSON formatted the way a person would write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["json_text"]

_PLAIN_LIST = re.compile(r"\[\n\s*([^\[\]{}]*?)\s+\]")
_LIST_OF_PLAIN_LISTS = re.compile(r"\[\n\s*((?:\[[^\[\]]*\],?\s*)+)\]")


def json_text(value: Mapping[str, Any]) -> str:
    """Return indented JSON text with each list of plain values, or list of these lists, on one line.

    Args:
        value: a mapping that can be serialised as JSON.

    >>> print(json_text({"roi_size": [256, 256]}), end="")
    {
        "roi_size": [256, 256]
    }
    """
    text = json.dumps(value, indent=4)
    for pattern in (_PLAIN_LIST, _LIST_OF_PLAIN_LISTS):
        text = pattern.sub(lambda match: "[" + re.sub(r"\s*\n\s*", " ", match.group(1)).strip() + "]", text)
    return text + "\n"
