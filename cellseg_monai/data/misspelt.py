"""Names that are probably misspelt, because they occur in one image and resemble a name in several others."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

__all__ = ["misspelt"]

_ALIKE = 0.75
"""Smallest similarity of two names, from 0 to 1; see `difflib.get_close_matches`."""


def misspelt(names_of: Sequence[Collection[str]]) -> Iterator[tuple[int, str]]:
    """Yield the position of each image with a name that is probably misspelt, and a message.

    How often an image repeats a name makes no difference. Names that differ only in digits, such as those of plates, or
    by more than one letter in length, such as male and female, are taken for what they are.

    Args:
        names_of: the names in each image.

    >>> list(misspelt([{"round"}, {"rond", "long"}, {"round", "long"}]))
    [(1, "got 'rond' in one image, and 'round' in 2; is it misspelt?")]
    """
    counts = Counter(name for names in names_of for name in {*names})
    frequent = [name for name, count in counts.items() if count > 1]
    for position, names in enumerate(names_of):
        for name in sorted({*names}):
            if counts[name] > 1:
                continue
            others = [other for other in frequent if _can_be_meant(name, other)]
            for other in difflib.get_close_matches(name, others, n=1, cutoff=_ALIKE):
                yield position, f"got {name!r} in one image, and {other!r} in {counts[other]}; is it misspelt?"


def _can_be_meant(name: str, other: str) -> bool:
    without_digits = [re.sub(r"\d+", "", text) for text in (name, other)]
    return abs(len(name) - len(other)) <= 1 and without_digits[0] != without_digits[1]
