"""Tags of images, from the datalist to the items that transforms get."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cellseg_monai.cli import data_sets
from cellseg_monai.data import (
    calibration_items,
    check_dataset,
    image_items,
    load_datalist,
    propose_datalist,
    section_items,
    write_datalist,
)
from cellseg_monai.data.split import complete_sections
from cellseg_monai.errors import DatasetError


def entry(stem: str, **more: object) -> dict[str, object]:
    return {"image": f"images/{stem}.tif", "label": f"labels/{stem}.tif", **more}


def write_json(folder: Path, **sections: list) -> Path:
    path = folder / "datalist.json"
    path.write_text(json.dumps(sections))
    return path


def tags(items: list) -> list[dict | None]:
    return [item.get("tags") for item in items]


def test_tags_are_kept_when_a_datalist_is_read(make_dataset):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a", tags={"cell_type": "A172", "dose_um": 0.5})], test=[entry("b")])
    datalist = load_datalist(folder)
    assert tags(datalist["training"]) == [{"cell_type": "A172", "dose_um": 0.5}]
    assert "tags" not in datalist["test"][0]


def test_other_keys_of_an_item_are_read_as_tags_as_earlier_versions_wrote_them(make_dataset):
    folder = make_dataset("a")
    path = write_json(folder, training=[entry("a", group="A172_Phase_A7", cell_type="A172")])
    datalist = load_datalist(folder)
    assert tags(datalist["training"]) == [{"cell_type": "A172"}]
    write_datalist(path, datalist)
    (written,) = json.loads(path.read_text())["training"]
    assert written == entry("a", group="A172_Phase_A7", tags={"cell_type": "A172"})


def test_a_written_datalist_has_the_same_tags(make_dataset, tmp_path):
    folder = make_dataset("abc")
    listed = [entry("a", tags={"cell_type": "Štys", "dose_um": 2}), entry("b", tags={"dose_um": 0.25}), entry("c")]
    write_json(folder, training=listed)
    before = load_datalist(folder)
    write_datalist(tmp_path / "runs" / "one.json", before)
    assert load_datalist(folder, tmp_path / "runs" / "one.json") == before


def test_null_and_empty_text_count_as_absent(make_dataset):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a", tags=None), entry("b", tags={"cell_type": None, "well": " "}, plate=None)])
    assert tags(load_datalist(folder)["training"]) == [None, None]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"tags": ["A172"]}, r"got tags=\['A172'\], expected a JSON object", id="a list of tags"),
        pytest.param({"tags": {"cell_type": ["A172"]}}, r"got \['A172'\] for the tag 'cell_type'", id="a list"),
        pytest.param(
            {"tags": {"treated": True}}, "got True for the tag 'treated', expected text or", id="a truth value"
        ),
        pytest.param({"tags": {"dose_um": math.nan}}, "got nan for the tag 'dose_um', .* a finite number", id="NaN"),
        pytest.param({"tags": {"dose_um": 10**400}}, "got inf for the tag 'dose_um'", id="a huge number"),
        pytest.param({"tags": {" ": "A172"}}, "got a tag with an empty name", id="an empty name"),
        pytest.param(
            {"tags": {"group": "A172"}}, "got a tag named 'group', which is reserved for the item", id="a known key"
        ),
        pytest.param({"tags": {"well": "A1"}, "well": "A1"}, "got the tag 'well' twice", id="a tag in two places"),
        pytest.param({"labels": "a.tif"}, r"got the key 'labels'; did you mean 'label'\?", id="a misspelt key"),
        pytest.param({"Tags": {"well": "A1"}}, r"got the key 'Tags'; did you mean 'tags'\?", id="a capital"),
        pytest.param({"cell_type": {"name": "A172"}}, "got {'name': 'A172'} for the tag 'cell_type'", id="an object"),
    ],
)
def test_a_faulty_tag_is_refused_with_its_place(make_dataset, more, message):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a")], test=[entry("b", **more)])
    with pytest.raises(DatasetError, match=rf"datalist.json: datalist: test\[0\]: {message}"):
        load_datalist(folder)


def test_all_faults_of_tags_are_reported_together_and_by_the_check(make_dataset):
    folder = make_dataset("abc")
    write_json(
        folder,
        training=[entry("a", tags={"dose_um": [1], "": "x"}), entry("b", tags={"dose_um": 2})],
        test=[entry("c", tags={"dose_um": "high"})],
    )
    faults = [fault for fault in check_dataset(folder) if fault.kind == "datalist"]
    assert {(fault.place, fault.severity) for fault in faults} == {("datalist.json", "error")}
    assert [fault.message.split("; ")[0] for fault in faults] == [
        "the tag 'dose_um' is a number for images/b.tif (2), but text for images/c.tif ('high')",
        "training[0]: got [1] for the tag 'dose_um', expected text or a finite number",
        "training[0]: got a tag with an empty name",
    ]
    with pytest.raises(DatasetError) as caught:
        load_datalist(folder)
    assert all(str(fault) in str(caught.value) for fault in faults)


def test_a_tag_that_some_images_lack_is_a_warning(make_dataset):
    folder = make_dataset("abcdefgh")
    listed = [entry(stem, tags={"cell_type": "A172"}) for stem in "abc"]
    write_json(folder, training=listed, test=[entry(stem) for stem in "defgh"])
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("datalist.json", "tag-missing", "warning")
    assert fault.message.startswith(
        "the tag 'cell_type' is missing for 5 of 8 images: images/d.tif, images/e.tif, images/f.tif and 2 more"
    )
    assert tags(load_datalist(folder)["training"]) == 3 * [{"cell_type": "A172"}]


def test_tags_on_every_image_are_not_a_fault(make_dataset):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a", tags={"dose_um": 1})], test=[entry("b", tags={"dose_um": 0.5})])
    assert check_dataset(folder) == []


def test_items_have_every_tag_of_the_data_set_in_every_section(make_dataset):
    folder = make_dataset("abc")
    write_json(
        folder,
        training=[entry("a", tags={"cell_type": "A172", "dose_um": 2})],
        validation=[entry("b")],
        test=[entry("c", tags={"cell_type": "BV2"})],
    )
    assert tags(section_items(folder, "training")) == [{"cell_type": "A172", "dose_um": 2.0}]
    (unknown,) = tags(calibration_items(folder))
    assert unknown["cell_type"] == ""
    assert math.isnan(unknown["dose_um"])
    assert [item["tags"]["cell_type"] for item in image_items(folder, "all")] == ["A172", "", "BV2"]
    assert [item["tags"]["cell_type"] for item in calibration_items(folder, "all")] == ["A172", ""]


def test_unknown_tags_of_items_are_not_written(make_dataset, tmp_path):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a", tags={"cell_type": "A172", "dose_um": 2}), entry("b")])
    write_datalist(tmp_path / "items.json", {"training": section_items(folder, "training")})
    assert tags(load_datalist(folder, tmp_path / "items.json")["training"]) == [
        {"cell_type": "A172", "dose_um": 2},
        None,
    ]


def test_items_of_a_data_set_without_tags_have_none(make_dataset):
    folder = make_dataset("ab")
    write_json(folder, training=[entry("a")], test=[entry("b")])
    assert all(item.keys() == {"image", "label", "group"} for item in image_items(folder, "all"))


def test_tags_stay_with_their_images_when_training_is_split_again():
    items = [{"image": stem, "group": stem, "tags": {"name": stem}} for stem in "abcdefgh"]
    sections = {"training": items[2:], "validation": items[:2], "test": []}
    complete_sections(sections, seed=0)
    assert [len(sections[name]) for name in ("training", "validation", "test")] == [5, 1, 2]
    assert all(item["tags"]["name"] == item["image"] for items in sections.values() for item in items)


def test_a_new_split_keeps_the_tags_of_the_datalist_that_it_replaces(make_dataset):
    folder = make_dataset("abcd")
    write_json(folder, training=[entry(stem, tags={"name": stem}) for stem in "abc"])
    data_sets.data_split(str(folder), overwrite=True)
    listed = [item for items in load_datalist(folder).values() for item in items]
    assert {Path(item["image"]).stem: item.get("tags") for item in listed} == {
        **{stem: {"name": stem} for stem in "abc"},
        "d": None,
    }
    (folder / "datalist.json").write_text("{")
    assert propose_datalist(folder)[0]["training"]  # a broken list can be replaced


def test_show_counts_the_images_with_each_value(make_dataset, capsys):
    folder = make_dataset("abc")
    listed = [entry("a", tags={"cell_type": "A172"}), entry("b", tags={"cell_type": "BV2", "dose_um": 0.5})]
    write_json(folder, training=listed, test=[entry("c", tags={"cell_type": "BV2"})])
    data_sets.data_show(str(folder))
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    shown = {row[0]: row[-1].strip() for row in rows if row[0].startswith("tag ")}
    assert shown == {"tag cell_type": "BV2 (2), A172 (1)", "tag dose_um": "without it (2), 0.5 (1)"}
    (folder / "datalist.json").write_text("{")
    data_sets.data_show(str(folder))  # `cellseg data check` reports what is wrong with it
    assert "tag " not in capsys.readouterr().out
