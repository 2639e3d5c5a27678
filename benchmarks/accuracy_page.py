"""Write the tables of accuracy on all pages from the numbers kept in docs/accuracy.json.

    python benchmarks/accuracy_page.py [OUTPUT/accuracy.json ...] [--check]

The pages are docs/accuracy.md, README.md and the page of each bundle with weights. The numbers in the given files, from
`benchmarks/any_images.py` and `benchmarks/peers.py`, first replace those of the same name in docs/accuracy.json.
--check writes nothing, and exits with 1 if a page does not show the kept numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["bundle_table", "checked_results", "short_table", "tables", "with_tables"]

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs/accuracy.json"
BUNDLES = ("nuclei", "nuclei_tissue", "cells_phase")
"""The bundles whose pages show how well their weights do on each kind of image they are for."""

TARGETS = {
    "bbbc039": {"f1_50_pooled": 0.965, "f1_pooled": 0.885},
    "dsb2018 fluorescence": {"f1_50_pooled": 0.90},
    "dsb2018 stained tissue": {"f1_50_pooled": 0.70},
    "bitdepth_nucseg_dapi": {"f1_50_pooled": 0.78},
    "usiigaci_t98g_phase": {"f1_50_pooled": 0.85},
}
"""The lowest scores to reach. Other sets have to reach what their own bundle does at the true diameter, minus 0.02."""

MOST_LOSS_TO_OWN = 0.02
MOST_LOSS_OF_AUTO = 0.01
MOST_LOSS_AT_ZOOM = 0.03
LEAST_IOU = 0.97
COMMANDS = {
    "one_command": "benchmarks/any_images.py DATA OUTPUT",
    "sizes": "benchmarks/any_images.py DATA OUTPUT --sizes",
    "zooms": "benchmarks/any_images.py DATA OUTPUT --zooms",
    "margins": "benchmarks/any_images.py DATA OUTPUT --margins",
    "peers": "benchmarks/peers.py DATA OUTPUT ENVIRONMENTS",
}

Results = Mapping[str, Any]


def checked_results(results: Results) -> Results:
    """Return results that may be published.

    Raises:
        SystemExit: they are from a part of the images, or from images on which choices were made.
    """
    for name, result in results.items():
        about = result["about"]
        if about["limit"] is not None or about["only"] is not None or about["section"] != "test":
            raise SystemExit(
                f"error: {name}: got a part of the images or the section {about['section']}, expected all test images; "
                "measure again without --limit, --groups and --section"
            )
    return results


def tables(results: Results) -> dict[str, str]:
    """Return each table of the page as Markdown, by its name.

    >>> tables({})["zooms"]
    'Not measured yet: `python benchmarks/any_images.py DATA OUTPUT --zooms`'
    """
    makers = {
        "one_command": _one_command, "sizes": _sizes, "zooms": _zooms, "margins": _margins, "peers": _peers,
    }  # fmt: skip
    return {
        name: "\n".join(make(results)) if name in results else f"Not measured yet: `python {COMMANDS[name]}`"
        for name, make in makers.items()
    }


def short_table(results: Results) -> str:
    """Return the scores of the one command alone, for the README."""
    if "one_command" not in results:
        return f"Not measured yet: `python {COMMANDS['one_command']}`"
    groups = results["one_command"]["groups"]
    lines = ["| test images | number | F1 at IoU 0.5 | mean F1, IoU 0.50 to 0.95 |", "|---|---|---|---|"]
    for group, numbers in groups.items():
        scores = (_value(numbers[name]) for name in ("f1_50_pooled", "f1_pooled"))
        lines.append(_row(group, str(numbers["images"]), *scores))
    return "\n".join(lines)


def bundle_table(results: Results, bundle: str) -> str:
    """Return the scores of one bundle on the test images of the sets that it is for, at the size that is seen."""
    groups = results.get("sizes", {}).get("groups", {})
    lines = ["| test images | number | objects | F1 at IoU 0.5 | mean F1, IoU 0.50 to 0.95 |", "|---|---|---|---|---|"]
    for group, numbers in groups.items():
        if numbers["bundle"] == bundle:
            auto = numbers["auto"]
            scores = (_score(auto[name]) for name in ("f1_50_pooled", "f1_pooled"))
            lines.append(_row(group, str(auto["images"]), f"{auto['objects']:,}", *scores))
    return "\n".join(lines) if len(lines) > 2 else f"Not measured yet: `python {COMMANDS['sizes']}`"


def pages(results: Results) -> dict[Path, dict[str, str]]:
    """Return the tables of each page, by the name of the table."""
    cards = {
        ROOT / "bundles" / bundle / "docs/README.md": {"accuracy": bundle_table(results, bundle)} for bundle in BUNDLES
    }
    return {ROOT / "docs/accuracy.md": tables(results), ROOT / "README.md": {"accuracy": short_table(results)}, **cards}


def with_tables(page: str, contents: Mapping[str, str]) -> str:
    """Return a page with new tables between its marks.

    Args:
        page: Markdown with `<!-- table NAME -->` and `<!-- end -->` around each table.
        contents: the tables by name.

    Raises:
        ValueError: a table has no marks on the page.
    """
    for name, content in contents.items():
        mark, end = f"<!-- table {name} -->", "<!-- end -->"
        before, *after = page.split(mark)
        if len(after) != 1 or end not in after[0]:
            raise ValueError(f"got no single place for the table {name}; write {mark} and {end} where it belongs, once")
        page = f"{before}{mark}\n\n{content}\n\n{end}{after[0].partition(end)[2]}"
    return page


def _one_command(results: Results) -> Iterator[str]:
    result = results["one_command"]
    yield _about(result)
    yield ""
    yield "| images | number | objects | segmented by | F1 at IoU 0.5 | to reach | mean F1 | to reach |"
    yield "|---|---|---|---|---|---|---|---|"
    for group, numbers in result["groups"].items():
        cells = []
        for name in ("f1_50_pooled", "f1_pooled"):
            target = _target(results, group, name)
            cells += [_score(numbers[name]), _verdict(numbers[name]["value"], target)]
        failed = f", {numbers['failed']} failed" if numbers["failed"] else ""
        bundles = ", ".join(f"`{name}` {count}" for name, count in numbers["bundles"].items()) or "–"
        yield _row(group, f"{numbers['images']}{failed}", f"{numbers['objects']:,}", bundles, *cells)


def _target(results: Results, group: str, score: str) -> float | None:
    """Return the lowest score that a group has to reach, or None if there is none or it is not known yet."""
    if group in TARGETS:
        return TARGETS[group].get(score)
    own = results.get("sizes", {}).get("groups", {}).get(group)
    if own is None or score != "f1_50_pooled":
        return None
    return round(own["true"][score]["value"] - MOST_LOSS_TO_OWN, 4)  # as exact as the scores in the file


def _sizes(results: Results) -> Iterator[str]:
    yield "| images | bundle | `auto` | `none` | true diameter | loss of `auto` to the better |"
    yield "|---|---|---|---|---|---|"
    for group, numbers in results["sizes"]["groups"].items():
        auto, none, true = (numbers[name]["f1_50_pooled"] for name in ("auto", "none", "true"))
        loss = max(none["value"], true["value"]) - auto["value"]
        cells = map(_score, (auto, none, true))
        yield _row(group, f"`{numbers['bundle']}`", *cells, _loss(loss, MOST_LOSS_OF_AUTO))


def _zooms(results: Results) -> Iterator[str]:
    yield "| images | × 0.5 | × 1 | × 2 | largest loss |"
    yield "|---|---|---|---|---|"
    for group, numbers in results["zooms"]["groups"].items():
        scores = [numbers[factor]["f1_50_pooled"] for factor in ("0.5", "1", "2")]
        loss = scores[1]["value"] - min(score["value"] for score in scores)
        yield _row(group, *map(_score, scores), _loss(loss, MOST_LOSS_AT_ZOOM))


def _margins(results: Results) -> Iterator[str]:
    groups = results["margins"]["groups"]
    yield _row("change", *(f"{group}: IoU | objects outside" for group in groups))
    yield "|" + "---|" * (1 + 2 * len(groups))
    for change in next(iter(groups.values())):
        cells = []
        for numbers in (group[change] for group in groups.values()):
            outside = numbers["objects_outside"]
            missed = ", missed" if numbers["iou"]["value"] < LEAST_IOU else ""
            cells += [_score(numbers["iou"]) + missed, f"{outside}{', missed' if outside else ''}"]
        yield _row(change, *cells)


def _peers(results: Results) -> Iterator[str]:
    result = results["peers"]
    groups = result["about"]["groups"]
    yield f"Training for {result['about']['minutes']:g} minutes. {_about(result)}"
    yield ""
    yield _row("program", *(f"{group}: F1 at IoU 0.5 | mean F1" for group in groups), "MP/s", "peak memory", "install")
    yield "|" + "---|" * (4 + 2 * len(groups))
    for name, numbers in result["programs"].items():
        if "fault" in numbers:
            yield _row(name, *["–"] * (2 * len(groups)), "–", "–", f"fails: {numbers['fault']}")
            continue
        scores = (numbers["groups"][group][score] for group in groups for score in ("f1_50_pooled", "f1_pooled"))
        memory, size = numbers["peak_memory_mb"], numbers["install_mb"]
        yield _row(
            name, *map(_score, scores), f"{numbers['megapixels_per_second']:.2f}", f"{memory:,} MB", f"{size:,} MB"
        )


def _about(result: Results) -> str:
    about = result["about"]
    speed = f", {about['megapixels_per_second']:.2f} MP/s" if "megapixels_per_second" in about else ""
    return f"Version {about['cellseg_monai']}, {about.get('device', 'cpu')}{speed}."


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _score(score: Mapping[str, Any]) -> str:
    interval = score["interval_95"]
    return _value(score) + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _value(score: Mapping[str, Any]) -> str:
    return f"{score['value']:.3f}"


def _verdict(value: float, target: float | None) -> str:
    if target is None:
        return "–"
    return f"{target:.3f}" if value >= target else f"{target:.3f}, missed by {target - value:.3f}"


def _loss(loss: float, most: float) -> str:
    return f"{loss:.3f} (at most {most:g}{', missed' if round(loss, 4) > most else ''})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="*")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    for path in options.results:
        kept |= checked_results(json.loads(path.read_text(encoding="utf-8")))
    changed = {}
    for path, contents in pages(kept).items():
        old = path.read_text(encoding="utf-8")
        new = with_tables(old, contents)
        if new != old:
            changed[path] = new
    if options.check:
        for path in changed:
            print(f"error: {path} does not show {KEPT.name}; run python benchmarks/accuracy_page.py", file=sys.stderr)
        return int(bool(changed))
    if options.results:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for path, new in changed.items():
        path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
