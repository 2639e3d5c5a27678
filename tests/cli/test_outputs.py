"""No command replaces a file that it did not write, or writes among images and labels."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai import io
from tests.cli.conftest import digests


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A data set with one image, whose label image is also a prediction."""
    labels = np.zeros((12, 12), np.int32)
    labels[2:6, 2:6], labels[8:11, 8:11] = 1, 2
    for folder in ("images", "labels", "pred"):
        io.write_labels(tmp_path / "set" / folder / "a.tif", labels)
    return tmp_path / "set"


@pytest.fixture
def evaluate(cellseg, dataset):
    words = ("evaluate", "--truth", dataset / "labels", "--pred", dataset / "pred", "--protocol")
    return lambda protocol, output: cellseg(*words, protocol, "--output", output)


@pytest.mark.parametrize("place", ["labels", "pred", "labels/scores", "pred/a/b", "labels/../pred", "link", "labels/."])
def test_an_evaluation_is_not_written_among_the_label_images(evaluate, dataset, place):
    (dataset / "link").symlink_to(dataset / "pred", target_is_directory=True)
    before = digests(dataset)
    ran = evaluate("stardist", dataset / place)
    assert (ran.code, len(ran.errors), ran.out) == (1, 1, "")
    assert "lies in the folder with the " in ran.errors[0]
    assert digests(dataset) == before


def test_a_relative_path_into_the_truths_is_refused(cellseg, dataset, monkeypatch):
    monkeypatch.chdir(dataset / "labels")
    ran = cellseg("evaluate", "--truth", ".", "--pred", "../pred", "--protocol", "coco", "--output", "scores")
    assert ran.errors == ["--output scores lies in the folder with the truths, .; choose another --output"]


@pytest.mark.parametrize("name", ["stardist_images.csv", "stardist_summary.json", "stardist_f1.png"])
def test_an_evaluation_replaces_no_file_but_joins_other_protocols(evaluate, dataset, tmp_path, name):
    assert evaluate("stardist", tmp_path / "out").code == 0
    assert evaluate("coco", tmp_path / "out").code == 0
    before = digests(tmp_path / "out")
    assert evaluate("stardist", tmp_path / "out").code == 1
    assert digests(tmp_path / "out") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    ran = evaluate("stardist", tmp_path / "mine")
    assert ran.errors == [
        f"{tmp_path / 'mine' / name} already exists, and would be replaced; choose another --output, or move the file"
    ]
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {name}


def test_a_link_to_nothing_counts_as_a_file(evaluate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "coco_f1.png").symlink_to(tmp_path / "elsewhere.png")
    assert "already exists" in evaluate("coco", tmp_path / "out").errors[0]
    assert not (tmp_path / "elsewhere.png").exists()


def report(cellseg, dataset, page):
    folders = ("--images", dataset / "images", "--truth", dataset / "labels", "--pred", dataset / "pred")
    return cellseg("report", *folders, "--output", page)


PAGES = ("report", "data show")


@pytest.fixture(params=PAGES)
def write_page(request, cellseg, dataset):
    if request.param == "report":
        return lambda page: report(cellseg, dataset, page)
    return lambda page: cellseg("data", "show", dataset, "--output", page)


def test_a_page_is_replaced_by_the_next_page_of_its_kind_only(write_page, tmp_path):
    page = tmp_path / "page.html"
    assert write_page(page).code == 0
    assert write_page(page).code == 0
    page.write_text("<html>mine</html>")
    ran = write_page(page)
    assert ran.errors == [f"{page} already exists, and would be replaced; choose another --output, or move the file"]
    assert page.read_text() == "<html>mine</html>"
    page.write_bytes(b"\xff\xfe\x00 no text")
    assert write_page(page).code == 1


def test_pages_of_different_kinds_do_not_replace_each_other(cellseg, dataset, tmp_path):
    words = ("data", "show", dataset, "--output")
    assert report(cellseg, dataset, tmp_path / "a.html").code == 0
    assert cellseg(*words, tmp_path / "a.html").code == 1
    assert cellseg(*words, tmp_path / "b.html").code == 0
    assert report(cellseg, dataset, tmp_path / "b.html").code == 1


