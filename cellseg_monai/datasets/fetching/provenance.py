"""Provenance records for a fetched data set: SOURCE.md and sha256.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cellseg_monai.atomic import replacing
from cellseg_monai.datasets.registry import DataSet
from cellseg_monai.text_file import read_text

__all__ = [
    "CHECKSUMS_NAME",
    "SOURCE_NAME",
    "FetchedFile",
    "describe",
    "fetched_name",
    "read_checksums",
    "write_checksums",
    "write_source",
]

SOURCE_NAME = "SOURCE.md"
CHECKSUMS_NAME = "sha256.txt"


@dataclass(frozen=True)
class FetchedFile:
    """A fetched file.

    Args:
        name: file name in the registry.
        address: URL or path from which the file was fetched.
        sha256: SHA-256 of the file.
        known: True if the registry states the SHA-256 and the file matched it.
    """

    name: str
    address: str
    sha256: str
    known: bool


def describe(data_set: DataSet) -> str:
    """Return a summary of a data set for its users: licence, attribution, citations, size, web page and caveats.

    >>> from cellseg_monai.datasets.registry import find_data_set
    >>> print(describe(find_data_set("livecell")).splitlines()[1])
    licence:      CC-BY-NC-4.0 (non-commercial; this may extend to weights trained on the images)
    """
    note = f" ({data_set.licence_note})" if data_set.licence_note else ""
    lines = [
        f"{data_set.name}: {data_set.title}",
        f"licence:      {data_set.licence}{note}",
        f"attribution:  {data_set.attribution}",
        *[f"cite:         {publication}" for publication in data_set.citation],
        f"size:         {data_set.size}",
        f"page:         {data_set.page}",
    ]
    lines += [f"note:         {data_set.notes}"] if data_set.notes else []
    lines += [] if data_set.verified else [f"not verified: {_unverified(data_set)}"]
    return "\n".join(lines)


def fetched_name(folder: Path) -> str | None:
    """Return the name of the data set fetched into a folder, or None if the folder contains no complete data set."""
    try:
        text = read_text(folder / SOURCE_NAME)
    except (OSError, ValueError):
        return None
    match = re.search(r"^- data set: `([^`]+)`", text, re.MULTILINE)
    return match[1] if match else None


def write_source(folder: Path, data_set: DataSet, files: Sequence[FetchedFile]) -> None:
    """Write SOURCE.md.

    Call this last, because a folder that contains SOURCE.md counts as complete.

    Args:
        folder: folder that contains the data set.
        data_set: registry entry of the data set.
        files: the fetched files.
    """
    note = f" ({data_set.licence_note})" if data_set.licence_note else ""
    lines = [
        f"# {data_set.title}",
        "",
        f"- data set: `{data_set.name}` in the cellseg_monai registry",
        f"- licence: {data_set.licence}{note}",
        f"- attribution: {data_set.attribution}",
        *[f"- cite: {publication}" for publication in data_set.citation],
        f"- page: {data_set.page}",
        f"- layout: {data_set.layout}" + (f", in {data_set.folder}/" if data_set.folder else ""),
        f"- fetched: {datetime.now(timezone.utc).date().isoformat()}",
    ]
    lines += [f"- note: {data_set.notes}"] if data_set.notes else []
    lines += [] if data_set.verified else [f"- not verified: {_unverified(data_set)}"]
    lines += ["", "| file | from | SHA-256 | checked |", "|---|---|---|---|"]
    for file in files:
        checked = "against a known checksum" if file.known else "recorded at the first download"
        lines.append(f"| {file.name} | {file.address} | {file.sha256} | {checked} |")
    with replacing(folder / SOURCE_NAME) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the checksums in sha256.txt, keyed by the URLs in the registry; malformed lines are skipped."""
    path = folder / CHECKSUMS_NAME
    text = read_text(path) if path.exists() else ""
    return {line[66:]: line[:64] for line in text.splitlines() if re.match("[0-9a-f]{64}  .", line)}


def write_checksums(folder: Path, checksums: Mapping[str, str]) -> None:
    """Write sha256.txt, with one checksum and URL per line.

    Args:
        folder: folder that contains the data set.
        checksums: SHA-256 of each file, keyed by the URL in the registry.
    """
    with replacing(folder / CHECKSUMS_NAME) as aside:
        aside.write_text("".join(f"{sha256}  {url}\n" for url, sha256 in checksums.items()), encoding="utf-8")


def _unverified(data_set: DataSet) -> str:
    several = len(data_set.files) > 1
    return (
        f"{'these URLs' if several else 'this URL'} and the layout {data_set.layout} have not been tested; "
        "if something goes wrong, see the web page"
    )
