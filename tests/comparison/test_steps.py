import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from cellseg_monai.bundle.command_line import file_list
from cellseg_monai.comparison.runs import Run
from cellseg_monai.comparison.steps import STEP_NAMES, Step, probe_step, run_steps
from tests.comparison import fabricated

PLAIN = Run(Path("/bundles/unet"))
VARIED = Run(Path("/bundles/unet"), ("two_classes", "no_augmentation"))


def options(step: Step) -> dict[str, str]:
    assert step.command[:4] == (sys.executable, "-m", "monai.bundle", "run")
    return dict(word.removeprefix("--").split("=", 1) for word in step.command[5:])


def test_each_step_runs_its_config_and_resumes_or_takes_the_best_weights(tmp_path: Path) -> None:
    steps = {step.name: step for step in run_steps(PLAIN, fabricated.request(), tmp_path, epochs=7)}
    assert tuple(steps) == STEP_NAMES
    assert [step.command[4] for step in steps.values()] == list(STEP_NAMES)
    training = options(steps["training"])
    assert training["config_file"] == "/bundles/unet/configs/train.json"
    assert training | {"config_file": ""} == {
        "config_file": "",
        "dataset_dir": "/data/cells",
        "output_dir": str(tmp_path),
        "seed": "0",
        "epochs": "7",
        "resume": "True",
        "batch_size": "4",
        "roi_size": "[64, 64]",
    }
    for name in STEP_NAMES[1:]:
        assert options(steps[name])["checkpoint"] == str(tmp_path / "model.pt")
    assert "section" not in options(steps["calibrating"])
    assert options(steps["evaluating"])["section"] == options(steps["segmenting"])["section"] == "test"


def test_variants_override_the_training_only(tmp_path: Path) -> None:
    training, *others = run_steps(VARIED, fabricated.request(), tmp_path, epochs=7)
    assert [Path(path).stem for path in file_list(options(training)["config_file"])] == [
        "train",
        "two_classes",
        "no_augmentation",
    ]
    assert all(file_list(options(step)["config_file"])[0].startswith("/bundles/unet/configs/") for step in others)


def test_later_steps_get_only_the_knobs_that_the_checkpoint_does_not_record(tmp_path: Path) -> None:
    request = fabricated.request(knobs={"batch_size": 4, "device": "cpu", "split_seed": 3}, datalist="/lists/a.json")
    for step in run_steps(PLAIN, request, tmp_path, epochs=1)[1:]:
        passed = options(step)
        assert (passed["device"], passed["split_seed"], passed["datalist"]) == ("cpu", "3", "/lists/a.json")
        assert "batch_size" not in passed


def test_the_trial_trains_two_epochs_with_the_same_knobs(tmp_path: Path) -> None:
    request = fabricated.request(epochs=None, minutes=1)
    trial = options(probe_step(VARIED, request, tmp_path / "probe"))
    training = options(run_steps(VARIED, request, tmp_path, epochs=9)[0])
    assert trial == training | {"epochs": "2", "output_dir": str(tmp_path / "probe")}


@pytest.mark.parametrize("name", ["$x", "@plate1", "a@#b", "a::b", "plate#1", "it's"])
def test_paths_reach_the_workflows_as_they_are(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    request = fabricated.request(folder / "data", datalist=str(folder / "list.json"))
    for step in run_steps(PLAIN, request, folder, epochs=1):
        passed = options(step)
        config = ConfigParser({key: passed[key] for key in ("dataset_dir", "output_dir", "datalist")})
        assert config.get_parsed_content("dataset_dir") == str(folder / "data")
        assert config.get_parsed_content("output_dir") == str(folder)
        assert config.get_parsed_content("datalist") == str(folder / "list.json")
