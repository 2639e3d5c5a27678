"""Reading records that are no regular files, or far too large."""

import os

import pytest

from cellseg_monai.data.datalist_file import read_datalist
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.exports import table_csv
from cellseg_monai.inference.run_record import read_run
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.text_file import read_text

READERS = {
    "a record": read_run,
    "settings": Postprocessing.from_json,
    "a datalist": lambda path: read_datalist(path, path.parent),
    "a table of objects": table_csv.read,
    "a table": read_table,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(ValueError, match="it is a pipe or a device, not a file"):
            read(tmp_path / name)
        with pytest.raises(OSError, match="it is a pipe or a device, not a file"):
            file_digest(tmp_path / name)


def test_a_text_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("é\r\n", encoding="utf-8", newline="")
    assert read_text(path) == "é\n"
    with pytest.raises(ValueError, match="it has 4 bytes, expected at most 3"):
        read_text(path, most_bytes=3)
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match="expected at most"):
        read_text(path)
