import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cellseg_monai.bundle import ShippedWeights, build_bundle, bundle_faults, find_training_data
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.errors import BundleError
from cellseg_monai.training import read_checkpoint, read_metadata, trained_network

ROOT = Path(__file__).parents[2]
NUCLEI = ROOT / "bundles" / "nuclei"
SHIPPED = json.loads((NUCLEI / "models" / "weights.json").read_text())["sha256"]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The bundle without its bundle.json, as in a zip."""
    return Path(shutil.copytree(NUCLEI, tmp_path / "nuclei", ignore=shutil.ignore_patterns("bundle.json", "output")))


def edit(path: Path, change: Callable[[dict], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_shipped_weights_belong_to_the_metadata_and_to_this_bundle(packed: Path) -> None:
    assert bundle_faults(packed) == []
    state = read_checkpoint(packed / "models" / "model.pt")
    assert read_metadata(state)["bundle"] == "nuclei"
    assert {values.dtype for values in state.values() if values.is_floating_point()} == {torch.float16}
    assert {values.dtype for values in trained_network(packed / "models" / "model.pt").parameters()} == {torch.float32}


def test_shipped_training_data_belong_to_the_shipped_weights() -> None:
    training = find_training_data(NUCLEI)
    assert training is not None
    metadata = json.loads((NUCLEI / "configs" / "metadata.json").read_text())
    assert training.weights_sha256 == metadata["weights_sha256"]
    assert find_training_data(NUCLEI.parent / "unet") is None


def test_configs_hold_what_was_measured_with_the_weights() -> None:
    shipped = ShippedWeights.from_json(NUCLEI / "models" / "weights.json")
    files = {name: json.loads(text) for name, text in build_bundle(NUCLEI).items() if name.endswith(".json")}
    assert files["configs/postprocess.json"] == shipped.postprocess.to_mapping()
    assert files["configs/metadata.json"]["eval_metrics"] == shipped.eval_metrics
    assert files["configs/metadata.json"]["weights_sha256"] == shipped.sha256
    text = (NUCLEI / "models" / "weights.json").read_text()
    assert text.count(shipped.sha256) == 1
    assert shipped.sha256 not in (NUCLEI / "bundle.json").read_text()


def test_weights_json_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    shipped = ShippedWeights.from_json(NUCLEI / "models" / "weights.json")
    shipped.to_json(tmp_path / "weights.json")
    assert (tmp_path / "weights.json").read_text() == (NUCLEI / "models" / "weights.json").read_text()
    bare = ShippedWeights("0" * 64, Postprocessing())
    bare.to_json(tmp_path / "weights.json")
    assert ShippedWeights.from_json(tmp_path / "weights.json") == bare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("sha256"), "got postprocess, eval_metrics, training_data, expected at least sha256"),
        (lambda values: values.update(sha256="98762"), "got sha256='98762', expected 64 hexadecimal digits"),
        (lambda values: values.update(postprocess=[]), r"got postprocess=\[\], expected an object"),
        (lambda values: values.update(postprocess=None), "got postprocess=None, expected an object with names"),
        (lambda values: values["postprocess"].update(treshold=1), "postprocess: .* did you mean 'threshold'"),
        (lambda values: values.update(eval_metrics=3), "got eval_metrics=3, expected a number for each name"),
        (lambda values: values["eval_metrics"].update(f1="high"), "got the metric f1='high', expected a finite number"),
        (lambda values: values["training_data"].update(sharpnes=1), "training_data: .* did you mean 'sharpness'"),
        (lambda values: values["training_data"].pop("name"), "training_data: .* missing .* 'name'"),
        (lambda values: values.update(scores={}), "has no setting 'scores'"),
    ],
)
def test_an_invalid_weights_json_is_a_fault(packed: Path, change: Callable, message: str) -> None:
    path = packed / "models" / "weights.json"
    edit(path, change)
    with pytest.raises(BundleError, match=message):
        ShippedWeights.from_json(path)
    (fault,) = bundle_faults(packed)
    assert str(path) in fault


def test_weights_json_that_is_not_json_is_a_fault(packed: Path) -> None:
    path = packed / "models" / "weights.json"
    path.write_text("{")
    (fault,) = bundle_faults(packed)
    assert f"{path} is not JSON" in fault
    path.write_text("[]")
    (fault,) = bundle_faults(packed)
    assert "got a list, expected at least sha256 and postprocess" in fault


def test_other_weights_are_a_fault(packed: Path) -> None:
    with open(packed / "models" / "model.pt", "ab") as file:
        file.write(b"x")
    (fault,) = bundle_faults(packed)
    assert "models/model.pt: got the SHA-256" in fault
    assert f"but weights.json describes weights with {SHIPPED[:8]}" in fault


def test_weights_json_of_other_weights_is_a_fault(packed: Path) -> None:
    edit(packed / "models" / "weights.json", lambda values: values.update(sha256="0" * 64))
    faults = bundle_faults(packed)
    assert len(faults) == 2
    assert "but weights.json describes weights with 0000" in faults[0]
    assert f"metadata.json names {SHIPPED[:8]}" in faults[1]


def test_missing_weights_are_a_fault(packed: Path) -> None:
    (packed / "models" / "model.pt").unlink()
    (fault,) = bundle_faults(packed)
    assert "model.pt: missing, but weights.json describes this file" in fault


def test_weights_without_a_description_are_a_fault(packed: Path) -> None:
    (packed / "models" / "weights.json").unlink()
    faults = bundle_faults(packed)
    assert len(faults) == 2
    assert "no weights.json describes this file" in faults[0]
    assert "weights.json: missing, but metadata.json names weights" in faults[1]


def test_settings_in_both_bundle_json_and_weights_json_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bundles" / "recipes", tmp_path / "bundles" / "recipes")
    nuclei = tmp_path / "bundles" / "nuclei"
    shutil.copytree(NUCLEI, nuclei, ignore=shutil.ignore_patterns("output", "configs", "model.pt"))
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    edit(nuclei / "bundle.json", lambda values: values.update(postprocess={"threshold": 0.5}))
    with pytest.raises(BundleError, match=r"but models/weights\.json has settings fitted"):
        build_bundle(nuclei)
