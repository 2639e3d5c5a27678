"""Checking that combined variants do not set the same keys to different values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from cellseg_monai.errors import BundleError
from cellseg_monai.one_line import lines

__all__ = ["check_variants", "conflicts"]

_MARK = "+variants"


def check_variants(config_files: Sequence[str | Path]) -> None:
    """Check that the variants in a list of config files can be combined.

    If two files set the same key, MONAI uses the later file. If both files were variants, the checkpoint would record
    both, although the earlier one had no effect.

    Args:
        config_files: a config and its overlays. Overlays that are not variants can set any key.

    Raises:
        BundleError: two variants set the same key to different values. The message names the variants and the keys.
    """
    overlays = {}
    for file in config_files:
        config = ConfigParser.load_config_file(str(file))
        if _MARK in config:
            overlays["+".join(config[_MARK])] = config
    faults = [
        f"the variants {one} and {other} cannot be combined: both set {', '.join(keys)}; use only one of the two"
        for (one, first), (other, second) in itertools.combinations(overlays.items(), 2)
        if (keys := sorted(set(conflicts(first, second))))
    ]
    if faults:
        raise BundleError(lines(*faults))


def conflicts(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys that two overlays set to different values.

    A key of one overlay that reaches inside a key of the other, such as `a#b` inside `a`, also counts as different.

    Args:
        first: an overlay.
        second: another overlay.

    >>> list(conflicts({"network_def#norm": False, "epochs": 9}, {"network_def": {}, "epochs": 9}))
    ['network_def#norm']
    """
    for one, other in itertools.product(first, second):
        if _MARK in (one, other):
            continue
        nested = one.startswith(f"{other}#") or other.startswith(f"{one}#")
        if nested or (one == other and first[one] != second[other]):
            yield max(one, other, key=len)
