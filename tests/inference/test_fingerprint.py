"""The settings that results depend on, and the differences between two runs."""

from dataclasses import replace

import pytest

from cellseg_monai.inference import RunRecord, Tiles, about_job, differences


def test_the_number_of_simultaneous_tiles_does_not_matter(idle_job):
    fewer = replace(idle_job, pipeline=replace(idle_job.pipeline, tiles=Tiles((1024, 1024), batch=1), lanes=3))
    assert about_job(fewer, "cpu") == about_job(idle_job, "cpu")


def test_the_kind_of_device_matters_but_not_its_number(idle_job):
    assert about_job(idle_job, "cuda:1") == about_job(idle_job, "cuda")
    assert differences(about_job(idle_job, "cpu"), about_job(idle_job, "cuda:1")) == {
        "device": "was cpu and is now cuda"
    }


def test_a_run_that_was_begun_on_another_device_names_the_flag(idle_job, tmp_path):
    RunRecord(tmp_path, about_job(idle_job, "cuda")).begin([])
    with pytest.raises(
        ValueError, match=r"with different settings: device was cuda and is now cpu \(--device\)\. Resume it"
    ):
        RunRecord(tmp_path, about_job(idle_job, "cpu"), resume=True)


def test_a_change_of_all_bundles_of_a_run_is_told_once():
    was = {"bundles": {"a": {"tta": False, "bundle": {"name": "a"}}, "b": {"tta": False}}}
    now = {"bundles": {"a": {"tta": True, "bundle": {"name": "c"}}, "b": {"tta": True}}}
    assert differences(was, now) == {"bundles.a.bundle.name": "was a and is now c", "tta": "was false and is now true"}


def test_an_entry_that_only_one_run_has_is_a_difference():
    assert differences({"a": {"b": None}}, {"c": 0.5}) == {
        "a.b": "was null and is now not recorded",
        "c": "was not recorded and is now 0.5",
    }
