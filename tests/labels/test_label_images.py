"""Renumbering and outlines, on label images small enough to write out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellseg_monai.labels import draw_outlines, inner_outlines, relabel_sequential
from cellseg_monai.labels.relabel import id_runs, look_up

TOUCHING = np.array(
    [
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [1, 1, 1, 2, 2, 2],
        [0, 0, 0, 0, 0, 0],
    ]
)


def test_outlines_lie_inside_objects_and_separate_touching_ones():
    assert inner_outlines(TOUCHING).astype(int).tolist() == [
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0],
    ]


def test_outlines_are_drawn_over_grey_and_colour_images():
    grey = draw_outlines(np.full((2, 4, 6), 0.2), TOUCHING, colour=(255, 0, 0))
    assert grey.dtype == np.uint8
    assert grey[0, 0].tolist() == [51, 51, 51]
    assert grey[0, 2].tolist() == [255, 0, 0]
    colour = draw_outlines(np.stack([np.full((4, 6), v) for v in (0, 1, 2)]), TOUCHING)
    assert colour[3, 0].tolist() == [0, 255, 255]


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected equal Y and X"):
        draw_outlines(np.zeros((1, 4, 5)), TOUCHING)


@given(
    st.sampled_from([5, 2**30]).flatmap(
        lambda largest: hnp.arrays(
            st.sampled_from([np.int64, np.int32, np.uint64]),
            hnp.array_shapes(min_dims=2, max_dims=2),
            elements=st.integers(0, largest),
        )
    )
)
def test_renumbering_keeps_objects_and_closes_gaps(labels):
    renumbered = relabel_sequential(labels)
    assert renumbered.dtype == np.int32
    assert np.array_equal(renumbered > 0, labels > 0)
    ids = np.unique(labels[labels > 0])
    assert np.unique(renumbered[renumbered > 0]).tolist() == list(range(1, len(ids) + 1))
    for old_id in ids:
        assert len(np.unique(renumbered[labels == old_id])) == 1


def test_negative_ids_are_refused():
    with pytest.raises(ValueError, match="got id -1"):
        relabel_sequential(np.array([[-1, 0]]))


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0), elements=st.integers(0, 2)))
def test_runs_restore_the_image_and_a_table_is_applied_to_every_pixel(labels):
    ids, starts, lengths = id_runs(labels)
    assert np.repeat(ids, lengths).tolist() == labels.ravel().tolist()
    assert starts.tolist() == (np.cumsum(lengths) - lengths).tolist()
    assert np.all(np.diff(ids) != 0)
    table = np.array([7, 0, 3], np.uint8)
    assert look_up(table, labels).dtype == np.uint8
    assert np.array_equal(look_up(table, labels), table[labels])


@pytest.mark.parametrize(("unknown_id", "ids"), [(-1, "ids from -1 to 0"), (3, "ids from 0 to 3")])
def test_an_id_without_a_value_is_refused(unknown_id, ids):
    with pytest.raises(IndexError, match=f"got {ids}, expected 0 to 2"):
        look_up(np.array([5, 6, 7]), np.array([[0, unknown_id]], np.int32))
