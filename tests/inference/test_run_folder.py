"""The folder of a run refuses what would be mixed or lost, in the same order for every kind of run."""

import json

import numpy as np
import pytest

from cellseg_monai.inference import ImageFile, RunFolder
from cellseg_monai.lock import only_one


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def image(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 4)))
    return ImageFile(tmp_path / "a.npy")


@pytest.fixture
def begin(idle_job, image):
    """Begin a run in a folder, and finish its record."""

    def run(folder, device="cpu"):
        with folder.opened(idle_job, device, [image], {"arguments": {}}) as record:
            record.begin([image])
            record.finish()

    return run


def test_a_file_as_output_is_refused(output):
    output.touch()
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"--output .*out is a file, not a folder"):
            RunFolder(output, resume=resume).check()


def test_another_run_is_refused_unless_it_is_resumed(output, begin):
    RunFolder(output).check()
    begin(RunFolder(output))
    with pytest.raises(FileExistsError, match="already contains another run"):
        RunFolder(output).check()
    with pytest.raises(FileExistsError, match="already contains another run"):
        begin(RunFolder(output))
    RunFolder(output, resume=True).check()
    begin(RunFolder(output, resume=True))


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_a_page_is_refused_if_a_new_run_would_replace_it(output, name):
    output.mkdir()
    (output / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"{name} already exists, and --report would replace it"):
        RunFolder(output, report=True).check()
    RunFolder(output).check()
    RunFolder(output, report=True, resume=True).check()


def test_a_folder_that_another_process_writes_to_is_refused(output, begin):
    with (
        only_one(output / ".segment.lock", "cellseg segment"),
        pytest.raises(FileExistsError, match="is writing to this folder"),
    ):
        begin(RunFolder(output))
    assert not output.exists()


def test_a_run_is_only_resumed_with_the_same_settings(output, begin):
    begin(RunFolder(output))
    with pytest.raises(ValueError, match="started with different settings: device was cpu and is now cuda"):
        begin(RunFolder(output, resume=True), "cuda")


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_with_the_name_of_a_result_is_kept_and_no_run_begins(output, begin, resume):
    output.mkdir()
    (output / "a.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a\.csv already exists"):
        begin(RunFolder(output, resume=resume))
    assert [path.name for path in output.iterdir()] == ["a.csv"]


def test_the_results_of_a_run_are_known(output, begin):
    assert RunFolder(output).results() == set()
    begin(RunFolder(output))
    run = json.loads((output / "run.json").read_text())
    image = {"key": "a", "path": "a.npy", "sha256": "", "axes": "CYX", "shape": [1, 2, 3], "files": {"a.csv": ""}}
    run["images"] = [image]
    (output / "run.json").write_text(json.dumps(run))
    assert RunFolder(output).results() == {output.resolve() / "a.csv"}


def test_a_page_is_stale_after_its_run_is_resumed_without_a_report(output):
    output.mkdir()
    assert RunFolder(output, resume=True).stale_page() is None
    (output / "report.html").touch()
    assert RunFolder(output, resume=True).stale_page() == output / "report.html"
    assert RunFolder(output, resume=True, report=True).stale_page() is None
    assert RunFolder(output).stale_page() is None


@pytest.mark.parametrize("name", [".unfinished", f".unfinished-{'0' * 32}"])
def test_a_folder_for_unfinished_files_that_no_run_made_is_refused_and_kept(output, begin, name):
    mine = output / name / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    for resume in (False, True):
        with pytest.raises(FileExistsError, match=f"{name} already exists, and unfinished results would be written"):
            RunFolder(output, resume=resume).check()
    begin(RunFolder(output))
    RunFolder(output, resume=True).check()
    assert mine.read_text() == "mine"


def test_a_resumed_run_refuses_a_link_for_unfinished_files(output, begin, tmp_path):
    begin(RunFolder(output))
    (tmp_path / "mine").mkdir()
    (output / ".unfinished").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError, match="unfinished already exists"):
        RunFolder(output, resume=True).check()
