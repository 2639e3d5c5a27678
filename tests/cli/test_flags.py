"""Words reach the command as they were typed, or are refused before anything is done."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from fire.parser import DefaultParseValue
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai import cli
from cellseg_monai.cli.flags import bound_command
from cellseg_monai.python_words import is_cut_at_comment


def called(*words):
    """Call a command and return the arguments that it got."""
    calls = []

    def prepare(
        source: str,
        *,
        output: str | None = None,
        workers: int | None = None,
        share: float = 0.15,
        again: bool = False,
        **more: object,
    ) -> None:
        calls.append((source, output, workers, share, again, more))

    def show(directory: str, *, output: str | None = None) -> None:
        calls.append((directory, output))

    commands = {"data": {"prepare": prepare, "show": show}}
    bound_command(["data", *words], commands)()
    return calls[0]


@pytest.mark.parametrize(
    "name",
    ["2024", "2024_01_15", "1.50", "a,b", "exp#2", "(1)", "None", "True", "my set é", "it's", 'a"b', "[x]", "-5", "-"],
)
def test_a_name_stays_as_it_was_typed(name):
    assert called("show", name, "--output", name) == (name, name)
    assert called("show", name, f"--output={name}") == (name, name)


def test_a_letter_stands_for_the_only_flag_that_begins_with_it():
    assert called("show", "x", "-o", "2024_01_15") == ("x", "2024_01_15")
    assert called("prepare", "x", "-w=2", "-a")[2:5:2] == (2, True)


@pytest.mark.parametrize("words", [("x", "--output", "y", "--help"), ("-h", "x"), ("x", "--", "--help")], ids=str)
def test_help_is_shown_and_nothing_else_is_done(words, capsys):
    with pytest.raises(SystemExit) as ended:
        called("show", *words)
    assert ended.value.code == 0
    printed = "".join(capsys.readouterr())
    assert "directory" in printed.lower()
    assert "Type: Optional[str]" in printed


def test_a_file_that_looks_like_a_flag_is_refused_with_the_right_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-dash.tif").touch()
    with pytest.raises(ValueError, match=r"write \./-dash\.tif"):
        called("show", "-dash.tif")


def test_numbers_truth_values_and_additional_settings_are_converted():
    assert called("prepare", "x", "--workers", "2", "--share", "1e-1") == ("x", None, 2, 0.1, False, {})
    assert called("prepare", "x", "--again")[4] is True
    assert called("prepare", "x", "--again", "FALSE")[4] is False
    assert called("prepare", "x", "--noagain")[4] is False
    assert called("prepare", "x", "--images", "5", "--take=last")[5] == {"images": 5, "take": "last"}
    assert called("prepare", "--again", "true", "x")[0] == "x"
    assert called("prepare", "x", "--more", "3", "--nofoo")[5] == {"more": 3, "foo": False}


@pytest.mark.parametrize("name", ["runs#1/encoder.pt", "2024_01_15", "plate#1"])
def test_a_name_in_an_additional_setting_stays_as_it_was_typed(name):
    assert called("prepare", "x", "--weights", name)[5] == {"weights": name}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("prepare", "x", "--workers", "2.5"), "--workers 2.5, expected a whole number", id="not whole"),
        pytest.param(("prepare", "x", "--share", "many"), "got --share many, expected a number", id="not numeric"),
        pytest.param(("prepare", "x", "--share", "nan"), "got --share nan, expected a number", id="not a number"),
        pytest.param(("prepare", "x", "--share", "inf"), "got --share inf, expected a number", id="infinite"),
        pytest.param(("prepare", "x", "--again", "no"), "got --again no, expected true or false", id="not a bool"),
        pytest.param(("prepare", "x", "--output"), "got --output without a value", id="no value at the end"),
        pytest.param(("show", "--output", "--output=a"), "got --output without a value", id="no value before a flag"),
        pytest.param(("show", "my", "set"), "'set', but `cellseg data show` takes no further", id="a space too many"),
        pytest.param(("show", "x", "--ouput", "y"), "did you mean --output", id="a misspelt flag"),
        pytest.param(("show", "x", "-z", "5"), "no flag -z; write two hyphens", id="an unknown letter"),
        pytest.param(("show", "x", "-outptu", "5"), "no flag -outptu; write two hyphens", id="one hyphen"),
        pytest.param(("prepare", "x", "-s", "1"), "no flag -s; write one of --source, --share", id="two candidates"),
        pytest.param(("prepare", "--noagain", "x"), "got 'x' after --noagain, which takes no value", id="negation"),
        pytest.param(("show", "x", "--nooutput"), "has no flag --nooutput", id="a negated text"),
        pytest.param(("show", "x", "--", "y"), "does not accept --", id="two hyphens alone"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused_before_anything_is_done(words, message):
    with pytest.raises(ValueError, match=message):
        called(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("--output", "a", "--output", "b"),
        ("--output=a", "-o", "b"),
        ("--output", "same", "--output", "same"),
        ("--again", "--noagain"),
        ("--again", "true", "-a"),
        ("--images", "1", "--images=2"),
        ("--foo-bar", "1", "--foo_bar", "1"),
        ("--nofoo", "--foo"),
        ("--workers", "2", "--workers", "3"),
    ],
    ids=" ".join,
)
def test_a_flag_that_is_given_twice_is_refused(words):
    with pytest.raises(ValueError, match=r"got --\w+ more than once; give it once"):
        called("prepare", "x", *words)


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n"], ids=repr)
@pytest.mark.parametrize("flag", ["--output", "--source", "--images", "-o"])
def test_an_empty_path_or_name_is_refused(flag, blank):
    source = () if flag == "--source" else ("x",)
    with pytest.raises(ValueError, match=r"got --\w+ '\s*.*', expected a path or name"):
        called("prepare", *source, flag, blank)
    with pytest.raises(ValueError, match=r"got --directory '.*', expected a path or name"):
        called("show", blank)


@pytest.mark.parametrize("words", [["--output="], ["--workers", ""], ["--again="], ["--workers", "1_0"]], ids=str)
def test_a_flag_with_nothing_after_the_equals_sign_is_refused(words):
    with pytest.raises(ValueError, match=r"^got --\w+ \S+, expected "):
        called("prepare", "x", *words)


def every_command(table=cli.COMMANDS, path=()):
    for name, command in table.items():
        if isinstance(command, dict):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


TEXTS = [
    pytest.param(path, command, parameter, id=" ".join((*path, parameter.name)))
    for path, command in every_command()
    for parameter in inspect.signature(command).parameters.values()
    if str(parameter.annotation).split(" | ")[0] not in ("int", "float", "bool") and parameter.default != ""
]


@pytest.mark.parametrize(("path", "command", "empty"), TEXTS)
def test_every_command_refuses_empty_paths_and_names(path, command, empty):
    """Whatever is added to the commands later."""
    words = list(path)
    for parameter in inspect.signature(command).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if parameter == empty:
                words += [""] if parameter.kind is parameter.VAR_POSITIONAL else ["--something", ""]
        elif parameter == empty:
            words += [f"--{parameter.name}", ""]
        elif parameter.default is parameter.empty:
            words += [f"--{parameter.name}", "x"]
    with pytest.raises(ValueError, match="expected a path or name"):
        bound_command(words, cli.COMMANDS)


@given(st.text(alphabet="ab1#'\"([{}]) ,_", min_size=1, max_size=8))
def test_a_comment_is_recognised_exactly_where_python_fire_drops_it(word):
    if is_cut_at_comment(word):
        assert DefaultParseValue(word) == DefaultParseValue(word + " and more")
    elif "#" in word:
        assert "#" in str(DefaultParseValue(word))
