"""The origin of a data set, for people and for the next call: SOURCE.md and sha256.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cellseg_monai.atomic import replacing
from cellseg_monai.datasets.registry import DataSet

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
    """One file that was fetched.

    Args:
        name: name of the file in the registry.
        address: source of the file: a URL, or a path.
        sha256: checksum of the file.
        known: True if the checksum was known beforehand, so the file was compared with it.
    """

    name: str
    address: str
    sha256: str
    known: bool


def describe(data_set: DataSet) -> str:
    """Return what a user should know before using a data set: licence, attribution, citation, and what is unverified.

    >>> from cellseg_monai.datasets.registry import find_data_set
    >>> print(describe(find_data_set("livecell")).splitlines()[1])
    licence:      CC-BY-NC-4.0 (non-commercial; weights trained on it inherit the question)
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
    """Return the name of the data set that was fetched into a folder; None if none was, or it is incomplete."""
    try:
        text = (folder / SOURCE_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    match = re.search(r"^- data set: `([^`]+)`", text, re.MULTILINE)
    return match[1] if match else None


def write_source(folder: Path, data_set: DataSet, files: Sequence[FetchedFile]) -> None:
    """Write SOURCE.md.

    It has to be written last: a folder that contains it is complete.

    Args:
        folder: folder of the data set.
        data_set: entry of the data set in the registry.
        files: the files that were fetched.
    """
    note = f" ({data_set.licence_note})" if data_set.licence_note else ""
    lines = [
        f"# {data_set.title}",
        "",
        f"- data set: `{data_set.name}` of the registry of cellseg_monai",
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
    """Return the checksums recorded in a folder by the addresses of the registry; malformed lines are ignored."""
    path = folder / CHECKSUMS_NAME
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {line[66:]: line[:64] for line in text.splitlines() if re.match("[0-9a-f]{64}  .", line)}


def write_checksums(folder: Path, checksums: Mapping[str, str]) -> None:
    """Write sha256.txt, with a checksum and an address on each line.

    Args:
        folder: folder of the data set.
        checksums: SHA-256 of each file by its address.
    """
    with replacing(folder / CHECKSUMS_NAME) as aside:
        aside.write_text("".join(f"{sha256}  {url}\n" for url, sha256 in checksums.items()), encoding="utf-8")


def _unverified(data_set: DataSet) -> str:
    several = len(data_set.files) > 1
    return (
        f"{'these URLs' if several else 'this URL'} and the layout {data_set.layout} could not be tried; "
        "if something is wrong, consult the page"
    )
