"""The registry of public data sets: what there is, whose it is, where it lies, and how it is laid out.

It is data, `registry.toml` in this package; TOML rather than YAML, because Python reads it by itself from 3.11 on, and
because it never takes a name for a number, a date or a truth value.
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

__all__ = ["DataSet", "RemoteFile", "find_data_set", "format_registry", "load_registry"]

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")

_REGISTRY = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set, as it lies on a server.

    Args:
        url: its address, http or https.
        name: what it is called on disk; the last part of the address by default.
        sha256: its checksum, where one is known; else it is recorded when the file first comes.
        bytes: its size, where it is known.
        extract: is it an archive to be unpacked? By default, if its name ends like one.
        nested: are archives within the archive unpacked too, each where it lies?

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
    """One entry of the registry.

    Args:
        name: what `cellseg data fetch` calls it.
        title: what it is, in one line.
        modality: what it was imaged by.
        size: how much it is, in words.
        licence: its SPDX identifier, or what else governs its use.
        attribution: who is to be named.
        citation: the publications to cite, each with its DOI.
        page: where a person can read about it and download it by hand.
        layout: one of `preparing.PREPARERS`.
        files: what is fetched.
        licence_note: what the licence means for the user, such as non-commercial.
        folder: where in what was fetched the layout begins.
        verified: has somebody fetched and prepared it by this very entry?
        notes: what else one should know.
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
    """The data sets of the registry, by name, in the order of the file.

    Args:
        path: another registry than that of the package.

    Returns:
        Name to data set.

    Raises:
        DatasetError: no TOML file, or faults in it: all of them, each with its place.

    >>> load_registry()["bbbc039"].licence
    'CC0-1.0'
    """
    path = Path(path) if path is not None else _REGISTRY
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a TOML file ({error}); put it right or restore it") from error
    defaults = tables.pop("defaults", {})
    faults: list[Fault] = []
    if not isinstance(defaults, dict) or not all(isinstance(each, dict) for each in defaults.values()):
        faults.append(Fault("defaults", "wrong-type", "expected one table a family, such as [defaults.ctc]"))
        defaults = {}
    families = {name.partition("/")[0] for name in tables}
    faults += [
        Fault(f"defaults.{family}", "no-data-set", f"no data set is called {family} or {family}/...; take it away")
        for family in defaults
        if family not in families
    ]
    registry = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            faults.append(Fault(name, "wrong-type", f"{table!r} came where a table of the data set was expected"))
            continue
        values = {**defaults.get(name.partition("/")[0], {}), **table}
        found = _data_set_faults(name, values)
        faults += found
        if not found:
            files = tuple(RemoteFile(**each) for each in values.pop("files"))
            citation = tuple(values.pop("citation"))
            registry[name] = DataSet(name=name, files=files, citation=citation, **values)
    if faults:
        raise DatasetError(f"{path}: the registry cannot be used as it stands\n{format_faults(faults)}")
    return registry


