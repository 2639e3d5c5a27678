import json
from pathlib import Path

import pytest

from cellseg_monai.bundle import check_variants
from cellseg_monai.errors import BundleError

BUNDLES = Path(__file__).parents[2] / "bundles"


def files(bundle: str, *variants: str) -> list[Path]:
    configs = BUNDLES / bundle / "configs"
    return [configs / "train.json", *(configs / "variants" / f"{name}.json" for name in variants)]


@pytest.mark.parametrize(
    ("bundle", "variants"),
    [
        ("unetpp", ("two_classes", "no_decoder_norm", "deep_supervision", "no_augmentation", "s1_preparation")),
        ("basic_unet", ("no_norm", "add_skips", "interpolated", "two_classes")),
        ("swin_unet", ("pure", "two_classes", "no_augmentation")),
        ("attention_unet", ("simple", "paper", "two_classes", "no_norm")),
    ],
)
def test_these_variants_can_be_combined_in_any_order(bundle: str, variants: tuple[str, ...]) -> None:
    check_variants(files(bundle, *variants))
    check_variants(files(bundle, *reversed(variants)))


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        (
            ("no_augmentation", "paper"),
            "no_augmentation and paper cannot be combined: both set augmentation",
        ),
        (("paper", "s1_preparation"), "paper and s1_preparation cannot be combined: both set roi_size"),
    ],
    ids=["augmentation", "window"],
)
def test_variants_that_set_the_same_key_are_refused(variants: tuple[str, ...], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        check_variants(files("attention_unet", *variants))
    with pytest.raises(BundleError, match="cannot be combined"):
        check_variants(files("attention_unet", *variants[::-1]))


def test_a_key_and_a_part_of_it_are_refused_together(tmp_path: Path) -> None:
    for name, overlay in {"part": {"network_def#norm": False}, "whole": {"network_def": {}}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"+variants": [name], **overlay}))
    with pytest.raises(BundleError, match="part and whole cannot be combined: both set network_def#norm"):
        check_variants([tmp_path / "part.json", tmp_path / "whole.json"])


def test_an_overlay_of_your_own_can_set_any_key(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(json.dumps({"augmentation": []}))
    check_variants([*files("attention_unet", "paper"), tmp_path / "own.json"])
