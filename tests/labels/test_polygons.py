"""Outlines along the edges of pixels: their shapes, and that drawing them restores the objects."""

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
    def test_rings_hold_only_corners_clockwise_from_the_first_pixel(self):
        assert rings(traced([[0, 1, 1], [1, 1, 0]])) == [
            [[[1, 0], [3, 0], [3, 1], [2, 1], [2, 2], [0, 2], [0, 1], [1, 1]]]
        ]

    def test_a_hole_runs_in_the_opposite_direction(self):
        [piece] = traced([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
        assert piece.outer.tolist() == [[0, 0], [3, 0], [3, 3], [0, 3]]
        assert sorted(piece.holes[0].tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]
        assert (signed_area(piece.outer), signed_area(piece.holes[0])) == (9, -1)

    def test_pixels_that_share_only_a_corner_are_two_pieces(self):
        assert rings(traced([[1, 0], [0, 1]])) == [
            [[[0, 0], [1, 0], [1, 1], [0, 1]]],
            [[[1, 1], [2, 1], [2, 2], [1, 2]]],
        ]

    def test_a_piece_that_closes_at_a_corner_has_a_hole_that_touches_the_outer_ring(self):
        [piece] = traced([[1, 1, 1], [1, 0, 1], [1, 1, 0]])
        assert [2, 2] in piece.outer.tolist()
        assert [2, 2] in piece.holes[0].tolist()
        assert (signed_area(piece.outer), signed_area(piece.holes[0])) == (8, -1)

    def test_holes_that_share_only_a_corner_are_two_holes(self):
        [piece] = traced([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
        assert len(piece.holes) == 2

    def test_shapes_of_every_kind_in_one_image(self):
        polygons = dict(object_polygons(SHAPES))
        assert {number: [len(piece.holes) for piece in pieces] for number, pieces in polygons.items()} == {
            3: [1],
            5: [2],
            6: [0],
            7: [1],
            8: [0, 0, 0],
            9: [0],
        }


@settings(max_examples=300)
@given(label_images(), st.integers(1, 300))
def test_drawn_outlines_restore_the_objects_for_every_block_size(labels, block_px):
    outlines = {
        number: [ring for piece in pieces for ring in piece.rings]
        for number, pieces in object_polygons(labels, block_px=block_px)
    }
    assert np.array_equal(draw_polygons(outlines, labels.shape), labels.astype(np.int64))


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
    def test_rings_can_have_any_direction_and_be_open_or_closed(self):
        ring = [(1, 0), (3, 0), (3, 2), (1, 2)]
        drawn = draw_polygons({2**40: [ring]}, (2, 3))
        assert drawn.tolist() == [[0, 2**40, 2**40]] * 2
        assert np.array_equal(draw_polygons({2**40: [[*ring[::-1], ring[-1]]]}, (2, 3)), drawn)

    def test_no_outlines_give_an_empty_image(self):
        assert draw_polygons({}, (1, 2)).tolist() == [[0, 0]]

    @pytest.mark.parametrize("ring", [[(0, 0), (2, 2), (0, 2)], [(0.5, 0), (2, 0), (2, 2), (0.5, 2)]])
    def test_an_outline_across_pixels_is_refused(self, ring):
        with pytest.raises(ValueError, match="the outline of object 7 does not follow pixel edges"):
            draw_polygons({7: [ring]}, (3, 3))
