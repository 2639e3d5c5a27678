"""Files whose names no terminal can show, or that look like another line of output."""

import json
import os
import shutil
import sys
from importlib.util import find_spec

import pytest

from cellseg_monai.exports import EXPORTS

NAMES = [
    "x\nerror: forged.npy",
    "\x1b[2Jc.npy",
    "a\udcff.npy",
    "b\u202e.npy",
]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows any bytes in names")


@pytest.fixture
def odd(images):
    for name in NAMES:
        shutil.copy(images / "a.npy", images / name)
    (images / "d\nerror: forged too.npy").touch()
    return images


def test_a_name_is_shown_on_one_line_and_stops_no_command(cellseg, odd, output):
    ran = cellseg("segment", odd, "--output", output, "--dry_run")
    assert len(ran.errors) == 1
    assert next(line for line in ran.out.splitlines() if "forged" in line).startswith(f"{odd}/x\\nerror: forged.npy: ")
    assert not any(letter in ran.out + ran.err for letter in "\x1b\u202e\udcff")


def test_every_file_about_an_image_of_any_name_is_written(cellseg, odd, output):
    exports = [name for name in EXPORTS if not EXPORTS[name].package or find_spec(EXPORTS[name].package)]
    ran = cellseg("segment", odd, "--output", output, "--report", "--export", ",".join(exports))
    assert len(ran.errors) == 1
    assert len(json.loads((output / "run.json").read_text())["images"]) == 3 + len(NAMES)
    assert "a\\udcff" in (output / "report.html").read_text(encoding="utf-8")
    ran = cellseg("segment", odd, "--output", output, "--resume", "--export", ",".join(exports))
    assert ran.out.startswith("0 image(s)")


def test_a_list_of_images_can_hold_any_name(cellseg, odd, output, monkeypatch):
    with open(os.open(odd / "list.txt", os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8", errors="strict") as listed:
        listed.buffer.write(os.fsencode(odd / "a\udcff.npy"))
        listed.seek(0)
        monkeypatch.setattr(sys, "stdin", listed)
        assert cellseg("segment", "-", "--output", output).code == 0


def test_errors_of_a_data_set_and_logged_warnings_are_shown_line_by_line(cellseg, tmp_path, output):
    ran = cellseg("evaluate", "--truth", tmp_path / "no\nerror: forged", "--pred", tmp_path, "--protocol", "coco")
    assert len(ran.errors) == 1
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x\nerror: forged").symlink_to(tmp_path / "images")
    ran = cellseg("segment", f"{tmp_path}/images/**/*.tif", "--output", output)
    assert len(ran.errors) == 1
