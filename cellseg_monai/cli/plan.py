"""What a command that segments is to do, out of its words."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cellseg_monai.allocation import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellseg_monai.bundle import PipelineLoader
    from cellseg_monai.inference import Job, Reading
    from cellseg_monai.pixels import Preprocessing

__all__ = ["Plan", "chosen_cluster", "machine_of"]


class Plan(NamedTuple):
    """What a command asks for, checked as far as that needs no network.

    Args:
        arguments: of `cellseg segment`, as `run.json` keeps them.
        exports: names of `exports.EXPORTS`.
        reading: how files are understood.
        load: the bundle.
        most_bytes: of memory, if that is bounded.
        device: where the network runs.
    """

    arguments: dict[str, Any]
    exports: tuple[str, ...]
    reading: Reading
    load: PipelineLoader
    most_bytes: int | None
    device: str

    @classmethod
    def of(cls, arguments: dict[str, Any]) -> Plan:
        """What the arguments of `cellseg segment` ask for, as `run.json` keeps them."""
        keep_freed_memory()  # before torch is loaded
        from cellseg_monai.exports import chosen_exports
        from cellseg_monai.inference import Reading, bytes_of
        from cellseg_monai.inference.torch_network import choose_device

        exports = chosen_exports(arguments["export"])
        if not exports:
            raise ValueError("no exports came; name what to write, such as --export labels,csv")
        size = arguments["pixel_size"]
        reading = Reading(arguments["axes"], None if size is None else (size, size))
        most = arguments.get("max_memory")  # which runs before knew not
        device = str(choose_device(arguments["device"]))
        most_bytes = None if most is None else bytes_of(most)
        return cls(arguments, exports, reading, _loader(arguments), most_bytes, device)

    def job(self, output: Path, check: Callable[[Preprocessing], None] | None = None) -> Job:
        """With the network, which is loaded now.

        Args:
            output: the folder for the results.
            check: as for `load_pipeline`.
        """
        from cellseg_monai.inference import Job, within_memory

        job = Job(self.load(check), output, self.exports, self.reading)
        return job if self.most_bytes is None else within_memory(job, self.most_bytes, self.device)

    @contextmanager
    def worked_by(self, job: Job, dask: str | None, workers: int | None) -> Iterator[Job]:
        """The job, done by a cluster where one is named."""
        if dask is None:
            yield job
            return
        from cellseg_monai.inference.cluster.cluster_job import on_cluster
        from cellseg_monai.inference.cluster.workers import open_cluster

        # What results depend on is the same for all processes, whatever devices they have.
        precise = self.arguments | {"amp": job.pipeline.precision == "bfloat16"}
        with open_cluster(dask, workers=workers) as cluster:
            yield on_cluster(job, cluster, _loader(precise))


def _loader(arguments: dict[str, Any]) -> PipelineLoader:
    from cellseg_monai.bundle import PipelineLoader

    return PipelineLoader(
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


def machine_of(device: str) -> dict[str, Any]:
    """What `run.json` notes of the machine: versions, the device, and the model of a GPU."""
    import torch

    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    return {"versions": {"python": platform.python_version(), "torch": torch.__version__}, "device": device, **gpu}


def chosen_cluster(dask: str | None, workers: int | None) -> str | None:
    """Whether a cluster works, and which: some workers are processes here.

    Raises:
        ValueError: they contradict each other, or Dask is not installed.
    """
    if workers is not None and (workers < 1 or dask not in (None, "local")):
        wrong = f"--workers {workers}" if workers < 1 else f"--workers {workers} --dask {dask}"
        raise ValueError(
            f"{wrong} came, but a number of processes from 1, of this machine, was expected; a cluster elsewhere has "
            "the workers that it was started with"
        )
    chosen = dask if workers is None else "local"
    if chosen is not None:
        from cellseg_monai.inference.cluster.workers import check_dask

        check_dask(chosen)
    return chosen
