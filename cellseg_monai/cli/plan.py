"""What a command that segments is to do, out of its words."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cellseg_monai.allocation import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellseg_monai.bundle import RecipeLoader
    from cellseg_monai.inference import Job, Reading

__all__ = ["Plan", "about_run", "chosen_cluster", "worked_by"]


class Plan(NamedTuple):
    """What a command asks for, checked as far as that needs no network.

    Args:
        exports: names of `io.EXPORTS`.
        reading: how files are understood.
        load: the bundle.
        most_bytes: of memory, if that is bounded.
        device: where the network runs.
    """

    exports: tuple[str, ...]
    reading: Reading
    load: RecipeLoader
    most_bytes: int | None
    device: str

    @classmethod
    def of(cls, arguments: dict[str, Any]) -> Plan:
        """What the arguments of `cellseg segment` ask for, as `run.json` keeps them."""
        keep_freed_memory()  # before torch is loaded
        from cellseg_monai.inference import Reading, bytes_of
        from cellseg_monai.inference.torch_network import choose_device
        from cellseg_monai.io import chosen_exports

        exports = chosen_exports(arguments["export"])
        if not exports:
            raise ValueError("no exports came; name what to write, such as --export labels,csv")
        size = arguments["pixel_size"]
        reading = Reading(arguments["axes"], None if size is None else (size, size))
        most = arguments.get("max_memory")  # which runs before knew not
        device = str(choose_device(arguments["device"]))
        return cls(exports, reading, _loader(arguments), None if most is None else bytes_of(most), device)

    def job(self, output: Path) -> Job:
        """With the network, which is loaded now."""
        from cellseg_monai.inference import Job, within_memory

        job = Job(self.load(), output, self.exports, self.reading)
        return job if self.most_bytes is None else within_memory(job, self.most_bytes, self.device)


def _loader(arguments: dict[str, Any]) -> RecipeLoader:
    from cellseg_monai.bundle import RecipeLoader

    return RecipeLoader(
        arguments["bundle"],
        checkpoint=arguments["checkpoint"],
        postprocess=arguments["postprocess"],
        device=arguments["device"],
        amp=arguments["amp"],
        tile_px=arguments["tile"],
        overlap_px=arguments["overlap"],
        tta=arguments["tta"],
        channels=arguments["channels"],
        diameter_px=arguments.get("diameter"),
    )


@contextmanager
def worked_by(job: Job, dask: str | None, workers: int | None, arguments: dict[str, Any]) -> Iterator[Job]:
    """The job, done by a cluster where one is named."""
    if dask is None:
        yield job
        return
    from cellseg_monai.inference.cluster import open_cluster
    from cellseg_monai.inference.cluster_job import on_cluster

    # What results depend on is the same for all processes, whatever devices they have.
    precise = arguments | {"amp": job.recipe.precision == "bfloat16"}
    with open_cluster(dask, workers=workers) as cluster:
        yield on_cluster(job, cluster, _loader(precise))


def about_run(job: Job) -> dict[str, Any]:
    """What results depend on."""
    from cellseg_monai import __version__

    recipe = job.recipe
    about = {
        "cellseg_monai": __version__,
        "bundle": {"name": recipe.bundle, "version": recipe.version, "weights_sha256": recipe.weights_sha256},
        "precision": recipe.precision,
        "preprocess": asdict(recipe.preprocess),
        "postprocess": asdict(recipe.postprocess),
        "tiles": {"size": recipe.tiles.size, "overlap": recipe.tiles.overlap, "batch": recipe.tiles.batch},
        "tta": recipe.tta,
        "exports": job.exports,
        "axes": job.reading.axes,
        "pixel_size_um": job.reading.pixel_size_um,
    }
    return dict(json.loads(json.dumps(about)))  # as it is read again: tuples are lists there


def chosen_cluster(dask: str | None, workers: int | None) -> str | None:
    """Whether a cluster works, and which: some workers are processes here."""
    if workers is None:
        return dask
    if workers < 1 or dask not in (None, "local"):
        wrong = f"--workers {workers}" if workers < 1 else f"--workers {workers} --dask {dask}"
        raise ValueError(
            f"{wrong} came, but a number of processes from 1, of this machine, was expected; a cluster elsewhere has "
            "the workers that it was started with"
        )
    return "local"
