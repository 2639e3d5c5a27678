"""Tests of pretraining for every bundle whose encoder is from segmentation-models-pytorch.

class TestUnet(PretrainingContract):
    name = "unet"
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow
from monai.utils import set_determinism
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cellseg_monai.errors import BundleError
from tests.contracts.tiny_dataset import write_tiny_dataset
from tests.contracts.workflows import ROOT, rows


class PretrainingContract:
    name: ClassVar[str]
    # Another encoder makes a run small enough for a test; None for that of the bundle.
    encoder: ClassVar[str | None] = "resnet18"

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_tiny_dataset(tmp_path_factory.mktemp("tiny"))

    @classmethod
    def run(cls, config: str, dataset: Path, output: Path, **overrides: object) -> ConfigWorkflow:
        root = ROOT / "bundles" / cls.name
        workflow = ConfigWorkflow(
            str(root / "configs" / f"{config}.json"),
            logging_file=False,
            workflow_type="train" if config == "train" else "infer",
            bundle_root=str(root),
            dataset_dir=str(dataset),
            output_dir=str(output),
            **({} if cls.encoder is None else {"network_def#encoder_name": cls.encoder}),
            **overrides,
        )
        workflow.initialize()
        return workflow

    @classmethod
    def pretrain(cls, dataset: Path, output: Path, **overrides: object) -> None:
        small = {"roi_size": [64, 64], "batch_size": 4, "crops_per_image": 1, "epochs": 2, "probe_crops": 2}
        try:
            cls.run("pretrain", dataset, output, **{**small, **overrides}).run()
        finally:
            set_determinism(None)

    @pytest.fixture(scope="class")
    @classmethod
    def pretrained(cls, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        output = tmp_path_factory.mktemp("pretrained")
        cls.pretrain(dataset, output)
        return output

    def test_losses_and_the_probe_are_recorded_also_before_training(self, pretrained: Path) -> None:
        recorded = rows(pretrained)
        assert [row["epoch"] for row in recorded] == [0, 1, 2]
        assert ["loss" in row for row in recorded] == [False, True, True]
        for row in recorded:
            assert row["contrast"] > 0
            assert row["inpainting"] > 0
            assert 0 <= row["neighbours"] <= 1
            assert 0 <= row["collapse"] <= 1

    def test_tensorboard_shows_losses_scores_and_what_was_filled_in(self, pretrained: Path) -> None:
        [events] = (pretrained / "tensorboard").glob("*/events.*")
        log = EventAccumulator(str(events), size_guidance={"images": 0, "scalars": 0})
        log.Reload()
        steps = [event.step for event in log.Scalars("train/loss")]
        assert steps == [1, 2, 3, 4]
        for name in ("contrast", "inpainting"):
            assert [event.step for event in log.Scalars(f"train/loss of {name}")] == steps
        for name in ("neighbours", "collapse", "contrast", "inpainting"):
            logged = [event.value for event in log.Scalars(f"validation/{name}")]
            assert logged == pytest.approx([row[name] for row in rows(pretrained)])
        # A crop of each of the first images: 64 px, three times, with two lines of 4 px between.
        pictures = log.Images("validation/0: crop, hidden, filled in")
        assert [(image.step, image.height, image.width) for image in pictures] == [(n, 64, 200) for n in (0, 1, 2)]
        assert sum("crop, hidden, filled in" in tag for tag in log.Tags()["images"]) == 4

    def test_training_starts_from_the_encoder(
        self, dataset: Path, pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = pretrained / "encoder.safetensors"
        with caplog.at_level(logging.INFO):
            network = self.network(dataset, tmp_path, encoder_weights=str(file))
        tensors = load_file(file)
        assert f"all {len(tensors)} tensors of {file} match" in caplog.text
        encoder = {name: value for name, value in network.state_dict().items() if ".encoder." in f".{name}"}
        found = {name.partition("encoder.")[2]: value for name, value in encoder.items()}
        assert found.keys() == tensors.keys()
        for name, value in tensors.items():
            torch.testing.assert_close(found[name], value)

    @classmethod
    def network(cls, dataset: Path, output: Path, **overrides: object) -> torch.nn.Module:
        workflow = cls.run("train", dataset, output, **overrides)
        network: torch.nn.Module = workflow.parser.get_parsed_content("network_def")
        return network

    def test_a_tensor_of_another_name_is_refused_by_name(self, dataset: Path, pretrained: Path, tmp_path: Path) -> None:
        tensors = load_file(pretrained / "encoder.safetensors")
        renamed = next(iter(tensors))
        tensors["renamed"] = tensors.pop(renamed)
        save_file(tensors, tmp_path / "encoder.safetensors")
        with pytest.raises((BundleError, RuntimeError)) as caught:
            self.network(dataset, tmp_path, encoder_weights=str(tmp_path / "encoder.safetensors"))
        message = str(caught.value if isinstance(caught.value, BundleError) else root_of(caught.value))
        assert f"{len(tensors) - 1} of {len(tensors)} tensors match" in message
        assert f"1 missing: {renamed}; 1 unexpected: renamed" in message

    @pytest.mark.parametrize(("task", "other"), [("contrast", "inpainting"), ("inpainting", "contrast")])
    def test_each_task_is_enough(self, dataset: Path, tmp_path: Path, task: str, other: str) -> None:
        self.pretrain(dataset, tmp_path, epochs=1, **{other: 0.0})
        (_, row) = rows(tmp_path)
        assert row[task] > 0
        assert row[other] != row[other]  # NaN, as nothing was done
        assert (tmp_path / "encoder.safetensors").is_file()

    def test_a_resumed_run_ends_like_one_that_was_not_stopped(
        self, dataset: Path, pretrained: Path, tmp_path: Path
    ) -> None:
        class Stopped(Exception):
            pass

        workflow = self.run(
            "pretrain", dataset, tmp_path, roi_size=[64, 64], batch_size=4, crops_per_image=1, epochs=2, probe_crops=2
        )
        trainer = workflow.parser.get_parsed_content("train#trainer")

        def stop() -> None:
            raise Stopped

        trainer.add_event_handler(Events.EPOCH_STARTED(once=2), stop)
        with pytest.raises(Stopped):
            trainer.run()
        set_determinism(None)
        self.pretrain(dataset, tmp_path, resume=True)
        assert rows(tmp_path) == rows(pretrained)
        expected, found = (load_file(folder / "encoder.safetensors") for folder in (pretrained, tmp_path))
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def root_of(error: BaseException) -> BaseException:
    """Return the first error in a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
