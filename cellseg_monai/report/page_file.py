"""A report on disk: one HTML file, and its numbers beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.report.html import render_page

__all__ = ["check_output", "write_page"]


def check_output(page: Path, overlays: object, *, such_as: str) -> None:
    """Refuse a report that cannot be written as it was asked for.

    Args:
        page: the HTML file.
        overlays: how many images are shown.
        such_as: an example of that, for the message.

    Raises:
        ValueError: the output is no HTML file, or the number of overlays no number from 0.

    >>> check_output(Path("report.html"), 3, such_as="16 shows the 16 lowest")
    """
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir():
        raise ValueError(f"output {str(page)!r} came, but an HTML file was expected; name one, such as report.html")
    if type(overlays) is not int or overlays < 0:
        raise ValueError(f"overlays={overlays!r} came, but a whole number from 0 was expected; {such_as}")


def write_page(
    page: Path, title: str, lead: str, sections: Sequence[tuple[str, str]], numbers: Mapping[str, Any]
) -> Path:
    """Write the page and its numbers; earlier ones are replaced.

    Args:
        page: the HTML file.
        title: see `render_page`.
        lead: likewise.
        sections: likewise.
        numbers: what JSON can hold.

    Returns:
        The JSON file beside the page.
    """
    with replacing(page) as aside:
        aside.write_text(render_page(title, lead, sections), encoding="utf-8")
    beside = page.with_suffix(".json")
    with replacing(beside) as aside:
        aside.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return beside
