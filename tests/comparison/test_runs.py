import json
from pathlib import Path

import pytest

from cellseg_monai.comparison.runs import find_runs
from cellseg_monai.errors import BundleError


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Two bundles; one has a variant with a key that train.json lacks."""
    for name in ("unet", "pspnet"):
        (tmp_path / name / "configs" / "variants").mkdir(parents=True)
        (tmp_path / name / "bundle.json").write_text("{}")
        config = {"epochs": 5, "batch_size": 8, "variants": [], "loss": {"_target_": "DiceLoss"}}
        (tmp_path / name / "configs" / "train.json").write_text(json.dumps(config))
    focal = {"+variants": ["focal"], "gamma": 2}
    (tmp_path / "unet" / "configs" / "variants" / "focal.json").write_text(json.dumps(focal))
    (tmp_path / "unet" / "configs" / "variants" / "plain.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "names",
    ["unet, unet+focal+plain,pspnet", ("unet", "unet+focal+plain", "pspnet"), ["unet,unet+focal+plain", "pspnet"]],
    ids=["one text", "a tuple, as python-fire passes it", "both"],
)
def test_runs_are_found_by_their_names(names: str | tuple[str, ...] | list[str], bundles: Path) -> None:
    runs = find_runs(names, {}, bundles_dir=bundles)
    assert [run.name for run in runs] == ["unet", "unet+focal+plain", "pspnet"]
    assert [path.name for path in runs[1].config_files] == ["train.json", "focal.json", "plain.json"]
    assert all(path.is_file() and path.is_absolute() for run in runs for path in run.config_files)


def test_everything_unknown_is_reported_together(bundles: Path) -> None:
    with pytest.raises(BundleError) as caught:
        find_runs("unett,unet+focl,pspnet+focal,unet,unet", {"batchsize": 4, "output_dir": "x"}, bundles_dir=bundles)
    assert str(caught.value).splitlines() == [
        "'unet' occurs more than once; list it once",
        "no bundle named 'unett'; did you mean 'unet'? known: pspnet, unet",
        "unet has no variant 'focl'; did you mean 'focal'? known: focal, plain",
        "pspnet has no variant 'focal'; known: none",
        "--output_dir is set by `cellseg compare` itself; remove this flag",
        "unknown override --batchsize: did you mean --batch_size? (unet)",
    ]


def test_a_knob_must_be_known_to_every_run(bundles: Path) -> None:
    assert find_runs("unet+focal", {"gamma": 3, "loss#sigmoid": True}, bundles_dir=bundles)
    with pytest.raises(BundleError, match=r"unknown override --gamma.*\(unet, pspnet\)"):
        find_runs("unet,unet+focal,pspnet", {"gamma": 3}, bundles_dir=bundles)


def test_no_runs_are_refused(bundles: Path) -> None:
    with pytest.raises(BundleError, match="got no runs"):
        find_runs(" , ", {}, bundles_dir=bundles)


class TestPaths:
    """Bundles that are named by their paths."""

    def test_a_path_can_have_variants_and_plus_signs(self, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = (bundles / "a+b").resolve()
        folder.mkdir()
        (bundles / "unet").rename(folder / "mine")
        monkeypatch.chdir(bundles)
        for name in (f"{folder}/mine+focal", "./a+b/mine+focal", "a+b/mine+focal"):
            (run,) = find_runs(name, {})
            assert (run.folder, run.variants, run.name) == (folder / "mine", ("focal",), "mine+focal")

    def test_a_name_is_never_looked_up_in_the_working_folder(
        self, bundles: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (bundles / "bundles").mkdir()
        (bundles / "pspnet").rename(bundles / "bundles" / "mine")
        monkeypatch.chdir(bundles)
        (run,) = find_runs("unet", {})
        assert run.folder == Path(__file__).parents[2] / "bundles" / "unet"
        with pytest.raises(BundleError, match="no bundle named 'mine'"):
            find_runs("mine", {})

    def test_two_bundles_with_one_folder_are_refused(self, bundles: Path) -> None:
        with pytest.raises(BundleError, match="would both write to unet"):
            find_runs(f"unet,{bundles}/unet", {})

    def test_a_folder_without_a_bundle_is_refused(self, bundles: Path) -> None:
        with pytest.raises(BundleError, match=r"no bundle at .*none, which has no configs/train\.json"):
            find_runs(f"{bundles}/none", {})
