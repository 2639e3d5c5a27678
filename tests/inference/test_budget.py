"""How many planes and pixels are admitted at the same time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.inference.budget import Budget


def test_planes_are_admitted_up_to_their_number():
    budget = Budget(most_planes=2, most_px=1000)
    budget.enter(1)
    assert budget.admits(1)
    budget.enter(1)
    assert not budget.admits(1)
    assert not budget.admits(0)
    budget.leave(1)
    assert budget.admits(1)


@pytest.mark.parametrize(("size_px", "is_admitted"), [(40, True), (41, False), (0, True)])
def test_planes_are_admitted_up_to_their_pixels_together(size_px, is_admitted):
    budget = Budget(most_planes=9, most_px=100)
    budget.enter(60)
    assert budget.admits(size_px) == is_admitted


def test_a_plane_beyond_the_budget_is_admitted_alone():
    budget = Budget(most_planes=9, most_px=100)
    assert budget.admits(101)
    budget.enter(101)
    assert not budget.admits(1)
    budget.leave(101)
    assert budget.admits(1)


@given(sizes=st.lists(st.integers(0, 120), max_size=30), most_planes=st.integers(1, 4))
def test_oldest_first_every_plane_gets_in_and_the_budget_holds(sizes, most_planes):
    budget, under_way = Budget(most_planes, most_px=100), []
    for size_px in sizes:
        while not budget.admits(size_px):
            budget.leave(under_way.pop(0))
        budget.enter(size_px)
        under_way.append(size_px)
        assert len(under_way) <= most_planes
        assert sum(under_way) <= 100 or len(under_way) == 1
