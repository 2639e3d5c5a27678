"""`cellseg segment --bundle auto`, and what follows from a run whose bundle and size a scout chose."""

import json
import shlex

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from tests.cells import cells
from tests.cli.conftest import digests
from tests.report.pages import check_page
from tests.scouted_bundles import record_of, save_scout, scouted_bundles


@pytest.fixture
def bundles(tmp_path, monkeypatch):
    return scouted_bundles(tmp_path / "bundles", monkeypatch)


@pytest.fixture
def mixed(images):
    """Two images of cells, one that is mostly bright and therefore of no kind, and a stack."""
    np.save(images / "b.npy", 60_000 - cells(1))
    tifffile.imwrite(
        images / "s.tif", np.stack([cells(3), cells(4)]), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    return images


def auto(output, *words):
    return ("--bundle", "auto", "--output", output, *words)


def test_an_image_is_brought_to_size_and_the_choice_is_printed_and_recorded(cellseg, bundles, mixed, output):
    ran = cellseg("segment", mixed, *auto(output))
    assert (ran.code, ran.errors) == (0, [])
    assert f"{mixed / 'a.npy'}: nuclei in fluorescence, about 16 px → nuclei at 1.2×\n" in ran.err
    assert "b.npy: none of the known kinds of microscope images, about 16 px → nuclei at 1.2×; unknown kind" in ran.err
    assert "serious: 1 image(s) flagged unknown kind" in ran.err
    run = record_of(output)
    assert run["about"]["bundle"] == {"name": "auto"}
    assert list(run["about"]["bundles"]) == ["nuclei"]
    assert run["about"]["scout"]["weights_sha256"]
    by_key = {entry["key"]: entry for entry in run["images"]}
    (choice,) = by_key["a"]["choices"]
    assert (choice["bundle"], choice["zoom"], choice["invert"]) == ("nuclei", pytest.approx(1.225), False)
    assert len(by_key["s"]["choices"]) == 2
    assert by_key["b"]["flags"][0]["kind"] == "unknown kind"
    assert "unknown kind" in (output / "b.csv").read_text()
    assert io.read_labels(output / "a.tif").shape == (96, 96)


def test_strict_refuses_an_image_of_no_kind_and_segments_the_others(cellseg, bundles, mixed, output):
    ran = cellseg("segment", mixed, *auto(output, "--strict"))
    assert ran.code == 1
    (error,) = ran.errors
    assert error.startswith(
        f"{mixed / 'b.npy'}: refused because of --strict: unknown kind, 100 % none of the known kinds"
    )
    assert {"a.tif", "c.tif", "s.tif"} <= set(digests(output))
    assert "b.tif" not in digests(output)
    assert record_of(output)["failures"] == [error]
    assert cellseg("segment", mixed, *auto(output, "--resume")).code == 0
    assert "b.tif" in digests(output)


def test_a_dry_run_says_what_would_be_chosen(cellseg, bundles, mixed, output):
    ran = cellseg("segment", mixed, *auto(output, "--dry_run"))
    assert ran.code == 0
    assert (
        "nuclei in fluorescence, about 16 px → nuclei at 1.2×; the network sees grey, rescaled to 118 × 118" in ran.out
    )
    assert cellseg("segment", mixed, *auto(output, "--dry_run", "--strict")).code == 1


def test_replay_repeats_the_choices_although_the_scout_now_sees_something_else(
    cellseg, bundles, mixed, tmp_path, output
):
    assert cellseg("segment", mixed, *auto(output, "--report")).code == 0
    save_scout(bundles / "scout" / "models" / "model.pt", log_variance=1.0)
    words = shlex.split(record_of(output)["repeat"])
    done = cellseg(*words[1:])
    assert (done.code, done.errors) == (0, [])
    assert "note: the scout has changed since the run" in done.err
    first = {name: value for name, value in digests(output).items() if not name.startswith("report")}
    assert digests(tmp_path / "out_again") == first
    assert [entry["choices"] for entry in record_of(tmp_path / "out_again")["images"]] == [
        entry["choices"] for entry in record_of(output)["images"]
    ]


def test_a_resumed_run_takes_the_same_scout_and_leaves_the_same_results(cellseg, bundles, mixed, tmp_path, output):
    assert cellseg("segment", mixed / "a.npy", *auto(tmp_path / "whole")).code == 0
    assert cellseg("segment", mixed / "a.npy", *auto(output)).code == 0
    (output / "a.tif").unlink()
    assert cellseg("segment", mixed / "a.npy", *auto(output, "--resume")).code == 0
    assert digests(output) == digests(tmp_path / "whole")
    save_scout(bundles / "scout" / "models" / "model.pt", log_variance=1.0)
    refused = cellseg("segment", mixed / "a.npy", *auto(output, "--resume"))
    assert "scout.weights_sha256 was" in refused.errors[0]
    refused = cellseg("segment", mixed / "a.npy", *auto(output, "--resume", "--diameter", 20))
    assert "diameter was auto and is now 20.0 (--diameter)" in refused.errors[0]


def test_the_report_says_what_was_seen_and_chosen(cellseg, bundles, mixed, output):
    assert cellseg("segment", mixed, *auto(output, "--report")).code == 0
    page = check_page(output / "report.html")
    assert "found by nuclei" in page.text
    assert "nuclei in fluorescence, about 16 px → nuclei at 1.2×" in page.text
    assert "unknown kind: 1 image(s)" in page.text
    numbers = json.loads((output / "report.json").read_text())
    flags = {row["image"]: list(row["flags"]) for row in numbers["images"]}
    assert flags["b"][0] == "unknown kind"
    run = record_of(output)
    for entry in run["images"]:  # as a run by a version without measures would have left it
        del entry["measures"]
    (output / "run.json").write_text(json.dumps(run))
    assert cellseg("quality", output).code == 0
    again = json.loads((output / "report.json").read_text())
    assert {row["image"]: list(row["flags"]) for row in again["images"]} == flags
    assert {row["image"]: row["diameter_px"] for row in again["images"]} == pytest.approx(
        {row["image"]: row["diameter_px"] for row in numbers["images"]}
    )


def test_a_bundle_that_the_user_names_is_brought_to_size_too(cellseg, bundles, mixed, output):
    ran = cellseg("segment", mixed / "a.npy", "--bundle", "nuclei", "--output", output)
    assert "about 16 px → nuclei at 1.2×" in ran.err
    about = record_of(output)["about"]
    assert (about["bundle"]["name"], about["preprocess"]["diameter_px"], about["diameter"]) == ("nuclei", 28.0, "auto")
    ran = cellseg("segment", mixed / "a.npy", "--bundle", "nuclei", "--output", f"{output}_own", "--diameter", "none")
    assert "about 16 px → nuclei\n" in ran.err


class TestMissingWeights:
    def test_without_a_scout_the_user_names_a_bundle_and_a_size(self, cellseg, bundles, mixed, output):
        (bundles / "scout" / "models" / "model.pt").unlink()
        refused = cellseg("segment", mixed, *auto(output))
        assert refused.code == 1
        assert (
            "no weights for the scout, which chooses a bundle for each image; name a bundle, as in --bundle nuclei"
            in (refused.errors[0])
        )
        named = ("segment", mixed / "a.npy", "--bundle", "nuclei", "--output", output)
        assert "pass --diameter, such as 30, or none" in cellseg(*named).errors[0]
        assert cellseg(*named, "--diameter", 16).code == 0
        assert record_of(output)["about"]["preprocess"]["zoom"] == pytest.approx(1.225)

    def test_without_any_bundle_the_first_says_what_it_lacks(self, cellseg, bundles, mixed, output):
        (bundles / "nuclei" / "models" / "model.pt").unlink()
        refused = cellseg("segment", mixed, *auto(output))
        assert "nuclei/models/model.pt; train the bundle first" in refused.errors[0]

    def test_weights_of_one_bundle_need_that_bundle(self, cellseg, bundles, mixed, output):
        refused = cellseg("segment", mixed, *auto(output, "--checkpoint", "model.pt"))
        assert "got checkpoint=" in refused.errors[0]
        assert "name it, as in --bundle nuclei" in refused.errors[0]
