"""All pairs of options: each option has its effect beside every other, or is refused, or is said to have none.

Every option has one value here, which changes the result of the command if nothing else is given. The options in
`SAME` choose what is the default anyway, so they must not change anything.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellseg_monai import cli, io
from cellseg_monai.bundle import find_bundle
from tests.cells import cells

pytestmark = pytest.mark.slow

SEGMENT = {
    "strict": "true",
    "axes": "XY",
    "bundle": "auto",
    "channels": "0",
    "checkpoint": "model.pt",
    "device": "cpu",
    "diameter": "20",
    "polarity": "dark",
    "dry_run": "true",
    "export": "labels,csv,coco",
    "max_memory": "4GB",
    "amp": "",  # the opposite of the default of this machine
    "overlap": "8",
    "pixel_size": "0.5",
    "postprocess": "mine.json",
    "report": "true",
    "resume": "true",
    "tile": "32",
    "tta": "true",
}
CALIBRATE = {"bundle": "nuclei", "checkpoint": "model.pt", "datalist": "datalist.json", "section": "validation"}
EVALUATE = {"output": "out", "protocol": "stardist", "pred_suffix": "_cp_masks", "truth_suffix": "1"}
SAME = {
    "segment": {"checkpoint", "device", "max_memory", "strict"},
    "calibrate": {"bundle", "checkpoint"},
    "evaluate": set(),
}

Outcome = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image, a data set, and a file for each option that names one."""
    folder = tmp_path_factory.mktemp("pairs")
    labels = np.zeros((64, 64), np.int32)
    labels[10:30, 10:30], labels[10:30, 32:50] = 1, 2
    (folder / "images").mkdir()
    np.save(folder / "images" / "a.npy", cells(shape=(64, 80)))
    (folder / "set" / "images").mkdir(parents=True)
    for index, name in enumerate(("a1", "a2", "b1")):
        np.save(folder / "set" / "images" / f"{name}.npy", (100 + index + 1000 * (labels > 0)).astype(np.uint16))
        io.write_labels(folder / "set" / "labels" / f"{name}.tif", labels)
        io.write_labels(folder / "pred" / f"{name}{'_cp_masks' if name[0] == 'a' else ''}.tif", labels)
    bundle = find_bundle("nuclei")
    shutil.copy(bundle / "models" / "model.pt", folder)
    settings = json.loads((bundle / "configs" / "postprocess.json").read_text())
    (folder / "mine.json").write_text(json.dumps({**settings, "threshold": 0.61}))
    items = [{"image": f"set/images/{name}.npy", "label": f"set/labels/{name}.tif"} for name in ("b1", "a1", "a2")]
    sections = {"training": [], "validation": items[1:], "test": items[:1]}
    (folder / "datalist.json").write_text(json.dumps(sections))
    return folder