def find_data_set(name: str, registry: Mapping[str, DataSet] | None = None) -> DataSet:
    """The data set of that name.

    Args:
        name: as `cellseg data list` shows it.
        registry: where to look, if not in the registry of the package.

    Raises:
        DatasetError: there is none of that name; the message has the nearest names.

    >>> find_data_set("livecel")
    Traceback (most recent call last):
    cellseg_monai.errors.DatasetError: no data set 'livecel'; did you mean livecell? `cellseg data list` shows all
    """
    registry = load_registry() if registry is None else registry
    if name in registry:
        return registry[name]
    by_lower = {each.lower(): each for each in registry}
    by_lower |= {each.partition("/")[2].lower(): each for each in registry if "/" in each}
    nearest = [by_lower[each] for each in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    nearest = nearest or [each for each in registry if name.lower() in each.lower()]
    remedy = f"did you mean {' or '.join(dict.fromkeys(nearest))}? " if nearest else ""
    raise DatasetError(f"no data set {name!r}; {remedy}`cellseg data list` shows all")


def format_registry(registry: Mapping[str, DataSet], columns: Sequence[str] = ("name", "title", "licence")) -> str:
    """The data sets as a table in Markdown: one row each.

    Args:
        registry: the data sets.
        columns: the fields of `DataSet` to show.

    >>> print(format_registry({"bbbc039": load_registry()["bbbc039"]}, ("name", "licence", "verified")))
    | name    | licence | verified |
    |---------|---------|----------|
    | bbbc039 | CC0-1.0 | no       |
    """
    words = {True: "yes", False: "no"}
    cells = [[getattr(each, column) for column in columns] for each in registry.values()]
    rows = [list(columns), *[[words.get(cell, str(cell)) for cell in row] for row in cells]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _data_set_faults(name: str, values: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with one entry."""
    faults = []
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)?", name) or ".." in name:
        faults.append(Fault(name, "name", "expected letters, digits and _.+- with at most one / between them"))
    faults += _key_faults(name, DataSet, values, reserved=("name",))
    files = values.get("files")
    if isinstance(files, list):
        if not files:
            faults.append(Fault(name, "no-files", "no file to fetch; give at least one"))
        for number, file in enumerate(files, 1):
            faults += _file_faults(f"{name}, file {number}", file)
        sound = [RemoteFile(**each) for each in files if not _file_faults("", each)]
        names = [each.name.lower() for each in sound]
        faults += [
            Fault(name, "repeated-file", f"two files are called {each!r}; give one of them another `name`")
            for each in sorted({each for each in names if names.count(each) > 1})
        ]
    layout = values.get("layout")
    if isinstance(layout, str) and layout not in PREPARERS:
        faults.append(Fault(name, "layout", f"{layout!r} came, expected one of {', '.join(PREPARERS)}"))
    folder = values.get("folder")
    if isinstance(folder, str) and (PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts):
        faults.append(Fault(name, "folder", f"{folder!r} leads out of the data set; expected a path within it"))
    return faults


def _file_faults(place: str, values: object) -> list[Fault]:
    """Everything that is wrong with one file of an entry."""
    if not isinstance(values, dict):
        return [Fault(place, "wrong-type", f"{values!r} came, expected {{ url = ... }}")]
    faults = _key_faults(place, RemoteFile, values)
    if faults:
        return faults
    file = RemoteFile(**values)
    if urlsplit(file.url).scheme not in ("http", "https") or not urlsplit(file.url).netloc:
        faults.append(
            Fault(place, "url", f"{file.url!r} came, expected an address that begins with https:// or http://")
        )
    elif not re.fullmatch(r"[^/\\:\0]+", file.name) or file.name.startswith("."):
        faults.append(Fault(place, "name", f"{file.name!r} is no name for a file; give one as `name`"))
    if file.sha256 and not re.fullmatch("[0-9a-f]{64}", file.sha256):
        faults.append(Fault(place, "sha256", f"{file.sha256!r} came, expected 64 hexadecimal digits in lower case"))
    if file.bytes < 0:
        faults.append(Fault(place, "bytes", f"{file.bytes} came, expected the size of the file"))
    return faults


_KINDS: dict[str, tuple[type, str]] = {
    "citation": (list, "a list of texts"),
    "files": (list, "a list of files"),
    "verified": (bool, "true or false"),
    "extract": (bool, "true or false"),
    "nested": (bool, "true or false"),
    "bytes": (int, "a whole number"),
}


def _key_faults(place: str, kind: type, values: Mapping[str, Any], reserved: Sequence[str] = ()) -> list[Fault]:
    """Keys that are unknown or missing, and values of another type than that of the field."""
    faults = []
    known = {field.name: field for field in fields(kind) if field.name not in reserved}
    for key, value in values.items():
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
            faults.append(Fault(place, "unknown-key", f"{key!r} came; {remedy}"))
            continue
        wanted, words = _KINDS.get(key, (str, "a text"))
        right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        if key == "citation" and right:
            right = all(isinstance(each, str) for each in value)
        if not right:
            faults.append(Fault(place, "wrong-type", f"{key} = {value!r} came, expected {words}"))
    for key, field in known.items():
        if field.default is not MISSING:
            continue
        if key not in values:
            faults.append(Fault(place, "missing-key", f"{key!r} is missing; every one has it"))
        elif values[key] in ("", []) and key != "files":
            faults.append(Fault(place, "empty", f"{key!r} says nothing; fill it in"))
    return faults
