from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellseg_monai.atomic import leftovers, replacing, replacing_folder


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="a place where not even root may write")
@pytest.mark.parametrize("replacing", [replacing, replacing_folder])
def test_what_was_asked_for_is_named_not_what_lies_aside(replacing) -> None:
    with pytest.raises(OSError, match=r": '/sys/a\.txt'$"), replacing("/sys/a.txt") as aside:
        aside.write_text("a")


def test_a_file_within_a_folder_aside_is_not_named_for_it_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing_folder(tmp_path / "a") as aside:
        (aside / "no" / "b.txt").write_text("b")
    assert caught.value.filename == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("old")
    plain, asked = os.replace, []

    def fail_the_second_time(source: Path, target: Path) -> None:
        asked.append(target)
        if len(asked) == 2:
            # What a kill here leaves is there to be found.
            assert {(each / "b.txt").read_text() for each in leftovers(tmp_path / "a")} == {"old", "new"}
            raise OSError(28, "No space left on device", source, None, target)
        plain(source, target)

    monkeypatch.setattr(os, "replace", fail_the_second_time)
    with pytest.raises(OSError, match="No space left") as caught, replacing_folder(tmp_path / "a") as aside:
        (aside / "b.txt").write_text("new")
    assert caught.value.filename == str(tmp_path / "a")
    assert [file.read_text() for file in tmp_path.rglob("*.txt")] == ["old"]
    assert len(asked) == 3


def test_what_fails_within_keeps_its_own_name_and_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError, match=r"'[^']+other'"), replacing(tmp_path / "a.txt") as aside:
        (tmp_path / "other").rename(aside)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
