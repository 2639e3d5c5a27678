"""Files of a report: one HTML page, and its numbers as JSON next to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.report.html import render_page

__all__ = ["check_output", "write_page"]


def check_output(page: Path, overlays: object, *, such_as: str) -> None:
    """Refuse an output or a number of overlays that a report cannot have.

    Args:
        page: HTML file to write.
        overlays: number of images to show.
        such_as: example of a valid number of overlays, for the message.

    Raises:
        ValueError: the output is not an HTML file, or the number of overlays is not a whole number of 0 or more.

    >>> check_output(Path("report.html"), 3, such_as="16 shows the 16 lowest")
    """
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir():
        raise ValueError(f"got output {str(page)!r}, expected an HTML file; name one, such as report.html")
    if type(overlays) is not int or overlays < 0:
        raise ValueError(f"got overlays={overlays!r}, expected a whole number of 0 or more; {such_as}")


def write_page(
    page: Path, title: str, lead: str, sections: Sequence[tuple[str, str]], numbers: Mapping[str, Any]
) -> Path:
    """Write the page and its numbers, replacing existing files.

    Args:
        page: HTML file to write.
        title: title of the page, as text.
        lead: content below the title, as HTML.
        sections: heading of each section as text, and its content as HTML.
        numbers: content of the JSON file.

    Returns:
        The JSON file next to the page.
    """
    with replacing(page) as aside:
        aside.write_text(render_page(title, lead, sections), encoding="utf-8")
    json_path = page.with_suffix(".json")
    with replacing(json_path) as aside:
        aside.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return json_path
