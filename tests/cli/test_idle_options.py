"""Options without effect are said, and the table of them names real options."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from cellseg_monai import cli, io
from cellseg_monai.cli.idle_options import IDLE, idle_options


@pytest.mark.parametrize("command", IDLE)
def test_the_table_names_options_of_the_command(command):
    signature = inspect.signature(cli.COMMANDS[command])
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    for idle in IDLE[command]:
        assert set(idle.options) <= defaults.keys()
        assert idle.case(defaults) in (True, False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dry_run": True}, []),
        ({"report": True, "workers": 2}, []),
        ({"dry_run": True, "report": False, "dask": None}, []),
        ({"dry_run": False, "resume": True}, []),
        ({"dry_run": True, "resume": True}, ["--resume has no effect"]),
        ({"dry_run": True, "workers": 1, "dask": "local"}, ["--dask, --workers have no effect"]),
    ],
    ids=str,
)
def test_options_beside_a_dry_run_are_said_to_have_no_effect(given, said):
    sentences = list(idle_options(cli.COMMANDS["segment"], {"output": "x", **given}))
    assert [sentence.partition(", because")[0] for sentence in sentences] == said


def test_a_dry_run_says_at_the_terminal_what_it_does_not_do(cellseg, images, output):
    ran = cellseg("segment", images, "--output", output, "--dry_run", "--report", "--resume")
    assert ran.code == 0
    assert ran.err == (
        "note: --report, --resume have no effect, because --dry_run segments and writes nothing; values are only "
        "checked\n"
    )
    assert not output.exists()


def test_a_suffix_for_the_report_of_a_training_is_said_to_have_no_effect(cellseg, tmp_path):
    labels = np.eye(8, dtype=np.int32)
    io.write_labels(tmp_path / "labels" / "a.tif", labels)
    words = ("--pred_suffix", "_x", "--output", tmp_path / "a.html")
    assert "note: --pred_suffix has no effect" in cellseg("report", tmp_path, *words).err
    folder = tmp_path / "labels"
    words = ("--images", folder, "--truth", folder, "--pred", folder, *words)
    assert "no effect" not in cellseg("report", *words).err


def test_a_resumed_run_that_was_never_begun_is_said(cellseg, images, output):
    assert f"note: {output} holds no run to resume; a new one begins\n" in cellseg(
        "segment", images, "--output", output, "--resume"
    ).err  # fmt: skip
    assert "no run to resume" not in cellseg("segment", images, "--output", output, "--resume").err
