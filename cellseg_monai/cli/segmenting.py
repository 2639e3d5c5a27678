"""The commands that make objects of images."""

from __future__ import annotations

import math
import shlex
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import check_folder, fail_if
from cellseg_monai.cli.plan import Plan, chosen_cluster, machine_of
from cellseg_monai.cli.quality import PAGE, check_exports, check_no_page, run_file, write_quality
from cellseg_monai.errors import OF_AN_IMAGE

if TYPE_CHECKING:
    from cellseg_monai.inference import ImageFile, Job, RunRecord
    from cellseg_monai.pixels import Preprocessing

__all__ = ["replay", "segment"]

# Of the images, parts of a large one too, so that the time left is known before the first of them ends.
_BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def segment(
    *inputs: str,
    output: str,
    bundle: str = "nuclei",
    export: str = "labels,csv",
    channels: str | None = None,
    axes: str | None = None,
    pixel_size: float | None = None,
    diameter: float | None = None,
    tta: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    device: str = "auto",
    amp: bool | None = None,
    checkpoint: str | None = None,
    postprocess: str | None = None,
    report: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    dask: str | None = None,
    workers: int | None = None,
    max_memory: str | None = None,
) -> None:
    """Find the cells of images: label images, tables and outlines, and run.json, which tells how they were made.

    An image that cannot be segmented is named at the end, the others are done, and the exit code is 1.

    Args:
        inputs: images, folders of images, patterns in quotes such as "plates/**/*.tif", OME-Zarr, or - for a list.
        output: a folder for the results.
        bundle: its name, its folder, or a zip of it.
        export: what to write, with commas: labels, ome, zarr, rois, geojson, coco, csv, parquet, h5ad, overlay.
        channels: names or numbers of the channels that the network sees, with commas, such as DAPI or 0.
        axes: of the files, such as ZYX, where they do not state them.
        pixel_size: of the images, in µm, whatever the files say; a bundle that was trained at one pixel size scales
            images by it, for others, such as nuclei, see diameter.
        diameter: of the cells, in pixels: images are scaled until their cells are as large as those of the training.
        tta: test-time augmentation, the mean over eight symmetric views; eight times the work.
        tile: side of the tiles that the network sees, in pixels.
        overlap: of neighbouring tiles, in pixels.
        device: auto, cpu, cuda, cuda:1, mps.
        amp: bfloat16; by itself where the device has it in hardware.
        checkpoint: the weights, if not those that the bundle ships.
        postprocess: postprocess.json, as `cellseg calibrate` writes it.
        report: also write report.html, which shows what is unusual and the lowest scores; see `cellseg quality`.
        resume: go on with a run that was stopped, or try again what failed.
        dry_run: only print how each image is understood.
        dask: the address of a Dask cluster that does the work, such as tcp://host:8786; local: processes here.
        workers: how many processes here, by Dask; by itself with --dask local one for each core, as memory allows.
        max_memory: of a process, such as 4GB, about: decides how many tiles and how large planes are in memory at once.
    """
    dask = chosen_cluster(dask, workers)
    arguments = {
        "inputs": list(inputs),
        "bundle": _absolute(bundle),
        "export": export,
        "channels": channels,
        "axes": axes,
        "pixel_size": pixel_size,
        "diameter": diameter,
        "tta": tta,
        "tile": tile,
        "overlap": overlap,
        "device": device,
        "amp": amp,
        "checkpoint": _absolute(checkpoint),
        "postprocess": _absolute(postprocess),
        "max_memory": max_memory,
    }
    from cellseg_monai.inference import check_no_run, check_output_files, find_images, misfits, results_in

    if report:
        check_exports(export)
        if not resume:
            check_no_page(output)
    plan = Plan.of(arguments)
    if not (dry_run or resume):
        check_no_run(Path(output))
    images, faults = find_images(inputs, output=Path(output), results=results_in(Path(output)))
    if not images:
        fail_if(faults)
    if dry_run:
        fail_if(_understood(plan.job(Path(output)), images) + faults)
        return
    check_folder(output)
    if not resume:  # else the record says whose files these are, once it is known to be of the same settings
        check_output_files(Path(output), images, plan.exports, axes=axes)

    def check_images(preprocess: Preprocessing) -> None:
        if lacking := misfits(images, preprocess, plan.reading):
            fail_if(lacking + faults)

    job = plan.job(Path(output), check_images)
    with plan.worked_by(job, dask, workers) as worked:
        _run(plan, worked, images, faults, resume=resume, report=report)


def replay(
    run: str,
    *,
    output: str,
    report: bool = False,
    dask: str | None = None,
    workers: int | None = None,
    resume: bool = False,
) -> None:
    """Repeat a run on the same images, with the same bundle and settings, into another folder.

    Args:
        run: the run.json beside the results.
        output: a folder for the results.
        report: as for `cellseg segment`.
        dask: as for `cellseg segment`.
        workers: likewise.
        resume: go on with a repetition that was stopped.
    """
    dask = chosen_cluster(dask, workers)
    from cellseg_monai.inference import about_job, check_no_run, check_output_files, differences, images_of, read_run

    before = read_run(run_file(run))
    check_folder(output)
    if not resume:
        check_no_run(Path(output))
    arguments = before["arguments"]
    if report:
        check_exports(arguments["export"])
        if not resume:
            check_no_page(output)
    if arguments["device"] == "auto":  # which may find another kind here
        arguments |= {"device": before["about"].get("device", "auto")}
    plan = Plan.of(arguments)
    job = plan.job(Path(output))
    if other := differences(before["about"], about_job(job, plan.device)):
        told = "; ".join(f"{name} {how}" for name, how in other.items())
        raise ValueError(
            f"{run} was made otherwise: {told}. Repeat it with the version and bundle, and on the kind of device, that "
            "it was made with"
        )
    images = images_of(before)
    if not resume:
        check_output_files(Path(output), images, job.exports, axes=job.reading.axes)
    with plan.worked_by(job, dask, workers) as worked:
        _run(plan, worked, images, [], resume=resume, report=report)


