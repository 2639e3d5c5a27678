from typing import Any

import pytest

from benchmarks.accuracy_page import COMMANDS, bundle_table, checked_results, main, short_table, tables, with_tables

ABOUT = {"cellseg_monai": "0.1.0", "section": "test", "limit": None, "only": None}


def score(value: float) -> dict[str, Any]:
    return {"value": value, "interval_95": [value - 0.01, value + 0.01]}


def scores(f1_50: float, f1: float) -> dict[str, Any]:
    return {
        "images": 5,
        "objects": 1234,
        "failed": 0,
        "bundles": {"nuclei": 5},
        "f1_50_pooled": score(f1_50),
        "f1_pooled": score(f1),
    }


def test_all_pages_show_the_kept_numbers() -> None:
    assert main(["--check"]) == 0


def test_a_score_below_its_target_is_marked_as_missed() -> None:
    groups = {"bbbc039": scores(0.95, 0.9), "tnbc_he": scores(0.7, 0.5)}
    sizes = {"auto": scores(0.7, 0), "none": scores(0.5, 0), "true": scores(0.71, 0)}
    own = {"tnbc_he": {"bundle": "nuclei_tissue", **sizes}}
    shown = tables({"one_command": {"about": ABOUT, "groups": groups}, "sizes": {"about": ABOUT, "groups": own}})
    start = "| bbbc039 | 5 | 1,234 | `nuclei` 5 | 0.950 (0.940 to 0.960) | 0.965, missed by 0.015 | 0.900"
    assert f"{start} (0.890 to 0.910) | 0.885 |" in shown["one_command"]
    assert "| tnbc_he | 5 | 1,234 | `nuclei` 5 | 0.700 (0.690 to 0.710) | 0.690 |" in shown["one_command"]
    assert shown["sizes"].endswith("| 0.010 (at most 0.01) |")
    assert shown["zooms"] == f"Not measured yet: `python {COMMANDS['zooms']}`"


def test_losses_at_a_zoom_and_objects_in_margins_are_marked_as_missed() -> None:
    zoomed = {"bbbc039": {"0.5": scores(0.9, 0), "1": scores(0.96, 0), "2": scores(0.95, 0)}}
    changed = {"bbbc039": {"black stripe": {"images": 5, "iou": score(0.98), "objects_outside": 3}}}
    shown = tables({"zooms": {"about": ABOUT, "groups": zoomed}, "margins": {"about": ABOUT, "groups": changed}})
    assert shown["zooms"].endswith("| 0.060 (at most 0.03, missed) |")
    assert shown["margins"].endswith("| black stripe | 0.980 (0.970 to 0.990) | 3, missed |")


def test_a_program_that_does_not_install_is_shown_with_the_reason() -> None:
    about = {**ABOUT, "minutes": 20, "groups": ["bbbc039"]}
    works = {
        "groups": {"bbbc039": scores(0.8, 0.7)},
        "megapixels_per_second": 1.5,
        "peak_memory_mb": 900,
        "install_mb": 1500,
    }
    shown = tables({"peers": {"about": about, "programs": {"ours": works, "other": {"fault": "no wheel"}}}})["peers"]
    assert "| ours | 0.800 (0.790 to 0.810) | 0.700 (0.690 to 0.710) | 1.50 | 900 MB | 1,500 MB |" in shown
    assert shown.endswith("| other | – | – | – | – | fails: no wheel |")


def test_the_page_of_a_bundle_shows_only_the_sets_that_it_is_for() -> None:
    sizes = {"auto": scores(0.7, 0.5), "none": scores(0.5, 0), "true": scores(0.71, 0)}
    groups = {"tnbc_he": {"bundle": "nuclei_tissue", **sizes}, "bbbc039": {"bundle": "nuclei", **sizes}}
    shown = bundle_table({"sizes": {"about": ABOUT, "groups": groups}}, "nuclei").splitlines()
    assert shown[2:] == ["| bbbc039 | 5 | 1,234 | 0.700 (0.690 to 0.710) | 0.500 (0.490 to 0.510) |"]
    assert bundle_table({}, "nuclei") == f"Not measured yet: `python {COMMANDS['sizes']}`"


def test_the_short_table_has_no_intervals() -> None:
    shown = short_table({"one_command": {"about": ABOUT, "groups": {"bbbc039": scores(0.95, 0.9)}}})
    assert shown.endswith("| bbbc039 | 5 | 0.950 | 0.900 |")


def test_tables_replace_what_stands_between_their_marks() -> None:
    page = "before\n<!-- table zooms -->\n\nold\n\n<!-- end -->\nafter\n<!-- end -->"
    once = with_tables(page, {"zooms": r"new \1"})
    assert once == "before\n<!-- table zooms -->\n\nnew \\1\n\n<!-- end -->\nafter\n<!-- end -->"
    assert with_tables(once, {"zooms": r"new \1"}) == once
    with pytest.raises(ValueError, match="no single place for the table sizes"):
        with_tables(page, {"sizes": ""})


@pytest.mark.parametrize("changed", [{"limit": 2}, {"only": ["bbbc039"]}, {"section": "validation"}])
def test_numbers_from_a_part_of_the_images_are_not_published(changed: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="expected all test images"):
        checked_results({"zooms": {"about": {**ABOUT, **changed}, "groups": {}}})
