"""What a run leaves of itself, and which files are its own."""

from pathlib import Path

import pytest

from cellseg_monai.inference import Done, Failed, ImageFile, RunRecord, read_run


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


def test_files_of_an_image_are_replaced_by_its_own_alone(output, images):
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


def test_files_of_an_image_that_failed_since_stay_its_own(output, images):
    a, _ = images
    begun(output, images).add(done(a, output / "a.csv"))
    record = begun(output, images, resume=True)
    record.add(Failed(a, "it has changed"))
    record.finish()
    assert read_run(output / "run.json")["left"] == {"a": ["a.csv"]}
    record = begun(output, images, resume=True)
    assert not record.has(a)
    assert record.may_replace(a, output / "a.csv")
    record.add(done(a, output / "a.csv"))
    record.finish()
    assert "left" not in read_run(output / "run.json")


def test_a_run_that_was_killed_may_have_left_files_of_the_images_that_it_had_begun(output, images):
    a, b = images
    begun(output, [a])
    record = RunRecord(output, {"tta": False}, resume=True)
    assert record.may_replace(a, output / "a.csv")
    assert not record.may_replace(b, output / "b.csv")


@pytest.mark.parametrize("content", ["", "[]", '{"about": {}}', "notes"], ids=["empty", "a list", "half", "no JSON"])
def test_a_damaged_journal_is_refused(output, content):
    (output / "run.journal.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"run\.journal\.jsonl is damaged; begin anew in another --output"):
        RunRecord(output, {}, resume=True)


def test_an_image_is_hashed_once(images, monkeypatch):
    a, _ = images
    sha256 = a.sha256
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    a.path.unlink()
    assert a.sha256 == sha256
