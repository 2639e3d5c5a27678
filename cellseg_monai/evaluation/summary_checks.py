"""Checks of a summary of an evaluation that was read from a file."""

from __future__ import annotations

from typing import Any

__all__ = ["OVER_WORDS", "check_summary"]

OVER_WORDS = {"mean": "mean over images", "median": "median over images", "pooled": "all images pooled"}
"""Descriptions of the ways to combine images, for use in text."""


def check_summary(content: Any) -> None:
    """Check the entries of a summary that this package uses.

    Args:
        content: content of the JSON file.

    Raises:
        ValueError: an entry is missing or has the wrong type.
    """
    _expect(isinstance(content, dict), "got no object")
    for name, kind in (("protocol", str), ("about", dict), ("scores", dict), ("images", int)):
        _expect(isinstance(content.get(name), kind), f"got {name}={content.get(name)!r:.100}")
    for name in ("true_objects", "predicted_objects"):
        _expect(isinstance(content.get(name), int), f"got {name}={content.get(name)!r:.100}")
    for name in ("not_evaluated", "warnings"):
        lines = content.get(name)
        _expect(isinstance(lines, list) and all(isinstance(line, str) for line in lines), f"got {name}={lines!r:.100}")
    _expect(len(content["scores"]) > 0, "got no scores")
    for name, score in content["scores"].items():
        _expect(isinstance(score, dict), f"got {name}={score!r:.100}")
        interval = score.get("interval_95")
        ends = interval if isinstance(interval, list) and len(interval) == 2 else [None]
        is_whole = _is_number(score.get("value")) and (interval is None or all(map(_is_number, ends)))
        _expect(is_whole and score.get("over") in list(OVER_WORDS), f"got {name}={score!r:.100}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _expect(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)
