"""Complete runs of the unet bundle, started as users start them, and their interruptions."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cellseg_monai import io
from tests.contracts.bundle import ROOT, rows
from tests.contracts.tiny_dataset import write_tiny_dataset

pytestmark = pytest.mark.slow

CONFIGS = ROOT / "bundles" / "unet" / "configs"
SMALL = {"--roi_size": "[64,64]", "--batch_size": "4", "--crops_per_image": "2"}


def config_files(config: str) -> str | list[str]:
    """Return the files of a config: training on several GPUs is an overlay of `train.json`."""
    path = CONFIGS / f"{config}.json"
    return [str(CONFIGS / "train.json"), str(path)] if config == "multi_gpu_train" else str(path)


def command(config: str, dataset: Path, output_dir: Path, *arguments: str) -> list[str]:
    """Return a command on small crops; arguments replace the sizes."""
    is_training = config.endswith("train")
    small = SMALL if is_training else {"--roi_size": SMALL["--roi_size"]}
    sizes = [word for name, value in small.items() if name not in arguments for word in (name, value)]
    folders = ["--dataset_dir", str(dataset), "--output_dir", str(output_dir)]
    config_file = ["--config_file", str(config_files(config))]
    run_id = "training" if is_training else "evaluating"
    return ["-m", "monai.bundle", "run", run_id, *config_file, *folders, *sizes, *arguments]


def start(*arguments: str, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def output_of(process: subprocess.Popen) -> str:
    """Wait for a run and return what it prints; kill it if the time limit of the test suite interrupts the wait."""
    try:
        return process.communicate()[0]
    except BaseException:
        process.kill()
        raise


def finish(*arguments: str) -> tuple[int, str]:
    process = start(*arguments)
    output = output_of(process)
    return process.returncode, output


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_tiny_dataset(tmp_path / "data")


def wait_for(condition: object, process: subprocess.Popen) -> None:
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)


def test_a_run_killed_in_the_middle_of_an_epoch_resumes_from_the_last_one(dataset: Path, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    # Many short steps, so that the kill falls within an epoch and not between two.
    arguments = ("--epochs", "3", "--crops_per_image", "12")
    process = start(*command("train", dataset, killed, *arguments))
    wait_for(lambda: (killed / "last.pt").exists() and len(rows(killed)) == 1, process)
    wait_for(lambda: not list(killed.glob(".*.part")), process)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert torch.load(killed / "last.pt")["epoch"] == 1
    code, output = finish(*command("train", dataset, killed, *arguments, "--resume", "True"))
    assert code == 0, output
    assert "after epoch 1" in output
    code, output = finish(*command("train", dataset, whole, *arguments))
    assert code == 0, output
    assert [row["epoch"] for row in rows(killed)] == [1, 2, 3]
    for resumed, uninterrupted in zip(rows(killed), rows(whole), strict=True):
        assert resumed == pytest.approx(uninterrupted, rel=1e-5, abs=1e-6)


def test_an_image_that_becomes_unreadable_is_named_and_the_run_can_be_resumed(dataset: Path, tmp_path: Path) -> None:
    broken, output_dir = dataset / "images" / "03.npy", tmp_path / "out"
    # With cache_mb 0, each image is read in every epoch, as with a data set larger than memory.
    arguments = ("--epochs", "3", "--crops_per_image", "12", "--cache_mb", "0")
    process = start(*command("train", dataset, output_dir, *arguments))
    wait_for(lambda: (output_dir / "last.pt").exists(), process)
    shutil.copy(broken, tmp_path / "good.npy")
    broken.write_bytes(b"")
    output = output_of(process)
    assert process.returncode != 0
    assert str(broken) in output.splitlines()[-1]
    epochs_done = torch.load(output_dir / "last.pt")["epoch"]
    shutil.copy(tmp_path / "good.npy", broken)
    code, output = finish(*command("train", dataset, output_dir, *arguments, "--resume", "True"))
    assert code == 0, output
    assert f"after epoch {epochs_done}" in output
    assert [row["epoch"] for row in rows(output_dir)] == [1, 2, 3]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_label_of_another_shape_is_refused_by_name(dataset: Path, tmp_path: Path, workers: int) -> None:
    wrong = dataset / "labels" / "03.tif"
    io.write_labels(wrong, np.ones((72, 79), np.int32))
    code, output = finish(*command("train", dataset, tmp_path / "out", "--epochs", "1", "--num_workers", str(workers)))
    assert code != 0
    assert str(wrong) in output.splitlines()[-1]
    assert "(72, 79)" in output.splitlines()[-1]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_leaves_the_best_network(dataset: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # There is room for the weights (98 MB), but not for the optimiser's state in addition.
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(disk)], check=False)
    if mount.returncode:
        pytest.skip("this machine does not allow mounting a small disk")
    try:
        code, output = finish(*command("train", dataset, disk, "--epochs", "1"))
        assert code != 0
        assert f"cannot write {disk / 'last.pt'}" in output.splitlines()[-1]
        assert "No space left" in output.splitlines()[-1]
        assert torch.load(disk / "model.pt")
        assert not list(disk.glob(".*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


WORKER = """
import sys, torch
from monai.bundle import ConfigWorkflow
if __name__ == "__main__":
    *config_files, dataset, output_dir = sys.argv[1:]
    workflow = ConfigWorkflow(
        config_files, logging_file=False, dataset_dir=dataset, output_dir=output_dir, roi_size=[64, 64], batch_size=2,
        crops_per_image=2, epochs=2,
    )
    workflow.initialize()
    workflow.run()
    evaluator = workflow.parser.get_parsed_content("validate#evaluator")
    evaluator.run(2)
    network = workflow.parser.get_parsed_content("network")
    seen = workflow.parser.get_parsed_content("train#sampler")
    rank = torch.distributed.get_rank()
    seen = {"network": network.module.state_dict(), "seen": list(seen), "metrics": evaluator.state.metrics}
    torch.save(seen, f"{output_dir}/rank{rank}.pt")
    workflow.finalize()
