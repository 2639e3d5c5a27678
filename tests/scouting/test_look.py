"""What a scout says about an image, in words and numbers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import KINDS, Sighting, look_of, write_looks
from cellseg_monai.scouting.scores import Compared, confusion, sighting_scores

BUNDLES = {"nuclei": Preprocessing(diameter_px=28.0, polarity="bright"), "old": Preprocessing()}


def seen(kind="fluorescence_nuclei", diameter_px=95.0, *, probability=0.97, spread=0.1, dark=0.02):
    others = (1 - probability) / (len(KINDS) - 1)
    return Sighting(kind, {name: probability if name == kind else others for name in KINDS}, diameter_px, spread, dark)


def test_a_known_kind_gets_its_bundle_and_zoom():
    look = look_of("a.tif", [seen()], BUNDLES, (0.5, 0.5))
    assert (look.bundle, look.zoom, look.doubts) == ("nuclei", pytest.approx(28 / 95), ())
    assert look.diameter_um == pytest.approx(47.5)
    assert look.cells() == (
        "nuclei in fluorescence", "97 %", "95 px (85 to 106), 47.5 µm", "bright", "nuclei at 0.29×"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sighting", "doubt"),
    [
        (seen("none"), "unknown kind"),
        (seen("phase_cells"), "unknown kind"),
        (seen(probability=0.4), "unknown kind"),
        (seen(spread=1.0), "uncertain size"),
    ],
    ids=["no microscopy", "a kind without a bundle here", "an unclear kind", "an unclear size"],
)
def test_what_is_doubtful_is_said(sighting, doubt):
    look = look_of("a.tif", [sighting], BUNDLES)
    assert [flag.kind for flag in look.doubts] == [doubt]
    assert doubt in look.cells()[-1]
    assert look.bundle == "nuclei"


def test_planes_that_differ_are_said_to():
    look = look_of("a.tif", [seen(diameter_px=10.0), seen(diameter_px=20.0), seen(diameter_px=40.0)], BUNDLES)
    assert look.diameter_px == 20
    assert [flag.kind for flag in look.doubts] == ["planes differ"]
    assert look_of("a.tif", [seen(diameter_px=19.0), seen(diameter_px=20.0)], BUNDLES).doubts == ()


def test_planes_that_agree_but_have_no_common_bundle_differ():
    two = [seen("none", 19.0, probability=0.5), seen("none", 20.0, probability=0.5)]
    two[1].probabilities["stained_nuclei"] += 0.1
    bundles = {**BUNDLES, "nuclei_tissue": Preprocessing(diameter_px=28.0)}
    assert "planes differ" in [flag.kind for flag in look_of("a.tif", two, bundles).doubts]
    assert "planes differ" not in [flag.kind for flag in look_of("a.tif", two, BUNDLES).doubts]


@pytest.mark.parametrize(
    ("sighting", "suggestion", "zoom"),
    [
        (seen(diameter_px=30.0), "nuclei at 1×", 1.0),
        (seen(diameter_px=7.0), "nuclei at 2.8×", 2.8),
        (seen(diameter_px=2000.0), "nuclei at 0.05×", 0.05),
        (seen(dark=0.9), "nuclei at 0.29×, inverted", 28 / 95),
        (seen(spread=1.0), "nuclei, sizes would be tried (uncertain size)", None),
        (seen("stained_nuclei", spread=1.0), "nuclei_tissue", None),
    ],
    ids=["near the size of training", "small", "out of reach", "dark", "of an unclear size", "at its own size"],
)
def test_the_suggestion_is_what_segmenting_would_do(sighting, suggestion, zoom):
    look = look_of("a.tif", [sighting], {**BUNDLES, "nuclei_tissue": Preprocessing()})
    assert look.cells()[-1] == suggestion
    assert look.zoom == (None if zoom is None else pytest.approx(zoom))


def test_without_bundles_there_is_no_suggestion():
    look = look_of("a.tif", [seen()], {})
    assert (look.bundle, look.zoom) == (None, None)
    assert look.cells()[-1] == "no bundle (unknown kind)"


def test_table_and_json_say_the_same(tmp_path):
    looks = [look_of("=a.tif", [seen()], BUNDLES), look_of("b.tif", [seen("none")], BUNDLES, (0.5, 0.5))]
    for name in ("seen.csv", "seen.json"):
        write_looks(tmp_path / name, looks)
    with open(tmp_path / "seen.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    objects = json.loads((tmp_path / "seen.json").read_text())
    assert [row["image"] for row in rows] == ["'=a.tif", "b.tif"]
    for row, values in zip(rows, objects, strict=True):
        assert row.keys() == values.keys()
        assert float(row["diameter_px"]) == values["diameter_px"]
        assert sum(values[f"probability_{kind}"] for kind in KINDS) == pytest.approx(1, abs=1e-3)


def test_numbers_that_json_does_not_know_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_looks(tmp_path / "seen.json", [look_of("a.tif", [seen(diameter_px=np.nan)], {})])
    assert list(tmp_path.iterdir()) == []


def test_scores_are_shares_of_the_images_that_they_cover():
    images = [
        Compared(seen(diameter_px=10.0), "fluorescence_nuclei", 10.5, False),  # all right
        Compared(seen(diameter_px=20.0), "stained_nuclei", 10.0, True),  # all wrong
        Compared(seen("none"), "none", np.nan, False),  # has no objects
        Compared(seen("none"), "none", np.nan, True),
    ]
    assert {name: (score["value"], score["images"]) for name, score in sighting_scores(images).items()} == {
        "kind_accuracy": (0.75, 4),
        "diameter_error_median": (pytest.approx((0.5 / 10.5 + 1) / 2, abs=1e-4), 2),
        "interval_coverage": (0.5, 2),
        "polarity_accuracy": (0.5, 2),
        "kind_and_diameter_accuracy": (0.75, 4),
    }
    table = confusion(images)
    assert list(table) == ["fluorescence_nuclei", "stained_nuclei", "none"]
    assert table["stained_nuclei"]["fluorescence_nuclei"] == 1
    assert sighting_scores(images[2:])["interval_coverage"] == {"value": None, "images": 0}
