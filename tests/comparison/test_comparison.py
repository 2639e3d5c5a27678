import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellseg_monai import cli, io
from cellseg_monai.bundle import code_digest
from cellseg_monai.comparison import compare
from cellseg_monai.comparison.child import Usage
from cellseg_monai.comparison.request import Request, make_request
from cellseg_monai.comparison.result import collect_result
from cellseg_monai.comparison.runs import Run
from cellseg_monai.comparison.training_folder import TrainingFolder
from cellseg_monai.data import section_items
from cellseg_monai.errors import BundleError
from tests.comparison import fabricated
from tests.contracts.bundle import ROOT, write_tiny_dataset

FIGURES = ("losses.png", "thresholds.png", "scores.png", "panel.png")
KNOBS = {"batch_size": 4}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_tiny_dataset(tmp_path / "data")


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Bundles whose training fails."""
    for name in ("unet", "pspnet"):
        (tmp_path / "bundles" / name / "configs").mkdir(parents=True)
        (tmp_path / "bundles" / name / "bundle.json").write_text("{}")
        config = {"batch_size": 8, "training": "$open('no such file')"}
        (tmp_path / "bundles" / name / "configs" / "train.json").write_text(json.dumps(config))
    return tmp_path / "bundles"


def finish(name: str, dataset: Path, output: Path, shift: int) -> None:
    """Write a finished run, whose masks are the truth shifted by some pixels."""
    request: Request = make_request(dataset, epochs=3, minutes=None, seed=0, datalist=None, knobs=KNOBS)
    masks = {}
    for item in section_items(dataset, "test"):
        truth = io.read_labels(item["label"]) > 0
        masks[item["image"]] = (np.roll(truth, shift, axis=0), truth)
    code = code_digest(output.parent / "bundles" / name)
    folder = TrainingFolder(output / name, request, code_sha256=code)
    fabricated.write_run(folder.path, masks)
    usage = {"training": Usage(9.0, 900.0), "evaluating": Usage(1.0, 500.0)}
    folder.keep_result(collect_result(Run(Path(name)), folder.path, usage).as_json())


def cellseg(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Run the command in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["cellseg", *words])
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code
    return 0


def test_finished_runs_are_compared_without_running_again(dataset: Path, bundles: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    finish("unet", dataset, output, shift=6)
    finish("pspnet", dataset, output, shift=1)
    done = compare(dataset, ["unet", "pspnet"], output_dir=output, epochs=3, knobs=KNOBS, bundles_dir=bundles)
    assert [result.run for result in done.results] == ["pspnet", "unet"]
    assert done.failures == {}
    with open(output / "comparison.csv", newline="") as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["pspnet", "unet"]
    assert "8 training, 3 validation, 2 test images" in (output / "comparison.md").read_text()
    for name in FIGURES:
        with Image.open(output / name) as figure:
            assert figure.width > 500
        assert f"({name})" in (output / "comparison.md").read_text()
    assert not (output / "unet" / "log.txt").exists()


def test_a_run_that_fails_does_not_stop_the_others(
    dataset: Path, bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "out"
    finish("unet", dataset, output, shift=2)
    monkeypatch.chdir(tmp_path)
    words = ["compare", str(dataset), "--bundles", "bundles/pspnet,bundles/unet", "--output", "out", "--epochs", "3"]
    code = cellseg(monkeypatch, *words, "--batch_size", "4")
    assert str(code).startswith("1 run(s) failed: pspnet")
    printed = capsys.readouterr().err
    message = next(line for line in printed.splitlines() if "pspnet: training failed with exit code 1: " in line)
    assert str(Path("out") / "pspnet" / "log.txt") in message
    assert "no such file" in (output / "pspnet" / "log.txt").read_text()
    with open(output / "comparison.csv", newline="") as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["unet"]
    assert "- pspnet: training failed" in (output / "comparison.md").read_text()
    assert not (output / "pspnet" / "result.json").exists()


def test_another_request_is_refused_before_anything_runs(dataset: Path, bundles: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    finish("unet", dataset, output, shift=2)
    with pytest.raises(BundleError, match=r"out.unet was made with other settings: epochs was 3, now 4"):
        compare(dataset, "pspnet,unet", output_dir=output, epochs=4, knobs=KNOBS, bundles_dir=bundles)
    assert not (output / "pspnet").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bundles", "unett", "--epochs", "1"], "error: no bundle named 'unett'; did you mean 'unet'?"),
        (["--bundles", "unet+two", "--epochs", "1"], "error: unet has no variant 'two'"),
        (["--bundles", "unet,pspnet"], "error: got epochs=None and minutes=None"),
        (["--bundles", "unet", "--epoch", "1"], "error: unknown override --epoch"),
    ],
    ids=["no such bundle", "no such variant", "no budget", "a misspelt option"],
)
def test_a_wrong_command_is_one_line(
    words: list[str],
    message: str,
    dataset: Path,
    bundles: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(bundles.parent)
    assert cellseg(monkeypatch, "compare", str(dataset), "--output", "out", *words) == 1
    assert capsys.readouterr().err.startswith(message)
    assert not (tmp_path / "out").exists()


SMALL = {
    "network_def#encoder_name": "resnet18",
    "roi_size": [64, 64],
    "batch_size": 4,
    "crops_per_image": 1,
    "device": "cpu",
}


@pytest.mark.slow
def test_a_real_run_within_a_budget_of_time(dataset: Path, tmp_path: Path) -> None:
    output, name = tmp_path / "out", "unet+two_classes"
    request: dict = {"minutes": 0.0001, "knobs": SMALL, "bundles_dir": ROOT / "bundles"}
    done = compare(dataset, name, output_dir=output, **request)
    assert done.failures == {}
    (result,) = done.results
    assert (result.run, result.epochs, result.variants) == (name, 1, ("two_classes",))
    assert 14e6 < result.parameters < 15e6
    assert result.gflops > 1
    assert 0 <= result.scores["dice"].mean_low <= result.scores["dice"].mean_high <= 1
    assert result.inference_megapixels_per_second > 0
    assert result.training_memory_mb is None or result.training_memory_mb > 100
    folder = output / name
    assert {"model.pt", "postprocess.json", "result.json", "segmentation"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "probe").exists()
    assert json.loads((folder / "postprocess.json").read_text())["threshold"] == result.threshold
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert compare(dataset, name, output_dir=output, **request).results == done.results
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == written
