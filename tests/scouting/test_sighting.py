"""Combining what a network says about views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.bundle import find_bundles
from cellseg_monai.pixels import Preprocessing, prepare
from cellseg_monai.scouting import KINDS, OUTPUTS, Scout, sighting_of


def answer(log2_diameter=4.0, log_variance=-4.0, dark=-5.0, kind="fluorescence_nuclei"):
    logits = [8.0 if name == kind else 0.0 for name in KINDS]
    return [log2_diameter, log_variance, dark, *logits]


def test_diameters_are_those_of_the_image():
    seen = sighting_of(np.array([answer(5), answer(4), answer(3)]), [1, 2, 4])
    assert seen.diameter_px == pytest.approx(32)
    assert seen.kind == "fluorescence_nuclei"
    assert seen.dark < 0.1
    assert seen.spread < 0.2


def test_a_certain_view_counts_more_and_disagreement_is_uncertainty():
    seen = sighting_of(np.array([answer(5, -4), answer(3, 2)]), [1, 1])
    assert 30 < seen.diameter_px < 32
    unsure = sighting_of(np.array([answer(5, -4), answer(3, -4)]), [1, 1])
    assert unsure.diameter_px == pytest.approx(16)
    assert unsure.spread > 0.9


@given(st.lists(st.lists(st.floats(-30, 30), min_size=len(OUTPUTS), max_size=len(OUTPUTS)), min_size=1, max_size=6))
def test_any_answers_give_a_sighting(answers):
    seen = sighting_of(np.array(answers), [1] * len(answers))
    assert seen.kind in KINDS
    assert sum(seen.probabilities.values()) == pytest.approx(1)
    assert np.isfinite([seen.diameter_px, seen.spread]).all()
    assert 0 <= seen.dark <= 1


def read_of(image: np.ndarray):
    return lambda rows, columns: image[:, rows, columns]


class TestScout:
    scout = Scout(lambda views: np.array([answer()] * len(views)), "1", "")

    @pytest.mark.parametrize(
        ("channels", "names", "chosen"),
        [
            (1, (), None),
            (3, ("red", "green", "blue"), None),
            (4, ("red", "green", "blue", "alpha"), None),
            (2, ("grey", "alpha"), None),
            (5, (), [3]),
            (2, ("DAPI", "actin"), ["actin"]),
        ],
    )
    def test_it_looks_at_light_or_at_the_chosen_channel(self, channels, names, chosen):
        read = read_of(np.random.default_rng(0).random((channels, 40, 50)))
        assert self.scout.look(read, (40, 50), channel_names=names, channels=chosen).diameter_px == pytest.approx(16)

    def test_it_asks_for_a_channel_if_it_cannot_know_which(self):
        image = np.zeros((3, 40, 50))
        with pytest.raises(ValueError, match="3 channels"):
            self.scout.look(read_of(image), (40, 50))

    @pytest.mark.parametrize(
        ("shape", "kind"),
        [((1, 900), "none"), ((8, 8), "none"), ((400, 31), "none"), ((32, 32), "stained_nuclei")],
        ids=str,
    )
    def test_a_tiny_image_shows_no_kind(self, shape, kind):
        scout = Scout(lambda views: np.array([answer(kind="stained_nuclei")] * len(views)), "1", "")
        noise = np.random.default_rng(0).normal(100, 9, (1, *shape))
        for image in (noise, np.pad(noise, ((0, 0), (0, 3), (2, 0)))):
            seen = scout.look(read_of(image), image.shape[1:])
            assert seen.kind == kind
            assert seen.probability > 0.95
            assert sum(seen.probabilities.values()) == pytest.approx(1)
            assert seen.nearest_bundle(["nuclei", "nuclei_tissue"]) == "nuclei_tissue"

    def test_without_its_bundle_a_kind_takes_the_one_that_comes_closest(self):
        seen = sighting_of(np.array([answer(kind="stained_nuclei")]), [1])
        for bundles, nearest in (
            (["nuclei", "nuclei_tissue", "cells_phase"], "nuclei_tissue"),
            (["nuclei", "cells_phase"], "nuclei"),
            (["cells_phase"], "cells_phase"),
            (["mine"], None),
        ):
            assert seen.nearest_bundle(bundles) == nearest

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e39], ids=str)
    @pytest.mark.parametrize("place", [(0, 0), (17, 23)], ids=["in a corner", "inside"])
    def test_values_that_are_no_numbers_are_refused_as_by_segmenting(self, value, place):
        image = np.random.default_rng(0).random((1, 40, 50))
        image[(0, *place)] = value
        reasons = []
        for seen in (lambda: self.scout.look(read_of(image), (40, 50)), lambda: prepare(image, Preprocessing())):
            with pytest.raises(ValueError, match="1 of 2000 values are NaN, infinite or beyond") as error:
                seen()
            reasons.append(str(error.value))
        assert reasons[0] == reasons[1]


def test_the_bundle_of_each_kind_ships_and_states_the_size_of_its_objects():
    folders = {path.name: path for path in find_bundles()}
    for kind in KINDS.values():
        if kind.bundle is not None:
            settings = Preprocessing.from_json(folders[kind.bundle] / "configs" / "preprocess.json")
            assert settings.diameter_px is not None
