from __future__ import annotations

import os
from pathlib import Path

import pytest

from cellseg_monai.atomic import leftovers, replacing, replacing_folder


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a place where not even root can write")
@pytest.mark.parametrize("replacing", [replacing, replacing_folder])
def test_an_error_names_the_target_instead_of_the_temporary_path(replacing) -> None:
    with pytest.raises(OSError, match=r": '/sys/a\.txt'$"), replacing("/sys/a.txt") as aside:
        aside.write_text("a")


def test_an_error_does_not_name_a_file_in_the_removed_temporary_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing_folder(tmp_path / "a") as aside:
        (aside / "no" / "b.txt").write_text("b")
    assert caught.value.filename == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("old")
    replace, targets = os.replace, []

    def fail_the_second_time(source: Path, target: Path) -> None:
        targets.append(target)
        if len(targets) == 2:
            # If the process were killed here, both folders could be found.
            assert {(folder / "b.txt").read_text() for folder in leftovers(tmp_path / "a")} == {"old", "new"}
            raise OSError(28, "No space left on device", source, None, target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_the_second_time)
    with pytest.raises(OSError, match="No space left") as caught, replacing_folder(tmp_path / "a") as aside:
        (aside / "b.txt").write_text("new")
    assert caught.value.filename == str(tmp_path / "a")
    assert [file.read_text() for file in tmp_path.rglob("*.txt")] == ["old"]
    assert len(targets) == 3


def test_an_error_in_the_block_keeps_its_file_name_and_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError, match=r"'[^']+other'"), replacing(tmp_path / "a.txt") as aside:
        (tmp_path / "other").rename(aside)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
