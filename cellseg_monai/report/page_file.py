"""Writing the files of a report: an HTML page, and its numbers as JSON in the same folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.report.html import render_page

__all__ = ["check_output", "write_page"]


def check_output(page: Path, overlays: object, *, such_as: str) -> None:
    """Check the output file and the number of overlays of a report.

    Args:
        page: HTML file to write.
        overlays: number of images to show.
        such_as: example that ends the error message about `overlays`.

    Raises:
        ValueError: the output is not an HTML file, or `overlays` is negative or not an integer.

    >>> check_output(Path("report.html"), 3, such_as="with 16, the report shows 16 images")
    """
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir():
        raise ValueError(f"got output {str(page)!r}, expected an HTML file; choose a name such as report.html")
    if type(overlays) is not int or overlays < 0:
        raise ValueError(f"got overlays={overlays!r}, expected a whole number of at least 0; {such_as}")


def write_page(
    page: Path, title: str, lead: str, sections: Sequence[tuple[str, str]], numbers: Mapping[str, Any]
) -> Path:
    """Write a page and its numbers, overwriting existing files.

    Args:
        page: HTML file to write.
        title: page title, as plain text.
        lead: content below the title, as HTML.
        sections: for each section, its heading as plain text and its content as HTML.
        numbers: content of the JSON file.

    Returns:
        Path of the JSON file, which has the name of the page with the suffix .json.
    """
    with replacing(page) as aside:
        aside.write_text(render_page(title, lead, sections), encoding="utf-8")
    json_path = page.with_suffix(".json")
    with replacing(json_path) as aside:
        aside.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return json_path
