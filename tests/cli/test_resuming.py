"""Runs that are stopped and resumed, and runs that are repeated: the same results to the byte."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellseg_monai.inference import job as inference_job
from tests.cells import cells
from tests.cli.conftest import digests

COMMAND = "from cellseg_monai.cli import main; main()"


@pytest.fixture
def many(tmp_path):
    """Enough images for a run to be killed in the middle; one is a stack."""
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(10):
        np.save(folder / f"{seed}.npy", cells(seed, (200, 200), 12))
    planes = np.stack([cells(seed, (200, 200), 12) for seed in range(5)])
    tifffile.imwrite(folder / "5s.tif", planes, photometric="minisblack", metadata={"axes": "ZYX"})
    return folder


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("at", [1, 6], ids=["early", "in the stack"])
def test_a_run_that_is_killed_and_resumed_leaves_the_results_of_an_uninterrupted_one(
    cellseg, many, tmp_path, output, at
):
    words = ["segment", str(many), "--export", "labels,zarr,csv,rois,overlay", "--output"]
    running = subprocess.Popen([sys.executable, "-c", COMMAND, *words, str(output)], stderr=subprocess.DEVNULL)
    journal, deadline = output / "run.journal.jsonl", time.monotonic() + 200
    while not (journal.is_file() and len(journal.read_text().splitlines()) > at):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    with open(journal, "a") as file:
        file.write('{"key": "9", "pa')  # a line that was being written when the process was killed
    done = json.loads(journal.read_text().splitlines()[1])
    first = output / f"{done['key']}.tif"
    before = first.stat().st_mtime_ns

    refused = cellseg(*words, output)
    assert refused.code == 1
    assert f"{output} already contains another run" in refused.errors[0]
    assert cellseg(*words, output, "--resume").code == 0
    assert first.stat().st_mtime_ns == before
    assert cellseg(*words, tmp_path / "whole").code == 0
    assert digests(output) == digests(tmp_path / "whole")
    runs = [json.loads((folder / "run.json").read_text()) for folder in (output, tmp_path / "whole")]
    entries = [[{**entry, "seconds": 0} for entry in run["images"]] for run in runs]
    assert entries[0] == entries[1]
    assert {path.name for path in output.iterdir() if path.name.startswith((".", "run."))} == {"run.json"}


def test_failed_images_are_retried_and_finished_ones_are_not(cellseg, images, output):
    whole = (images / "b.npy").read_bytes()
    (images / "b.npy").write_bytes(whole[:-9])
    assert cellseg("segment", images, "--output", output).code == 1
    assert len(json.loads((output / "run.json").read_text())["failures"]) == 1
    done = (output / "a.tif").stat().st_mtime_ns
    (images / "b.npy").write_bytes(whole)
    ran = cellseg("segment", images, "--output", output, "--resume")
    assert (ran.code, ran.errors) == (0, [])
    assert "1 image(s)" in ran.out
    run = json.loads((output / "run.json").read_text())
    assert ([entry["key"] for entry in run["images"]], run["failures"]) == (["a", "b", "c"], [])
    assert (output / "a.tif").stat().st_mtime_ns == done


def test_deleted_results_and_changed_images_are_made_again(cellseg, images, output):
    assert cellseg("segment", images, "--output", output).code == 0
    before = digests(output)
    (output / "a.csv").unlink()
    np.save(images / "b.npy", cells(8))
    assert "2 image(s)" in cellseg("segment", images, "--output", output, "--resume").out
    after = digests(output)
    assert {name for name in before if before[name] != after[name]} == {"b.tif", "b.csv"}


def test_planes_that_a_stack_no_longer_has_leave_no_overlays(cellseg, tmp_path, output):
    words = ("segment", tmp_path / "s.npy", "--axes", "ZYX", "--export", "labels,overlay,coco", "--output", output)
    np.save(tmp_path / "s.npy", np.stack([cells(seed) for seed in range(3)]))
    assert cellseg(*words).code == 0
    np.save(tmp_path / "s.npy", np.stack([cells(seed) for seed in range(2)]))
    assert cellseg(*words, "--resume").code == 0
    of_planes = {f"s_Z00{z}_{kind}" for z in range(2) for kind in ("overlay.png", "coco.json")}
    assert set(digests(output)) == {"s.tif", *of_planes}


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["--noamp", "--tta"], "tta was false and is now true"),
        (["--amp"], "precision was float32 and is now bfloat16 (--amp, or --device)"),
        (
            ["--noamp", "--tile", "96", "--overlap", "8"],
            "tiles.overlap was 64 and is now 8; tiles.size was [1024, 1024] and is now [96, 96]",
        ),
    ],
    ids=["views", "precision", "tiles"],
)
def test_a_run_is_not_resumed_with_other_settings(cellseg, images, output, words, difference):
    assert cellseg("segment", images, "--output", output, "--noamp").code == 0
    before = digests(output)
    ran = cellseg("segment", images, "--output", output, "--resume", *words)
    assert ran.code == 1
    assert ran.errors == [
        f"the run in {output} was started with different settings: {difference}. Resume it with the original settings, "
        "or choose another --output"
    ]
    assert digests(output) == before


def test_a_run_can_be_resumed_with_another_max_memory(cellseg, images, output):
    assert cellseg("segment", images / "a.npy", "--output", output).code == 0
    assert cellseg("segment", images, "--output", output, "--resume", "--max_memory", "16GB").code == 0
    assert set(digests(output)) == {f"{name}.{suffix}" for name in "abc" for suffix in ("csv", "tif")}


@pytest.mark.parametrize(
    ("inputs", "output"),
    [("images", "images/results"), ("**/*", "images/results"), ("images/*.png", "images"), ("images", "images")],
    ids=["a folder below", "within a pattern", "the folder of the pattern", "the folder itself"],
)
def test_results_do_not_become_images(cellseg, images, tmp_path, monkeypatch, inputs, output):
    monkeypatch.chdir(tmp_path)
    for path in images.glob("*.npy"):
        Image.fromarray(np.load(path).astype(np.uint8)).save(path.with_suffix(".png"))
        path.unlink()
    words = ("segment", inputs, "--output", output, "--export", "labels,csv,overlay,zarr")
    first = cellseg(*words)
    assert (first.code, first.err.count("left out")) == (0, 0)
    before = digests(tmp_path)
    (tmp_path / output).joinpath(*(["images"] if inputs == "**/*" else []), "b.csv").unlink()
    for words_more in (["--resume"], ["--resume"], ["--dry_run"]):
        ran = cellseg(*words, *words_more)
        assert (ran.code, ran.errors, ran.err.count("left out")) == (0, [], 0)
        assert digests(tmp_path) == before


def test_resuming_with_more_images_does_not_replace_files_of_others(cellseg, images, output):
    assert cellseg("segment", images / "a.npy", "--output", output).code == 0
    (output / "b.csv").write_text("mine")
    before = digests(output)
    ran = cellseg("segment", images, "--output", output, "--resume")
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert f"{output / 'b.csv'} already exists, and a result would replace it" in ran.errors[0]
    assert digests(output) == before


@pytest.mark.parametrize(
    ("error", "says"),
    [(KeyError("a slip of ours"), "a bug in this program"), (KeyboardInterrupt(), "stopped")],
    ids=["by a bug", "by the user"],
)
def test_a_run_that_was_ended_can_be_resumed(cellseg, images, output, tmp_path, monkeypatch, capsys, error, says):
    right = inference_job.segment_plane

    def wrong(plane, *rest):
        if plane.name == "b.npy":
            raise error
        return right(plane, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(inference_job, "segment_plane", wrong)
        if isinstance(error, KeyError):
            with pytest.raises(KeyError):
                cellseg("segment", images, "--output", output)
            printed = capsys.readouterr().err
        else:
            ran = cellseg("segment", images, "--output", output)
            assert ran.code == 130
            printed = ran.err
    assert says in printed
    assert f"finished results are in {output}; run the same command with --resume to continue" in printed
    left = {path.name for path in output.iterdir()}  # later images can have been in progress
    assert left <= {"a.tif", "a.csv", "c.tif", "c.csv", "run.journal.jsonl"}
    assert "run.journal.jsonl" in left
    assert cellseg("segment", images, "--output", output, "--resume").code == 0
    assert cellseg("segment", images, "--output", tmp_path / "whole").code == 0
    assert digests(output) == digests(tmp_path / "whole")


def test_resume_without_an_earlier_run_begins_one(cellseg, images, output):
    assert cellseg("segment", images, "--output", output, "--resume").code == 0


class TestReplay:
    @pytest.fixture
    def ran(self, cellseg, images, output, monkeypatch, tmp_path):
        """A run that was called with relative paths, and is replayed from another folder."""
        planes = np.stack([cells(seed) for seed in range(3)])
        tifffile.imwrite(images / "s.tif", planes, photometric="minisblack", metadata={"axes": "ZYX"})
        (images / "bad.npy").write_bytes(b"")
        monkeypatch.chdir(tmp_path)
        shutil.copytree("images", "plates/p1")
        words = ("--output", "out", "--bundle", "nuclei", "--tile", "128", "--export", "labels,csv,zarr")
        assert cellseg("segment", "plates/**/*", "images/a.npy", *words).code == 1
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        return output / "run.json"

    def test_it_writes_the_same_files(self, cellseg, ran, tmp_path):
        np.save(tmp_path / "plates" / "p1" / "new.npy", cells(9))  # not part of the run
        done = cellseg("replay", ran, "--output", tmp_path / "again")
        assert (done.code, done.errors) == (0, [])
        assert digests(tmp_path / "again") == digests(ran.parent)
        assert {"a.tif", "p1/a.tif", "p1/s.tif", "p1/s.zarr/.zattrs"} <= digests(ran.parent).keys()

    def test_the_record_holds_the_command(self, cellseg, ran, tmp_path):
        words = shlex.split(json.loads(ran.read_text())["repeat"])
        assert cellseg(*words[1:], "--report").code == 0
        assert (tmp_path / "out_again" / "report.html").exists()
        assert digests(tmp_path / "out_again").items() >= digests(ran.parent).items()

    def test_a_repetition_that_was_stopped_can_be_resumed(self, cellseg, ran, tmp_path, monkeypatch):
        right = inference_job.segment_plane

        def stopped(plane, *rest):
            if plane.name.startswith("s"):
                raise KeyboardInterrupt
            return right(plane, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(inference_job, "segment_plane", stopped)
            assert cellseg("replay", ran, "--output", tmp_path / "again").code == 130
        assert cellseg("replay", ran, "--output", tmp_path / "again").code == 1
        done = cellseg("replay", ran, "--output", tmp_path / "again", "--resume")
        assert (done.code, done.errors) == (0, [])
        assert digests(tmp_path / "again") == digests(ran.parent)

    def test_changed_and_missing_images_are_refused(self, cellseg, ran, tmp_path):
        np.save(tmp_path / "plates" / "p1" / "a.npy", cells(9))
        (tmp_path / "plates" / "p1" / "b.npy").unlink()
        done = cellseg("replay", ran, "--output", tmp_path / "again")
        assert done.code == 1
        assert len(done.errors) == 1
        assert f"{tmp_path / 'plates' / 'p1' / 'a.npy'} has changed; " in done.errors[0]
        assert f"{tmp_path / 'plates' / 'p1' / 'b.npy'}: No such file" in done.errors[0]
        assert not (tmp_path / "again").exists()

    def test_other_weights_are_refused(self, cellseg, ran, tmp_path):
        run = json.loads(ran.read_text())
        run["about"]["bundle"]["weights_sha256"] = "0" * 64
        ran.write_text(json.dumps(run))
        done = cellseg("replay", ran, "--output", tmp_path / "again")
        assert (done.code, len(done.errors)) == (1, 1)
        assert f"records different settings: bundle.weights_sha256 was {'0' * 64} and is now " in done.errors[0]
        assert not (tmp_path / "again").exists()

    def test_the_kind_of_device_of_the_run_is_used_and_refused_if_absent(self, cellseg, ran, tmp_path):
        run = json.loads(ran.read_text())
        assert run["arguments"]["device"] == "auto"
        assert run["device"].startswith(run["about"]["device"])
        absent = "cuda" if run["about"]["device"] == "mps" else "mps"
        run["about"]["device"] = absent
        ran.write_text(json.dumps(run))
        done = cellseg("replay", ran, "--output", tmp_path / "again")
        assert (done.code, len(done.errors)) == (1, 1)
        assert f"got device '{absent}', but " in done.errors[0]

    @pytest.mark.parametrize("content", ["{}", "[1]", "notes"])
    def test_a_file_that_is_not_a_record_is_refused(self, cellseg, tmp_path, content):
        (tmp_path / "run.json").write_text(content)
        done = cellseg("replay", tmp_path / "run.json", "--output", tmp_path / "again")
        assert (done.code, len(done.errors)) == (1, 1)
        assert "pass the run.json next to the results" in done.errors[0]

    def test_unknown_and_mistyped_arguments_are_refused_by_name(self, cellseg, tmp_path):
        for arguments, says in (
            ({"tlie": 3}, "'tlie'; did you mean 'tile'"),
            ({"tile": "3"}, "got tile='3', expected"),
        ):
            run = {"about": {}, "images": [], "arguments": {"inputs": [], **arguments}}
            (tmp_path / "run.json").write_text(json.dumps(run))
            done = cellseg("replay", tmp_path / "run.json", "--output", tmp_path / "again")
            assert (done.code, len(done.errors)) == (1, 1)
            assert done.errors[0].startswith(f"{tmp_path / 'run.json'}, arguments: ")
            assert says in done.errors[0]
