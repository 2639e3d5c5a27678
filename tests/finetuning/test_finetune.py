import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cellseg_monai import io, segment
from cellseg_monai.bundle import bundle_faults, find_training_data
from cellseg_monai.errors import BundleError, DatasetError
from cellseg_monai.finetuning import Finetuned, finetune
from cellseg_monai.networks import encoder_parameters
from cellseg_monai.training import trained_network
from tests.finetuning.conftest import KNOBS, some_of

ROOT = Path(__file__).parents[2]


def run(annotated: Path, small: Path, output: Path, **options: object) -> Finetuned:
    knobs = {**KNOBS, **dict(options.pop("knobs", {}))}  # type: ignore[call-overload]
    return finetune(annotated, bundle=small, output_dir=output, knobs=knobs, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(annotated: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Finetuned:
    """A bundle of which the encoder was frozen in all three epochs."""
    output = tmp_path_factory.mktemp("runs") / "tuned"
    return run(annotated, small, output, epochs=3, knobs={"frozen_epochs": 3})


def test_the_result_is_a_bundle_without_faults_under_its_own_name(made: Finetuned) -> None:
    assert bundle_faults(made.folder) == []
    metadata = json.loads((made.folder / "configs" / "metadata.json").read_text())
    assert metadata["name"] == "tuned"
    assert metadata["trained"] | {"data_sha256": "", "from_weights_sha256": ""} == {
        "from": "small 0.1.0",
        "from_weights_sha256": "",
        "data": "mine",
        "data_sha256": "",
        "training_images": 10,
        "validation_images": 3,
        "epochs": 3,
        "best_epoch": made.best_epoch,
        "seed": 0,
    }
    data = find_training_data(made.folder)
    assert data is not None
    assert (data.name, data.images) == ("mine", 13)


def test_the_result_segments_images_at_their_own_scale_and_brought_to_the_size_of_training(
    made: Finetuned, annotated: Path
) -> None:
    image = np.load(annotated / "images" / "00.npy")
    for diameter in ("none", 20.0):
        segmented = segment(image, bundle=made.folder, diameter=diameter)
        assert segmented.labels.shape == image.shape


def test_a_frozen_encoder_keeps_its_weights_while_the_rest_learns(made: Finetuned, small: Path) -> None:
    before, after = (trained_network(path / "models" / "model.pt") for path in (small, made.folder))
    frozen = {id(parameter) for parameter in encoder_parameters(after)}
    same = [
        (id(new) in frozen, torch.equal(old, new))
        for old, new in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(is_equal for is_frozen, is_equal in same if is_frozen)
    assert not any(is_equal for is_frozen, is_equal in same if not is_frozen)


def test_a_finished_run_is_not_repeated_and_other_settings_are_refused(
    made: Finetuned, annotated: Path, small: Path
) -> None:
    written = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*") if path.is_file()}
    assert run(annotated, small, made.folder, epochs=3, knobs={"frozen_epochs": 3}) == made
    with pytest.raises(BundleError, match="seed was 0, now 1; choose another --output"):
        run(annotated, small, made.folder, epochs=3, seed=1, knobs={"frozen_epochs": 3})
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("*") if path.is_file()} == written


def test_three_images_are_all_trained_on_and_the_last_network_is_kept(
    annotated: Path, small: Path, tmp_path: Path
) -> None:
    # The folders have names that MONAI would evaluate.
    three = some_of(annotated, tmp_path / "$x", 3)
    # So short a time that it is over after one epoch.
    tuned = run(three, small, tmp_path / "@plate#1" / "tuned", minutes=0.0001)
    assert (tuned.training, tuned.validation) == (3, 0)
    assert tuned.best_epoch == tuned.epochs == 1
    assert bundle_faults(tuned.folder) == []
    assert not (tuned.folder / "training" / "probe").exists()


def test_all_faults_of_a_data_set_are_reported_before_anything_is_written(
    annotated: Path, small: Path, tmp_path: Path
) -> None:
    faulty = some_of(annotated, tmp_path / "faulty", 4)
    (faulty / "labels" / "00.tif").unlink()
    io.write_labels(faulty / "labels" / "01.tif", np.ones((5, 5), np.int32))
    with pytest.raises(DatasetError) as caught:
        run(faulty, small, tmp_path / "tuned")
    assert "images/00.npy: missing-partner" in str(caught.value)
    assert "labels/01.tif: shape-mismatch" in str(caught.value)
    assert not (tmp_path / "tuned").exists()


def test_labels_without_objects_are_refused(annotated: Path, small: Path, tmp_path: Path) -> None:
    empty = some_of(annotated, tmp_path / "empty", 3)
    for path in (empty / "labels").iterdir():
        io.write_labels(path, np.zeros((72, 80), np.int32))
    with pytest.raises(DatasetError, match=r"got 3 training image\(s\) without any object"):
        run(empty, small, tmp_path / "tuned")


def test_a_folder_with_other_files_is_refused(annotated: Path, small: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not from `cellseg finetune`"):
        run(annotated, small, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1, "minutes": 1.0}, "expected at most one of the two"),
        ({"minutes": 0.0}, "expected a number above 0"),
        ({"knobs": {"epoch": 3}}, "did you mean --epochs"),
        ({"knobs": {"start_from": "x"}}, "is set by `cellseg finetune` itself"),
    ],
    ids=["two budgets", "no time", "a misspelt knob", "a knob set here"],
)
def test_options_are_checked_first(options: dict, message: str, annotated: Path, small: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        run(annotated, small, tmp_path / "tuned", **options)
    assert not (tmp_path / "tuned").exists()


@pytest.mark.slow
def test_a_killed_run_continues_and_ends_like_one_that_was_not(annotated: Path, small: Path, tmp_path: Path) -> None:
    words = ["--epochs", "3", "--frozen_epochs", "1", "--steps_per_epoch", "8", "--early_stop", "0"]
    words += ["--roi_size", "[32,32]", "--batch_size", "2", "--bundle", str(small)]

    def start(output: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "cellseg_monai", "finetune", str(annotated), "--output", str(output), *words]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    killed, whole = tmp_path / "killed" / "tuned", tmp_path / "whole" / "tuned"
    process = start(killed)
    while not (killed / "training" / "last.pt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "models").exists()
    assert [start(output).wait() for output in (killed, whole)] == [0, 0]
    ours, theirs = (torch.load(output / "models" / "model.pt") for output in (killed, whole))
    for name, values in theirs.items():
        torch.testing.assert_close(ours[name], values, rtol=1e-5, atol=1e-6)
