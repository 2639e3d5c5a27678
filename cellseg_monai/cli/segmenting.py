"""The commands `cellseg segment` and `cellseg replay`."""

from __future__ import annotations

import math
import shlex
import sys
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellseg_monai.cli.faults import fail_if, print_flags, print_notes
from cellseg_monai.cli.loading import say_loading
from cellseg_monai.cli.plan import Plan, machine_of
from cellseg_monai.cli.printing import print_error, print_line
from cellseg_monai.cli.quality import check_quality_page, run_file, write_quality
from cellseg_monai.errors import OF_AN_IMAGE
from cellseg_monai.segment_options import AUTO, SINGLE_BUNDLE, SegmentOptions, takes_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellseg_monai.inference import ImageFile, Job, RunFolder, RunRecord
    from cellseg_monai.pixels import Preprocessing

__all__ = ["replay", "segment"]


@takes_options()
def segment(
    *inputs: str,
    output: str,
    report: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    dask: str | None = None,
    workers: int | None = None,
    **options: Any,
) -> None:
    """Find the cells in images, and write label images, tables, outlines, and a record of the run in run.json.

    If an image cannot be segmented, its name is printed at the end, the others are segmented, and the exit code is 1.

    Args:
        inputs: images, folders of images, patterns in quotes such as "plates/**/*.tif", OME-Zarr, or - to read a list
            from standard input.
        output: folder for the results.
        options: fields of `SegmentOptions`.
        report: also write report.html, which shows what is unusual and the lowest scores; see `cellseg quality`.
        resume: continue an interrupted run, and retry images that failed.
        dry_run: only print how each image would be read and segmented.
        dask: address of a Dask cluster to use, such as tcp://host:8786; or local, to use processes on this machine.
        workers: number of Dask processes on this machine; by default one per core with --dask local, as far as memory
            allows.
    """
    chosen = SegmentOptions(**options).with_absolute_paths()
    say_loading()
    from cellseg_monai.inference import RunFolder, find_images, misfits

    folder = RunFolder(Path(output), resume=resume, report=report)
    if not dry_run:
        folder.check()
        _check_resumed(folder)
    images, faults = find_images(inputs, output=folder.path, results=folder.results())
    if not images:
        fail_if(faults)
    plan = Plan.of(chosen, dask, workers, report=report)
    if dry_run:
        fail_if(_print_understood(plan.job(folder.path), images) + faults)
        return

    def check_images(preprocess: Preprocessing) -> None:
        if unsuitable := misfits(images, preprocess, plan.reading):
            fail_if(unsuitable + faults)

    job = plan.job(folder.path, check_images)
    _run(plan, job, folder, images, inputs, faults)


def replay(
    run: str,
    *,
    output: str,
    bundle: str | None = None,
    report: bool = False,
    dask: str | None = None,
    workers: int | None = None,
    resume: bool = False,
) -> None:
    """Repeat a run with the same images, bundle and settings, and write the results to another folder.

    Args:
        run: the run.json next to the results of the run.
        output: folder for the new results.
        bundle: the bundle of the run, if it does not ship with this package; its code runs only if it is named here.
        report: also write report.html; see `cellseg quality`.
        dask: address of a Dask cluster to use, such as tcp://host:8786; or local, to use processes on this machine.
        workers: number of Dask processes on this machine; by default one per core with --dask local, as far as memory
            allows.
        resume: continue an interrupted replay.
    """
    say_loading()
    from cellseg_monai.inference import RunFolder, about_job, differences, images_of, read_run

    before = read_run(run_file(run))
    arguments = dict(before["arguments"])
    inputs = arguments.pop("inputs", [])
    options = SegmentOptions.from_json(arguments, source=f"{run_file(run)}, arguments")
    if options.device == "auto":  # auto could choose another kind of device on this machine
        options = replace(options, device=before["about"].get("device") or "auto")
    options = replace(options, bundle=_bundle_to_repeat(run, before, bundle)).with_absolute_paths()
    folder = RunFolder(Path(output), resume=resume, report=report)
    folder.check()
    _check_resumed(folder)
    plan = Plan.of(options, dask, workers, report=report)
    job = plan.job(folder.path)
    changed = differences(before["about"], about_job(job, plan.device))
    if seen := [changed.pop(name) for name in list(changed) if name.startswith("scout.")]:
        print_error(f"note: the scout has changed since the run ({seen[-1]}); the choices of the run are repeated")
    if changed:
        listed = "; ".join(f"{name} {change}" for name, change in changed.items())
        raise ValueError(
            f"{run} records different settings: {listed}. Repeat the run with its original version, bundle and kind of "
            "device"
        )
    _run(plan, job, folder, images_of(before), inputs)


def _bundle_to_repeat(run: str, before: Mapping[str, Any], named: str | None) -> str:
    """Return the bundle for repeating a run, before any of its code runs.

    Args:
        run: the run.json, for messages.
        before: its content.
        named: the bundle that the user named, if any.

    Raises:
        ValueError: the run used a bundle that does not ship with this package and the user did not name it, or its
            configs or code have changed.
    """
    from cellseg_monai.bundle import code_digest, find_bundle, is_shipped

    recorded = before["arguments"].get("bundle", SINGLE_BUNDLE)
    if named is None:
        if not is_shipped(recorded):
            raise ValueError(
                f"{run} was made with the bundle at {recorded}, which does not ship with this package, so its code "
                f"could do anything; if you trust it, pass --bundle {shlex.quote(recorded)}"
            )
        return str(recorded)
    if AUTO in (named, recorded):
        if named == recorded:
            return named
        raise ValueError(f"{run} was made with the bundle {recorded}, got --bundle {named}; leave out --bundle")
    expected, digest = before["about"].get("bundle", {}).get("code_sha256"), code_digest(find_bundle(named))
    if expected is not None and digest != expected:
        raise ValueError(
            f"{named} does not have the configs and the code that {run} was made with: got the SHA-256 "
            f"{digest or 'of a bundle that ships with this package'}, expected {expected}; pass the bundle as it was"
        )
    return named