"""


def test_two_processes_train_the_same_network_and_only_one_of_them_writes(dataset: Path, tmp_path: Path) -> None:
    script, together, alone = tmp_path / "worker.py", tmp_path / "together", tmp_path / "alone"
    script.write_text(WORKER)
    code, output = finish(
        *("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)),
        *(*config_files("multi_gpu_train"), str(dataset), str(together)),
    )
    assert code == 0, output
    ranks = [torch.load(together / f"rank{rank}.pt") for rank in (0, 1)]
    for name, weights in ranks[0]["network"].items():
        assert torch.equal(weights, ranks[1]["network"][name]), name
    assert not set(ranks[0]["seen"]) & set(ranks[1]["seen"])
    assert len(list((together / "tensorboard").glob("*/events.*"))) == 1

    # A single process gets the same score from the saved network as both processes got together.
    (dice,) = {ranks[0]["metrics"]["dice"], ranks[1]["metrics"]["dice"]}
    assert rows(together)[-1]["dice"] == pytest.approx(dice)
    arguments = ("--checkpoint", str(together / "last.pt"), "--section", "validation")
    code, output = finish(*command("evaluate", dataset, tmp_path / "scores", *arguments))
    assert code == 0, output
    summary = json.loads((tmp_path / "scores" / "evaluation" / "cellseg_summary.json").read_text())
    assert summary["images"] == 3
    assert summary["scores"]["dice_mean"]["value"] == pytest.approx(dice, abs=1e-6)

    code, output = finish(*command("train", dataset, alone, "--epochs", "2"))
    assert code == 0, output
    assert [list(row) for row in rows(together)] == [list(row) for row in rows(alone)]
    ours, theirs = (torch.load(path / "model.pt") for path in (together, alone))
    assert {name: weights.shape for name, weights in ours.items()} == {
        name: weights.shape for name, weights in theirs.items()
    }


def test_multi_gpu_training_without_torchrun_is_refused(dataset: Path, tmp_path: Path) -> None:
    code, output = finish(*command("multi_gpu_train", dataset, tmp_path / "out"))
    assert code != 0
    assert "start it with `torchrun" in output


def test_early_stopping_also_applies_after_a_resume(dataset: Path, tmp_path: Path) -> None:
    # With a learning rate of 0 the score soon stops improving.
    arguments = ("--epochs", "9", "--learning_rate", "0.0", "--early_stop", "2")
    code, output = finish(*command("train", dataset, tmp_path / "out", *arguments))
    assert code == 0, output
    stopped = len(rows(tmp_path / "out"))
    assert stopped == torch.load(tmp_path / "out" / "last.pt")["best_metric_epoch"] + 2
    code, output = finish(*command("train", dataset, tmp_path / "out", *arguments, "--resume", "True"))
    assert code == 0, output
    assert len(rows(tmp_path / "out")) == stopped


def test_tensorboard_holds_curves_and_upright_panels(dataset: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    code, output = finish(*command("train", dataset, tmp_path, "--epochs", "2"))
    assert code == 0, output
    (folder,) = (tmp_path / "tensorboard").iterdir()
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    tags = events.Tags()
    assert {"train/loss", "train/learning_rate", "validation/dice", "validation/iou"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("validation/dice")] == [1, 2]
    (image, *_) = events.Images(tags["images"][0])
    # Three pictures of 72 rows of 80 pixels, with two lines of 4 pixels between them.
    assert (image.height, image.width) == (72, 3 * 80 + 8)


def test_scores_in_the_csv_and_the_json_file_agree(dataset: Path, tmp_path: Path) -> None:
    code, output = finish(*command("train", dataset, tmp_path, "--epochs", "1"))
    assert code == 0, output
    code, output = finish(*command("evaluate", dataset, tmp_path))
    assert code == 0, output
    with open(tmp_path / "evaluation" / "cellseg_images.csv", newline="") as file:
        dice = [float(row["dice"]) for row in csv.DictReader(file)]
    summary = json.loads((tmp_path / "evaluation" / "cellseg_summary.json").read_text())
    assert summary["scores"]["dice_mean"]["value"] == pytest.approx(np.mean(dice), abs=1e-5)


def test_oblong_crops_are_trained_on(dataset: Path, tmp_path: Path) -> None:
    code, output = finish(*command("train", dataset, tmp_path / "out", "--epochs", "1", "--roi_size", "[32,64]"))
    assert code == 0, output
    assert torch.load(tmp_path / "out" / "last.pt")["epoch"] == 1


def test_crops_on_which_the_network_cannot_be_trained_are_refused_in_words(dataset: Path, tmp_path: Path) -> None:
    arguments = ("--epochs", "1", "--roi_size", "[16,16]", "--batch_size", "1")
    code, output = finish(*command("train", dataset, tmp_path / "out", *arguments))
    assert code != 0
    assert output.splitlines()[-1].startswith("error: got crops of 16 × 16 px, on which the network cannot be trained")
    assert not (tmp_path / "out").exists()


def test_a_second_training_in_the_same_folder_is_refused_and_changes_nothing(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(*command("train", dataset, out, "--epochs", "30", "--crops_per_image", "12"))
    try:
        wait_for(lambda: (out / "last.pt").exists(), first)
        code, output = finish(*command("train", dataset, out, "--epochs", "1"))
        assert code != 0
        assert "another `training` is writing to this folder: process " in output.splitlines()[-1]
        assert first.poll() is None
        assert not list(out.glob("earlier_*"))
    finally:
        first.kill()
        first.communicate()