class Runs:
    """The outcomes of commands, each run once, in the working folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def outcome(self, *words: str) -> Outcome:
        """Run a command that writes to out, and return what a user can see of it."""
        shutil.rmtree("out", ignore_errors=True)
        self.monkeypatch.setattr(sys, "argv", ["cellseg", *words])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        printed = self.capsys.readouterr()
        notes = [line for line in printed.err.splitlines() if line.startswith("note: ")]
        errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
        timed = re.compile(r"\d+:\d\d:\d\d|.* - (INFO|WARNING) - .*")
        files = {str(path): content(path) for path in Path("out").rglob("*") if path.is_file()}
        return {"code": code, "errors": errors, "notes": notes, "out": timed.sub("", printed.out), "files": files}


def content(path: Path) -> Any:
    """Return the content of a file, without what differs between two equal runs."""
    if path.name == "run.json":
        return json.loads(path.read_text())["about"]
    if path.name in ("report.html", "report.json"):  # they say where the run is
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def runs(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    return Runs(monkeypatch, capsys)


_SINGLE: dict[tuple[str, ...], Outcome] = {}


def check_pair(runs: Runs, command: tuple[str, ...], options: Mapping[str, str], pair: tuple[str, str]) -> None:
    """Check that each of two options acts beside the other, or is refused or said to have no effect."""
    run = functools.partial(run_with, runs, command, options)
    both = run(pair)
    assert (both["code"] == 0) == (both["errors"] == []), both
    if both["errors"]:
        assert all(re.search(r"[;,] \w+", line) for line in both["errors"]), "a refusal says what to do"
        return
    for option, other in (pair, pair[::-1]):
        if run((other,))["errors"]:  # this option makes the other possible
            continue
        if (option, other) == ("bundle", "dry_run"):  # a preview tells the bundle of each image, whoever chose it
            continue
        seen, before = ({**outcome, "notes": 0} for outcome in (both, run((other,))))
        if option in SAME[command[0]]:
            assert seen == before, f"--{option} changes the result beside --{other}"
        elif not any(f"--{option}" in note for note in both["notes"]):
            changed = seen != before or both["notes"] != run((other,))["notes"]
            assert changed, f"--{option} has no effect beside --{other}, and nothing says so"


def run_with(runs: Runs, command: tuple[str, ...], options: Mapping[str, str], names: tuple[str, ...]) -> Outcome:
    """Run a command with some of its options; the outcomes for single options are kept."""
    values = dict(options)
    if values.get("amp") == "" and "amp" in names:
        precision = run_with(runs, command, options, ())["files"]["out/run.json"]["precision"]
        values["amp"] = "false" if precision == "bfloat16" else "true"
    words = [word for word in command if word.lstrip("-") not in names]
    # The value of an option that is also part of the command replaces it.
    for name in names:
        if f"--{name}" in command:
            del words[words.index(command[command.index(f"--{name}") + 1])]
    words += [word for name in names for word in (f"--{name}", values[name])]
    key = (*command, *names)
    if len(names) == 2:
        return runs.outcome(*words)
    if key not in _SINGLE:
        _SINGLE[key] = runs.outcome(*words)
    return _SINGLE[key]


TO_SEGMENT = ("segment", "images", "--output", "out", "--bundle", "nuclei")
TO_CALIBRATE = ("calibrate", "set", "--output", "out")
TO_EVALUATE = ("evaluate", "--truth", "set/labels", "--pred", "pred", "--protocol", "coco")


@pytest.mark.parametrize("first", SEGMENT)
def test_pairs_of_options_of_segment(runs, first):
    alone = run_with(runs, TO_SEGMENT, SEGMENT, (first,))
    plain = run_with(runs, TO_SEGMENT, SEGMENT, ())
    assert (plain["code"], alone["errors"]) == (0, [])
    assert (alone == plain) == (first in SAME["segment"])
    for second in list(SEGMENT)[list(SEGMENT).index(first) + 1 :]:
        check_pair(runs, TO_SEGMENT, SEGMENT, (first, second))


@pytest.mark.parametrize("pair", list(itertools.combinations(CALIBRATE, 2)), ids=" ".join)
def test_pairs_of_options_of_calibrate(runs, pair):
    check_pair(runs, TO_CALIBRATE, CALIBRATE, pair)


@pytest.mark.parametrize("pair", list(itertools.combinations(EVALUATE, 2)), ids=" ".join)
def test_pairs_of_options_of_evaluate(runs, pair):
    check_pair(runs, TO_EVALUATE, EVALUATE, pair)


@pytest.mark.parametrize("option", ["dask", "workers"])
def test_a_cluster_beside_a_dry_run_is_said_to_have_no_effect(runs, option):
    """Runs on a cluster have their own tests; they write the files of a single process."""
    for package in ("distributed", "cryptography"):
        pytest.importorskip(package, reason=f"{package} is in the extra `cluster`")
    check_pair(runs, TO_SEGMENT, {"dry_run": "true", "dask": "local", "workers": "1"}, ("dry_run", option))
