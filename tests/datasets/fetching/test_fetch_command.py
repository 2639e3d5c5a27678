"""The commands `cellseg data fetch` and `cellseg data list`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cellseg_monai import cli
from tests.archived import tree, zipped


def cellseg(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cellseg", *words])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_command_shows_the_terms_and_fetches(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    server.files["stage1_train.zip"] = zipped({"1/images/1.png": b"image", "1/masks/2.png": b"mask"})
    monkeypatch.chdir(tmp_path)
    words = ("data", "fetch", "bbbc038", "--url", server.url("stage1_train.zip"))
    assert cellseg(monkeypatch, *words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in ("licence: CC0-1.0", "attribution: Image set BBBC038v1", "cite: Caicedo", "this URL and the layout"):
        assert text in printed
    assert "stage1_train.zip: no known checksum; recorded in data/raw/bbbc038/sha256.txt" in printed
    assert "1/masks/2.png" in tree(tmp_path / "data" / "raw" / "bbbc038")
    assert cellseg(monkeypatch, *words) == 0
    assert "already fetched" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bbbc38",), "did you mean bbbc038"),
        (("bbbc038", "--url", "nowhere.zip"), "nowhere.zip: no such file"),
        (("bbbc038", "--url", "http://127.0.0.1:9/a.zip"), "cannot reach 127.0.0.1:9"),
        (("bbbc038", "--max_files", "0"), "expected positive numbers"),
        (("bbbc038", "--ouput", "x"), "did you mean --output?"),
    ],
    ids=["name", "source", "server", "limit", "flag"],
)
def test_an_error_is_reported_in_one_line(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert cellseg(monkeypatch, "data", "fetch", *words) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert tree(tmp_path) == []


def test_the_list_has_every_data_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert cellseg(monkeypatch, "data", "list") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("livecell", "CC-BY-NC-4.0", "ctc/DIC-C2DH-HeLa"))
    assert max(map(len, printed.splitlines())) <= 120
