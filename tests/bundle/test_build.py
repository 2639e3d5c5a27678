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


def configs(bundle: Path) -> dict:
    return {Path(name).stem: json.loads(text) for name, text in build_bundle(bundle).items() if name.endswith(".json")}


def test_a_recipe_that_extends_another_says_only_what_differs(bundles: Path) -> None:
    recipe = bundles / "recipes" / "mine"
    (recipe / "variants").mkdir(parents=True)
    (recipe / "recipe.json").write_text('{"extends": "semantic"}')
    edit(bundles / "unet" / "bundle.json", recipe="mine")
    before, plain = configs(bundles / "unet"), json.loads((bundles / "unet" / "configs" / "train.json").read_text())
    assert before["train"] == plain
    (recipe / "train.json").write_text('{"optimizer#lr": 0.25, "epochs": 7}')
    (recipe / "postprocess.json").write_text('{"min_area_px": 99}')
    (recipe / "variants" / "quick.json").write_text('{"epochs": 1}')
    after = configs(bundles / "unet")
    assert (after["train"]["optimizer"]["lr"], after["train"]["epochs"]) == (0.25, 7)
    assert after["train"]["optimizer"].keys() == plain["optimizer"].keys()
    assert after["postprocess"] == before["postprocess"] | {"min_area_px": 99}
    assert after["evaluate"] == before["evaluate"]
    assert after["quick"] == {"+variants": ["quick"], "epochs": 1}
    assert after.keys() == before.keys() | {"quick"}
    # The bundle has the last word, and may take a variant away.
    edit(bundles / "unet" / "bundle.json", train={"epochs": 8}, variants={"quick": None})
    assert configs(bundles / "unet")["train"]["epochs"] == 8
    assert "quick" not in configs(bundles / "unet")


def test_recipes_may_extend_each_other_in_a_row(bundles: Path) -> None:
    for name, base, epochs in (("mine", "semantic", 7), ("yours", "mine", 9)):
        (bundles / "recipes" / name).mkdir()
        (bundles / "recipes" / name / "recipe.json").write_text(json.dumps({"extends": base}))
        (bundles / "recipes" / name / "train.json").write_text(json.dumps({"epochs": epochs, f"only_{name}": 1}))
    edit(bundles / "unet" / "bundle.json", recipe="yours")
    train = configs(bundles / "unet")["train"]
    assert (train["epochs"], train["only_mine"], train["only_yours"]) == (9, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"extends": "none"}', r"recipe\.json asks for the recipe 'none'"),
        ('{"extends": "mine"}', r"mine extends itself: mine, mine"),
        ('{"base": "semantic"}', r"recipe\.json .* \{'base': 'semantic'\}"),
    ],
    ids=["no such recipe", "a ring", "a misspelt key"],
)
def test_a_recipe_without_a_base_is_named(bundles: Path, text: str, message: str) -> None:
    (bundles / "recipes" / "mine").mkdir()
    (bundles / "recipes" / "mine" / "recipe.json").write_text(text)
    edit(bundles / "unet" / "bundle.json", recipe="mine")
    with pytest.raises(BundleError, match=message):
        build_bundle(bundles / "unet")


def test_the_boundary_recipe_trains_another_target_with_the_same_engine(bundles: Path) -> None:
    semantic = configs(bundles / "unet")
    edit(bundles / "unet" / "bundle.json", recipe="boundary")
    boundary = configs(bundles / "unet")
    train = boundary["train"]
    assert train["head"]["_target_"] == "cellseg_monai.heads.BoundaryClassesHead"
    assert boundary["postprocess"]["method"] == "boundary_watershed"
    output = boundary["metadata"]["network_data_format"]["outputs"]["pred"]
    assert output["channel_def"] == {"0": "background", "1": "interior", "2": "boundary"}
    targets = [
        transform if isinstance(transform, str) else transform["_target_"] for transform in train["train"]["augment"]
    ]
    assert "cellseg_monai.transforms.RandContactCropd" in targets
    assert "cellseg_monai.transforms.EncodeTargetd" in targets
    assert train["optimizer"] == semantic["train"]["optimizer"]


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
