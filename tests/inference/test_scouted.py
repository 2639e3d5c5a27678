"""Pipelines among which a scout chooses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cellseg_monai import io
from cellseg_monai.inference import (
    Done,
    Job,
    Pipeline,
    Reading,
    ScoutedPipelines,
    choice_text,
    choose_for_planes,
    find_images,
    understood,
)
from cellseg_monai.inference.choices import check_choice, choices_text, doubts_of_choice
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import KINDS, Scout
from tests.cells import cells


def scout(log2_diameter=4.0, kind="fluorescence_nuclei", dark=-5.0, log_variance=-5.0):
    """Return a scout that sees the same in each image, whatever its resolution."""
    logits = [8.0 if name == kind else 0.0 for name in KINDS]

    def answer(views):
        return np.array([[log2_diameter, log_variance, dark, *logits]] * len(views))

    return Scout(answer, "1", "")


def by_brightness(views):
    """See objects of 8 px in images that are mostly dark, and of 32 px in others."""
    kind = [8.0 if name == "fluorescence_nuclei" else 0.0 for name in KINDS]
    return np.array([[3.0 if view[0].mean() < 0.2 else 5.0, -5.0, -5.0, *kind] for view in views])


@pytest.fixture
def pipeline(idle_job) -> Pipeline:
    settings = Preprocessing(diameter_px=16.0, polarity="bright")
    return replace(idle_job.pipeline, bundle="nuclei", preprocess=settings)


def read(image):
    return lambda rows, columns: image[:, rows, columns]


IMAGE = cells()[np.newaxis]
SHAPE = IMAGE.shape[1:]


def test_objects_are_brought_to_the_size_of_the_bundle(pipeline):
    chosen = ScoutedPipelines(scout(3.0), {"nuclei": pipeline}).choose(read(IMAGE), SHAPE)
    assert chosen.preprocess.zoom == pytest.approx(1.4)
    assert not chosen.preprocess.invert
    assert chosen.doubts == ()
    assert choice_text(chosen.choice()) == "nuclei in fluorescence, about 8 px → nuclei at 1.4×"


def test_of_a_field_shown_in_one_colour_only_that_channel_counts(pipeline):
    colours = np.zeros((3, *SHAPE), IMAGE.dtype)
    colours[2], colours[1] = IMAGE[0], IMAGE[0] // 2
    pipelines = ScoutedPipelines(scout(), {"nuclei": pipeline})
    chosen = pipelines.choose(read(colours), SHAPE, ("red", "green", "blue"))
    assert chosen.preprocess.channels == ("blue",)
    assert chosen.text.endswith(", channel blue")
    assert pipelines.repeated(chosen.choice()).preprocess == chosen.preprocess


def test_a_diameter_of_the_user_stands_beside_what_is_seen(pipeline):
    chosen = ScoutedPipelines(scout(), {"nuclei": pipeline}, 64.0).choose(read(IMAGE), SHAPE)
    assert "given as 64 px (seen: about 16 px) → nuclei at 0.25×" in chosen.text
    (doubt,) = chosen.doubts
    assert doubt.kind == "uncertain size"
    assert doubt.reason.startswith("given as 64 px, but the objects look like ")
    assert ScoutedPipelines(scout(), {"nuclei": pipeline}, 16.0).choose(read(IMAGE), SHAPE).doubts == ()


def test_an_unsure_polarity_is_told(pipeline):
    chosen = ScoutedPipelines(scout(dark=0.4), {"nuclei": pipeline}).choose(read(IMAGE), SHAPE)
    assert [(doubt.kind, doubt.severity) for doubt in chosen.doubts] == [("uncertain polarity", "warning")]


def test_dark_objects_become_bright(pipeline):
    chosen = ScoutedPipelines(scout(dark=5.0), {"nuclei": pipeline}).choose(read(IMAGE), SHAPE)
    assert chosen.preprocess.invert
    assert chosen.text.endswith(", inverted")


@pytest.mark.parametrize("seen", [-5.0, 0.4, 5.0])
@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_a_polarity_of_the_user_is_taken_and_a_contradiction_told(pipeline, polarity, seen):
    chosen = ScoutedPipelines(scout(dark=seen), {"nuclei": pipeline}, polarity=polarity).choose(read(IMAGE), SHAPE)
    assert chosen.preprocess.invert is (polarity == "dark")
    contradicts = abs(seen) == 5 and (seen > 0) != (polarity == "dark")
    assert [doubt.kind for doubt in chosen.doubts] == ["uncertain polarity"] * contradicts


def test_a_polarity_without_effect_on_an_image_is_told(pipeline):
    any_polarity = replace(pipeline, preprocess=replace(pipeline.preprocess, polarity="any"))
    chosen = ScoutedPipelines(scout(), {"nuclei": any_polarity}, polarity="dark").choose(read(IMAGE), SHAPE)
    assert not chosen.preprocess.invert
    assert [(doubt.kind, doubt.severity) for doubt in chosen.doubts] == [("uncertain polarity", "note")]


@pytest.mark.parametrize(("diameter", "zoom"), [(40.0, 0.4), ("none", None)])
def test_a_diameter_of_the_user_is_taken(pipeline, diameter, zoom):
    chosen = ScoutedPipelines(scout(), {"nuclei": pipeline}, diameter).choose(read(IMAGE), SHAPE)
    assert chosen.preprocess.zoom == zoom


def test_the_bundle_for_the_kind_is_chosen(pipeline):
    pipelines = {name: replace(pipeline, bundle=name) for name in ("nuclei", "nuclei_tissue", "cells_phase")}
    for kind, of_kind in KINDS.items():
        chosen = ScoutedPipelines(scout(kind=kind), pipelines).choose(read(IMAGE), SHAPE)
        if of_kind.bundle is not None:
            assert chosen.bundle == of_kind.bundle
            assert chosen.doubts == ()
        else:
            assert [(flag.kind, flag.severity) for flag in chosen.doubts] == [("unknown kind", "serious")]


def test_another_kind_than_that_of_the_chosen_bundle_is_doubtful(pipeline):
    scouted = ScoutedPipelines(scout(kind="phase_cells"), {"nuclei": pipeline}, is_fixed=True)
    (flag,) = scouted.choose(read(IMAGE), SHAPE).doubts
    assert flag.kind == "unknown kind"
    assert "cells in phase contrast; segmented by nuclei" in flag.reason


class TestUncertainSize:
    unsure = scout(log2_diameter=4.0, log_variance=0.0)

    def test_an_image_without_objects_to_confirm_it_is_doubtful_unless_the_user_gives_the_size(self, pipeline):
        empty = np.random.default_rng(0).integers(100, 104, (1, 96, 96)).astype(np.uint16)
        chosen = ScoutedPipelines(self.unsure, {"nuclei": pipeline}).choose(read(empty), SHAPE)
        (flag,) = chosen.doubts
        assert (flag.kind, flag.severity) == ("uncertain size", "warning")
        assert flag.reason == "the diameter is probably between 5 and 50 px; none of 4 sizes that were tried fits well"
        assert chosen.sighting.diameter_px == pytest.approx(16)
        given = ScoutedPipelines(self.unsure, {"nuclei": pipeline}, 20.0).choose(read(empty), SHAPE)
        assert (given.doubts, given.tried) == ((), 0)

    def test_objects_that_the_network_finds_confirm_it(self, pipeline):
        unsure = scout(log2_diameter=5.0, log_variance=0.0)  # twice the size of the cells
        chosen = ScoutedPipelines(unsure, {"nuclei": pipeline}).choose(read(IMAGE), SHAPE)
        assert chosen.doubts == ()
        assert chosen.sighting.diameter_px == pytest.approx(16, rel=0.15)
        assert "(tried 4 sizes) → nuclei at " in chosen.text

    def test_a_bundle_for_images_at_their_own_size_is_not_tried(self, idle_job):
        plain = replace(idle_job.pipeline, bundle="nuclei")
        chosen = ScoutedPipelines(self.unsure, {"nuclei": plain}).choose(read(IMAGE), SHAPE)
        assert (chosen.preprocess.zoom, chosen.tried, chosen.doubts) == (None, 0, ())


def test_a_bundle_of_somebody_else_may_be_made_for_any_kind(pipeline):
    mine = replace(pipeline, bundle="mine", code_sha256="0" * 64)
    for kind, number in (("phase_cells", 0), ("none", 1)):
        chosen = ScoutedPipelines(scout(kind=kind), {"mine": mine}, is_fixed=True).choose(read(IMAGE), SHAPE)
        assert len(chosen.doubts) == number


def test_an_image_of_no_kind_is_refused_if_strict(pipeline):
    strict = ScoutedPipelines(scout(kind="none"), {"nuclei": pipeline}, is_strict=True)
    with pytest.raises(ValueError, match=r"refused because of --strict: unknown kind, 100 % none of the known kinds"):
        strict.choose(read(IMAGE), SHAPE)


def test_a_size_out_of_reach_does_not_fail_the_image(pipeline):
    chosen = ScoutedPipelines(scout(log2_diameter=10.0), {"nuclei": pipeline}).choose(read(IMAGE), SHAPE)
    assert chosen.preprocess.zoom == pytest.approx(1 / 20)


def test_a_recorded_choice_gives_the_same_pipeline_without_another_look(pipeline):
    scouted = ScoutedPipelines(scout(kind="none", dark=5.0), {"nuclei": pipeline})
    chosen = scouted.choose(read(IMAGE), SHAPE)
    choice = json.loads(json.dumps(chosen.choice()))
    check_choice(choice)
    other = replace(scouted, scout=scout(log2_diameter=6.0))
    again = other.repeated(choice)
    assert (again.preprocess, again.doubts, again.choice()) == (chosen.preprocess, chosen.doubts, choice)
    with pytest.raises(ValueError, match="got 'gone' as the bundle chosen for the image, expected one of nuclei"):
        other.repeated({**choice, "bundle": "gone"})


@pytest.mark.parametrize(
    "change",
    [{"bundle": 1}, {"kind": "cat"}, {"zoom": -1}, {"zoom": "2"}, {"invert": 0}, {"dark": None}, {"tried": -1},
     {"doubts": [{"kind": "x"}]}, {"doubts": [{"kind": "odd", "reason": "", "severity": "note"}]},
     {"doubts": [{"kind": [], "reason": "", "severity": "note"}]}],
    ids=str,
)  # fmt: skip
def test_a_damaged_choice_is_refused(pipeline, change):
    choice = ScoutedPipelines(scout(), {"nuclei": pipeline}).choose(read(IMAGE), SHAPE).choice()
    with pytest.raises(ValueError, match="a choice has "):
        check_choice({**choice, **change})


class TestPlanes:
    bright = np.random.default_rng(0).random((1, 160, 160))
    dark = bright**12  # most of it

    def chosen(self, pipeline, *planes):
        scouted = ScoutedPipelines(Scout(by_brightness, "1", ""), {"nuclei": pipeline})
        return choose_for_planes(scouted, [read(plane) for plane in planes], (160, 160))

    def test_planes_that_agree_share_a_pipeline(self, pipeline):
        choose = self.chosen(pipeline, self.dark, self.dark, self.dark)
        assert choose.shared.preprocess.zoom == pytest.approx(1.4)
        assert choose(1, read(self.bright)) is choose.shared
        assert choose.shared.doubts == choose.differences == ()

    def test_planes_that_differ_do_not_and_each_says_so(self, pipeline):
        choose = self.chosen(pipeline, self.dark, self.bright, self.bright, self.dark)
        assert choose.shared is None
        for number, plane in ((0, self.dark), (1, self.bright), (2, self.bright)):
            chosen = choose(number, read(plane))
            assert chosen.sighting.diameter_px == pytest.approx(8 if plane is self.dark else 32)
            (flag,) = chosen.doubts
            assert (flag.kind, flag.severity) == ("planes differ", "note")
            assert flag.reason.startswith(
                "the 3 planes that were looked at show nuclei in fluorescence, about 8 to 32 px"
            )

    def test_a_plain_pipeline_suits_every_plane(self, pipeline):
        assert choose_for_planes(pipeline, [read(self.dark)], (160, 160)).shared is pipeline

    def test_a_stack_whose_planes_differ_is_summed_up_in_one_line_and_flagged(self, idle_job, pipeline, tmp_path):
        np.save(tmp_path / "s.npy", np.stack([self.dark[0], self.bright[0], self.dark[0]]))
        scouted = ScoutedPipelines(Scout(by_brightness, "1", ""), {"nuclei": pipeline})
        job = Job(scouted, tmp_path / "out", ("labels", "csv"), Reading(axes="ZYX"))
        text = "3 planes differ: nuclei in fluorescence, about 8 to 32 px → nuclei at 0.5 to 1.4×"
        planned = understood(tmp_path / "s.npy", job)
        assert f"; {text}; the network sees grey, rescaled to 224 × 224 or 80 × 80, 3 planes, each" in planned.text
        (outcome,) = job.run(find_images([str(tmp_path / "s.npy")])[0])
        assert choices_text(outcome.choices) == text
        flags = [flag for flag in outcome.flags if flag.kind == "planes differ"]
        assert [flag.plane for flag in flags] == ["Z0", "Z1", "Z2"]
        again = [doubts_of_choice(json.loads(json.dumps(choice))) for choice in outcome.choices]
        assert all(flag.kind == "planes differ" for (flag,) in again)
        for choice in outcome.choices:
            check_choice(choice)


def test_a_job_records_what_was_chosen_and_flags_what_is_doubtful(idle_job, pipeline, tmp_path):
    np.save(tmp_path / "a.npy", cells())
    np.save(tmp_path / "s.npy", np.stack([cells()] * 2))
    scouted = ScoutedPipelines(scout(kind="none"), {"nuclei": pipeline})
    running = Job(scouted, tmp_path / "out", ("labels", "csv"), idle_job.reading)
    (outcome,) = running.run(find_images([str(tmp_path / "a.npy")])[0])
    assert isinstance(outcome, Done)
    (choice,) = outcome.choices
    assert choice["bundle"] == "nuclei"
    assert choice["zoom"] == pytest.approx(1, abs=3)
    assert "unknown kind" in [flag.kind for flag in outcome.flags]
    assert io.read_labels(tmp_path / "out" / "a.tif").shape == cells().shape
    assert "unknown kind" in (tmp_path / "out" / "a.csv").read_text()
