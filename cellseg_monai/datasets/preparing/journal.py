"""The record of prepared images: a journal while preparation is running, and `prepared.json` at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.datasets.preparing.conversion import Row
from cellseg_monai.errors import DatasetError
from cellseg_monai.json_text import parse_json, readable_json
from cellseg_monai.text_file import read_text

__all__ = ["FOLDERS", "LOCK_NAME", "RECORD_NAME", "Record", "read_record"]

RECORD_NAME = "prepared.json"
FOLDERS = ("images", "labels", "unlabelled")
"""The folders in a prepared set."""

LOCK_NAME = ".prepared.lock"

_JOURNAL_NAME = ".prepared.journal"
_OWN = (LOCK_NAME, _JOURNAL_NAME, f".{_JOURNAL_NAME}.")  # the last is the prefix of a half-written journal's name


def read_record(dataset: Path) -> dict[str, Any]:
    """Return the content of a data set's `prepared.json`, or an empty dictionary if there is none.

    Raises:
        DatasetError: the file is malformed.
    """
    path = dataset / RECORD_NAME
    try:
        content = parse_json(read_text(path))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DatasetError(
            f"{path}: not valid JSON ({error}); prepare the data set again, in another folder"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DatasetError(f"{path}: the list of images is missing; prepare the data set again, in another folder")
    try:
        for row in content["images"]:
            _check_row(row)
        for name, kind in (("layout", str), ("datalist_sha256", str), ("versions", dict), ("lists", dict)):
            if not isinstance(content.get(name, kind()), kind):
                raise ValueError(f"got {name}={content[name]!r:.100}")
        for stems in content.get("lists", {}).values():
            if not isinstance(stems, list) or not all(isinstance(stem, str) for stem in stems):
                raise ValueError(f"got the list {stems!r:.100}")
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; prepare the data set again, in another folder") from error
    return content


def _check_row(row: Any) -> None:
    """Check what is used of a row; a prepared image and its label lie in the folders of a prepared set.

    Raises:
        ValueError: an entry is missing or has the wrong type, or a file lies elsewhere.
    """
    if not isinstance(row, dict):
        raise ValueError(f"got the row {row!r:.100}")
    notes = row.get("notes")
    fits = isinstance(notes, dict) and all(isinstance(count, int) for count in notes.values())
    fits &= all(isinstance(row.get(name), str) for name in ("stem", "image", "source", "fingerprint"))
    fits &= isinstance(row.get("bytes"), int) and isinstance(row.get("objects", 0), int)
    files = [row[name] for name in ("image", "label") if name in row]
    inside = all(isinstance(file, str) and _is_prepared(file) for file in files)
    if not fits or not inside:
        raise ValueError(f"got the row {row!r:.200}")


def _is_prepared(file: str) -> bool:
    folder, _, name = file.partition("/")
    return folder in FOLDERS and name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)


class Record:
    """The rows of the images in a prepared set, stored so that they survive interruptions.

    Each row is appended to a journal as soon as the files of the image exist. If the journal ends in the middle of a
    row, only that row is lost.

    Args:
        output: folder for the prepared set. The caller must hold a lock on the folder; see `lock.only_one`.
        layout: name of the layout of the raw data.

    Raises:
        DatasetError: the folder contains something else, or a data set prepared from another layout.
    """

    def __init__(self, output: Path, layout: str) -> None:
        self._output, self._layout, self._journal = output, layout, output / _JOURNAL_NAME
        self.written = read_record(output)
        # An interrupted row can end inside a multi-byte character. Names can contain line separators other than "\n",
        # at which `splitlines` would split.
        text = read_text(self._journal, errors="replace") if self._journal.is_file() else ""
        lines = text.split("\n") if text else []
        previous = self.written.get("layout") or (lines[0] if lines else None)
        if previous is not None and previous != layout:
            raise DatasetError(
                f"{output}: got the layout {layout}, but this folder was prepared from the layout {previous}; choose "
                "another --output, or delete the folder"
            )
        if previous is None and any(not path.name.startswith(_OWN) for path in output.iterdir()):
            raise DatasetError(
                f"{output}: contains files that `cellseg data prepare` did not write; choose another --output"
            )
        self.rows: dict[str, Row] = {row["stem"]: row for row in self.written.get("images", [])}
        for line in lines[1:]:
            try:
                row = parse_json(line)
                _check_row(row)
            except ValueError:
                continue
            self.rows[row["stem"]] = row
        for folder in (*FOLDERS, "."):
            for path in (output / folder).glob(".*.part"):  # left by killed processes
                path.unlink()

    def has(self, stem: str, fingerprint: str) -> bool:
        """Return True if an image was prepared from the current raw files, and its prepared files are intact.

        Files are not flushed to disk one by one, so a power cut can damage them. A comparison of sizes detects this.

        Args:
            stem: stem of the image.
            fingerprint: current fingerprint of the raw files; see `conversion.fingerprint`.
        """
        row = self.rows.get(stem)
        if row is None or row["fingerprint"] != fingerprint:
            return False
        try:
            sizes = [(self._output / row[key]).stat().st_size for key in ("image", "label") if key in row]
        except FileNotFoundError:
            return False
        return sum(sizes) == row["bytes"]

    def begin(self) -> None:
        """Start a journal if there is none."""
        if not self._journal.is_file():
            with replacing(self._journal) as aside:
                aside.write_text(f"{self._layout}\n", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Record an image whose files have been written."""
        self.rows[row["stem"]] = row
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(readable_json(row, indent=None) + "\n")

    def finish(self, content: dict[str, Any]) -> None:
        """Write `prepared.json`, and delete the journal."""
        if content != self.written:
            with replacing(self._output / RECORD_NAME) as aside:
                aside.write_text(readable_json(content) + "\n", encoding="utf-8")
        self._journal.unlink(missing_ok=True)
