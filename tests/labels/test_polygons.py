"""Outlines along the edges of pixels: what they are, and that they are the object again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from cellseg_monai.labels import Polygon, draw_polygons, object_polygons, trace_polygons
from tests.label_images import SHAPES, label_images


def traced(rows: list[list[int]]) -> list[Polygon]:
    [pieces] = trace_polygons(np.array(rows), 1)
    return pieces


def rings(pieces: list[Polygon]) -> list[list[list[list[int]]]]:
    return [[ring.tolist() for ring in piece.rings] for piece in pieces]


def signed_area(ring: np.ndarray) -> float:
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


class TestShapes:
    def test_corners_alone_are_kept_clockwise_from_the_first_pixel(self):
        assert rings(traced([[0, 1, 1], [1, 1, 0]])) == [
            [[[1, 0], [3, 0], [3, 1], [2, 1], [2, 2], [0, 2], [0, 1], [1, 1]]]
        ]

    def test_a_hole_runs_the_other_way(self):
        [piece] = traced([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
        assert piece.outer.tolist() == [[0, 0], [3, 0], [3, 3], [0, 3]]
        assert sorted(piece.holes[0].tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]
        assert (signed_area(piece.outer), signed_area(piece.holes[0])) == (9, -1)

    def test_pixels_that_meet_at_a_corner_are_two_pieces(self):
        assert rings(traced([[1, 0], [0, 1]])) == [
            [[[0, 0], [1, 0], [1, 1], [0, 1]]],
            [[[1, 1], [2, 1], [2, 2], [1, 2]]],
        ]

    def test_a_piece_that_closes_in_at_a_corner_has_a_hole_that_touches_there(self):
        [piece] = traced([[1, 1, 1], [1, 0, 1], [1, 1, 0]])
        assert [2, 2] in piece.outer.tolist()
        assert [2, 2] in piece.holes[0].tolist()
        assert (signed_area(piece.outer), signed_area(piece.holes[0])) == (8, -1)

    def test_holes_that_meet_at_a_corner_are_two(self):
        [piece] = traced([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
        assert len(piece.holes) == 2

    def test_all_at_once(self):
        found = dict(object_polygons(SHAPES))
        assert {number: [len(piece.holes) for piece in pieces] for number, pieces in found.items()} == {
            3: [1],
            5: [2],
            6: [0],
            7: [1],
            8: [0, 0, 0],
            9: [0],
        }


@settings(max_examples=300)
@given(label_images(), st.integers(1, 300))
def test_outlines_drawn_are_the_objects_again_whatever_is_held_at_once(labels, block_px):
    found = {
        number: [ring for piece in pieces for ring in piece.rings]
        for number, pieces in object_polygons(labels, block_px=block_px)
    }
    assert np.array_equal(draw_polygons(found, labels.shape), labels.astype(np.int64))


@settings(max_examples=300)
@given(label_images())
def test_every_piece_is_one_ring_with_holes_and_no_ring_touches_itself(labels):
    for number, pieces in object_polygons(labels):
        assert len(pieces) == label(labels == number, connectivity=1).max()
        areas = [sum(map(signed_area, piece.rings)) for piece in pieces]
        assert sum(areas) == np.count_nonzero(labels == number)
        for piece in pieces:
            assert [signed_area(ring) > 0 for ring in piece.rings] == [True] + [False] * len(piece.holes)
            for ring in piece.rings:
                assert len(set(map(tuple, ring.tolist()))) == len(ring)
                sideways = (np.roll(ring, -1, axis=0) - ring != 0)[:, 0]
                assert np.all(sideways != np.roll(sideways, 1))  # a turn at each corner


@settings(max_examples=300)
@given(label_images())
def test_polygons_are_valid_geometry(labels):
    shapely = pytest.importorskip("shapely", reason="shapely, an independent judge of geometry, is not installed")
    for number, pieces in object_polygons(labels):
        shape = shapely.MultiPolygon([(piece.outer, piece.holes) for piece in pieces])
        assert shape.is_valid
        assert shape.area == np.count_nonzero(labels == number)


class TestDrawing:
    def test_direction_and_closing_do_not_matter(self):
        ring = [(1, 0), (3, 0), (3, 2), (1, 2)]
        drawn = draw_polygons({2**40: [ring]}, (2, 3))
        assert drawn.tolist() == [[0, 2**40, 2**40]] * 2
        assert np.array_equal(draw_polygons({2**40: [[*ring[::-1], ring[-1]]]}, (2, 3)), drawn)

    def test_nothing_gives_an_empty_image(self):
        assert draw_polygons({}, (1, 2)).tolist() == [[0, 0]]

    @pytest.mark.parametrize("ring", [[(0, 0), (2, 2), (0, 2)], [(0.5, 0), (2, 0), (2, 2), (0.5, 2)]])
    def test_an_outline_across_pixels_is_refused(self, ring):
        with pytest.raises(ValueError, match="an outline of 7 that leaves the edges of pixels"):
            draw_polygons({7: [ring]}, (3, 3))
