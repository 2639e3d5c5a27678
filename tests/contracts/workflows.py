"""Tests of the workflows of every bundle, whatever its network is for."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow, verify_metadata, verify_net_in_out
from monai.utils import set_determinism

import cellseg_monai
from cellseg_monai import bundle, training
from tests.contracts.tiny_dataset import write_tiny_dataset

ROOT = Path(__file__).parents[2]
SCHEMA = Path(cellseg_monai.__file__).parent / "bundle" / "metadata.schema.json"


def rows(output_dir: Path) -> list[dict[str, float]]:
    """Return the rows of a run's metrics.csv, without empty cells and what differs between identical runs."""
    with open(output_dir / "metrics.csv", newline="") as file:
        table = csv.DictReader(file)
        return [{key: float(row[key]) for key in row if row[key] and "second" not in key} for row in table]


COMPARE_EXPORT = """
import sys, torch
answer = torch.load(f"{sys.argv[1]}/answer.pt")
with torch.no_grad():
    torch.testing.assert_close(torch.jit.load(f"{sys.argv[1]}/model.ts")(answer["image"]), answer["expected"])
"""


class WorkflowContract:
    name: ClassVar[str]
    # Overrides that make a run small enough for a test.
    small: ClassVar[dict] = {"batch_size": 4, "epochs": 3}
    # `channels` of a small network, for a bundle whose `network_def` has this argument.
    small_channels: ClassVar[tuple[int, ...]] = ()
    # Metrics in `metrics.csv`, the folder that inference writes, and the shape of a batch for the network.
    curves: ClassVar[tuple[str, ...]]
    inferred: ClassVar[str]
    input_shape: ClassVar[tuple[int, ...]]

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls) -> Path:
        return ROOT / "bundles" / cls.name

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_tiny_dataset(tmp_path_factory.mktemp("tiny"))

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _deterministic_only_here(cls) -> Iterator[None]:
        yield
        set_determinism(None)

    @classmethod
    def workflow(cls, root: Path, config: str, dataset: Path, output_dir: Path, **overrides: object) -> ConfigWorkflow:
        kind = "train" if config.endswith("train") else "infer"
        return ConfigWorkflow(
            str(root / "configs" / f"{config}.json"),
            logging_file=False,
            workflow_type=kind,
            bundle_root=str(root),
            dataset_dir=str(dataset),
            output_dir=str(output_dir),
            **{**cls.tiles(), **overrides},
        )

    @classmethod
    def tiles(cls) -> dict[str, list[int]]:
        return {"roi_size": cls.small["roi_size"]} if "roi_size" in cls.small else {}

    @classmethod
    def small_network(cls) -> dict[str, list[int]]:
        return {"network_def#channels": list(cls.small_channels)} if cls.small_channels else {}

    @classmethod
    def train(cls, root: Path, dataset: Path, output_dir: Path, **overrides: object) -> ConfigWorkflow:
        small = {**cls.small, **cls.small_network(), **overrides}
        workflow = cls.workflow(root, "train", dataset, output_dir, **small)
        workflow.initialize()
        return workflow

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, root: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        output_dir = tmp_path_factory.mktemp("trained")
        cls.train(root, dataset, output_dir).run()
        return output_dir

    def test_its_files_have_no_faults(self, root: Path) -> None:
        assert bundle.bundle_faults(root) == []

    def test_training_has_the_properties_that_monai_requires(self, root: Path, dataset: Path, tmp_path: Path) -> None:
        assert self.train(root, dataset, tmp_path).check_properties() == []

    def test_each_workflow_on_trained_weights_has_the_properties_that_monai_requires(
        self, root: Path, dataset: Path, trained: Path
    ) -> None:
        configs = {path.stem: json.loads(path.read_text()) for path in (root / "configs").glob("*.json")}
        # Workflows have an entry `run`; other files are settings, metadata and overlays. Training has no `checkpoint`.
        names = {name for name, config in configs.items() if "run" in config and "checkpoint" in config}
        assert names >= {"calibrate", "evaluate", "inference"}
        for name in sorted(names):
            workflow = self.workflow(root, name, dataset, trained)
            workflow.initialize()
            assert workflow.check_properties() == [], name

    def test_metadata_passes_monais_own_check(self, root: Path) -> None:
        # MONAI downloads the schema unless the file exists, so our copy is used.
        digest = hashlib.md5(SCHEMA.read_bytes()).hexdigest()
        verify_metadata(meta_file=str(root / "configs" / "metadata.json"), filepath=str(SCHEMA), hash_val=digest)

    def test_input_and_output_of_the_network_match_the_metadata(self, root: Path) -> None:
        verify_net_in_out(
            "network_def",
            meta_file=str(root / "configs" / "metadata.json"),
            config_file=str(root / "configs" / "inference.json"),
            device="cpu",
            n=2,
        )

    def test_training_lowers_the_loss(self, trained: Path) -> None:
        losses = [row["loss"] for row in rows(trained)]
        assert len(losses) == 3
        assert losses[-1] < losses[0]

    def test_training_writes_weights_and_curves(self, trained: Path) -> None:
        assert (trained / "model.pt").is_file()
        assert (trained / "last.pt").is_file()
        assert len(list((trained / "tensorboard").glob("*/events.*"))) == 1
        assert rows(trained)[0].keys() >= {"epoch", "loss", "learning_rate", *self.curves}

    def test_resumed_training_equals_uninterrupted(
        self, root: Path, dataset: Path, trained: Path, tmp_path: Path
    ) -> None:
        first = self.train(root, dataset, tmp_path)
        trainer = first.parser.get_parsed_content("train#trainer")
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), trainer.terminate)
        first.run()
        assert len(rows(tmp_path)) == 2
        self.train(root, dataset, tmp_path, resume=True).run()
        for resumed, uninterrupted in zip(rows(tmp_path), rows(trained), strict=True):
            assert resumed == pytest.approx(uninterrupted, rel=1e-5, abs=1e-6)
        resumed, uninterrupted = (torch.load(path / "last.pt") for path in (tmp_path, trained))
        for name, weights in uninterrupted["network"].items():
            torch.testing.assert_close(resumed["network"][name], weights, rtol=1e-5, atol=1e-6)
        assert resumed["best_metric"] == pytest.approx(uninterrupted["best_metric"])

    @pytest.mark.parametrize(("amp", "dtype"), [(True, torch.bfloat16), (False, torch.float32)], ids=["amp", "plain"])
    def test_network_computes_in(
        self, root: Path, dataset: Path, tmp_path: Path, amp: bool, dtype: torch.dtype
    ) -> None:
        workflow = self.train(root, dataset, tmp_path, amp=amp, epochs=1)
        # The average of the weights, where there is one, is what is validated.
        average = workflow.parser.get_parsed_content("average")
        modules = [*workflow.parser.get_parsed_content("network").modules(), *average.network.modules()]
        dtypes: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
        layers = [layer for layer in modules if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]

        def watch() -> None:
            for layer in layers:
                layer.register_forward_hook(lambda layer, inputs, output: dtypes[layer.training].add(output.dtype))

        # Not before the start, when the network is tried on a batch of zeros.
        trainer = workflow.parser.get_parsed_content("train#trainer")
        trainer.add_event_handler(Events.EPOCH_STARTED(once=1), watch)
        workflow.run()
        assert dtypes == {True: {dtype}, False: {dtype}}

    @pytest.mark.slow
    def test_exported_network_gives_the_same_output(self, root: Path, trained: Path, tmp_path: Path) -> None:
        shape = list(self.input_shape)
        network = training.trained_network(trained / "model.pt")
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = network(image)
        torch.save({"image": image, "expected": expected}, tmp_path / "answer.pt")
        # In a separate process, as users run the command: Python crashes at exit if both TorchScript and itk, which
        # other tests import, are loaded.
        self.run_python(
            *("-m", "monai.bundle", "ckpt_export", "network", "--use_trace", "True", "--input_shape", str(shape)),
            *("--filepath", str(tmp_path / "model.ts"), "--ckpt_file", str(trained / "model.pt")),
            *("--meta_file", str(root / "configs" / "metadata.json")),
            *("--config_file", str(root / "configs" / "inference.json"), "--bundle_root", str(root), "--device", "cpu"),
        )
        self.run_python("-c", COMPARE_EXPORT, str(tmp_path))

    def run_python(self, *arguments: str) -> None:
        process = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr[-3000:]

    def command(self, cwd: Path, config: Path, *arguments: str) -> subprocess.CompletedProcess:
        # The command as users type it. PYTHONPATH makes an installed package unnecessary.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *arguments],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("start", "name"),
        [("the repository", "train"), ("the bundle", "evaluate"), ("elsewhere", "inference")],
        ids=["the repository", "the bundle", "elsewhere"],
    )
    def test_runs_from(self, start: str, name: str, root: Path, dataset: Path, trained: Path, tmp_path: Path) -> None:
        cwd = {"the repository": ROOT, "the bundle": root, "elsewhere": tmp_path}[start]
        arguments = ["--dataset_dir", str(dataset), "--output_dir", str(tmp_path / "out")]
        arguments += [word for flag, value in self.tiles().items() for word in (f"--{flag}", str(value))]
        if start == "elsewhere":
            arguments += ["--bundle_root", str(root)]
        if name == "train":
            arguments += ["--epochs", "1", "--steps_per_epoch", "1", "--batch_size", "2", "--device", "cpu"]
        else:
            arguments += ["--checkpoint", str(trained / "model.pt")]
        config = root / "configs" / f"{name}.json"
        process = self.command(cwd, config if start == "elsewhere" else config.relative_to(cwd), *arguments)
        assert process.returncode == 0, process.stderr[-3000:]
        results = {path.name for path in (tmp_path / "out").iterdir()}
        expected = {
            "train": {"model.pt", "last.pt", "metrics.csv", "tensorboard"},
            "evaluate": {"evaluation"},
            "inference": {self.inferred},
        }
        assert results == expected[name]

    @pytest.mark.slow
    def test_a_misspelt_override_is_refused_with_the_right_name(self, root: Path, tmp_path: Path) -> None:
        process = self.command(tmp_path, root / "configs" / "train.json", "--epoch", "1", "--bundle_root", str(root))
        assert process.returncode != 0
        assert process.stderr.splitlines()[-1] == "error: unknown override --epoch: did you mean --epochs?"
        assert list(tmp_path.iterdir()) == []
