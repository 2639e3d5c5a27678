"""The search for settings, with choices worked out by hand."""

import numpy as np
import pytest

from cellseg_monai.decoding import BoundaryWatershed, Postprocessing, label_objects
from cellseg_monai.scores import Sweep, search_postprocessing
from cellseg_monai.scores import search as module

START = Postprocessing(min_area_px=0, fill_holes=False)


def image(*values, truth):
    return {"foreground": np.array([values])}, np.array([truth])


# Exact at thresholds from 0.1 to below 0.3, and from 0.2 to below 0.4.
ONE, OTHER = image(0.1, 0.3, truth=[0, 5]), image(0.2, 0.4, truth=[0, 9])


def chosen(images, *sweeps, start=START, **options):
    return search_postprocessing(images, start, sweeps, **options)


def test_the_value_that_suits_all_images_is_chosen():
    found = chosen([ONE, OTHER], Sweep("threshold", (0.05, 0.15, 0.25, 0.35)))
    assert found.settings == Postprocessing(threshold=0.25, min_area_px=0, fill_holes=False)
    assert (found.f1, found.f1_interval, found.dice) == (1, (1, 1), 1)
    # At 0.05 both pixels are one object, IoU 1/2: a match at the first of the ten thresholds only. At 0.15, this holds
    # for the second image only: F1 (2 · 2) / 4 at 0.50, else 1/2. At 0.35 the first has no object: 2 / (2 + 1).
    by_hand = [0.1, (1 + 9 / 2) / 10, 1, 2 / 3]
    assert [trial.f1 for trial in found.trials[:4]] == pytest.approx(by_hand)
    assert [trial.dice for trial in found.trials[:4]] == pytest.approx([2 / 3, 5 / 6, 1, 1 / 2])
    assert [trial.iou for trial in found.trials[:4]] == pytest.approx([1 / 2, 3 / 4, 1, 1 / 2])


def test_the_nearest_of_equally_good_values_wins():
    for stood, wins in ((0.1, 0.14), (0.5, 0.26), (0.22, 0.2), (0.26, 0.26)):
        start = Postprocessing(threshold=stood, min_area_px=0)
        found = chosen([ONE], Sweep("threshold", (0.26, 0.14, 0.2)), start=start, rounds=1)
        assert found.settings.threshold == wins


def test_a_setting_without_an_order_stays_if_nothing_is_better():
    ring = image(1.0, 1.0, truth=[4, 4])
    for stands in (False, True):
        start = Postprocessing(min_area_px=0, fill_holes=stands)
        assert chosen([ring], Sweep("fill_holes", (True, False)), start=start).settings.fill_holes is stands


def test_settings_of_the_method_are_swept_too():
    maps = {"foreground": np.full((1, 3), 0.9), "boundary": np.array([[0.0, 0.4, 0.0]])}
    start = Postprocessing(BoundaryWatershed(), min_area_px=0)
    found = chosen([(maps, np.array([[1, 1, 2]]))], Sweep("boundary_threshold", (0.3, 0.5)), start=start)
    assert (found.settings.method, found.f1) == (BoundaryWatershed(boundary_threshold=0.3), 1)


def test_objects_and_foreground_can_need_different_values():
    # At 0.3 all pixels of both cells are one object, Dice 16/17; at 0.5 each has 3/4 of its pixels.
    example = image(0.9, 0.9, 0.9, 0.4, 0.4, 0.4, 0.9, 0.9, 0.9, truth=[1, 1, 1, 1, 0, 2, 2, 2, 2])
    for objective, threshold, best in (("dice", 0.3, 16 / 17), ("f1", 0.5, 6 / 10)):
        found = chosen([example], Sweep("threshold", (0.3, 0.5), objective))
        assert found.settings.threshold == threshold
        assert getattr(found, objective) == pytest.approx(best)


def test_a_later_setting_makes_an_earlier_one_worth_changing():
    # A cell of three pixels, a bright speck and six faint ones. At 0.5, 2/3 of the cell and one speck: 2 / 3 at four of
    # the ten thresholds. At 0.3, the whole cell and all specks: 2 / 9 at all ten. Without specks, 0.3 is exact.
    faint = [0, 0.4] * 6
    example = image(0.9, 0.9, 0.4, 0, 0.9, *faint, truth=[1, 1, 1, *[0] * 14])
    sweeps = Sweep("threshold", (0.3, 0.5)), Sweep("min_area_px", (0, 1, 2))
    found = chosen([example], *sweeps, rounds=9)
    assert [trial.f1 for trial in found.trials[:2]] == pytest.approx([2 / 9, 4 / 10 * 2 / 3])
    assert (found.settings.threshold, found.settings.min_area_px, found.f1) == (0.3, 2, 1)
    assert {trial.round for trial in found.trials} == {1, 2, 3}
    once = chosen([example], *sweeps, rounds=1)
    assert (once.settings.threshold, once.settings.min_area_px, once.f1) == (0.5, 2, pytest.approx(4 / 10))


def test_no_setting_is_tried_twice(monkeypatch):
    made = []

    def counting(maps, settings, shape):
        made.append(settings)
        return label_objects(maps, settings, shape)

    monkeypatch.setattr(module, "label_objects", counting)
    found = chosen([ONE], Sweep("threshold", (0.2, 0.5)), Sweep("min_area_px", (0, 1)), rounds=5)
    assert len(found.trials) == 8
    # Once more for the interval; the second round repeats everything.
    assert len(made) == len(set(made)) + 1


def test_the_truth_can_have_another_size_than_the_maps():
    maps, truth = ONE
    found = chosen([(maps, np.kron(truth, np.ones((4, 2), int)))], Sweep("threshold", (0.05, 0.2)))
    assert (found.settings.threshold, found.f1, found.dice) == (0.2, 1, 1)


def test_a_single_image_has_no_interval_and_an_empty_one_counts():
    found = chosen([image(0.3, 0.3, truth=[0, 0])], Sweep("threshold", (0.1, 0.4)))
    assert (found.settings.threshold, found.f1, found.dice) == (0.4, 1, 1)
    assert np.isnan(found.f1_interval).all()


def test_no_images_and_wrong_sweeps_are_refused():
    with pytest.raises(ValueError, match="got no images"):
        chosen([], Sweep("threshold", (0.5,)))
    with pytest.raises(ValueError, match="no setting 'treshold'; did you mean 'threshold'"):
        chosen([ONE], Sweep("treshold", (0.5,)))
    with pytest.raises(ValueError, match="seed_depth does not apply to the method components"):
        chosen([ONE], Sweep("seed_depth", (0.5,)))
    with pytest.raises(ValueError, match="got no values for threshold"):
        Sweep("threshold", ())
    with pytest.raises(ValueError, match="got objective 'pq', expected one of f1, f1_50, dice"):
        Sweep("threshold", (0.5,), "pq")
    with pytest.raises(ValueError, match=r"got threshold=1\.5"):
        chosen([ONE], Sweep("threshold", (0.5, 1.5)))
