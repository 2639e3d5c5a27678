"""The record of a run, and the files that belong to it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from cellseg_monai.inference import Done, Failed, ImageFile, RunRecord, read_run
from cellseg_monai.io import Note


@pytest.fixture
def images(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.npy").write_text(name)
    return [ImageFile(tmp_path / f"{name}.npy") for name in "ab"]


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def begun(output, images, **settings):
    record = RunRecord(output, {"tta": False}, {"arguments": {}}, **settings)
    record.begin(images)
    return record


def done(image, *files):
    for file in files:
        file.touch()
    return Done(image, image.sha256, "CYX", (1, 2, 3), 4, files, 0.5)


def test_files_of_an_image_are_only_replaced_by_those_of_the_same_image(output, images):
    a, b = images
    record = begun(output, images)
    record.add(done(a, output / "a.csv"))
    record.finish()
    again = RunRecord(output, {"tta": False}, resume=True)
    assert again.has(a)
    assert not again.has(b)
    assert again.may_replace(a, output / "a.csv")
    assert not again.may_replace(b, output / "a.csv")
    assert not again.may_replace(a, output / "a.tif")
    assert not again.may_replace(b, output / "b.csv")


def test_notes_on_an_image_are_kept_and_survive_a_stopped_run(output, images):
    a, b = images
    note = Note("pixel-size", "its pixel size is stated in furlong")
    record = begun(output, images)
    record.add(replace(done(a, output / "a.csv"), notes=(note,)))
    record = begun(output, images, resume=True)
    record.add(done(b, output / "b.csv"))
    record.finish()
    noted, silent = read_run(output / "run.json")["images"]
    assert noted["notes"] == [{"kind": "pixel-size", "text": "its pixel size is stated in furlong"}]
    assert "notes" not in silent


def test_files_of_an_image_that_has_failed_since_still_belong_to_it(output, images):
    a, _ = images
    begun(output, images).add(done(a, output / "a.csv"))
    record = begun(output, images, resume=True)
    record.add(Failed(a, "it has changed"))
    record.finish()
    assert read_run(output / "run.json")["left"] == {"a": {"a.csv": hashlib.sha256().hexdigest()}}
    record = begun(output, images, resume=True)
    assert not record.has(a)
    assert record.may_replace(a, output / "a.csv")
    record.add(done(a, output / "a.csv"))
    record.finish()
    assert "left" not in read_run(output / "run.json")


class TestFilesOfPlanesThatAreGone:
    """Files of a stack that had three planes and now has two."""

    @pytest.fixture
    def stack(self, output):
        return [output / f"a_Z00{z}_overlay.png" for z in range(3)]

    def test_they_are_removed_when_the_image_is_made_again(self, output, images, stack):
        a, b = images
        record = begun(output, images)
        record.add(done(a, output / "a.csv", *stack))
        record.add(done(b, output / "b.csv"))
        record.finish()
        begun(output, images, resume=True).add(done(a, output / "a.csv", *stack[:2]))
        assert sorted(path.name for path in output.glob("*.*[gv]")) == [
            "a.csv", "a_Z000_overlay.png", "a_Z001_overlay.png", "b.csv"
        ]  # fmt: skip

    def test_they_are_removed_even_if_it_had_failed_in_between(self, output, images, stack):
        a, _ = images
        begun(output, images).add(done(a, *stack))
        record = begun(output, images, resume=True)
        record.add(Failed(a, "it has changed"))
        record.finish()
        assert all(path.exists() for path in stack)
        begun(output, images, resume=True).add(done(a, stack[0]))
        assert list(output.glob("*.png")) == stack[:1]

    def test_nothing_outside_the_output_is_removed(self, output, images, tmp_path):
        a, _ = images
        record = begun(output, images)
        record.add(done(a, output / "a.csv"))
        path = record.finish()
        (tmp_path / "mine.csv").touch()
        path.write_text(path.read_text().replace('"a.csv"', '"../mine.csv"'))
        with pytest.raises(ValueError, match=r"'\.\./mine\.csv' is listed as a result of 'a'"):
            begun(output, images, resume=True)
        assert (tmp_path / "mine.csv").exists()


def test_an_image_made_again_before_a_kill_leaves_no_earlier_files(output, images):
    a, _ = images
    begun(output, images).add(done(a, output / "a.csv"))
    record = begun(output, images, resume=True)
    record.add(Failed(a, "it has changed"))
    record.begin(images)
    record.add(done(a, output / "a.csv"))
    begun(output, images, resume=True).finish()
    assert "left" not in read_run(output / "run.json")


class TestResultsThatHaveChanged:
    """Somebody edited a table, or put a file of their own beside the record of another run."""

    @pytest.fixture
    def edited(self, output, images):
        a, _ = images
        record = begun(output, images)
        record.add(done(a, output / "a.csv", output / "a_Z000_overlay.png"))
        record.finish()
        for name in ("a.csv", "a_Z000_overlay.png"):
            (output / name).write_text("mine")
        return record

    @pytest.mark.usefixtures("edited")
    def test_they_are_not_replaced_when_their_image_is_segmented_again(self, output, images):
        a, _ = images
        a.path.write_text("another picture")
        again = ImageFile(a.path)
        assert not RunRecord(output, {"tta": False}, resume=True).may_replace(again, output / "a.csv")

    @pytest.mark.usefixtures("edited")
    def test_they_do_not_stand_in_the_way_of_other_images(self, output, images):
        a, _ = images
        assert RunRecord(output, {"tta": False}, resume=True).may_replace(a, output / "a.csv")

    @pytest.mark.usefixtures("edited")
    def test_those_that_an_image_no_longer_has_are_kept_and_named(self, output, images):
        a, _ = images
        record = begun(output, images, resume=True)
        record.add(done(a, output / "a.csv"))
        assert (output / "a_Z000_overlay.png").read_text() == "mine"
        assert record.failures == [
            f"{output / 'a_Z000_overlay.png'}: kept, because it has changed since the run wrote it; its image no "
            "longer has this result"
        ]


def test_a_killed_run_owns_files_of_the_images_that_it_had_begun(output, images):
    a, b = images
    begun(output, [a])
    record = RunRecord(output, {"tta": False}, resume=True)
    assert record.may_replace(a, output / "a.csv")
    assert not record.may_replace(b, output / "b.csv")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"about": {}}', "notes"], ids=["empty", "a list", "incomplete", "not JSON"]
)
def test_a_damaged_journal_is_refused(output, content):
    (output / "run.journal.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"run\.journal\.jsonl is damaged: .*; start again with another --output"):
        RunRecord(output, {}, resume=True)


def test_an_image_is_hashed_once(images, monkeypatch):
    a, _ = images
    sha256 = a.sha256
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    a.path.unlink()
    assert a.sha256 == sha256
