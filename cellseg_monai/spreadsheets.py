"""CSV tables that a spreadsheet program can open without running their text as formulas.

Excel and LibreOffice treat a cell that begins with `=`, `+`, `-` or `@` as a formula, also in a CSV file. A formula can
fetch web pages and start programs, and an image can be called `=cmd|'/C calc'!A1.tif`. Text that begins like a formula
is therefore written with an apostrophe in front of it, and `read_table` removes the apostrophe. Numbers are written as
they are.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from cellseg_monai.atomic import replacing
from cellseg_monai.text_file import open_text

__all__ = ["TableWriter", "cell_text", "read_rows", "read_table", "text_of_cell", "writing_table"]

# Spreadsheets can skip spaces, and those for East Asian languages accept full-width characters. A spreadsheet that
# splits at semicolons or tabs does not see the quotes around a cell, so what follows a separator or a line break could
# be a formula. The apostrophes make the change reversible for text that already begins with them.
_FORMULA_IN_LINE = re.compile(r"((?:^|[\r\n;\t])'*)((?=[^\S\r\n\t]*[=+\-@\uff1d\uff0b\uff0d\uff20]))")
_CONTROL_AT_START = re.compile(r"'*[\t\r\n]")
_MOST_BYTES = 2**33
_SEPARATORS = re.compile("[;\t]")  # of spreadsheets in many countries, or if the user chooses them


def cell_text(text: str) -> str:
    """Return text as it is written to a cell.

    >>> cell_text("=1+1.tif"), cell_text("a=1.tif"), cell_text("'-a.tif"), cell_text("'a'.tif")
    ("'=1+1.tif", 'a=1.tif', "''-a.tif", "'a'.tif")
    """
    marked = _FORMULA_IN_LINE.sub(r"\1'", text)
    return f"'{marked}" if _CONTROL_AT_START.match(marked) else marked


def text_of_cell(cell: str) -> str:
    """Return the text that `cell_text` was given.

    >>> [text_of_cell(cell) for cell in ("'=1+1.tif", "a=1.tif", "''-a.tif", "'a'.tif")]
    ['=1+1.tif', 'a=1.tif', "'-a.tif", "'a'.tif"]
    """
    marked = cell[1:] if cell.startswith("'") and _CONTROL_AT_START.match(cell) else cell
    return _FORMULA_IN_LINE.sub(lambda start: start[1].removesuffix("'"), marked)


class TableWriter:
    """A writer of rows, like the one of `csv`; `writing_table` makes it.

    Args:
        file: text file, opened with `newline=""`.
        line_end: end of each line.
    """

    def __init__(self, file: IO[str], line_end: str) -> None:
        self._file = file
        self._line_end = line_end
        self._rows = csv.writer(file, lineterminator=line_end)

    def write_numbers(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows of numbers; this is as fast as `csv`, because no cell is examined."""
        self._rows.writerows(rows)

    def write(self, row: Iterable[object]) -> None:
        """Write a row of text and numbers."""
        cells = [cell_text(cell) if isinstance(cell, str) else cell for cell in row]
        if any(isinstance(cell, str) and _SEPARATORS.search(cell) for cell in cells):
            self._file.write(",".join(map(_quoted, cells)) + self._line_end)
        else:
            self._rows.writerow(cells)


def _quoted(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if re.search('[,;"\t\r\n]', text) else text


@contextmanager
def writing_table(
    path: str | os.PathLike[str], columns: Iterable[str], *, line_end: str = "\r\n"
) -> Iterator[TableWriter]:
    """Yield a writer for the rows of a CSV table, which replaces `path` at the end.

    Args:
        path: file to write.
        columns: names of the columns, which become the first row.
        line_end: end of each line.
    """
    with replacing(path) as aside, open(aside, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = TableWriter(file, line_end)
        table.write(columns)
        yield table


def read_rows(path: str | os.PathLike[str]) -> list[list[str]]:
    """Return the rows of a CSV file, each a list of cells as they are written.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a CSV file.
    """
    try:
        with open_text(path, newline="", most_bytes=_MOST_BYTES) as file:
            return list(csv.reader(file))
    except csv.Error as error:
        raise ValueError(str(error)) from error


def read_table(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each a dict from column name to the text of the cell.

    Args:
        path: a table written by `writing_table`.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
    >>> with writing_table(path, ["image", "objects"]) as table:
    ...     table.write(["=1.tif", -3])
    >>> path.read_text().splitlines(), read_table(path)
    (['image,objects', "'=1.tif,-3"], [{'image': '=1.tif', 'objects': '-3'}])
    """
    head, *rows = read_rows(path) or [[]]
    names = list(map(text_of_cell, head))
    return [dict(zip(names, map(text_of_cell, row), strict=False)) for row in rows if row]
