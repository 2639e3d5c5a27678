"""The table of the benchmark of pretraining, and the steps that it accepts."""

import argparse
from pathlib import Path

import pytest

from benchmarks.kept_runs import KeptRuns
from benchmarks.pretraining import in_epochs, minutes, steps, table_of


@pytest.mark.parametrize("text", ["0", "-100", "101", "250"])
def test_steps_that_cannot_be_divided_into_epochs_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"got {text} steps, expected a multiple of 100, or 1 to 100"):
        steps(text)


@pytest.mark.parametrize("number", [1, 99, 100, 300, 1500])
def test_as_many_steps_are_done_as_were_asked_for(number: int) -> None:
    epochs = in_epochs(steps(str(number)))
    assert epochs["epochs"] * epochs["steps_per_epoch"] == number


def test_the_time_of_a_run_is_that_of_its_epochs(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss,seconds\n0,,\n1,0.5,60\n2,0.4,30\n")
    assert minutes(tmp_path) == 1.5


def test_each_start_has_a_row_with_scores_and_minutes(tmp_path: Path) -> None:
    results = KeptRuns(tmp_path, {})
    low, high = ({"dice_mean": value, "f1_50_pooled": value, "f1_pooled": value} for value in (0.4, 0.6))
    results.content = {
        "pretraining/both": {"minutes": 12.0},
        "random/0": {**low, "minutes": 2.0},
        "both/0": {**low, "minutes": 2.0},
        "both/1": {**high, "minutes": 3.0},
    }
    assert table_of(results).splitlines()[2:] == [
        "| random | 1 | 0.400 | 0.400 | 0.400 | 0.0 | 2.0 |",
        "| both | 2 | 0.500 ± 0.141 | 0.500 ± 0.141 | 0.500 ± 0.141 | 12.0 | 2.5 |",
    ]
