"""Accuracy on images of any kind: all test images in one folder, segmented by one command without a flag.

    python benchmarks/any_images.py DATA OUTPUT [--sizes] [--zooms] [--margins] [--all]

DATA holds the data sets that docs/data-sets.md describes, one folder for each. Without the last four options, the test
images of all data sets are put into one folder, and `cellseg segment FOLDER --output RESULTS` segments them. The others
measure, instead:

--sizes     Each set with its own bundle: `--diameter auto`, `none`, and the true diameter of each image.
--zooms     Fluorescence resampled by 0.5 and 2, and scored at that size.
--margins   Fluorescence with margins without data, uneven light or a raised background: the IoU of the foreground with
            that of the plain image, where there are data, and the number of objects elsewhere.
--all       All four.

Scores are those of `cellseg evaluate --protocol cellseg`, pooled over the images of a set, with 95 % intervals from
resampling the images. An image that fails counts as one in which nothing is found. OUTPUT gets `accuracy.json`, in
which a run replaces only what it measures. `python benchmarks/accuracy_page.py OUTPUT/accuracy.json` writes its numbers
into docs/accuracy.md.

To choose between candidates, score them on images that are neither trained on nor test images:

    python benchmarks/any_images.py DATA OUTPUT --section validation --bundle nuclei --checkpoint runs/a/model.pt
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from altered_images import ALTERATIONS, data_mask, write_image, zoom_image, zoom_labels
from mixed_images import Case, by_group, find_cases, link_images, write_lists
from pooled_scores import PROTOCOL, foreground_agreement, score_files, scored
from segment_process import SegmentRun, segment_folder

from cellseg_monai import segment
from cellseg_monai._version import __version__
from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.inference import Chooser, ScoutedPipelines
from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import typical_diameter_px
from cellseg_monai.scouting import KINDS

FACTORS = (0.5, 1.0, 2.0)
ALTERED_GROUPS = ("bbbc039", "dsb2018 fluorescence")


@dataclass(frozen=True)
class Measurement:
    """The request: which images to measure, and where the files go.

    Args:
        cases: the annotated images.
        output: folder for everything that is written.
        settings: the settings of `cellseg segment` that were given.
    """

    cases: Sequence[Case]
    output: Path
    settings: Mapping[str, str]

    @property
    def flags(self) -> list[str]:
        """The flags of `cellseg segment`."""
        return [word for name, value in self.settings.items() for word in (f"--{name}", value)]

    @property
    def altered_cases(self) -> dict[str, list[Case]]:
        """The cases to change, by group."""
        groups = by_group(self.cases)
        return {group: groups[group] for group in ALTERED_GROUPS if group in groups}


def one_command(measured: Measurement) -> Iterator[dict[str, Any]]:
    """Yield the scores of each group after segmenting all images in one folder."""
    work = measured.output / "one_command"
    run = segment_folder(link_images(measured.cases, work / "images"), work / "results", measured.flags)
    groups = {}
    for group, cases in by_group(measured.cases).items():
        truths = {case.name: case.label for case in cases}
        groups[group] = score_files(truths, run.labels, work / "empty")
        groups[group]["flagged"] = _flagged(run, truths)
        groups[group]["bundles"] = _chosen(run, truths)
    yield {"about": run.about, "groups": groups}


def _flagged(run: SegmentRun, names: Mapping[str, Any]) -> int:
    """Return the number of images with a serious flag, which tells the user not to trust the result."""
    return sum(any(flag["severity"] == "serious" for flag in image.get("flags", ())) for image in _of(run, names))


def _chosen(run: SegmentRun, names: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of images that each bundle segmented, if a scout chose."""
    return dict(Counter(choice["bundle"] for image in _of(run, names) for choice in image.get("choices", ())))


