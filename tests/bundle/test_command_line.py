import json
import logging
import re
import traceback
from pathlib import Path

import pytest

from cellseg_monai.bundle import check_command_line, check_overrides
from cellseg_monai.bundle.command_line import _explain_own_errors, command_line_options
from cellseg_monai.errors import BundleError, DatasetError

CONFIG = {"epochs": 20, "learning_rate": 0.001, "train": {"trainer": {"max_epochs": "@epochs"}}}


@pytest.mark.parametrize("name", ["epochs", "train#trainer#max_epochs", "train::trainer::max_epochs"])
def test_names_of_the_config_pass(name: str) -> None:
    check_overrides([name], CONFIG)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("epoch", "did you mean --epochs?"),
        ("lerning_rate", "did you mean --learning_rate?"),
        ("train#trainer#epochs", "did you mean --train#trainer#max_epochs?"),
        ("confg_file", "did you mean --config_file?"),
        ("zzz", "known: epochs, learning_rate, train"),
    ],
)
def test_the_nearest_known_name_is_suggested(name: str, remedy: str) -> None:
    with pytest.raises(BundleError) as error:
        check_overrides([name], CONFIG)
    assert f"unknown override --{name}: {remedy}" in str(error.value)


def test_all_unknown_names_are_listed_together() -> None:
    with pytest.raises(BundleError, match=r"--epoch:[^\n]*\n[^\n]*--rate:"):
        check_overrides(["epoch", "epochs", "rate"], CONFIG)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["/x/monai/bundle/__main__.py", "run", *words])


def test_words_are_read_as_fire_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "training", "--config_file", "a.json", "--batch-size=4", "--resume")
    assert command_line_options() == {"config_file": "a.json", "batch_size": "4", "resume": ""}
    command(monkeypatch, "-config_file", "a.json", "-epoch", "3", "--shift", "-0.5")
    assert command_line_options() == {"config_file": "a.json", "epoch": "3", "shift": "-0.5"}


