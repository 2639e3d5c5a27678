"""Fitting how far to trust a scout."""

from __future__ import annotations

import numpy as np
import pytest

from cellseg_monai.errors import BundleError
from cellseg_monai.scouting import INTERVAL, KINDS, Certainty, Known, fitted_certainty, sighting_of
from cellseg_monai.scouting.certainty import Z_OF_INTERVAL, wrongness


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def images_of(temperature, spread_scale, count=4000):
    """Return what a scout says whose logits and spreads are wrong by known factors."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, len(KINDS)))
    kinds = [rng.choice(list(KINDS), p=probabilities) for probabilities in softmax(logits)]
    said = softmax(logits * temperature)
    spreads = rng.uniform(0.05, 0.5, count)
    errors = rng.normal(0, spreads * spread_scale)
    return [
        Known(dict(zip(KINDS, probabilities.tolist(), strict=True)), error, spread, kind)
        for probabilities, error, spread, kind in zip(said, errors, spreads, kinds, strict=True)
    ]


@pytest.mark.parametrize(("temperature", "spread_scale"), [(1.0, 1.0), (2.5, 0.6), (1.5, 1.8)])
def test_known_errors_of_certainty_are_found(temperature, spread_scale):
    images = images_of(temperature, spread_scale)
    fitted = fitted_certainty(images)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    assert fitted.spread_scale == pytest.approx(spread_scale, rel=0.08)
    assert wrongness(images, fitted.temperature) <= wrongness(images, 1.0) + 1e-9
    corrected = [abs(image.error) <= Z_OF_INTERVAL * image.spread * fitted.spread_scale for image in images]
    assert np.mean(corrected) == pytest.approx(INTERVAL, abs=0.01)


def test_a_network_does_not_become_more_certain_of_kinds():
    assert fitted_certainty(images_of(0.5, 1.0)).temperature == pytest.approx(1, abs=1e-3)


def test_few_images_and_unknown_diameters_fit_nothing():
    assert fitted_certainty(images_of(3.0, 3.0, count=5)) == Certainty()
    unsized = [image._replace(error=float("nan")) for image in images_of(3.0, 3.0, count=100)]
    assert fitted_certainty(unsized).spread_scale == 1


def test_corrections_change_probabilities_and_spread_but_not_what_is_seen():
    answers = np.array([[4.0, -3.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    plain, corrected = sighting_of(answers, [1]), sighting_of(answers, [1], Certainty(2.0, 1.5))
    assert (corrected.kind, corrected.diameter_px) == (plain.kind, plain.diameter_px)
    assert corrected.probability < plain.probability
    assert corrected.spread == pytest.approx(1.5 * plain.spread)
    low, high = corrected.interval_px
    assert low < plain.interval_px[0] < 16 < plain.interval_px[1] < high


def test_settings_are_read_back_and_checked(tmp_path):
    Certainty(1.25, 0.9).to_json(tmp_path / "postprocess.json")
    assert Certainty.from_json(tmp_path / "postprocess.json") == Certainty(1.25, 0.9)
    with pytest.raises(BundleError, match=r"temperature=0, expected a positive number"):
        Certainty.from_mapping({"temperature": 0}, source="a.json")
