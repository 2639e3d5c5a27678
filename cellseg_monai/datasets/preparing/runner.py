"""Preparing a raw folder, from start to finish.

Files are not flushed to disk one by one, because on a busy disk thousands of flushes take longer than everything else.
Each file is written under a temporary name and then renamed, so a killed process leaves no incomplete files. Files
damaged by a power cut are recognised by their size, and written again.
"""

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
from cellseg_monai.data.parallel import map_parallel
from cellseg_monai.datasets.preparing.conversion import Row, convert, fingerprint
from cellseg_monai.datasets.preparing.journal import FOLDERS, LOCK_NAME, Record
from cellseg_monai.datasets.preparing.layouts import find_preparer
from cellseg_monai.datasets.preparing.preparer import Preparer, RawContent
from cellseg_monai.datasets.preparing.raw_folder import unknown_images
from cellseg_monai.datasets.preparing.sections import divide
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.lock import only_one
from cellseg_monai.text_file import read_text

__all__ = ["Prepared", "prepare"]

_SOURCE_NAME = "SOURCE.md"


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare`.

    Args:
        output: folder for the prepared set.
        layout: name of the layout of the raw data.
        images: number of images in the prepared set.
        written: number of images that this call wrote.
        objects: number of labelled objects.
        notes: counts from the preparation of labels, summed over images.
        sections: a sentence that says where the sections come from.
        faults: faults in files that could not be prepared, and warnings.
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
    """Convert a published data set to `images/`, `labels/` and `datalist.json`.

    Image files are copied unchanged, and labels become TIFF files with one id per object. `prepared.json` records what
    was done to each image. If a file cannot be prepared, it is reported as a fault, and the others are prepared anyway.
    A second call prepares only images that are missing or have changed. If there are none, it writes nothing.

    Args:
        raw_dir: the raw folder.
        output_dir: folder for the prepared set. It must be new, empty, or written by an earlier call.
        layout: name of the layout, one of `PREPARERS`; None to detect it, see `find_preparer`.
        workers: number of processes; None for one per processor. Processes are spawned, so a script must call `prepare`
            under `if __name__ == "__main__":`. With 1, the calling process does all the work.
        source_file: file that states the origin of the data, to copy to the prepared set; by default, `SOURCE.md` in
            the raw folder.

    Raises:
        DatasetError: the raw folder does not exist or contains no data, its layout is unclear, or the output folder
            contains anything other than a prepared set.
        OSError: the output cannot be written, another call is writing it (`FileExistsError`), or a process died
            (`ChildProcessError`).
        ValueError: the layout is unknown.
    """
    raw, output = Path(os.path.abspath(raw_dir)), Path(os.path.abspath(output_dir))
    _check_places(raw, output)
    preparer = find_preparer(raw, layout)
    with only_one(output / LOCK_NAME, "cellseg data prepare"):
        return _prepare(raw, output, preparer, workers, source_file or raw / _SOURCE_NAME)


def _prepare(raw: Path, output: Path, preparer: Preparer, workers: int | None, source: Path) -> Prepared:
    record = Record(output, preparer.name)
    content = _without_repeated(preparer.find(raw), raw)
    content.faults.extend(unknown_images(raw))
    if not content.works and not content.faults:
        raise DatasetError(f"{raw}: no files match the layout {preparer.name}; expected {preparer.summary}")
    if source.is_file():
        content.copies[_SOURCE_NAME] = source
    marks = {work.stem: fingerprint(work, raw) for work in content.works}
    todo = [work for work in content.works if not record.has(work.stem, marks[work.stem])]
    if todo:
        record.begin()
    convert_one = functools.partial(convert, layout=preparer.name, raw=raw, output=output)
    faults, written = list(content.faults), 0
    for _, outcome in map_parallel(convert_one, todo, workers=workers, title="preparing"):
        if isinstance(outcome, Fault):
            faults.append(outcome)
        else:
            record.add(outcome)
            written += 1
    done = [work for work in content.works if record.rows.get(work.stem, {}).get("fingerprint") == marks[work.stem]]
    return _finish(output, preparer, record, replace(content, works=done, faults=faults), written)


def _check_places(raw: Path, output: Path) -> None:
    if not raw.is_dir():
        raise DatasetError(f"{raw}: no such folder; pass the folder that contains the unpacked data set")
    if output.exists() and not output.is_dir():
        raise DatasetError(f"{output}: got a file, expected a folder for the prepared set; choose another --output")
    if output == raw or output.is_relative_to(raw) or raw.is_relative_to(output):
        raise DatasetError(f"{output}: overlaps with the raw folder {raw}; choose an --output outside it")


def _without_repeated(content: RawContent, raw: Path) -> RawContent:
    """Return the content without images whose output files would collide, assuming that names ignore case."""
    count = Counter(work.stem.casefold() for work in content.works)
    works, faults = [], list(content.faults)
    for work in content.works:
        files = count[work.stem.casefold()]
        if files == 1:
            works.append(work)
            continue
        message = f"{files} files would become the image {work.stem!r}; rename the files, or keep only one"
        faults.append(Fault(place_of(work.image, raw), "repeated-stem", message))
    return replace(content, works=works, faults=faults)


def _finish(output: Path, preparer: Preparer, record: Record, content: RawContent, written: int) -> Prepared:
    """Write the files that describe the data set as a whole, unless they are up to date.

    Args:
        output: folder for the prepared set.
        preparer: preparer for the layout.
        record: record with the rows of all images.
        content: the prepared images, and all faults.
        written: number of images that this call wrote.
    """
    rows = {stem: record.rows[stem] for stem in sorted(work.stem for work in content.works)}
    notes: Counter[str] = Counter()
    for row in rows.values():
        notes.update(row["notes"])
    faults = content.faults + _left_over(output, rows.values())
    objects, origin = sum(row.get("objects", 0) for row in rows.values()), ""
    if rows:
        for name, path in content.copies.items():
            _copy(path, output / name)
        sections, origin = divide(content.works, rows)
        text = datalist_text(sections, output)
        faults += _write_datalist(output / DATALIST_NAME, text, record.written.get("datalist_sha256"))
        about = {
            "layout": preparer.name,
            "rule": preparer.rule,
            "sections": origin,
            "versions": _versions(),
            "totals": {"images": len(rows), "objects": objects, **dict(sorted(notes.items()))},
            "faults": [str(fault) for fault in sorted(faults)],
            "lists": {name: [stem for stem in stems if stem in rows] for name, stems in sorted(content.lists.items())},
            "datalist_sha256": _digest(text),
            "images": list(rows.values()),
        }
        if about["images"] == record.written.get("images"):
            about["versions"] = record.written["versions"]  # nothing was prepared with the current versions
        record.finish(about)
    return Prepared(
        output, preparer.name, len(rows), written, objects, dict(sorted(notes.items())), origin, sorted(faults)
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a file with its modification time, unless the target already has the same size and time."""
    if target.is_file():
        before, after = target.stat(), source.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return
    with replacing(target, durable=False) as aside:
        shutil.copy2(source, aside)


def _write_datalist(path: Path, text: str, written_sha256: str | None) -> list[Fault]:
    """Write the datalist. If somebody has edited it since `prepare` wrote it, keep it and return a warning."""
    current = read_text(path) if path.is_file() else None
    if current == text:
        return []
    if current is not None and written_sha256 is not None and _digest(current) != written_sha256:
        message = (
            "kept, because it was edited after `cellseg data prepare` wrote it, so newly prepared images may be "
            "missing; to restore the original, delete this file and prepare the data set again"
        )
        return [Fault(path.name, "datalist", message, "warning")]
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _left_over(output: Path, rows: Iterable[Row]) -> list[Fault]:
    """Return a fault for each file in the prepared set whose raw file is missing or can no longer be prepared."""
    known = {row[key] for row in rows for key in ("image", "label") if key in row}
    message = "the raw file is missing or cannot be prepared; delete this file, or repair the raw file"
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
