"""No cell of a table is a formula, and the package reads back the text that it wrote."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellseg_monai import io as images
from cellseg_monai.evaluation import PROTOCOLS, evaluate_folders, read_results, write_results
from cellseg_monai.exports import Segmentation, table_csv
from cellseg_monai.labels import measure_objects
from cellseg_monai.spreadsheets import cell_text, read_table, text_of_cell, writing_table

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
TEXT = st.text(st.one_of(st.sampled_from("'=+-@\t\r ;\",ab＝"), st.characters(codec="utf-8")))


@example("\t=")
@example("'\r\t'=")
@given(TEXT)
def test_text_is_no_formula_and_is_read_back(text: str) -> None:
    assert not FORMULA.match(cell_text(text))
    assert text_of_cell(cell_text(text)) == text


@pytest.mark.parametrize("text", ["a.tif", "a-b", "'quoted'", "", "1e-3", "images/=a.tif", "été", "日本"])
def test_harmless_text_is_written_as_it_is(text: str) -> None:
    assert cell_text(text) == text


@given(st.lists(st.tuples(TEXT, st.integers(), st.floats(allow_nan=False)), max_size=4))
def test_a_table_is_read_back_with_its_numbers(rows: list[tuple[str, int, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with writing_table(path, ["=name", "number", "share"]) as table:
            for row in rows:
                table.write(row)
        read = [(row["=name"], int(row["number"]), float(row["share"])) for row in read_table(path)]
    assert read == rows


@example(["", ";=1"])
@example(["", "\r=1"])
@example(["", "a\t'=1"])
@given(st.lists(TEXT, min_size=2, max_size=4))
def test_a_spreadsheet_that_splits_at_semicolons_or_tabs_sees_no_formula_either(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with writing_table(path, ["a"]) as table:
            table.write(["a", *texts])
        content = path.read_bytes().decode("utf-8")
    for separator in ";\t":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator):
            # Where a separator splits a quoted text, a quote or a line break is left over, which is no formula.
            assert not any(FORMULA.match(text.strip('"\r\n\t')) for text in row)


def test_ordinary_tables_have_the_bytes_that_csv_writes(tmp_path: Path) -> None:
    rows = [["a.tif", 1, 0.1, True], ['with "quotes", commas', -2, float("inf"), None], ["two\nlines", 0, 1e-300, ""]]
    with writing_table(tmp_path / "a.csv", ["image", "b", "c", "d"]) as table:
        for row in rows:
            table.write(row)
    expected = io.StringIO()
    csv.writer(expected).writerows([["image", "b", "c", "d"], *rows])
    assert (tmp_path / "a.csv").read_bytes().decode() == expected.getvalue()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", " =1", "＝1"])
def test_names_of_images_are_no_formulas_in_the_table_of_an_evaluation(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[2:6, 2:6] = 1
    for folder in ("truth", "pred"):
        images.write_labels(tmp_path / folder / f"{name}.tif", labels)
    monkeypatch.chdir(tmp_path / "truth")  # the path of a truth is its name
    evaluation = evaluate_folders(".", "../pred", PROTOCOLS["cellseg"])
    image = evaluation.images[0]
    evaluation = replace(evaluation, images=[replace(image, files=replace(image.files, image=Path(f"{name}.png")))])
    write_results(evaluation, tmp_path / "out")
    with open(tmp_path / "out" / "cellseg_images.csv", newline="", encoding="utf-8") as file:
        assert not any(FORMULA.match(cell) for row in csv.reader(file) for cell in row)
    assert read_results(tmp_path / "out", PROTOCOLS["cellseg"]).images[0].files == evaluation.images[0].files


def test_text_that_a_user_adds_to_the_table_of_objects_is_no_formula(tmp_path: Path) -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[2:6, 2:6], labels[8:10, 8:10] = 1, 2
    table = measure_objects(labels).with_columns(note=np.array(["=1+1", "fine"]))
    table_csv.write(tmp_path / "a.csv", Segmentation(labels, table, "a.tif"))
    assert [row["note"] for row in read_table(tmp_path / "a.csv")] == ["=1+1", "fine"]
    assert "'=1+1" in (tmp_path / "a.csv").read_text(encoding="utf-8")
