import pytest

from cellseg_monai.bundle import check_overrides
from cellseg_monai.bundle.command_line import check_command_line, command_line_options
from cellseg_monai.errors import BundleError

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
def test_unknown_names_get_the_nearest_right_one(name: str, remedy: str) -> None:
    with pytest.raises(BundleError) as error:
        check_overrides([name], CONFIG)
    assert f"unknown override --{name}: {remedy}" in str(error.value)


def test_all_unknown_names_are_listed_at_once() -> None:
    with pytest.raises(BundleError, match=r"--epoch:[^\n]*\n[^\n]*--rate:"):
        check_overrides(["epoch", "epochs", "rate"], CONFIG)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["/x/monai/bundle/__main__.py", "run", *words])


def test_words_are_read_as_fire_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "training", "--config_file", "a.json", "--batch-size=4", "--resume")
    assert command_line_options() == {"config_file": "a.json", "batch_size": "4", "resume": ""}


def test_another_program_has_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pytest", "--epoch", "3"])
    assert command_line_options() == {}
    check_command_line()


@pytest.mark.parametrize(("value", "spelt"), [("false", "False"), ("true", "True"), ("null", "None")])
def test_words_that_fire_takes_as_text_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, value: str, spelt: str
) -> None:
    config = f"{tmp_path}/train.json"
    with open(config, "w") as file:
        file.write('{"amp": true}')
    command(monkeypatch, "--config_file", config, "--amp", value)
    monkeypatch.setattr("sys.excepthook", None)
    with pytest.raises(SystemExit, match=f"--amp {value} would be taken as text: write {spelt}"):
        check_command_line()