@pytest.mark.parametrize("content", ["mine", "[]", '{"a": 1}', "[" * 100_000], ids=["text", "list", "mapping", "deep"])
def test_the_numbers_of_a_page_replace_no_file_of_the_user(cellseg, dataset, tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert "a.json already exists" in report(cellseg, dataset, tmp_path / "a.html").errors[0]
    assert (tmp_path / "a.json").read_text() == content
    assert not (tmp_path / "a.html").exists()


def test_a_quality_page_called_like_the_record_of_the_run_is_refused(cellseg, images, output):
    assert cellseg("segment", images, "--output", output).code == 0
    before = (output / "run.json").read_bytes()
    ran = cellseg("quality", output, "--output", output / "run.html")
    assert "run.json already exists" in ran.errors[0]
    assert (output / "run.json").read_bytes() == before
    assert cellseg("quality", output).code == 0
    assert cellseg("quality", output).code == 0  # it updates its own page
    (output / "report.html").write_text("mine")
    assert cellseg("quality", output).code == 1
    assert cellseg("segment", images, "--output", output, "--resume", "--report").code == 1
    assert (output / "report.html").read_text() == "mine"


def test_a_figure_of_a_data_set_replaces_nothing_and_is_not_written_among_its_images(cellseg, dataset, tmp_path):
    words = ("data", "show", dataset, "--output")
    for place in ("images/figure.png", "labels/figure.png", "labels/below/page.html"):
        assert "lies in the folder with the " in cellseg(*words, dataset / place).errors[0]
    assert cellseg(*words, dataset / "figure.png").code == 0
    assert "already exists" in cellseg(*words, dataset / "figure.png").errors[0]
    assert cellseg("data", "show", dataset).code == 0


@pytest.mark.parametrize("name", ["postprocess.json", "calibration/curve.csv", "calibration/calibration.json"])
def test_a_calibration_replaces_no_earlier_one(cellseg, dataset, tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    ran = cellseg("calibrate", dataset, "--output", tmp_path / "out")
    assert ran.errors == [f"{file} already exists, and would be replaced; choose another --output, or move the file"]
    assert "lies in the folder" in cellseg("calibrate", dataset, "--output", dataset / "labels").errors[0]


def test_a_manifest_of_a_selection_is_not_replaced(cellseg, dataset, tmp_path):
    (tmp_path / "few.manifest.json").write_text("mine")
    ran = cellseg("data", "select", dataset, "--selection", "few_shot", "--output", tmp_path / "few.json")
    assert "few.manifest.json already exists" in ran.errors[0]
    assert (tmp_path / "few.manifest.json").read_text() == "mine"


def test_a_comparison_replaces_no_file_of_the_user(cellseg, dataset, tmp_path, monkeypatch):
    from cellseg_monai.comparison.comparison import _check_files

    for name in ("comparison.csv", "comparison.md", "panel.png"):
        (tmp_path / name).mkdir() if name == "panel.png" else (tmp_path / name).write_text("mine")
        with pytest.raises(FileExistsError, match=name):
            _check_files(tmp_path)
        shutil.rmtree(tmp_path / name) if name == "panel.png" else os.remove(tmp_path / name)
    (tmp_path / "comparison.md").write_text("# Comparison on nuclei\n")
    (tmp_path / "comparison.csv").write_text("run\n")
    _check_files(tmp_path)
    ran = cellseg("compare", dataset, "--bundles", "unet", "--epochs", "1", "--output", dataset / "images")
    assert "lies in the folder with the images" in ran.errors[0]


def test_a_build_names_the_configs_that_it_rewrites(cellseg, tmp_path):
    root, bundle = Path(__file__).parents[2], tmp_path / "bundles" / "unet"
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(root / name, tmp_path)
    for name in ("recipes", "unet"):
        shutil.copytree(root / "bundles" / name, tmp_path / "bundles" / name)
    config = bundle / "configs" / "train.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "epochs": 3}))
    ran = cellseg("bundle", "build", bundle)
    assert ran.out.splitlines()[0] == f"{config}: written"
    assert cellseg("bundle", "build", bundle).out.splitlines() == ["0 file(s) changed in 1 bundle(s)"]
