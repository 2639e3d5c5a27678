"""A raw folder, prepared from beginning to end."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.data.datalist import DATALIST_NAME
from cellseg_monai.data.datalist_file import datalist_text
from cellseg_monai.data.parallel import each
from cellseg_monai.datasets.preparing.conversion import Row, convert, fingerprint
from cellseg_monai.datasets.preparing.journal import FOLDERS, LOCK_NAME, Record
from cellseg_monai.datasets.preparing.layouts import find_preparer
from cellseg_monai.datasets.preparing.preparer import Found, Preparer
from cellseg_monai.datasets.preparing.raw_folder import unknown_images
from cellseg_monai.datasets.preparing.sections import divide
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.lock import only_one

__all__ = ["Prepared", "prepare"]

_SOURCE_NAME = "SOURCE.md"


@dataclass(frozen=True)
class Prepared:
    """What a call of `prepare` did.

    Args:
        output: the prepared set.
        layout: the name of the layout of the raw data.
        images: how many images it now has.
        written: how many of them this call wrote.
        objects: how many objects are labelled.
        notes: what was done to labels, summed over the images.
        sections: in a sentence, where the sections come from.
        faults: what could not be prepared.
    """

    output: Path
    layout: str
    images: int
    written: int
    objects: int
    notes: dict[str, int]
    sections: str
    faults: list[Fault]


def prepare(
    raw_dir: str | Path,
    output_dir: str | Path,
    *,
    layout: str | None = None,
    workers: int | None = None,
    source_file: Path | None = None,
) -> Prepared:
    """Write a data set as `images/`, `labels/` and `datalist.json`, out of the layout that it is published in.

    Files of images are copied as they are; labels become TIFF with one id per object. `prepared.json` tells what was
    done to each. A file that cannot be prepared is a fault, and the rest is prepared. A second call does what is still
    to do, after an interruption or for files that changed; if that is nothing, it writes nothing.

    Args:
        raw_dir: the raw folder.
        output_dir: the prepared set: a new or empty folder, or one that an earlier call wrote.
        layout: of `PREPARERS`; None to look, see `find_preparer`.
        workers: processes; None for as many as there are processors. They are spawned, so that a script must call this
            under `if __name__ == "__main__":`; with 1, all is done in this process.
        source_file: what says where the data come from, and goes along; `SOURCE.md` in the raw folder by default.

    Raises:
        DatasetError: no such folder, nothing found in it, a layout that is not clear, or an output that is something
            else.
        OSError: the output cannot be written, or another call is writing it (`FileExistsError`), or a process died
            (`ChildProcessError`).
        ValueError: an unknown layout.
    """
    raw, output = Path(os.path.abspath(raw_dir)), Path(os.path.abspath(output_dir))
    _check_places(raw, output)
    preparer = find_preparer(raw, layout)
    with only_one(output / LOCK_NAME, "cellseg data prepare"):
        return _prepare(raw, output, preparer, workers, source_file or raw / _SOURCE_NAME)


def _prepare(raw: Path, output: Path, preparer: Preparer, workers: int | None, source: Path) -> Prepared:
    record = Record(output, preparer.name)
    found = _without_repeated(preparer.find(raw), raw)
    found.faults.extend(unknown_images(raw))
    if not found.works and not found.faults:
        raise DatasetError(f"{raw}: nothing of the layout {preparer.name} in it; expected {preparer.summary}")
    if source.is_file():
        found.copies[_SOURCE_NAME] = source
    marks = {work.stem: fingerprint(work, raw) for work in found.works}
    todo = [work for work in found.works if not record.has(work.stem, marks[work.stem])]
    if todo:
        record.begin()
    do = functools.partial(convert, layout=preparer.name, raw=raw, output=output)
    faults, written = list(found.faults), 0
    for _, outcome in each(do, todo, workers=workers, doing="preparing"):
        if isinstance(outcome, Fault):
            faults.append(outcome)
        else:
            record.add(outcome)
            written += 1
    done = [work for work in found.works if record.rows.get(work.stem, {}).get("fingerprint") == marks[work.stem]]
    return _finish(output, preparer, record, replace(found, works=done, faults=faults), written)


def _check_places(raw: Path, output: Path) -> None:
    if not raw.is_dir():
        raise DatasetError(f"{raw}: no such folder; pass the folder with the unpacked files of a data set")
    if output.exists() and not output.is_dir():
        raise DatasetError(
            f"{output}: a file, where a folder for the prepared set was expected; choose another --output"
        )
    if output == raw or output.is_relative_to(raw) or raw.is_relative_to(output):
        raise DatasetError(f"{output}: overlaps with the raw folder {raw}; choose an --output beside it")


def _without_repeated(found: Found, raw: Path) -> Found:
    """What was found, less images that would become one file, here or where names differ by more than their case."""
    count = Counter(work.stem.casefold() for work in found.works)
    works, faults = [], list(found.faults)
    for work in found.works:
        files = count[work.stem.casefold()]
        if files == 1:
            works.append(work)
            continue
        message = f"{files} files would become the image {work.stem!r}; rename or keep one of them"
        faults.append(Fault(place_of(work.image, raw), "repeated-stem", message))
    return replace(found, works=works, faults=faults)


def _finish(output: Path, preparer: Preparer, record: Record, found: Found, written: int) -> Prepared:
    """Write what is about all images together, where it is not there already; `found` is what came of them."""
    rows = {stem: record.rows[stem] for stem in sorted(work.stem for work in found.works)}
    notes: Counter[str] = Counter()
    for row in rows.values():
        notes.update(row["notes"])
    faults = found.faults + _left_over(output, rows.values())
    objects, said = sum(row.get("objects", 0) for row in rows.values()), ""
    if rows:
        for name, path in found.copies.items():
            _copy(path, output / name)
        sections, said = divide(found.works, rows)
        text = datalist_text(sections, output)
        faults += _write_datalist(output / DATALIST_NAME, text, record.written.get("datalist_sha256"))
        content = {
            "layout": preparer.name,
            "rule": preparer.rule,
            "sections": said,
            "versions": _versions(),
            "totals": {"images": len(rows), "objects": objects, **dict(sorted(notes.items()))},
            "faults": [str(fault) for fault in sorted(faults)],
            "lists": {name: [stem for stem in stems if stem in rows] for name, stems in sorted(found.lists.items())},
            "datalist_sha256": _digest(text),
            "images": list(rows.values()),
        }
        if content["images"] == record.written.get("images"):
            content["versions"] = record.written["versions"]  # nothing was made by these
        record.finish(content)
    return Prepared(
        output, preparer.name, len(rows), written, objects, dict(sorted(notes.items())), said, sorted(faults)
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a file, with its time, unless it is there already."""
    status = source.stat()
    if target.is_file():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
            return
    with replacing(target, durable=False) as aside:
        shutil.copy2(source, aside)


def _write_datalist(path: Path, text: str, before: str | None) -> list[Fault]:
    """Write the datalist; a warning where somebody else wrote one in the meantime, which is kept."""
    there = path.read_text(encoding="utf-8") if path.is_file() else None
    if there == text:
        return []
    if there is not None and before is not None and _digest(there) != before:
        message = (
            "it is not what was written here before, and is kept; it may lack images that were prepared since. Delete "
            "it, and prepare again, to have the original"
        )
        return [Fault(path.name, "datalist", message, "warning")]
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _left_over(output: Path, rows: Iterable[Row]) -> list[Fault]:
    """Files in the prepared set that come from no raw file any more."""
    known = {row[key] for row in rows for key in ("image", "label") if key in row}
    message = "it comes from no file that can be prepared (any more); delete it, or put that file right"
    return [
        Fault(f"{folder}/{path.name}", "left-over", message)
        for folder in FOLDERS
        for path in (output / folder).glob("[!.]*")
        if f"{folder}/{path.name}" not in known
    ]


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    libraries = ("numpy", "scikit-image", "tifffile", "pillow")
    return {"cellseg_monai": __version__, **{name: version(name) for name in libraries}}
