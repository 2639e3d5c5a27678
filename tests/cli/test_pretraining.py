"""The command `cellseg pretrain`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from monai.utils import set_determinism
from safetensors import safe_open

from cellseg_monai import cli
from tests.contracts.tiny_dataset import write_tiny_dataset

BUNDLES = Path(__file__).parents[2] / "bundles"


@pytest.fixture
def cellseg(monkeypatch, capsys):
    """A function that runs the command in this process and returns its exit code, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["cellseg", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        finally:
            set_determinism(None)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


SMALL = ("--epochs", 1, "--batch_size", 4, "--crops_per_image", 1, "--roi_size", "[64,64]")


def test_images_in_a_plain_folder_give_an_encoder_and_the_command_that_uses_it(cellseg, tmp_path):
    (tmp_path / "set").mkdir()
    images = (write_tiny_dataset(tmp_path / "set") / "images").rename(tmp_path / "plain")
    words = ("pretrain", images, "--output", tmp_path / "out", "--bundle", "unet", "--inpainting", 0)
    code, out, err = cellseg(*words, *SMALL, "--network_def#encoder_name", "resnet18")
    assert code == 0, err
    file = tmp_path / "out" / "encoder.safetensors"
    assert f"{file}: the encoder of unet" in out.splitlines()
    assert f"--encoder_weights {file} '--network_def#encoder_name' resnet18" in out
    with safe_open(file, "np") as opened:
        about = opened.metadata()
        assert opened.get_tensor("conv1.weight").shape == (64, 1, 7, 7)
    assert {name: about[name] for name in ("encoder_name", "contrast", "inpainting")} == {
        "encoder_name": "resnet18", "contrast": "1.0", "inpainting": "0.0"
    }  # fmt: skip


def test_a_bundle_without_such_an_encoder_is_refused_with_those_that_have_one(cellseg, tmp_path):
    code, _, err = cellseg("pretrain", tmp_path, "--output", tmp_path.with_name("out"), "--bundle", "nuclei")
    assert code == 1
    assert "nuclei has no encoder from segmentation-models-pytorch" in err
    assert "use one of multihead_unet, nuclei_b3, pspnet, unet, unetpp" in err


def test_a_bundle_of_your_own_without_the_workflow_is_told_how_to_get_it(cellseg, tmp_path):
    own = shutil.copytree(BUNDLES / "unet", tmp_path / "mine", ignore=shutil.ignore_patterns("output"))
    (own / "configs" / "pretrain.json").unlink()
    code, _, err = cellseg("pretrain", tmp_path, "--output", tmp_path.with_name("out"), "--bundle", own)
    assert code == 1
    assert f"{own} has no configs/pretrain.json; build the bundle again with a network that has an encoder_name" in err


def test_all_unreadable_images_are_listed_and_nothing_is_written(cellseg, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    np.save(folder / "a.npy", np.zeros((64, 64), np.uint8))
    for name in ("b.tif", "c.png"):
        (folder / name).write_bytes(b"no picture")
    code, _, err = cellseg("pretrain", folder, "--output", tmp_path / "out", "--bundle", "unet", *SMALL)
    assert code == 1
    assert "b.tif: unreadable: " in err
    assert "c.png: unreadable: " in err
    assert not (tmp_path / "out").exists()


def test_contrast_within_a_single_crop_is_refused_and_nothing_is_written(cellseg, tmp_path):
    (tmp_path / "set").mkdir()
    images = write_tiny_dataset(tmp_path / "set")
    words = ("pretrain", images, "--output", tmp_path / "out", "--bundle", "unet", "--roi_size", "[64,64]")
    code, _, err = cellseg(*words, "--epochs", 1, "--batch_size", 1, "--network_def#encoder_name", "resnet18")
    assert code == 1
    assert "got a batch of 1 crop, expected at least 2" in err
    assert "raise --batch_size, or pass --contrast 0" in err
    assert list((tmp_path / "out").rglob("*")) == []


def test_without_a_task_nothing_is_trained(cellseg, tmp_path):
    (tmp_path / "set").mkdir()
    images = write_tiny_dataset(tmp_path / "set")
    words = ("--output", tmp_path / "out", "--bundle", "unet", "--contrast", 0, "--inpainting", 0)
    code, _, err = cellseg("pretrain", images, *words, *SMALL)
    assert code == 1
    assert "got neither contrast nor inpainting, expected at least one task; give one a weight above 0" in err
