"""Expand patterns such as `plates/**/*.tif`, taking names that exist literally and following no link in a circle."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["expand", "is_pattern"]

_WILDCARD = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Return True if a text contains wildcards."""
    return _WILDCARD.search(text) is not None


def expand(pattern: str) -> tuple[Path, list[Path], list[Path]]:
    """Find the paths that match a pattern.

    `*`, `?` and `[abc]` match within a name, and `**` matches any number of folders. A part of the pattern that exists
    as it is written stands for itself: `exp[1]/*.tif` means the folder `exp[1]` if there is one. Hidden files and
    folders only match a name that begins with a dot.

    Args:
        pattern: path with wildcards.

    Returns:
        The folder before the first wildcard; the matches, sorted; and links that lead back to a folder above them,
        which are not followed, because every image in them is found without them.
    """
    parts = Path(pattern).parts
    fixed = Path()
    first = 0
    while first < len(parts) and (not is_pattern(parts[first]) or os.path.lexists(fixed / parts[first])):
        fixed /= parts[first]
        first += 1
    real = Path(os.path.realpath(fixed))
    walk = _Walk()
    matches = dict.fromkeys(walk.matches(fixed, parts[first:], frozenset(map(str, (real, *real.parents)))))
    return fixed, sorted(matches), list(walk.circles)


class _Walk:
    """A search through folders.

    Attributes:
        circles: links that lead back, in the order in which they were found, as keys.
    """

    def __init__(self) -> None:
        self.circles: dict[Path, None] = {}

    def matches(self, folder: Path, parts: Sequence[str], above: frozenset[str]) -> Iterator[Path]:
        """Yield the paths below a folder that match the parts of a pattern.

        Args:
            folder: the folder.
            parts: what is left of the pattern.
            above: real paths of the folder and of all folders through which it was reached.
        """
        if not parts:
            yield folder
            return
        part, rest = parts[0], parts[1:]
        if os.path.lexists(folder / part):
            yield from self._below(folder / part, rest, above)
        if not is_pattern(part) or os.path.lexists(folder / part):
            return
        if part == "**":
            yield from self.matches(folder, rest or ["*"], above)
        for name in _names(folder):
            if part == "**":
                if not name.startswith(".") and (folder / name).is_dir():
                    yield from self._below(folder / name, parts, above)
            elif _fits(name, part):
                yield from self._below(folder / name, rest, above)

    def _below(self, path: Path, parts: Sequence[str], above: frozenset[str]) -> Iterator[Path]:
        """Yield a path if the pattern ends with it, or else what matches below it, unless it leads back."""
        if parts:
            real = os.path.realpath(path)
            if real in above or _leads_to_itself(path):
                self.circles[path] = None
                return
            above = above | {real}
        yield from self.matches(path, parts, above)


def _names(folder: Path) -> list[str]:
    """Return the names in a folder; none if it is no folder or cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatch(name, part) and (part.startswith(".") or not name.startswith("."))


def _leads_to_itself(link: Path) -> bool:
    """Return True for a link that leads to itself, directly or through other links."""
    try:
        os.stat(link)
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
