"""Bundles that do not ship with the package: their code runs only where the user named it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.bundle import code_digest
from cellseg_monai.io import write_labels
from tests.cli.conftest import digests
from tests.foreign import foreign_bundle


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The mark that the foreign bundle leaves."""
    return tmp_path / "ran"


@pytest.fixture
def here(tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with bundles of somebody else under the name of a shipped one."""
    foreign_bundle(tmp_path / "nuclei", ran)
    foreign_bundle(tmp_path / "bundles" / "nuclei", ran)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """A folder with images and labels."""
    labels = np.zeros((64, 64), np.int32)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    (tmp_path / "mine" / "images").mkdir(parents=True)
    np.save(tmp_path / "mine" / "images" / "a.npy", 100 + 1000 * (labels > 0).astype("u2"))
    write_labels(tmp_path / "mine" / "labels" / "a.tif", labels)
    return tmp_path / "mine"


class TestNames:
    """Commands with `--bundle nuclei`, or without `--bundle`."""

    @pytest.mark.parametrize("words", [(), ("--dry_run",), ("--bundle", "nuclei")])
    def test_segment_uses_the_shipped_bundle(self, cellseg, here, images, output, ran, words):
        done = cellseg("segment", images / "a.npy", "--output", output, *words)
        assert (done.code, done.errors) == (0, [])
        assert "whose code will run" not in done.err
        assert not ran.exists()

    def test_calibrate_uses_the_shipped_bundle(self, cellseg, here, annotated, output, ran):
        assert cellseg("calibrate", annotated, "--output", output).code == 0
        assert not ran.exists()

    def test_bundle_check_and_build_use_the_shipped_bundles(self, cellseg, here, ran):
        assert cellseg("bundle", "build", "--check").code == 0
        assert cellseg("bundle", "check", "nuclei").code == 0
        assert not ran.exists()

    def test_one_that_lies_here_is_named_with_the_way_to_write_it(self, cellseg, here, images, output, ran):
        shutil.move(here / "nuclei", here / "cells")
        for words in (("segment", images), ("calibrate", here), ("compare", here, "--epochs", "1")):
            flag = "--bundles" if words[0] == "compare" else "--bundle"
            done = cellseg(*words, "--output", output, flag, "cells")
            assert done.code == 1
            assert "to use the one in this folder, write ./cells" in done.errors[0]
        assert not ran.exists()


class TestPaths:
    """Commands that name a bundle by its path."""

    @pytest.fixture
    def record(self, cellseg, here, images, output):
        """A run with the bundle in ./nuclei."""
        done = cellseg("segment", images / "a.npy", "--output", output, "--bundle", "./nuclei")
        assert done.code == 0
        assert done.err.count(f"using the bundle at {here / 'nuclei'}, whose code will run") == 1
        (here / "ran").unlink()
        return output / "run.json"

    def test_the_record_has_the_path_and_the_digest(self, here, record):
        run = json.loads(record.read_text())
        assert run["arguments"]["bundle"] == str(here / "nuclei")
        assert run["about"]["bundle"]["code_sha256"] == code_digest(here / "nuclei")

    def test_calibrate_says_whose_code_runs(self, cellseg, here, annotated, output, ran):
        done = cellseg("calibrate", annotated, "--output", output, "--bundle", "./nuclei")
        assert done.code == 0
        assert f"using the bundle at {here / 'nuclei'}, whose code will run" in done.err
        assert ran.exists()

    def test_replay_asks_for_the_bundle(self, cellseg, here, record, ran):
        done = cellseg("replay", record, "--output", here / "again")
        assert done.code == 1
        assert done.errors == [
            f"{record} was made with the bundle at {here / 'nuclei'}, which does not ship with this package, so its "
            f"code could do anything; if you trust it, pass --bundle {here / 'nuclei'}"
        ]
        assert not ran.exists()
        assert not (here / "again").exists()

    def test_replay_runs_the_bundle_that_is_named_again(self, cellseg, here, record, ran):
        assert cellseg("replay", record, "--output", here / "again", "--bundle", here / "nuclei").code == 0
        assert ran.exists()
        assert digests(here / "again") == digests(record.parent)
        shutil.move(here / "nuclei", here / "moved")
        assert cellseg("replay", record, "--output", here / "third", "--bundle", here / "moved").code == 0

    @pytest.mark.parametrize("bundle", ["./nuclei", "nuclei"], ids=["changed code", "the shipped bundle"])
    def test_replay_refuses_other_code_before_it_runs(self, cellseg, here, record, ran, bundle):
        (here / "nuclei" / "scripts").mkdir()
        (here / "nuclei" / "scripts" / "__init__.py").touch()
        done = cellseg("replay", record, "--output", here / "again", "--bundle", bundle)
        assert done.code == 1
        assert f"{bundle} does not have the configs and the code that {record} was made with" in done.errors[0]
        assert not ran.exists()

    def test_resume_refuses_other_code(self, cellseg, here, images, record):
        (here / "nuclei" / "net.py").touch()
        words = ("segment", images, "--output", record.parent, "--bundle", "./nuclei", "--resume")
        assert "bundle.code_sha256 was" in cellseg(*words).errors[0]

    def test_quality_does_not_follow_the_record_to_the_bundle(self, cellseg, here, record, ran):
        done = cellseg("quality", record)
        assert done.code == 0
        assert f"if it is yours, pass --bundle {here / 'nuclei'}" in done.err
        done = cellseg("quality", record, "--bundle", here / "nuclei")
        assert (done.code, "cannot be compared" in done.err) == (0, False)
        assert not ran.exists()

    def test_a_report_with_the_run_needs_no_second_naming(self, cellseg, here, images):
        words = ("--output", here / "other", "--bundle", "./nuclei", "--report")
        done = cellseg("segment", images / "a.npy", *words)
        assert (done.code, "cannot be compared" in done.err) == (0, False)

    def test_a_record_cannot_turn_a_shipped_run_into_one_of_another_bundle(self, cellseg, here, images, output, ran):
        assert cellseg("segment", images / "a.npy", "--output", output).code == 0
        record = output / "run.json"
        for bundle in ("./nuclei", str(here / "nuclei"), "nuclei/", "bundles/nuclei"):
            run = json.loads(record.read_text())
            run["arguments"]["bundle"] = bundle
            record.write_text(json.dumps(run))
            assert "if you trust it, pass --bundle" in cellseg("replay", record, "--output", here / "x").errors[0]
        done = cellseg("replay", record, "--output", here / "x", "--bundle", here / "nuclei")
        assert "bundle.code_sha256 was not recorded" in done.errors[0]


@pytest.mark.parametrize("name", ["$x", "@plate1", "%plate1", "a$b", "plate#1", "a::b", 'it\'s "so"'])
class TestFoldersWithUnusualNames:
    """Folders whose names look like expressions of MONAI."""

    def test_calibrate_takes_them_as_they_are(self, cellseg, annotated, monkeypatch, name):
        folder = annotated.rename(annotated.with_name(name))
        monkeypatch.chdir(folder.parent)
        (folder / "list.json").write_text('{"training": [{"image": "images/a.npy", "label": "labels/a.tif"}]}')
        output = Path(f"{name}_out")
        weights = shutil.copytree(Path(__file__).parents[2] / "bundles" / "nuclei" / "models", f"{name}_models")
        words = ("--checkpoint", f"{weights}/model.pt", "--datalist", f"{name}/list.json")
        done = cellseg("calibrate", name, "--output", output, *words)
        assert (done.code, done.errors) == (0, [])
        assert (output / "postprocess.json").is_file()

    def test_segment_takes_a_bundle_and_weights_there(self, cellseg, images, tmp_path, ran, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        foreign_bundle(tmp_path / name, ran)
        done = cellseg("segment", images / "a.npy", "--output", f"./{name}_out", "--bundle", f"./{name}")
        assert (done.code, done.errors) == (0, [])
        assert (tmp_path / f"{name}_out" / "a.tif").is_file()
