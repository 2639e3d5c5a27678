"""The registry of public data sets: their names, owners, URLs and layouts.

The entries are in `registry.toml` in this package. The format is TOML rather than YAML because Python 3.11 and later
read TOML without a dependency, and because TOML never mistakes a name for a number, a date or a Boolean.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from cellseg_monai.datasets.preparing.layouts import PREPARERS
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, format_faults
from cellseg_monai.one_line import lines
from cellseg_monai.text_file import read_text

__all__ = ["DataSet", "RemoteFile", "find_data_set", "format_registry", "load_registry"]

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")

_REGISTRY = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True)
class RemoteFile:
    """A downloadable file that belongs to a data set.

    Args:
        url: URL of the file, http or https.
        name: file name on disk; by default, the last part of the URL.
        sha256: SHA-256 of the file. If empty, the checksum of the first download is recorded.
        bytes: size of the file in bytes; 0 if unknown.
        extract: True if the file is an archive to unpack; by default, decided by its suffix.
        nested: True to also unpack any archives inside the archive, each in place.

    >>> RemoteFile("https://example.org/a/images%20new.zip")
    RemoteFile(url='https://example.org/a/images%20new.zip', name='images new.zip', sha256='', bytes=0, extract=True,
               nested=False)
    """

    url: str
    name: str = ""
    sha256: str = ""
    bytes: int = 0
    extract: bool | None = None
    nested: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", unquote(urlsplit(self.url).path).rpartition("/")[2])
        if self.extract is None:
            object.__setattr__(self, "extract", self.name.lower().endswith(_ARCHIVES))


@dataclass(frozen=True)
class DataSet:
    """A registry entry.

    Args:
        name: name of the data set for `cellseg data fetch`.
        title: one-line description.
        modality: imaging modality.
        size: number and size of the images, in words.
        licence: SPDX identifier of the licence, or the terms of use.
        attribution: people or institutions to credit.
        citation: publications to cite, each with its DOI.
        page: web page about the data set, with links for downloading it by hand.
        layout: layout of the files, one of `preparing.PREPARERS`.
        files: files to fetch.
        licence_note: what the licence means for users, such as "non-commercial".
        folder: root folder of the layout, relative to the fetched files.
        verified: True if somebody has fetched and prepared the data set with exactly this entry.
        notes: anything else that users should know.
    """

    name: str
    title: str
    modality: str
    size: str
    licence: str
    attribution: str
    citation: tuple[str, ...]
    page: str
    layout: str
    files: tuple[RemoteFile, ...]
    licence_note: str = ""
    folder: str = ""
    verified: bool = False
    notes: str = ""


def load_registry(path: str | Path | None = None) -> dict[str, DataSet]:
    """Return the data sets in the registry, keyed by name, in file order.

    Args:
        path: TOML file to read instead of the built-in registry.

    Raises:
        DatasetError: the file is not TOML, or contains errors; the message lists every error with its place.

    >>> load_registry()["bbbc039"].licence
    'CC0-1.0'
    """
    path = Path(path) if path is not None else _REGISTRY
    try:
        tables = tomllib.loads(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path}: not valid TOML ({error}); fix or restore the file") from error
    defaults = tables.pop("defaults", {})
    faults: list[Fault] = []
    if not isinstance(defaults, dict) or not all(isinstance(table, dict) for table in defaults.values()):
        faults.append(Fault("defaults", "wrong-type", "expected one table per family, such as [defaults.ctc]"))
        defaults = {}
    families = {name.partition("/")[0] for name in tables}
    faults += [
        Fault(f"defaults.{family}", "no-data-set", f"no data set is called {family} or {family}/...; remove this table")
        for family in defaults
        if family not in families
    ]
    registry = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            faults.append(Fault(name, "wrong-type", f"got {table!r}, expected a table for a data set"))
            continue
        values = {**defaults.get(name.partition("/")[0], {}), **table}
        entry_faults = _data_set_faults(name, values)
        faults += entry_faults
        if not entry_faults:
            files = tuple(RemoteFile(**file) for file in values.pop("files"))
            citation = tuple(values.pop("citation"))
            registry[name] = DataSet(name=name, files=files, citation=citation, **values)
    if faults:
        head = f"{path}: the registry contains errors; fix these entries:"
        raise DatasetError(lines(head, *format_faults(faults).split("\n")))
    return registry


def find_data_set(name: str, registry: Mapping[str, DataSet] | None = None) -> DataSet:
    """Return the data set with a given name.

    Args:
        name: name of the data set, as shown by `cellseg data list`.
        registry: data sets, keyed by name; by default, the built-in registry.

    Raises:
        DatasetError: no data set has this name; the message suggests similar names.

    >>> find_data_set("livecel")
    Traceback (most recent call last):
    cellseg_monai.errors.DatasetError: no data set named 'livecel'; did you mean livecell?
    `cellseg data list` shows all data sets
    """
    registry = load_registry() if registry is None else registry
    if name in registry:
        return registry[name]
    by_lower = {known.lower(): known for known in registry}
    by_lower |= {known.partition("/")[2].lower(): known for known in registry if "/" in known}
    nearest = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    nearest = nearest or [known for known in registry if name.lower() in known.lower()]
    remedy = f"did you mean {' or '.join(dict.fromkeys(nearest))}? " if nearest else ""
    raise DatasetError(f"no data set named {name!r}; {remedy}`cellseg data list` shows all data sets")


def format_registry(registry: Mapping[str, DataSet], columns: Sequence[str] = ("name", "title", "licence")) -> str:
    """Return a Markdown table with one row per data set.

    Args:
        registry: data sets, keyed by name.
        columns: names of the `DataSet` fields to show.

    >>> print(format_registry({"bbbc039": load_registry()["bbbc039"]}, ("name", "licence", "verified")))
    | name    | licence | verified |
    |---------|---------|----------|
    | bbbc039 | CC0-1.0 | no       |
    """
    words = {True: "yes", False: "no"}
    cells = [[getattr(data_set, column) for column in columns] for data_set in registry.values()]
    rows = [list(columns), *[[words.get(cell, str(cell)) for cell in row] for row in cells]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _data_set_faults(name: str, values: Mapping[str, Any]) -> list[Fault]:
    """Return all faults in a registry entry."""
    faults = []
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)?", name) or ".." in name:
        faults.append(Fault(name, "name", "expected letters, digits and _.+-, with at most one / in the middle"))
    faults += _key_faults(name, DataSet, values, reserved=("name",))
    files = values.get("files")
    if isinstance(files, list):
        if not files:
            faults.append(Fault(name, "no-files", "no files to fetch; add at least one"))
        for number, file in enumerate(files, 1):
            faults += _file_faults(f"{name}, file {number}", file)
        valid_files = [RemoteFile(**file) for file in files if not _file_faults("", file)]
        names = [file.name.lower() for file in valid_files]
        faults += [
            Fault(name, "repeated-file", f"two files are called {repeated!r}; give one of them a different `name`")
            for repeated in sorted({file_name for file_name in names if names.count(file_name) > 1})
        ]
    layout = values.get("layout")
    if isinstance(layout, str) and layout not in PREPARERS:
        faults.append(Fault(name, "layout", f"got {layout!r}, expected one of {', '.join(PREPARERS)}"))
    folder = values.get("folder")
    if isinstance(folder, str) and (PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts):
        faults.append(Fault(name, "folder", f"got {folder!r}, expected a relative path inside the data set"))
    return faults


def _file_faults(place: str, values: object) -> list[Fault]:
    """Return all faults in the table for a file."""
    if not isinstance(values, dict):
        return [Fault(place, "wrong-type", f"got {values!r}, expected {{ url = ... }}")]
    faults = _key_faults(place, RemoteFile, values)
    if faults:
        return faults
    file = RemoteFile(**values)
    if urlsplit(file.url).scheme not in ("http", "https") or not urlsplit(file.url).netloc:
        faults.append(Fault(place, "url", f"got {file.url!r}, expected a URL that begins with https:// or http://"))
    elif not re.fullmatch(r"[^/\\:\0]+", file.name) or file.name.startswith("."):
        faults.append(Fault(place, "name", f"{file.name!r} is not a valid file name; set `name` to a valid one"))
    if file.sha256 and not re.fullmatch("[0-9a-f]{64}", file.sha256):
        faults.append(Fault(place, "sha256", f"got {file.sha256!r}, expected 64 lower-case hexadecimal digits"))
    if file.bytes < 0:
        faults.append(Fault(place, "bytes", f"got {file.bytes}, expected the file size in bytes"))
    return faults


_TYPES: dict[str, tuple[type, str]] = {
    "citation": (list, "a list of strings"),
    "files": (list, "a list of files"),
    "verified": (bool, "true or false"),
    "extract": (bool, "true or false"),
    "nested": (bool, "true or false"),
    "bytes": (int, "a whole number"),
}


def _key_faults(place: str, entry_type: type, values: Mapping[str, Any], reserved: Sequence[str] = ()) -> list[Fault]:
    """Return faults for unknown keys, missing keys, empty values and values of the wrong type."""
    faults = []
    known = {field.name: field for field in fields(entry_type) if field.name not in reserved}
    for key, value in values.items():
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {', '.join(known)}"
            faults.append(Fault(place, "unknown-key", f"got the key {key!r}; {remedy}"))
            continue
        wanted, description = _TYPES.get(key, (str, "a string"))
        is_valid = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        if key == "citation" and is_valid:
            is_valid = all(isinstance(publication, str) for publication in value)
        if not is_valid:
            faults.append(Fault(place, "wrong-type", f"got {key} = {value!r}, expected {description}"))
    for key, field in known.items():
        if field.default is not MISSING:
            continue
        if key not in values:
            faults.append(Fault(place, "missing-key", f"{key!r} is missing; add this key"))
        elif values[key] in ("", []) and key != "files":
            faults.append(Fault(place, "empty", f"{key!r} is empty; set a value"))
    return faults
