"""Training on a few of the labelled images."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.data import labelled_subset
from cellseg_monai.errors import DatasetError

ITEMS = [{"image": f"{number}.tif", "group": f"g{number // 2}"} for number in range(20)]


def names(size, seed=0):
    return [item["image"] for item in labelled_subset(ITEMS, size, seed=seed)]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_a_larger_number_contains_the_images_of_a_smaller_one(first, second, seed):
    small, large = sorted([first, second])
    assert names(large, seed)[:small] == names(small, seed)
    assert len(set(names(large, seed))) == large


def test_without_a_number_all_images_are_kept_in_order():
    assert labelled_subset(ITEMS, None, seed=3) == ITEMS


def test_another_seed_chooses_other_images():
    assert names(4, 0) != names(4, 1)


def test_images_without_a_group_can_be_chosen():
    assert len(labelled_subset([{"image": "a"}, {"image": "b"}], 1, seed=0)) == 1


def test_impossible_numbers_are_refused():
    with pytest.raises(DatasetError, match="got labelled_images=21, but there are only 20 for training"):
        labelled_subset(ITEMS, 21, seed=0)


@pytest.mark.parametrize("size", [0, -1, 2.0, "2", True, [2]], ids=repr)
def test_what_is_no_number_of_images_is_refused(size):
    with pytest.raises(DatasetError, match=re.escape(f"got labelled_images={size!r}, expected a whole number from 1")):
        labelled_subset(ITEMS, size, seed=0)


def test_images_of_a_group_are_added_by_name_before_the_next_group():
    chosen = names(6)
    assert chosen == [name for first in chosen[::2] for name in (first, f"{int(first.partition('.')[0]) + 1}.tif")]
