"""The sections of a data set, from a datalist, an index or a split."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cellseg_monai.data import load_datalist, propose_datalist, split_dataset, write_datalist
from cellseg_monai.errors import DatasetError


def stems(items: list[dict[str, str]]) -> list[str]:
    return [Path(item["image"]).stem for item in items]


def write_json(folder: Path, **sections: list) -> Path:
    path = folder / "datalist.json"
    path.write_text(json.dumps(sections))
    return path


def entry(stem: str, group: str | None = None) -> dict[str, str]:
    item = {"image": f"images/{stem}.tif", "label": f"labels/{stem}.tif"}
    return item if group is None else {**item, "group": group}


def test_the_data_sets_own_list_gives_absolute_paths(make_dataset):
    folder = make_dataset(["a", "b", "c"])
    write_json(folder, training=[entry("a", "p1"), entry("b", "p1")], test=[entry("c", "p2")])
    datalist = load_datalist(folder)
    assert {section: stems(items) for section, items in datalist.items()} == {
        "training": ["a", "b"],
        "validation": [],
        "test": ["c"],
    }
    first = datalist["training"][0]
    assert first == {
        "image": str(folder / "images" / "a.tif"),
        "label": str(folder / "labels" / "a.tif"),
        "group": "p1",
    }


def test_a_list_passed_by_the_caller_is_used_with_paths_relative_to_its_folder(make_dataset, tmp_path):
    folder = make_dataset(["a", "b"])
    write_json(folder, training=[entry("a")])
    runs = tmp_path / "runs"
    runs.mkdir()
    item = {"image": "../set/images/b.tif", "label": str(folder / "labels" / "b.tif")}
    own = write_json(runs, test=[item])
    datalist = load_datalist(folder, own)
    assert datalist["training"] == []
    assert datalist["test"][0]["image"] == str(folder / "images" / "b.tif")
    assert datalist["test"][0]["label"] == str(folder / "labels" / "b.tif")


def test_a_written_list_reads_back_and_survives_a_move(make_dataset, tmp_path):
    folder = make_dataset("abcdefgh")
    datalist = split_dataset(folder)
    write_datalist(folder / "datalist.json", datalist)
    assert "\\" not in (folder / "datalist.json").read_text()
    assert json.loads((folder / "datalist.json").read_text())["training"][0]["image"].startswith("images/")
    assert load_datalist(folder) == datalist
    moved = folder.rename(tmp_path / "moved")
    assert {s: stems(i) for s, i in load_datalist(moved).items()} == {s: stems(i) for s, i in datalist.items()}


def test_a_list_outside_the_data_set_is_written_with_relative_paths(make_dataset, tmp_path):
    folder = make_dataset("abcd")
    datalist = split_dataset(folder)
    write_datalist(tmp_path / "runs" / "one.json", datalist)
    text = (tmp_path / "runs" / "one.json").read_text()
    assert '"../set/images/a.tif"' in text
    assert load_datalist(folder, tmp_path / "runs" / "one.json") == datalist


def test_a_failed_write_leaves_the_old_list(make_dataset, monkeypatch):
    folder = make_dataset("abcd")
    path = write_json(folder, training=[entry("a")])
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_datalist(path, split_dataset(folder))
    assert path.read_bytes() == before
    assert [file.name for file in folder.glob("*datalist*")] + [f.name for f in folder.glob(".*")] == ["datalist.json"]


def test_all_faults_of_a_list_are_reported_together(make_dataset):
    folder = make_dataset(["a", "b", "c", "d"])
    write_json(
        folder,
        training=[entry("a", "p1"), entry("b", "p2"), entry("gone")],
        validation=[entry("c", "p1"), entry("a", "p3"), {"label": "labels/a.tif"}],
        test=[entry("d", "p2"), {"image": "images/d.tif", "label": "labels/lost.tif", "group": "p9"}],
    )
    with pytest.raises(DatasetError) as caught:
        load_datalist(folder)
    message = str(caught.value)
    for part in (
        "group 'p1' is in training and validation",
        "group 'p2' is in training and test",
        "image images/a.tif is in training and validation",
        "training[2]: image 'images/gone.tif' not found",
        "training[2]: label 'labels/gone.tif' not found",
        "test[1]: label 'labels/lost.tif' not found",
        'validation[2]: no path under "image"',
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "not a JSON file", id="not JSON"),
        pytest.param("[]", "expected a JSON object with the lists", id="a list"),
        pytest.param('{"train": []}', "expected a JSON object with the lists", id="other names"),
        pytest.param('{"training": {}}', "training: expected a list of items", id="a section that is not a list"),
        pytest.param('{"training": ["a.tif"]}', r'training\[0\]: no path under "image"', id="items that are text"),
        pytest.param('{"training": [], "val": []}', "'val'.* did you mean 'validation'", id="val"),
        pytest.param('{"test": [], "Training": []}', "'Training'.* did you mean 'training'", id="a capital"),
        pytest.param(
            '{"training": [{"image": "images/a.tif", "label": ["labels/a.tif"]}]}',
            r"training\[0\]: got the label \['labels/a.tif'\], expected a path",
            id="a label that is not a path",
        ),
    ],
)
def test_a_malformed_list_is_refused(make_dataset, text, message):
    folder = make_dataset(["a"])
    (folder / "datalist.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_datalist(folder)


def test_a_missing_list_or_folder_is_refused(make_dataset, tmp_path):
    with pytest.raises(DatasetError, match="no such datalist"):
        load_datalist(make_dataset(["a"]), tmp_path / "none.json")
    with pytest.raises(DatasetError, match="no such folder"):
        load_datalist(tmp_path / "nowhere")


def index(folder: Path, *rows: str, header: str = "split,image_id") -> None:
    (folder / "index.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")


def test_in_an_index_of_train_and_val_val_is_the_test_and_validation_is_split_from_train(make_dataset):
    names = [f"i{number:02d}" for number in range(20)]
    folder = make_dataset([*names, "unlisted"])
    index(folder, *(f"{'val' if number < 4 else 'train'},{name}" for number, name in enumerate(names)))
    datalist = load_datalist(folder)
    assert stems(datalist["test"]) == names[:4]
    assert len(datalist["validation"]) == round(0.15 * 16)
    assert sorted(stems(datalist["training"]) + stems(datalist["validation"])) == names[4:]
    assert datalist != load_datalist(folder, seed=1)


def test_the_order_of_an_index_does_not_matter(make_dataset):
    folder = make_dataset("abcdefgh")
    rows = [f"train,{stem}" for stem in "abcdefgh"]
    index(folder, *rows)
    forward = load_datalist(folder)
    index(folder, *reversed(rows))
    assert load_datalist(folder) == forward


def test_an_index_with_val_and_test_is_used_as_it_is(make_dataset):
    folder = make_dataset("abcd")
    index(folder, "train,a", "val,b", "test,c", "train,d.tif")
    assert {s: stems(i) for s, i in load_datalist(folder).items()} == {
        "training": ["a", "d"],
        "validation": ["b"],
        "test": ["c"],
    }


def test_groups_of_an_index_stay_together(make_dataset):
    folder = make_dataset([f"i{number}" for number in range(12)])
    rows = [f"train,i{number},g{number // 3}" for number in range(12)]
    index(folder, *rows, header="split,image_id,group")
    datalist = load_datalist(folder)
    assert len(datalist["validation"]) == 3
    assert len({item["group"] for item in datalist["validation"]}) == 1


def test_all_faults_of_an_index_are_reported_together(make_dataset):
    folder = make_dataset("abc")
    index(folder, "train,a,g", "val,b,g", "train,gone,h", "hold,c,i", header="split,image_id,group")
    with pytest.raises(DatasetError) as caught:
        load_datalist(folder)
    for part in ("group 'g' is in training and test", "line 4: image 'gone' not found", "line 5: got split"):
        assert part in str(caught.value)


def test_an_index_about_something_else_is_ignored(make_dataset):
    folder = make_dataset("abcdefgh")
    index(folder, "a,1", header="name,count")
    assert load_datalist(folder) == split_dataset(folder)


def test_without_any_list_the_folder_is_split_by_the_seed(make_dataset):
    folder = make_dataset([f"i{number:02d}" for number in range(20)])
    datalist = load_datalist(folder, seed=3)
    assert [len(datalist[s]) for s in ("training", "validation", "test")] == [14, 3, 3]
    assert datalist == split_dataset(folder, seed=3)


def test_a_data_set_of_two_images_has_a_validation_image(make_dataset):
    assert len(load_datalist(make_dataset("ab"))["validation"]) == 1


def test_null_counts_as_absent_and_other_keys_are_not_sections(make_dataset):
    folder = make_dataset("ab")
    bare = {"image": "images/b.tif", "label": None, "group": None}
    write_json(folder, training=[{**entry("a"), "group": None}, bare])
    content = json.loads((folder / "datalist.json").read_text())
    (folder / "datalist.json").write_text(json.dumps({**content, "description": "two", "numTraining": 2}))
    a, b = load_datalist(folder)["training"]
    assert (a["group"], b["group"]) == ("images/a.tif", "images/b.tif")
    assert "label" not in b


@pytest.mark.parametrize("dataset_dir", ["set", "../here/set", "set/"], ids=["plain", "by way of ..", "with a slash"])
@pytest.mark.parametrize("source", ["split", "index", "list", "another list"])
def test_a_written_split_gives_the_same_sections_wherever_they_came_from(
    make_dataset, tmp_path, monkeypatch, dataset_dir, source
):
    folder = make_dataset([f"i{number}" for number in range(10)], name="here/set")
    (folder / "labels" / "i9.tif").unlink()
    listed = None
    if source == "index":
        index(folder, *(f"{'test' if number < 2 else 'train'},i{number},g{number // 2}" for number in range(10)))
    elif source == "list":
        write_json(folder, training=[entry("i1"), entry("i0", "p")], test=[{"image": "images/i9.tif"}])
    elif source == "another list":
        listed = write_json(tmp_path, test=[{"image": "here/set/images/i9.tif"}])
    monkeypatch.chdir(folder.parent)
    run = tmp_path / "runs" / "one" / "split.json"
    write_datalist(run, load_datalist(dataset_dir, listed, seed=3))
    assert load_datalist(dataset_dir, run, seed=4) == load_datalist(dataset_dir, listed, seed=3)
    assert str(tmp_path) not in run.read_text()


def test_a_written_split_stays_the_same_when_images_are_added(make_dataset, tmp_path):
    folder = make_dataset([f"i{number}" for number in range(12)])
    before = load_datalist(folder)
    write_datalist(tmp_path / "split.json", before)
    make_dataset([f"more{number}" for number in range(12)])
    assert load_datalist(folder) != before
    assert load_datalist(folder, tmp_path / "split.json") == before


def test_a_proposal_comes_from_the_index_or_from_a_split(make_dataset):
    folder = make_dataset(["w1_s1", "w1_s2", "w2_s1", "w2_s2", "w3_s1", "w3_s2"])
    sections, source, warnings = propose_datalist(folder)
    assert (sections, source) == (split_dataset(folder), "split")
    assert [fault.kind for fault in warnings] == ["ungrouped"]
    grouped, _, warnings = propose_datalist(folder, group_pattern=r"^(w\d)_", test=0)
    assert (len(grouped["test"]), warnings) == (0, [])
    index(folder, "train,w1_s1", "train,w2_s1", "val,w3_s1")
    write_json(folder, training=[entry("w1_s1")])
    sections, source, _ = propose_datalist(folder)
    assert (source, stems(sections["test"])) == ("index", ["w3_s1"])
    with pytest.raises(DatasetError, match=r"index.csv assigns each image .* group_pattern would have no effect"):
        propose_datalist(folder, group_pattern=r"^(w\d)_")
    index(folder, "train,gone")
    with pytest.raises(DatasetError, match="image 'gone' not found"):
        propose_datalist(folder)
