"""References between the keys of a config, such as `@network` or `@train#dataloader`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["ENTRY_KEYS", "references", "unreferenced_keys"]

# Keys that MONAI and this package read from outside a config. Every other key must be referred to within the config.
ENTRY_KEYS = frozenset({"imports", "initialize", "run", "finalize"})


def references(config: Any) -> set[str]:
    """Return all references in a config, without the `@`.

    >>> sorted(references({"a": "$@b + 1", "c": ["@d#e", {"f": 2}]}))
    ['b', 'd#e']
    """
    return {name for text in _strings(config) for name in re.findall(r"@([\w#]+)", text)}


def unreferenced_keys(config: Mapping[str, Any]) -> list[str]:
    """Return the keys that nothing in the config refers to, so that setting them would have no effect.

    >>> unreferenced_keys({"epochs": 3, "trainer": {"max_epochs": 2}, "run": ["$@trainer.run()"]})
    ['epochs']
    """
    named = {reference.split("#")[0] for reference in references(config)}
    # `run` names the entry of the workflow, such as `training`.
    return [key for key in config if key not in named | ENTRY_KEYS]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
