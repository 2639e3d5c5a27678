import json
import shutil
from pathlib import Path

import pytest

from cellseg_monai.bundle import build_bundle, bundle_faults, drifted_files, find_bundles
from cellseg_monai.errors import BundleError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """The recipes and the unet bundle, to be changed at will."""
    shutil.copytree(ROOT / "bundles", tmp_path / "bundles", ignore=shutil.ignore_patterns("output", "models"))
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path / "bundles"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("bundle", find_bundles(ROOT / "bundles"), ids=lambda path: path.name)
def test_hand_written_part_is_short(bundle: Path) -> None:
    assert len((bundle / "bundle.json").read_text().splitlines()) <= 40


def test_a_part_of_bundle_json_reaches_inside_its_config_alone(bundles: Path) -> None:
    edit(bundles / "unet" / "bundle.json", train={"optimizer#lr": 0.5})
    files = {name: json.loads(text) for name, text in build_bundle(bundles / "unet").items() if name.endswith("json")}
    assert files["configs/train.json"]["optimizer"]["lr"] == 0.5
    assert files["configs/multi_gpu_train.json"]["optimizer"]["lr"] == 0.5
    assert "optimizer" not in files["configs/evaluate.json"]


def test_drift_names_what_was_edited_deleted_and_added(bundles: Path) -> None:
    configs = bundles / "unet" / "configs"
    edit(configs / "train.json", epochs=999)
    (configs / "logging.conf").unlink()
    (configs / "stray.json").write_text("{}")
    assert [path.name for path in drifted_files(bundles / "unet")] == ["logging.conf", "stray.json", "train.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "bears the name 'other'; it must be 'unet'"),
        ({"recipe": "none"}, "asks for the recipe 'none'"),
        ({"trian": {}}, r"has \['trian'\]; known are"),
    ],
)
def test_faults_of_bundle_json_are_named(bundles: Path, change: dict, message: str) -> None:
    edit(bundles / "unet" / "bundle.json", **change)
    with pytest.raises(BundleError, match=message):
        build_bundle(bundles / "unet")


def test_check_reports_all_faults_at_once(bundles: Path) -> None:
    (bundles / "unet" / "bundle.json").unlink()  # a packed bundle: nothing to drift from
    configs = bundles / "unet" / "configs"
    edit(configs / "train.json", nobody_reads_me=1, loss={"_target_": "NoSuchLoss"}, seed="@sede")
    edit(configs / "evaluate.json", dataset={"_target_": "cellseg_monai.data.datalist.nothing", "data": []})
    edit(configs / "preprocess.json", chanels="grey")
    (configs / "inference.json").write_text("{")
    faults = "\n".join(bundle_faults(bundles / "unet", {"epoch": 3}))
    for part in (
        "train.json: nothing refers to 'nobody_reads_me'",
        "train.json: _target_ 'NoSuchLoss' is no class of MONAI",
        "train.json: @sede names nothing",
        "evaluate.json: _target_ 'cellseg_monai.data.datalist.nothing' cannot be imported",
        "Preprocessing has no setting 'chanels'; did you mean 'channels'?",
        "inference.json: not JSON: Expecting property name",
        "unknown override --epoch: did you mean --epochs?",
    ):
        assert part in faults