def test_nothing_is_checked_in_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pytest", "--epoch", "3"])
    assert command_line_options() == {}
    check_command_line()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.excepthook", None)  # monkeypatch restores it after the test
    path = tmp_path / "train.json"
    path.write_text(
        json.dumps(
            {
                **CONFIG,
                "roi_size": [256, 256],
                "variants": [],
                "amp": "$True",
                "resume": False,
                "loss": {"_target_": "DiceCELoss"},
            }
        )
    )
    return str(path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--amp", "false"), "--amp false would be read as a string; write False"),
        (("--amp=NO",), "--amp NO would be read as a string; write False"),
        (("--amp", "null"), "--amp null would be read as a string; write None"),
        (("--resume", "maybe"), "--resume: got maybe, expected True or False"),
        (("--resume", "1"), "--resume: got 1, expected True or False"),
        (("--epochs", "many"), "--epochs: got many, expected a number such as 20"),
        (("--loss#lamda_dice", "2"), "unknown override --loss#lamda_dice"),
        (("--roi_size", "64"), '--roi_size: got 64, expected 2 whole numbers from 1; write them like "[256,256]"'),
        (("--roi_size", "[64]"), "--roi_size: got [64], expected 2 whole numbers from 1"),
        (("--roi_size", "[64,64,64]"), "expected 2 whole numbers from 1"),
        (("--roi_size", "[0,64]"), "expected 2 whole numbers from 1"),
        (("--roi_size", "[-64,64]"), "expected 2 whole numbers from 1"),
        (("--roi_size", "[64.0,64]"), "expected 2 whole numbers from 1"),
        (("--roi_size", "[True,64]"), "expected 2 whole numbers from 1"),
        (("--roi_size", "64x64"), "expected 2 whole numbers from 1"),
        (("--roi_size", "[64,"), "expected 2 whole numbers from 1"),
        (("--roi_size",), "expected 2 whole numbers from 1"),
        (("--epochs", "3", "--epochs=4"), "got --epochs more than once; write it once"),
        (("--amp", ""), "got --amp '', expected a value; write one, or leave the option out"),
        (("--amp= ",), "got --amp ' ', expected a value"),
        (("--amp", "out#1"), "only what stands before the # would be read; for a file or folder of this name, write "),
        (("--amp", "out#1"), """write --amp '"out#1"'"""),
        (
            ("--amp", "2024_01_15"),
            "would be read as the number 20240115; for a file or folder of this name, write",
        ),
        (("--variants", "['two_classes']"), "to train a variant, add its file to the config"),
    ],
)
def test_values_that_would_be_misread_are_refused(
    monkeypatch: pytest.MonkeyPatch, config: str, words: tuple[str, ...], message: str
) -> None:
    command(monkeypatch, "--config_file", config, *words)
    with pytest.raises(SystemExit, match=re.escape(message)):
        check_command_line()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("$x", "the name x is not defined"),
        ("$plate 1", "this is no Python expression"),
        ("@plate1", "the config has no plate1"),
        ("$@plate1 + '/a'", "the config has no plate1"),
        ("$out", "MONAI takes this for an expression"),
        ("@epochs", "MONAI takes this for an expression"),
    ],
)
def test_a_folder_that_looks_like_an_expression_is_refused_with_the_way_to_write_it(
    monkeypatch: pytest.MonkeyPatch, config: str, tmp_path: Path, value: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("$out", "@epochs"):
        (tmp_path / name).mkdir()
    command(monkeypatch, "--config_file", config, "--amp", value)
    with pytest.raises(SystemExit) as caught:
        check_command_line()
    assert str(caught.value) == f"error: --amp {value}: {says}; for a file or folder of this name, write ./{value}"


@pytest.mark.parametrize(
    "words",
    [
        ("--amp", "False"),
        ("--resume",),
        ("--epochs", "3", "--learning_rate", "1e-3"),
        ("--epochs", "$2 + 1"),
        ("--epochs", "$@resume and int(@loss#weight)"),
        ("--amp", "@resume"),
        ("--amp", "$import os"),
        ("--roi_size", "[64,128]"),
        ("--roi_size", "64,128"),
        ("--roi_size", "@epochs"),
        ("--loss#lambda_dice", "2"),
        ("--amp", '"out#1"'),
        ("--amp", "$'#'"),
        ("--amp", "it's#1"),
        ("--epochs", "1_000"),
        ("--loss#_disabled_", "True"),
        ("--tracking", "mlflow", "--experiment_name", "a"),
    ],
)
def test_good_overrides_pass(monkeypatch: pytest.MonkeyPatch, config: str, words: tuple[str, ...]) -> None:
    command(monkeypatch, "--config_file", config, *words)
    check_command_line()


def test_words_in_an_arguments_file_are_checked_too(
    monkeypatch: pytest.MonkeyPatch, config: str, tmp_path: Path
) -> None:
    (tmp_path / "args.json").write_text(json.dumps({"config_file": config, "epohcs": 3}))
    command(monkeypatch, "--args_file", str(tmp_path / "args.json"), "--learning_rate", "0.1")
    with pytest.raises(SystemExit, match="unknown override --epohcs: did you mean --epochs"):
        check_command_line()


def test_variants_that_set_the_same_key_are_refused(
    monkeypatch: pytest.MonkeyPatch, config: str, tmp_path: Path
) -> None:
    for name in ("short", "long"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"+variants": [name], "epochs": len(name)}))
    files = [config, *(str(tmp_path / f"{name}.json") for name in ("short", "long"))]
    command(monkeypatch, "--config_file", str(files))
    with pytest.raises(SystemExit, match="the variants short and long cannot be combined: both set epochs"):
        check_command_line()


@pytest.mark.parametrize("wrap", ["cause", "text"])
def test_an_error_of_this_package_is_also_the_last_line(capsys: pytest.CaptureFixture, wrap: str) -> None:
    ours = DatasetError("a.tif and b.tif differ")
    error = RuntimeError("Failed to evaluate")
    if wrap == "cause":
        error.__cause__ = ours
    else:
        error.__cause__ = RuntimeError(f"in worker\n{''.join(traceback.format_exception(ours))}")
    _explain_own_errors(RuntimeError, error, None)
    assert capsys.readouterr().err.splitlines()[-1] == "error: a.tif and b.tif differ"


def test_a_variant_without_effect_in_a_workflow_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.excepthook", None)
    configs = Path(__file__).parents[2] / "bundles" / "unet" / "configs"
    variant = configs / "variants" / "no_augmentation.json"
    for workflow, named in (("train", False), ("pretrain", True)):
        files = [str(configs / f"{workflow}.json"), str(variant)]
        command(monkeypatch, workflow, "--config_file", str(files))
        with caplog.at_level(logging.WARNING):
            check_command_line()
        message = f"{variant}: augmentation has no effect, because nothing in {files[0]} uses it"
        assert (message in caplog.messages) == named
        assert len(caplog.messages) == named