def _absolute(name: str | None) -> str | None:
    """A path for `run.json`, which may be replayed elsewhere; what is none, such as the name of a bundle, stays."""
    if name is None or not (Path(name).is_file() or (Path(name) / "configs" / "metadata.json").is_file()):
        return name
    return str(Path(name).absolute())


def _run(
    plan: Plan, job: Job, images: list[ImageFile], faults: list[str], *, resume: bool = False, report: bool = False
) -> None:
    from cellseg_monai.inference import RunRecord, about_job, check_output_files
    from cellseg_monai.inference.run_record import NAME
    from cellseg_monai.lock import only_one

    here = job.output.absolute()
    notes = {
        "command": shlex.join(["cellseg", *sys.argv[1:]]),
        "repeat": shlex.join(["cellseg", "replay", str(here / NAME), "--output", f"{here}_again"]),
        "arguments": plan.arguments,
        **machine_of(plan.device),
        "batch": job.pipeline.tiles.batch,
    }
    with only_one(job.output / ".segment.lock", "cellseg segment"):
        record = RunRecord(job.output, about_job(job, plan.device), notes, resume=resume)
        if resume:
            check_output_files(job.output, images, job.exports, axes=job.reading.axes, may_replace=record.may_replace)
        record.begin(images)
        for fault in faults:
            record.fail(fault)
        try:
            _segment_all(job, images, record)
        except BaseException as error:
            if not isinstance(error, (KeyboardInterrupt, *OF_AN_IMAGE)):
                print("error: a fault of this program, not of an image; please report what follows", file=sys.stderr)
            print(f"what is done lies in {job.output}; the same command goes on with --resume", file=sys.stderr)
            raise
    failures = list(record.failures)
    try:
        if report and (job.output / NAME).exists():
            failures += [str(fault) for fault in write_quality(job.output / NAME) if fault.kind != "failed"]
    except BaseException:
        with suppress(SystemExit):  # which is not what ends the command
            fail_if(failures)
        raise
    if not report and resume and (page := job.output / PAGE).exists():
        print(f"note: {page} is of before; `cellseg quality {job.output / NAME}` makes it anew", file=sys.stderr)
    fail_if(failures)


def _segment_all(job: Job, images: list[ImageFile], record: RunRecord) -> None:
    from tqdm import tqdm

    from cellseg_monai.inference import Done

    left = [image for image in images if not record.has(image)]
    begun, megapixels, count, objects = time.perf_counter(), 0.0, 0, 0
    ended, seen = len(images) - len(left), 0.0  # seen: of the image that the network is at, where that is a large one

    def show(share: float = 0.0) -> None:
        bar.n = ended + share
        speed = (megapixels + seen) / (time.perf_counter() - begun)
        bar.set_postfix_str(f"{ended}/{len(images)} images, {speed:.2f} MP/s, {objects} objects")

    def progress(pixels: int, of: int) -> None:
        nonlocal seen
        seen += pixels / 1e6
        show(seen / of * 1e6)

    job = replace(job, progress=progress)
    with (
        tqdm(total=len(images), initial=ended, bar_format=_BAR, file=sys.stderr) as bar,
        closing(job.run(left)) as outcomes,
    ):
        for outcome in outcomes:
            record.add(outcome)
            ended, seen = ended + 1, 0.0
            if isinstance(outcome, Done):
                count += 1
                megapixels += math.prod(outcome.shape) / outcome.shape[-3] / 1e6
                objects += outcome.objects
            show()
    seconds = time.perf_counter() - begun
    try:
        record.finish(seconds=round(seconds, 3), megapixels_per_second=round(megapixels / seconds, 3))
    except OSError as error:  # a full disk, for which images failed before: they are still to be named
        record.fail(f"{error.filename}: {error.strerror}; make room, then go on by --resume")
    print(f"{count} image(s), {objects} objects: {job.output}")


def _understood(job: Job, images: list[ImageFile]) -> list[str]:
    """Print how each image is read; returns what is wrong with those that cannot be."""
    from cellseg_monai.inference import seconds_a_px, understood

    faults, seen = [], []
    for image in images:
        try:
            found = understood(image.path, job)
        except (ValueError, OSError) as error:
            faults.append(str(error))
            continue
        print(f"{image.path}: {found.text}")
        seen.append((image.path, found))
    if seen:
        path, largest = max(seen, key=lambda each: math.prod(each[1].batch))
        try:
            seconds = sum(found.network_px for _, found in seen) * seconds_a_px(job.pipeline, largest.batch)
        except OF_AN_IMAGE as error:  # as that image will fail in the run
            return [*faults, f"{path}: {error}"]
        print(f"the network takes about {timedelta(seconds=math.ceil(seconds))} here, by the time that one tile took")
    return faults