def _of(run: SegmentRun, names: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [image for image in run.record["images"] if Path(image["path"]).stem in names]


def sizes(measured: Measurement) -> Iterator[dict[str, Any]]:
    """Yield the scores of each group with its bundle at three choices of size, whenever a group is done."""
    groups = {}
    for group, cases in by_group(measured.cases).items():
        settings = {"bundle": KINDS[cases[0].kind].bundle or "nuclei", **measured.settings}
        scores = {diameter: _scores_at(diameter, settings, cases) for diameter in ("auto", "none", "true")}
        groups[group] = {"bundle": settings["bundle"], **scores}
        yield {"about": {"options": dict(measured.settings)}, "groups": groups}


def _scores_at(diameter: str, settings: Mapping[str, Any], cases: Sequence[Case]) -> dict[str, Any]:
    """Return the scores of images that are segmented at the size that is seen, at their own, or at the true one."""
    fixed = "none" if diameter == "true" else diameter
    chooser: Chooser = load_pipeline(**settings, diameter=fixed)
    counts = []
    for case in cases:
        truth = read_labels(case.label)
        own = chooser
        if diameter == "true" and not np.isnan(true := typical_diameter_px(truth)):
            own = at_diameter(chooser, true)
        counts.append(PROTOCOL.count(np.asarray(segment(case.image, own).labels), truth))
    return scored(counts)


def at_diameter(chooser: Chooser, diameter_px: float) -> Chooser:
    """Return the same pipeline for images with objects of a known diameter, without loading it again.

    Raises:
        SystemExit: nothing says at which diameter the network was trained.
    """
    if isinstance(chooser, ScoutedPipelines):
        return replace(chooser, diameter=diameter_px)
    if chooser.preprocess.diameter_px is not None:
        return replace(chooser, preprocess=chooser.preprocess.for_objects(diameter_px))
    if chooser.training is None:
        raise SystemExit(f"error: nothing says at which diameter {chooser.bundle} was trained; leave out --sizes")
    zoom = chooser.training.diameter_px.median / diameter_px
    return replace(chooser, preprocess=chooser.preprocess.at_zoom(zoom))


def zooms(measured: Measurement) -> Iterator[dict[str, Any]]:
    """Yield the scores of images at several zooms."""
    groups: dict[str, dict[str, Any]] = {group: {} for group in measured.altered_cases}
    about: dict[str, Any] = {}
    for factor in FACTORS:
        work = measured.output / "zooms" / f"{factor:g}"
        truths: dict[str, dict[str, Path]] = {}
        for group, cases in measured.altered_cases.items():
            truths[group] = {case.name: work / "truth" / f"{case.name}.tif" for case in cases}
            for case in cases:
                _write(work / "images" / f"{case.name}.tif", zoom_image(read(case.image).pixels, factor))
                _write(truths[group][case.name], zoom_labels(read_labels(case.label), factor)[np.newaxis])
        run = segment_folder(work / "images", work / "results", measured.flags)
        about = about or run.about
        for group, files in truths.items():
            groups[group][f"{factor:g}"] = score_files(files, run.labels, work / "empty")
    yield {"about": about, "groups": groups}


def margins(measured: Measurement) -> Iterator[dict[str, Any]]:
    """Yield how well the result for changed images agrees with that for the plain ones."""
    work = measured.output / "margins"
    cases = [case for members in measured.altered_cases.values() for case in members]
    runs = {}
    for name, change in {"plain": (None, lambda pixels: pixels), **ALTERATIONS}.items():
        folder = work / name.replace(" ", "_")
        for case in cases:
            _write(folder / "images" / f"{case.name}.tif", change[1](read(case.image).pixels))
        runs[name] = segment_folder(folder / "images", folder / "results", measured.flags)
    groups: dict[str, dict[str, Any]] = {}
    for group, members in measured.altered_cases.items():
        groups[group] = {
            name: foreground_agreement(_compared(members, runs[name], runs["plain"], margin))
            for name, (margin, _) in ALTERATIONS.items()
        }
    yield {"about": runs["plain"].about, "groups": groups}


def _compared(
    cases: Sequence[Case], run: SegmentRun, plain: SegmentRun, margin: str | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the labels of each changed image, those of the plain one, and a mask of the pixels with data."""
    for case in cases:
        expected = tifffile.imread(plain.labels[case.name])
        has_data = np.ones(expected.shape, bool) if margin is None else data_mask(expected.shape, margin)
        found = run.labels.get(case.name)
        yield np.zeros_like(expected) if found is None else tifffile.imread(found), expected, has_data


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)


LINES: dict[str, Callable[[Measurement], Iterator[dict[str, Any]]]] = {
    "one_command": one_command, "sizes": sizes, "zooms": zooms, "margins": margins,
}  # fmt: skip


def main() -> None:
    """Measure what the options ask for, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    for name in ("sizes", "zooms", "margins", "all"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--section", choices=("test", "validation"), default="test")
    parser.add_argument("--groups", nargs="+", help="measure only these rows of the tables, such as bbbc039")
    parser.add_argument("--limit", type=int, help="greatest number of images of a group, for a quick trial")
    for name in ("bundle", "checkpoint", "postprocess"):
        parser.add_argument(f"--{name}", help=f"the flag --{name} of `cellseg segment`")
    options = parser.parse_args()
    keep_freed_memory()
    datalist = write_lists(options.data, options.output / "lists")
    cases = find_cases(options.data, datalist, options.section, limit=options.limit)
    if options.groups:
        cases = [case for case in cases if case.group in options.groups]
    if not cases:
        parser.error(f"no images in {options.data} of the section {options.section} and these groups; choose others")
    given = {name: getattr(options, name) for name in ("bundle", "checkpoint", "postprocess")}
    measured = Measurement(cases, options.output, {name: value for name, value in given.items() if value})
    chosen = [name for name in LINES if options.all or getattr(options, name, False)] or ["one_command"]
    for name in chosen:
        for result in LINES[name](measured):
            part = {"section": options.section, "limit": options.limit, "only": options.groups}
            about = {"cellseg_monai": __version__, **part}
            save(options.output / "accuracy.json", {name: {**result, "about": {**about, **result["about"]}}})
        print(f"{name}: {options.output / 'accuracy.json'}", flush=True)


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Add results to a JSON file, replacing those of the same name."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**kept, **results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
