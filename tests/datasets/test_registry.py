from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellseg_monai.datasets import registry
from cellseg_monai.datasets.preparing import PREPARERS
from cellseg_monai.datasets.registry import find_data_set, format_registry, load_registry
from cellseg_monai.datasets.selecting import selection_names
from cellseg_monai.errors import DatasetError

SELECTIONS = Path(registry.__file__).with_name("selections")

VALID = """
["lab/cells"]
title = "Cells"
size = "2 images"
attribution = "A Lab"
citation = ["A 2020, doi:10.1/1"]
layout = "ctc"
files = [{ url = "https://example.org/cells.zip" }]

[defaults.lab]
modality = "bright field"
licence = "CC0-1.0"
page = "https://example.org"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "registry.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_registry_has_every_data_set_of_the_references() -> None:
    registry = load_registry()
    wanted = {"neurips_cellseg", "neurips_cellseg/unlabelled", "livecell", "bbbc038", "bbbc039", "hela_brightfield"}
    assert wanted | {"usiigaci", "ctc/DIC-C2DH-HeLa", "ctc/PhC-C2DH-U373", "ctc/Fluo-N2DL-HeLa"} <= set(registry)
    assert {data_set.layout for data_set in registry.values()} == set(PREPARERS)


@pytest.mark.parametrize("name", load_registry())
def test_an_entry_has_citations_and_a_note_on_its_licence(name: str) -> None:
    data_set = load_registry()[name]
    assert all("doi:10." in publication for publication in data_set.citation)
    assert data_set.licence_note
    if "NC" in data_set.licence or data_set.layout == "ctc":
        assert "non-commercial" in data_set.licence_note


def test_the_page_on_data_sets_has_the_table_of_the_registry() -> None:
    page = Path(__file__).parents[2] / "docs" / "data-sets.md"
    columns = ("name", "title", "modality", "size", "licence", "layout", "verified")
    table = format_registry(load_registry(), columns)
    assert table in page.read_text(encoding="utf-8"), f"put this table into {page.name}:\n{table}"


def test_defaults_of_a_family_apply_to_its_data_sets(tmp_path: Path) -> None:
    data_set = load_registry(write(tmp_path, VALID))["lab/cells"]
    assert (data_set.modality, data_set.licence) == ("bright field", "CC0-1.0")
    (file,) = data_set.files
    assert (file.name, file.extract, file.sha256) == ("cells.zip", True, "")
    assert not data_set.verified


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "titel", "lab/cells: unknown-key: got the key 'titel'; did you mean 'title'?"),
        ('title = "Cells"', "", "lab/cells: missing-key: 'title' is missing"),
        ('title = "Cells"', 'title = " "\nverified = "no"', "got verified = 'no', expected true or false"),
        ('title = "Cells"', 'title = ""', "lab/cells: empty: 'title' is empty; set a value"),
        ('["A 2020, doi:10.1/1"]', '"A 2020"', "got citation = 'A 2020', expected a list of strings"),
        ('"ctc"', '"tcc"', "lab/cells: layout: got 'tcc', expected one of cellseg_tiff, "),
        ("https:", "ftp:", "lab/cells, file 1: url: got 'ftp://example.org/cells.zip', expected a URL"),
        ("/cells.zip", "/", "lab/cells, file 1: name: '' is not a valid file name"),
        ('.zip"', '.zip", sha265 = "a"', "file 1: unknown-key: got the key 'sha265'; did you mean 'sha256'?"),
        ('.zip"', '.zip", sha256 = "ab"', "file 1: sha256: got 'ab', expected 64 lower-case hexadecimal digits"),
        ('.zip"', '.zip", bytes = true', "file 1: wrong-type: got bytes = True, expected a whole number"),
        ('.zip"', '.zip", name = "../a"', "file 1: name: '../a' is not a valid file name"),
        ('.zip" }', '.zip" }, { url = "https://a.org/cells.zip" }', "two files are called 'cells.zip'"),
        ('[{ url = "https://example.org/cells.zip" }]', "[]", "lab/cells: no-files"),
        ('[{ url = "https://example.org/cells.zip" }]', '["a"]', "file 1: wrong-type: got 'a', expected"),
        ('size = "', 'folder = "../x"\nsize = "', "folder: got '../x', expected a relative path inside the data set"),
        ("defaults.lab", "defaults.lap", "defaults.lap: no-data-set"),
        ("lab/cells", "lab/../cells", "lab/../cells: name: expected letters"),
        ("[defaults.lab]", "[defaults]", "defaults: wrong-type"),
    ],
)
def test_a_fault_is_reported_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert VALID.count(old) >= 1
    with pytest.raises(DatasetError) as caught:
        load_registry(write(tmp_path, VALID.replace(old, new, 1)))
    assert message in str(caught.value)


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    text = VALID.replace("title", "titel").replace('"ctc"', '"tcc"').replace("https://example.org/", "ftp://x/")
    with pytest.raises(DatasetError, match="4 errors, 0 warnings in 2 places"):
        load_registry(write(tmp_path, text))


def test_a_file_that_is_not_toml_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"registry\.toml: not valid TOML"):
        load_registry(write(tmp_path, "[a"))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("LIVECELL", "livecell"), ("hela", "hela_brightfield"), ("DIC-C2DH-HeLa", "ctc/DIC-C2DH-HeLa")],
)
def test_an_unknown_name_gets_similar_names(name: str, nearest: str) -> None:
    with pytest.raises(DatasetError, match=f"did you mean .*{nearest}.*`cellseg data list` shows all data sets"):
        find_data_set(name)


def test_the_selections_of_livecell_use_the_lists_that_are_fetched() -> None:
    fetched = {Path(file.name).stem for file in find_data_set("livecell").files}
    names = [name for name in selection_names() if name.startswith("livecell_")]
    assert len(names) == 5
    for name in names:
        (step,) = json.loads((SELECTIONS / f"{name}.json").read_text())["steps"]
        assert step["listed_in"] in fetched
