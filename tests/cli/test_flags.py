"""What a person types reaches the command as typed, or is refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellseg_monai.cli.flags import bound_command


def called(*words):
    """The arguments that the command gets."""
    got = []

    def prepare(
        source: str,
        *,
        output: str | None = None,
        workers: int | None = None,
        share: float = 0.15,
        again: bool = False,
        **more: object,
    ) -> None:
        got.append((source, output, workers, share, again, more))

    def show(directory: str, *, output: str | None = None) -> None:
        got.append((directory, output))

    commands = {"data": {"prepare": prepare, "show": show}}
    bound_command(["data", *words], commands)()
    return got[0]


@pytest.mark.parametrize(
    "name",
    ["2024", "2024_01_15", "1.50", "a,b", "exp#2", "(1)", "None", "True", "my set é", "it's", 'a"b', "[x]", "-5", "-"],
)
def test_a_name_stays_as_it_was_typed(name):
    assert called("show", name, "--output", name) == (name, name)
    assert called("show", name, f"--output={name}") == (name, name)


def test_a_letter_stands_for_the_one_flag_that_begins_with_it():
    assert called("show", "x", "-o", "2024_01_15") == ("x", "2024_01_15")
    assert called("prepare", "x", "-w=2", "-a")[2:5:2] == (2, True)


@pytest.mark.parametrize("words", [("x", "--output", "y", "--help"), ("-h", "x"), ("x", "--", "--help")], ids=str)
def test_help_is_shown_and_nothing_done(words, capsys):
    with pytest.raises(SystemExit) as ended:
        called("show", *words)
    assert ended.value.code == 0
    assert "directory" in "".join(capsys.readouterr()).lower()


def test_a_file_that_looks_like_a_flag_is_told_how_to_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-dash.tif").touch()
    with pytest.raises(ValueError, match=r"write \./-dash\.tif"):
        called("show", "-dash.tif")


def test_numbers_truth_values_and_further_settings():
    assert called("prepare", "x", "--workers", "2", "--share", "1e-1") == ("x", None, 2, 0.1, False, {})
    assert called("prepare", "x", "--again")[4] is True
    assert called("prepare", "x", "--again", "FALSE")[4] is False
    assert called("prepare", "x", "--noagain")[4] is False
    assert called("prepare", "x", "--images", "5", "--take=last")[5] == {"images": 5, "take": "last"}
    assert called("prepare", "--again", "true", "x")[0] == "x"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("prepare", "x", "--workers", "2.5"), "2.5 came, expected a whole number", id="no whole number"),
        pytest.param(("prepare", "x", "--share", "many"), "--share many came, expected a number", id="no number"),
        pytest.param(("prepare", "x", "--share", "nan"), "--share nan came, expected a number", id="not a number"),
        pytest.param(("prepare", "x", "--share", "inf"), "--share inf came, expected a number", id="infinite"),
        pytest.param(("prepare", "x", "--again", "no"), "--again no came, expected true or false", id="no truth value"),
        pytest.param(("prepare", "x", "--output"), "--output came without a value", id="no value at the end"),
        pytest.param(("show", "--output", "--output=a"), "--output came without a value", id="no value before a flag"),
        pytest.param(("show", "my", "set"), "'set' came, for which .* has no place", id="a space too many"),
        pytest.param(("show", "x", "--ouput", "y"), "did you mean --output", id="a misspelt flag"),
        pytest.param(("show", "x", "-z", "5"), "-z came, .* flags begin with two hyphens", id="an unknown letter"),
        pytest.param(("show", "x", "-outptu", "5"), "-outptu came, .* two hyphens", id="one hyphen"),
        pytest.param(("prepare", "x", "-s", "1"), "-s came, .* it may be --source, --share", id="a letter of two"),
        pytest.param(("show", "x", "--", "y"), "-- came, which", id="two hyphens alone"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_before_anything_is_done(words, message):
    with pytest.raises(ValueError, match=message):
        called(*words)