def _check_resumed(folder: RunFolder) -> None:
    """Refuse a page that is not of the run, and say if there is no run to resume."""
    from cellseg_monai.inference import has_run

    if folder.resume and folder.report:
        check_quality_page(folder.page)
    if folder.resume and not has_run(folder.path):
        print_error(f"note: {folder.path} holds no run to resume; a new one begins")


def _run(
    plan: Plan,
    job: Job,
    folder: RunFolder,
    images: list[ImageFile],
    inputs: Sequence[str],
    faults: Sequence[str] = (),
) -> None:
    """Segment images into a folder, and write the report if requested; exit with code 1 if anything failed."""
    here, bundle = folder.path.absolute(), _own_bundle(plan)
    again = ["cellseg", "replay", str(folder.record.absolute()), "--output", f"{here}_again"]
    notes = {
        "command": shlex.join(["cellseg", *sys.argv[1:]]),
        "repeat": shlex.join([*again, *([] if bundle is None else ["--bundle", bundle])]),
        "arguments": {"inputs": list(inputs), **plan.options.to_json()},
        **machine_of(plan.device),
        "batch": job.pipeline.largest.tiles.batch,
    }
    with folder.opened(job, plan.device, images, notes) as record, plan.worked_by(job) as worked:
        record.begin(images)
        for fault in faults:
            record.fail(fault)
        try:
            _segment_all(worked, images, record)
        except BaseException as error:
            if not isinstance(error, (KeyboardInterrupt, *OF_AN_IMAGE)):
                print_error("error: a bug in this program, not a faulty image; please report the traceback")
            print_error(
                f"finished results are in {job.output}; run the same command with --resume to continue",
            )
            raise
    failures = list(record.failures)
    try:
        if folder.report and folder.record.exists():
            failures += [str(fault) for fault in write_quality(folder.record, bundle=bundle) if fault.kind != "failed"]
    except BaseException:
        with suppress(SystemExit):  # so that the error raised by the page ends the command
            fail_if(failures)
        raise
    if page := folder.stale_page():
        print_error(
            f"note: {page} is older than the results; update it with `cellseg quality {folder.record}`",
        )
    fail_if(failures)


def _own_bundle(plan: Plan) -> str | None:
    """Return the bundle if it does not ship with this package, which other commands on the run have to name again."""
    from cellseg_monai.bundle import is_shipped

    return None if is_shipped(plan.options.bundle) else plan.options.bundle


def _segment_all(job: Job, images: list[ImageFile], record: RunRecord) -> None:
    """Segment the images that are not done yet, showing progress, and finish the record."""
    from cellseg_monai.cli.progress import Progress
    from cellseg_monai.inference import Done

    remaining = [image for image in images if not record.has(image)]
    notes, flags = [], []
    with Progress(len(images), len(images) - len(remaining)) as progress:
        with closing(replace(job, progress=progress.see).run(remaining)) as outcomes:
            for outcome in outcomes:
                record.add(outcome)
                progress.add(outcome)
                notes += [(outcome.image.path, note) for note in outcome.notes]
                if isinstance(outcome, Done):
                    flags += [(outcome.image.path, flag) for flag in outcome.flags]
        seconds = progress.seconds()
    try:
        record.finish(seconds=round(seconds, 3), megapixels_per_second=round(progress.megapixels / seconds, 3))
    except OSError as error:  # such as a full disk; images that failed because of it must still be named
        record.fail(f"{error.filename}: {error.strerror}; free up some space, then continue with --resume")
    print_line(f"{progress.segmented} image(s), {progress.objects} objects: {job.output}")
    print_notes(notes)
    print_flags(flags)


def _print_understood(job: Job, images: list[ImageFile]) -> list[str]:
    """Print how each image would be read, and return an error message for each image that cannot be segmented."""
    from cellseg_monai.inference import seconds_a_px, settings_text, understood

    print_line(settings_text(job))
    faults, descriptions = [], []
    for image in images:
        try:
            description = understood(image.path, job)
        except (ValueError, OSError) as error:
            faults.append(str(error))
            continue
        print_line(f"{image.path}: {description.text}")
        for note in description.notes:
            print_line(f"{image.path}: note: {note.text}")
        descriptions.append((image.path, description))
    if descriptions:
        path, largest = max(descriptions, key=lambda pair: math.prod(pair[1].batch))
        network_px = sum(description.network_px for _, description in descriptions)
        try:
            seconds = network_px * seconds_a_px(job.pipeline.largest, largest.batch)
        except OF_AN_IMAGE as error:  # the image would fail in the run for the same reason
            return [*faults, f"{path}: {error}"]
        duration = timedelta(seconds=math.ceil(seconds))
        print_line(f"the network would take about {duration} on this machine, estimated from a trial batch")
    return faults
