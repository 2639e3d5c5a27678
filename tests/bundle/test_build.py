import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellseg_monai.bundle import build_bundle, bundle_faults, drifted_files, find_bundles
from cellseg_monai.errors import BundleError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Copy all recipes and bundles to a folder in which a test can change them."""
    shutil.copytree(ROOT / "bundles", tmp_path / "bundles", ignore=shutil.ignore_patterns("output", "models"))
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path / "bundles"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("bundle", find_bundles(ROOT / "bundles"), ids=lambda path: path.name)
def test_bundle_json_is_short(bundle: Path) -> None:
    lines = (bundle / "bundle.json").read_text().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120


def test_measured_values_are_not_written_by_hand() -> None:
    text = (ROOT / "bundles" / "nuclei" / "bundle.json").read_text()
    assert len(text.splitlines()) <= 20
    assert not {"postprocess", "training_data"} & json.loads(text).keys()
    assert not {"weights_sha256", "eval_metrics"} & json.loads(text)["metadata"].keys()


def keys(value: object) -> Iterator[str]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield key
        yield from keys(item)


def test_nothing_is_overridden_by_its_position_in_a_list() -> None:
    files = [*ROOT.glob("bundles/*/bundle.json"), *ROOT.glob("bundles/recipes/**/*.json")]
    overrides = {f"{path}: {key}" for path in files for key in keys(json.loads(path.read_text()))}
    assert len(overrides) > 300
    assert [key for key in overrides if re.search(r"(#|::)\d+(#|::|$)", key)] == []


def test_a_part_of_bundle_json_changes_only_the_configs_that_it_belongs_to(bundles: Path) -> None:
    edit(bundles / "unet" / "bundle.json", train={"optimizer#lr": 0.5})
    files = {name: json.loads(text) for name, text in build_bundle(bundles / "unet").items() if name.endswith("json")}
    assert files["configs/train.json"]["optimizer"]["lr"] == 0.5
    assert "optimizer" not in files["configs/evaluate.json"]


def test_training_on_several_gpus_is_an_overlay_of_a_few_lines(bundles: Path) -> None:
    edit(bundles / "unet" / "bundle.json", multi_gpu_train={"batch_size": 2})
    text = build_bundle(bundles / "unet")["configs/multi_gpu_train.json"]
    overlay = json.loads(text)
    assert len(text.splitlines()) < 20
    assert overlay["batch_size"] == 2
    assert "training.distribute" in overlay["network"]
    assert "run" not in overlay


def test_an_overlay_is_checked_together_with_its_workflow(bundles: Path) -> None:
    configs = bundles / "unet" / "configs"
    overlay = json.loads((configs / "multi_gpu_train.json").read_text())
    (configs / "multi_gpu_train.json").write_text(json.dumps(overlay | {"nobody_reads_me": "@sede"}))
    (configs / "multi_gpu_predict.json").write_text(json.dumps({"epochs": 1}))
    (bundles / "unet" / "bundle.json").unlink()
    faults = "\n".join(bundle_faults(bundles / "unet"))
    assert "multi_gpu_train.json: nothing refers to 'nobody_reads_me'" in faults
    assert "multi_gpu_train.json: @sede refers to nothing" in faults
    assert "multi_gpu_predict.json: neither a workflow with a `run` nor an overlay" in faults
    (configs / "multi_gpu_train.json").write_text(json.dumps({"nowhere#sampler": 1}))
    assert "multi_gpu_train.json: cannot merge 'nowhere#sampler'" in "\n".join(bundle_faults(bundles / "unet"))


def test_drift_names_edited_deleted_and_added_files(bundles: Path) -> None:
    configs = bundles / "unet" / "configs"
    edit(configs / "train.json", epochs=999)
    (configs / "logging.conf").unlink()
    (configs / "stray.json").write_text("{}")
    assert [path.name for path in drifted_files(bundles / "unet")] == ["logging.conf", "stray.json", "train.json"]


def configs(bundle: Path) -> dict:
    """Build the configs of a bundle."""
    return {Path(name).stem: json.loads(text) for name, text in build_bundle(bundle).items() if name.endswith(".json")}


def test_a_recipe_that_extends_another_holds_only_the_differences(bundles: Path) -> None:
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
    # A bundle overrides its recipe, and can take a variant away.
    edit(bundles / "unet" / "bundle.json", train={"epochs": 8}, variants={"quick": None})
    assert configs(bundles / "unet")["train"]["epochs"] == 8
    assert "quick" not in configs(bundles / "unet")


def test_a_recipe_can_extend_one_that_extends_another(bundles: Path) -> None:
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
        ('{"extends": "none"}', r"recipe\.json names the recipe 'none'"),
        ('{"extends": "mine"}', r"mine extends itself: mine, mine"),
        ('{"base": "semantic"}', r"recipe\.json: unknown keys: base; use only extends, workflows, needs, overlays"),
        ("{}", r"mine has no workflow; declare one in its recipe\.json"),
        ('{"extends": "semantic", "workflows": {"pretrain": "train"}}', r"workflow pretrain is 'train', expected"),
        ('{"extends": "semantic", "workflows": {"pretrain": ["gone"]}}', r"have no gone\.json; add this file"),
        ('{"extends": "semantic", "workflows": {"pretrain": ["common"]}}', "from common, has no `run`; add one"),
        ('{"extends": "semantic", "overlays": ["quick"]}', "overlay quick is not named after a workflow; rename it"),
        (
            '{"extends": "semantic", "needs": ["pretrain"]}',
            r"needs is \['pretrain'\], expected an object; name",
        ),
        (
            '{"extends": "semantic", "needs": {"pretrian": "head"}}',
            "the workflow 'pretrian', expected one of train",
        ),
        ('{"extends": "semantic", "needs": {"pretrain": 3}}', "workflow pretrain needs 3, expected the id of an entry"),
        ('{"extends": "semantic", "needs": {"pretrain": "a##b"}}', "pretrain needs 'a##b', expected the id of an"),
    ],
    ids=[
        "no such recipe",
        "a cycle",
        "a misspelt key",
        "no workflow",
        "a workflow that is not a list",
        "a workflow of a missing file",
        "a workflow that runs nothing",
        "an overlay of nothing",
        "needs that are a list",
        "a need of no workflow",
        "a need that is a number",
        "a need that is no id",
    ],
)
def test_faults_of_recipe_json_are_named(bundles: Path, text: str, message: str) -> None:
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
    assert train["train"]["augment"] == semantic["train"]["train"]["augment"]
    assert train["train"]["crop"]["_target_"] == "cellseg_monai.transforms.RandContactCropd"
    assert train["optimizer"] == semantic["train"]["optimizer"]


def test_a_recipe_can_have_a_workflow_of_its_own(bundles: Path) -> None:
    recipe = bundles / "recipes" / "masked"
    recipe.mkdir()
    declaration = {"extends": "semantic", "workflows": {"colourise": ["common", "colourise"], "inference": None}}
    (recipe / "recipe.json").write_text(json.dumps(declaration | {"overlays": ["quick_colourise"]}))
    colourising = {
        "mask_ratio": 0.75,
        "initialize": ["$monai.utils.set_determinism(seed=@seed)"],
        "colourising": ["$print(@network_def, @mask_ratio)"],
        "run": "@colourising",
    }
    (recipe / "colourise.json").write_text(json.dumps(colourising))
    (recipe / "quick_colourise.json").write_text(json.dumps({"mask_ratio": 0.5}))
    unet = bundles / "unet"
    edit(unet / "bundle.json", recipe="masked", colourise={"mask_ratio": 0.6})
    before, after = configs_on_disk(unet), configs(unet)
    assert after["colourise"]["mask_ratio"] == 0.6
    assert after["colourise"]["network_def"] == before["evaluate"]["network_def"]
    assert {"seed", "head"} < after["colourise"].keys()  # `classes` of the network refers to the head
    assert "num_workers" not in after["colourise"], "a key that only other workflows use is left out"
    assert after["quick_colourise"] == {"mask_ratio": 0.5}
    assert after["train"] == before["train"]
    assert "inference" not in after
    for name, text in build_bundle(unet).items():
        (unet / name).write_text(text)
    assert [path.name for path in drifted_files(unet)] == ["inference.json"]
    (unet / "configs" / "inference.json").unlink()
    assert bundle_faults(unet, {"mask_ratio": 0.7}) == []


def test_a_workflow_and_its_overlays_are_left_out_where_an_entry_is_missing(bundles: Path) -> None:
    recipe = bundles / "recipes" / "mine"
    recipe.mkdir()
    (recipe / "recipe.json").write_text('{"extends": "semantic", "overlays": ["quick_pretrain"]}')
    (recipe / "quick_pretrain.json").write_text('{"epochs": 1}')
    for name in ("unet", "basic_unet"):
        edit(bundles / name / "bundle.json", recipe="mine")
    made = {name: configs(bundles / name).keys() for name in ("unet", "basic_unet")}
    assert made["unet"] > {"pretrain", "quick_pretrain"}
    assert not {"pretrain", "quick_pretrain"} & made["basic_unet"]


@pytest.mark.parametrize("section", ["pretrain", "quick_pretrain"])
def test_a_section_for_a_workflow_that_the_bundle_lacks_is_refused(bundles: Path, section: str) -> None:
    recipe = bundles / "recipes" / "mine"
    recipe.mkdir()
    (recipe / "recipe.json").write_text('{"extends": "semantic", "overlays": ["quick_pretrain"]}')
    (recipe / "quick_pretrain.json").write_text('{"epochs": 1}')
    edit(bundles / "basic_unet" / "bundle.json", recipe="mine", **{section: {"epochs": 5}})
    message = f"got the section {section}, which no workflow .* uses .pretrain needs network_def#encoder_name.; add the"
    for function in (build_bundle, bundle_faults):
        with pytest.raises(BundleError, match=message):
            function(bundles / "basic_unet")


def configs_on_disk(bundle: Path) -> dict:
    """Return the configs in the folder of a bundle."""
    return {path.stem: json.loads(path.read_text()) for path in (bundle / "configs").glob("*.json")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "got the name 'other', expected 'unet'; fix the name"),
        ({"recipe": "none"}, "names the recipe 'none'"),
        ({"trian": {}}, "unknown keys: trian; use only name, recipe, calibrate"),
        ({"train": {"optimiser#lr": 1}}, "cannot merge 'optimiser#lr': there is nothing with that name to change"),
    ],
)
def test_faults_of_bundle_json_are_named(bundles: Path, change: dict, message: str) -> None:
    edit(bundles / "unet" / "bundle.json", **change)
    with pytest.raises(BundleError, match=message):
        build_bundle(bundles / "unet")


def test_check_reports_all_faults_in_one_call(bundles: Path) -> None:
    (bundles / "unet" / "bundle.json").unlink()  # as in a packed bundle, which cannot drift
    configs = bundles / "unet" / "configs"
    edit(configs / "train.json", nobody_reads_me=1, loss={"_target_": "NoSuchLoss"}, seed="@sede")
    edit(configs / "evaluate.json", dataset={"_target_": "cellseg_monai.data.datalist.nothing", "data": []})
    edit(configs / "preprocess.json", chanels="grey")
    (configs / "inference.json").write_text("{")
    faults = "\n".join(bundle_faults(bundles / "unet", {"epoch": 3}))
    for part in (
        "train.json: nothing refers to 'nobody_reads_me'",
        "train.json: _target_ 'NoSuchLoss' is not a class in MONAI",
        "train.json: @sede refers to nothing",
        "evaluate.json: _target_ 'cellseg_monai.data.datalist.nothing' cannot be imported",
        "Preprocessing has no setting 'chanels'; did you mean 'channels'?",
        "inference.json: not a JSON file (Expecting property name",
        "unknown override --epoch: did you mean --epochs?",
    ):
        assert part in faults


@pytest.mark.parametrize(
    ("network_def", "message"),
    [
        ({"encoder_name": "resnet43"}, "cannot build the network: .*resnet43"),
        ({"classes": 3}, r"returned \(1, 3, 64, 64\), expected \(1, 1, 64, 64\) .* channels foreground"),
        ({"_target_": "torch.nn.Conv2d", "out_channels": 1, "kernel_size": 1}, "a Conv2d that does not record"),
        ({"_target_": "cellseg_monai.networks.monai_network", "name": "UNet"}, "missing .* 'multiple'"),
        (
            {"_target_": "cellseg_monai.networks.monai_network", "name": "AttentionUnet", "multiple": 1}
            | {"channels": [4, 8], "strides": [2, 2], "classes": "@classes"},
            "change multiple or minimum",
        ),
    ],
)
def test_a_network_that_cannot_be_used_is_a_fault(bundles: Path, network_def: dict, message: str) -> None:
    (bundles / "unet" / "bundle.json").unlink()
    path = bundles / "unet" / "configs" / "train.json"
    kept = json.loads(path.read_text())["network_def"] if "_target_" not in network_def else {"in_channels": 1}
    edit(path, network_def={**kept, **network_def})
    faults = [fault for fault in bundle_faults(bundles / "unet") if "nothing refers to" not in fault]
    assert len(faults) == 1
    assert re.search(f"train.json: network_def: .*{message}", faults[0])


def test_building_away_from_a_checkout_is_explained(bundles: Path) -> None:
    (bundles.parent / "constraints.txt").unlink()
    with pytest.raises(BundleError, match=r"no .*constraints.txt; .* build bundles in a checkout"):
        build_bundle(bundles / "unet")
