"""Which bundle a name or a path means, and which root a config file has."""

import json
import sys
from pathlib import Path

import pytest

from cellseg_monai.bundle import code_digest, find_bundle, find_bundle_root, is_shipped, load_pipeline
from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.errors import BundleError
from cellseg_monai.segment_options import SegmentOptions
from tests.foreign import NUCLEI, foreign_bundle


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, like that of a downloaded data set."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", ["nuclei", "bundles/nuclei"])
def test_a_name_is_the_shipped_bundle_whatever_lies_in_the_working_folder(here: Path, place: str) -> None:
    foreign_bundle(here / place, here / "ran")
    assert find_bundle("nuclei") == NUCLEI
    assert load_pipeline("nuclei").largest.code_sha256 is None
    assert not (here / "ran").exists()


def test_a_zip_without_suffix_is_not_taken_for_a_name(here: Path) -> None:
    (here / "nuclei").write_bytes(b"PK\5\6" + bytes(18))
    assert find_bundle("nuclei") == NUCLEI
    with pytest.raises(BundleError, match=r"expected configs/metadata\.json"):
        find_bundle("./nuclei")


@pytest.mark.parametrize(
    ("bundle", "advice"),
    [
        ("mine", "to use the one in this folder, write ./mine"),
        ("my-bundle", "to use the one in this folder, write ./my-bundle"),
        ("other", "to use the one in this folder, write ./bundles/other"),
        ("nuclie", "did you mean 'nuclei'?"),
        ("nothing", "pass one of attention_unet, basic_unet, cells_phase, multihead_unet, nuclei"),
        ("", "pass one of"),
        ("./nothing", r"no bundle at .*nothing"),
        ("nothing.zip", r"no bundle at .*nothing\.zip"),
    ],
)
def test_what_is_not_a_bundle_is_refused_with_the_way_to_write_it(here: Path, bundle: str, advice: str) -> None:
    for place in ("mine", "my-bundle", "bundles/other"):
        foreign_bundle(here / place, here / "ran")
    with pytest.raises(BundleError, match=advice):
        find_bundle(bundle)


def test_a_path_is_a_path_in_every_spelling(here: Path) -> None:
    foreign_bundle(here / "nuclei", here / "ran")
    for bundle in ("./nuclei", "nuclei/", str(here / "nuclei"), Path("nuclei"), Path("./nuclei"), "../x/../nuclei"):
        assert is_bundle_path(bundle)
        if bundle != "../x/../nuclei":
            assert find_bundle(bundle).resolve() == here / "nuclei"
            assert find_bundle(SegmentOptions(bundle=bundle).with_absolute_paths().bundle) == here / "nuclei"
    assert SegmentOptions(bundle="nuclei").with_absolute_paths().bundle == "nuclei"


def test_only_bundles_of_others_have_a_digest(here: Path) -> None:
    foreign_bundle(here / "nuclei", here / "ran")
    assert not is_shipped(Path("nuclei"))
    assert is_shipped("nuclei")
    assert is_shipped(str(NUCLEI))
    assert code_digest(NUCLEI) is None
    pipeline = load_pipeline(here / "nuclei").largest
    assert pipeline.code_sha256 == code_digest(here / "nuclei")
    assert (here / "ran").exists()


@pytest.mark.parametrize(
    "name", ["configs/inference.json", "configs/variants/two.json", "scripts/net.py", "scripts/deep/net.PY", "net.so"]
)
def test_the_digest_covers_the_configs_and_the_code(here: Path, name: str) -> None:
    bundle = foreign_bundle(here / "mine", here / "ran")
    digests = {code_digest(bundle)}
    path = bundle / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for content in ("{}", "[]"):
        path.write_text(content)
        digests.add(code_digest(bundle))
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["docs/README.md", "output/last.pt", "scripts/__pycache__/net.pyc", ".git/hook.py"])
def test_running_a_bundle_does_not_change_its_digest(here: Path, name: str) -> None:
    bundle = foreign_bundle(here / "mine", here / "ran")
    before = code_digest(bundle)
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("{}")
    assert code_digest(bundle) == before


def test_links_in_a_circle_are_followed_once(here: Path) -> None:
    bundle = foreign_bundle(here / "mine", here / "ran")
    before = code_digest(bundle)
    (bundle / "scripts").symlink_to(bundle)
    assert code_digest(bundle) == before


@pytest.mark.parametrize("name", ["configs/metadata.json", "configs/inference.json"])
@pytest.mark.parametrize("content", ["{", "[1]", "[" * 100_000, '"text"', "\xff"])
def test_a_bundle_with_broken_files_is_refused_with_the_file(here: Path, name: str, content: str) -> None:
    bundle = foreign_bundle(here / "mine", here / "ran")
    (bundle / name).write_text(content, encoding="latin-1")
    with pytest.raises(BundleError, match=f"{bundle / name}"):
        load_pipeline(bundle)


class TestRoot:
    """`find_bundle_root`, which the configs call when `python -m monai.bundle` runs them."""

    @pytest.fixture
    def command(self, monkeypatch: pytest.MonkeyPatch):
        def set_options(*words: str) -> None:
            monkeypatch.setattr(sys, "argv", ["x/monai/bundle/__main__.py", "run", *words])

        return set_options

    def test_it_is_the_bundle_of_the_config_file(self, here: Path, command) -> None:
        foreign_bundle(here / "bundles" / "nuclei", here / "ran")
        command("--config_file", str(NUCLEI / "configs" / "train.json"))
        assert find_bundle_root("nuclei") == str(NUCLEI)

    def test_an_arguments_file_can_name_the_config_file(self, here: Path, command) -> None:
        foreign_bundle(here / "bundles" / "nuclei", here / "ran")
        (here / "args.json").write_text(json.dumps({"config_file": str(NUCLEI / "configs" / "train.json")}))
        command("--args_file", "args.json")
        assert find_bundle_root("nuclei") == str(NUCLEI)

    @pytest.mark.parametrize("metadata", [None, '{"name": "other"}', "[]", "{", "[" * 100_000])
    def test_another_folder_never_takes_its_place(self, here: Path, command, metadata: str | None) -> None:
        foreign_bundle(here / "bundles" / "nuclei", here / "ran")
        mine = foreign_bundle(here / "elsewhere" / "nuclei", here / "ran")
        path = mine / "configs" / "metadata.json"
        path.unlink() if metadata is None else path.write_text(metadata)
        command(f"--config_file={mine / 'configs' / 'train.json'}")
        with pytest.raises(BundleError, match=f"{mine}"):
            find_bundle_root("nuclei")

    def test_without_a_command_it_is_looked_up_in_the_working_folder(self, here: Path) -> None:
        foreign_bundle(here / "bundles" / "nuclei", here / "ran")
        assert find_bundle_root("nuclei") == str(Path("bundles/nuclei"))
        (here / "bundles" / "nuclei" / "configs" / "metadata.json").write_text("{")
        with pytest.raises(BundleError, match="not a JSON file"):
            find_bundle_root("nuclei")
