"""What has been prepared: `prepared.json` when all is done, and a journal until then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.datasets.preparing.conversion import Row
from cellseg_monai.errors import DatasetError

__all__ = ["FOLDERS", "LOCK_NAME", "RECORD_NAME", "Record", "read_record"]

RECORD_NAME = "prepared.json"
FOLDERS = ("images", "labels", "unlabelled")
"""The folders of a prepared set."""

LOCK_NAME = ".prepared.lock"

_JOURNAL_NAME = ".prepared.journal"
_OWN = (LOCK_NAME, _JOURNAL_NAME, f".{_JOURNAL_NAME}.")  # the last: what is half-written of the journal


def read_record(dataset: Path) -> dict[str, Any]:
    """What `prepared.json` of a data set says; nothing if there is none.

    Raises:
        DatasetError: it is malformed.
    """
    path = dataset / RECORD_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path}: not a JSON file ({error}); prepare the data set again, in another folder"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DatasetError(f"{path}: expected an object with a list of images; prepare again, in another folder")
    return content


class Record:
    """The rows of the images that lie in a prepared set, kept through interruptions.

    Each row is appended to a journal as soon as its files are there. A journal that was cut off in a row loses that row
    alone.

    Args:
        output: the folder of the prepared set, which nobody else may be writing: see `lock.only_one`.
        layout: of the raw data.

    Raises:
        DatasetError: the folder holds something else: a data set that was not prepared here, or from another layout.
    """

    def __init__(self, output: Path, layout: str) -> None:
        self._output, self._layout, self._journal = output, layout, output / _JOURNAL_NAME
        self.written = read_record(output)
        # Cut off, a row may end within a letter; and names may hold what `splitlines` takes for the end of a line.
        text = self._journal.read_text(encoding="utf-8", errors="replace") if self._journal.is_file() else ""
        started = text.split("\n") if text else []
        before = self.written.get("layout") or (started[0] if started else None)
        if before is not None and before != layout:
            raise DatasetError(
                f"{output}: was prepared from the layout {before}, and {layout} came; choose another --output, or "
                "delete this one"
            )
        if before is None and any(not path.name.startswith(_OWN) for path in output.iterdir()):
            raise DatasetError(
                f"{output}: already there, and not prepared by `cellseg data prepare`; choose another --output"
            )
        self.rows: dict[str, Row] = {row["stem"]: row for row in self.written.get("images", [])}
        for line in started[1:]:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            self.rows[row["stem"]] = row
        for folder in (*FOLDERS, "."):
            for left in (output / folder).glob(".*.part"):  # by processes that were killed
                left.unlink()

    def has(self, stem: str, fingerprint: str) -> bool:
        """Whether an image was prepared from these very files, and still lies there.

        The disk is not waited for with each file: what a power cut took has another size afterwards.
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
        """Start a journal where there is none."""
        if not self._journal.is_file():
            with replacing(self._journal) as aside:
                aside.write_text(f"{self._layout}\n", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Note an image whose files are there."""
        self.rows[row["stem"]] = row
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def finish(self, content: dict[str, Any]) -> None:
        """Write `prepared.json`, and end the journal."""
        if content != self.written:
            with replacing(self._output / RECORD_NAME) as aside:
                aside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._journal.unlink(missing_ok=True)
