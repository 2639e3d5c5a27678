"""Splits that keep groups together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.data import split_dataset
from cellseg_monai.data.split import SECTIONS, split_groups
from cellseg_monai.errors import DatasetError

sizes_of_groups = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(1, 30), min_size=1, max_size=40)


@given(sizes=sizes_of_groups, seed=st.integers(0, 100), shuffle=st.randoms())
def test_a_split_depends_on_names_and_seed_but_not_on_order(sizes: dict[str, int], seed: int, shuffle: random.Random):
    groups = list(sizes)
    shuffle.shuffle(groups)
    assert split_groups({group: sizes[group] for group in groups}, seed=seed) == split_groups(sizes, seed=seed)


@given(sizes=sizes_of_groups, seed=st.integers(0, 100))
def test_every_group_has_a_section_and_no_section_is_empty(sizes, seed):
    sections = split_groups(sizes, seed=seed)
    assert set(sections) == set(sizes)
    used = set(sections.values())
    assert used <= set(SECTIONS)
    assert "training" in used
    assert len(sizes) < 2 or "validation" in used
    assert len(sizes) < 3 or "test" in used


@given(number=st.integers(20, 300), seed=st.integers(0, 100))
def test_single_images_are_divided_by_the_wanted_shares(number, seed):
    sections = split_groups({f"image{i}": 1 for i in range(number)}, seed=seed, validation=0.1, test=0.25)
    counts = [list(sections.values()).count(section) for section in ("validation", "test")]
    assert counts == [round(0.1 * number), round(0.25 * number)]


@given(sizes=sizes_of_groups, seed=st.integers(0, 100))
def test_no_group_left_for_training_would_bring_a_section_closer_to_its_share(sizes, seed):
    sections = split_groups(sizes, seed=seed)
    training = [size for group, size in sizes.items() if sections[group] == "training"]
    wanted = max(1, round(0.15 * sum(sizes.values())))
    for section in ("validation", "test"):
        taken = sum(size for group, size in sizes.items() if sections[group] == section)
        assert abs(taken - wanted) <= max(sizes.values())
        if len(training) > 1:
            assert all(abs(taken + size - wanted) >= abs(taken - wanted) for size in training)


@pytest.mark.parametrize(
    ("sizes", "least"),
    [
        pytest.param([100, 100, 100, 5], 100, id="three plates and a rest"),
        pytest.param([40, 40, 40, 40, 1, 1, 1], 40, id="four plates and three single images"),
        pytest.param([1000, 1000, 1, 1], 1000, id="two plates and two single images"),
    ],
)
def test_small_groups_do_not_leave_the_validation_too_small(sizes, least):
    for seed in range(20):
        sections = split_groups({f"g{number}": size for number, size in enumerate(sizes)}, seed=seed)
        taken = {name: sum(size for g, size in enumerate(sizes) if sections[f"g{g}"] == name) for name in SECTIONS}
        assert taken["validation"] >= least
        assert taken["training"] >= taken["validation"]


def test_sections_with_a_share_of_0_are_empty():
    assert set(split_groups({"a": 1, "b": 1, "c": 1}, validation=0, test=0).values()) == {"training"}


def test_another_seed_gives_another_split():
    sizes = {f"image{i}": 1 for i in range(40)}
    assert split_groups(sizes, seed=0) != split_groups(sizes, seed=1)


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.2), (0.5, 0.5), (0.2, -0.1)])
def test_shares_out_of_range_are_refused(validation, test):
    with pytest.raises(ValueError, match="sum to less than 1"):
        split_groups({"a": 1}, validation=validation, test=test)


def test_wells_stay_together_by_pattern(make_dataset):
    stems = [f"plate1_{row}{column:02d}_s{site}" for row in "AB" for column in (1, 2, 3) for site in (1, 2)]
    folder = make_dataset(stems)
    datalist = split_dataset(folder, group_pattern=r"^(\w+_[A-P]\d\d)_")
    assert sorted(item["image"] for items in datalist.values() for item in items) == sorted(
        str(folder / "images" / f"{stem}.tif") for stem in stems
    )
    groups = [{item["group"] for item in datalist[section]} for section in SECTIONS]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 6
    assert "plate1_A01" in set.union(*groups)
    assert datalist["training"][0]["label"].endswith(".tif")


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        pytest.param(r"^(p\d)_", DatasetError, "1 of 3 stems do not match .*: other", id="a stem without match"),
        pytest.param(r"^p\d", ValueError, "without a capture group", id="no bracket"),
        pytest.param(r"(", ValueError, "expected a regular expression", id="not a pattern"),
    ],
)
def test_an_unsuitable_pattern_is_refused(make_dataset, pattern, error, message):
    with pytest.raises(error, match=message):
        split_dataset(make_dataset(["p1_a", "p2_a", "other"]), group_pattern=pattern)


def test_no_images_or_two_of_one_stem_are_refused(tmp_path, make_dataset, save_image):
    with pytest.raises(DatasetError, match="no images in images"):
        split_dataset(tmp_path)
    folder = make_dataset(["a", "b"])
    save_image(folder / "images" / "a.tiff")
    with pytest.raises(DatasetError, match="repeated-stem"):
        split_dataset(folder)
