"""The commands that make objects of images."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellseg_monai.cli.faults import fail_if
from cellseg_monai.cli.quality import check_exports, write_quality

if TYPE_CHECKING:
    from cellseg_monai.inference import ImageFile, Job, Recipe

__all__ = ["replay", "segment"]


def segment(
    *inputs: str,
    output: str,
    bundle: str = "nuclei",
    export: str = "labels,csv",
    channels: str | None = None,
    axes: str | None = None,
    pixel_size: float | None = None,
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
) -> None:
    """Find the cells of images: label images, tables and outlines, and run.json, which tells how they were made.

    An image that cannot be segmented is named at the end, the others are done, and the exit code is 1.

    Args:
        inputs: images, folders of images, patterns in quotes such as "plates/**/*.tif", OME-Zarr, or - for a list.
        output: a folder for the results.
        bundle: its name, or the folder of one.
        export: what to write, with commas: labels, ome, rois, geojson, coco, csv, parquet, h5ad, overlay.
        channels: names or numbers of the channels that the network sees, with commas, such as DAPI or 0.
        axes: of the files, such as ZYX, where they do not state them.
        pixel_size: of the images, in µm, whatever the files say.
        tta: test-time augmentation, the mean over eight symmetric views; eight times the work.
        tile: side of the tiles that the network sees, in pixels.
        overlap: of neighbouring tiles, in pixels.
        device: auto, cpu, cuda, cuda:1, mps.
        amp: bfloat16; by itself where the device has it in hardware.
        checkpoint: the weights, if not those that the bundle ships.
        postprocess: postprocess.json, as `cellseg calibrate` writes it.
        report: also write report.html, which shows what is unusual and the lowest scores; see `cellseg quality`.
        resume: go on with a run that was stopped.
        dry_run: only print how each image is understood.
    """
    arguments = {
        name: value for name, value in locals().items() if name not in ("report", "resume", "dry_run", "output")
    }
    from cellseg_monai.inference.inputs import find_images

    if report:
        check_exports(export)
    images = find_images([str(each) for each in inputs])
    job = _job(arguments, Path(output))
    if dry_run:
        fail_if(_understood(job, images))
        return
    _run(job, images, {**arguments, "inputs": list(map(str, inputs))}, resume, report=report)


def replay(run: str, *, output: str) -> None:
    """Repeat a run on the same images, with the same bundle and settings, into another folder.

    Args:
        run: the run.json beside the results.
        output: a folder for the results.
    """
    from cellseg_monai.inference.inputs import find_images
    from cellseg_monai.inference.record import read_run

    told = read_run(Path(run))
    arguments = told["arguments"]
    job, about = _job(arguments, Path(output)), told["about"]
    if (now := _about(job)) != about:
        other = ", ".join(f"{key} was {about.get(key)} and is {now[key]}" for key in now if about.get(key) != now[key])
        raise ValueError(f"{run} was made otherwise: {other}; install what it was made with")
    images = find_images(arguments["inputs"])
    hashes = {entry["path"]: entry["sha256"] for entry in told["images"]}
    from cellseg_monai.data.digest import file_digest

    changed = [
        str(image.path)
        for image in images
        if image.path.is_file() and hashes.get(str(image.path.absolute()), "") not in ("", file_digest(image.path))
    ]
    if changed:
        raise ValueError(f"{', '.join(changed)} changed since {run}; put back the images that it was made of")
    _run(job, images, arguments, resume=False)


def _job(arguments: dict[str, Any], output: Path) -> Job:
    from dataclasses import replace

    from cellseg_monai.bundle import load_recipe
    from cellseg_monai.inference import Job, Reading
    from cellseg_monai.io import chosen_exports

    exports = chosen_exports(arguments["export"])
    recipe: Recipe = load_recipe(
        arguments["bundle"],
        checkpoint=arguments["checkpoint"],
        postprocess=arguments["postprocess"],
        device=arguments["device"],
        amp=arguments["amp"],
        tile_px=arguments["tile"],
        overlap_px=arguments["overlap"],
        tta=arguments["tta"],
    )
    if arguments["channels"] is not None:
        keys = tuple(int(key) if key.isdigit() else key for key in arguments["channels"].split(","))
        preprocess = replace(recipe.preprocess, channels=keys)
        if preprocess.channel_count != recipe.preprocess.channel_count:
            raise ValueError(
                f"--channels {arguments['channels']} are {preprocess.channel_count}, but the bundle {recipe.bundle} "
                f"sees {recipe.preprocess.channel_count}; name so many"
            )
        recipe = replace(recipe, preprocess=preprocess)
    size = arguments["pixel_size"]
    return Job(recipe, output, exports, Reading(arguments["axes"], None if size is None else (size, size)))


def _about(job: Job) -> dict[str, Any]:
    """What results depend on."""
    import dataclasses

    from cellseg_monai import __version__

    recipe = job.recipe
    return {
        "cellseg_monai": __version__,
        "bundle": {"name": recipe.bundle, "version": recipe.version, "weights_sha256": recipe.weights_sha256},
        "preprocess": dataclasses.asdict(recipe.preprocess) | {"channels": _plain(recipe.preprocess.channels)},
        "postprocess": dataclasses.asdict(recipe.postprocess),
        "tiles": {"size": list(recipe.tiles.size), "overlap": recipe.tiles.overlap},
        "tta": recipe.tta,
        "exports": list(job.exports),
        "axes": job.reading.axes,
        "pixel_size_um": _plain(job.reading.pixel_size_um),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _run(job: Job, images: list[ImageFile], arguments: dict[str, Any], resume: bool, *, report: bool = False) -> None:
    import math
    import platform

    import torch
    from tqdm import tqdm

    from cellseg_monai.inference import Failed, RunRecord

    versions = {"python": platform.python_version(), "torch": torch.__version__}
    told = {"command": "cellseg " + " ".join(sys.argv[1:]), "arguments": arguments, "versions": versions}
    record = RunRecord(job.output, _about(job), told, resume=resume)
    left = [image for image in images if not record.has(image)]
    begun, megapixels, objects, failures = time.perf_counter(), 0.0, 0, []
    with tqdm(total=len(images), initial=len(images) - len(left), unit="image", file=sys.stderr) as bar:
        for outcome in job.run(left):
            record.add(outcome)
            bar.update()
            if isinstance(outcome, Failed):
                failures.append(outcome.reason)
                continue
            megapixels += math.prod(outcome.shape) / outcome.shape[-3] / 1e6
            objects += outcome.objects
            bar.set_postfix_str(f"{megapixels / (time.perf_counter() - begun):.2f} MP/s, {objects} objects")
    seconds = time.perf_counter() - begun
    path = record.finish(seconds=round(seconds, 3), megapixels_per_second=round(megapixels / seconds, 3))
    print(f"{len(left) - len(failures)} image(s), {objects} objects: {path.parent}")
    if report:
        failures += [str(fault) for fault in write_quality(path) if fault.kind != "failed"]
    fail_if(failures)


def _understood(job: Job, images: list[ImageFile]) -> list[str]:
    """Print how each image is read; returns what is wrong with those that cannot be."""
    from cellseg_monai.inference import understood

    faults = []
    for image in images:
        try:
            print(f"{image.path}: {understood(image.path, job)}")
        except (ValueError, OSError) as error:
            faults.append(str(error))
    return faults
