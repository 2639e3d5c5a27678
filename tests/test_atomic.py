from __future__ import annotations

from pathlib import Path

import pytest

from cellseg_monai.atomic import replacing


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="a place where not even root may write")
def test_the_file_that_was_asked_for_is_named_not_the_one_aside() -> None:
    with pytest.raises(OSError, match=r": '/sys/a\.txt'$"), replacing("/sys/a.txt") as aside:
        aside.write_text("a")


def test_what_fails_within_keeps_its_own_name_and_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError, match=r"'[^']+other'"), replacing(tmp_path / "a.txt") as aside:
        (tmp_path / "other").rename(aside)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
