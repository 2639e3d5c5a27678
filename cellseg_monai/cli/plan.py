"""The plan of a segmenting command: its options, checked before the network is loaded."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cellseg_monai.cli.faults import check_workers
from cellseg_monai.cli.printing import print_error
from cellseg_monai.cli.quality import check_exports
from cellseg_monai.cli.used_bundle import used_bundle
from cellseg_monai.segment_options import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellseg_monai.bundle import PipelineLoader
    from cellseg_monai.inference import Job, Reading
    from cellseg_monai.pixels import Preprocessing
    from cellseg_monai.segment_options import SegmentOptions

__all__ = ["Plan", "machine_of"]


class Plan(NamedTuple):
    """The options of a segmenting command, checked as far as possible without loading the network.

    Args:
        options: the options.
        exports: names of the exports to write, from `exports.EXPORTS`.
        reading: axes and pixel size for files that lack them.
        load: function that loads the pipeline, in this process or in another.
        device: where the network runs, such as "cpu" or "cuda:0".
        dask: address of the Dask cluster to use, or "local"; None to do the work in this process.
        workers: number of processes for a local cluster; None for the default.
    """

    options: SegmentOptions
    exports: tuple[str, ...]
    reading: Reading
    load: PipelineLoader
    device: str
    dask: str | None
    workers: int | None

    @classmethod
    def of(
        cls, options: SegmentOptions, dask: str | None = None, workers: int | None = None, *, report: bool = False
    ) -> Plan:
        """Check options and make a plan from them. What needs no PyTorch, which loads slowly, is checked first.

        Args:
            options: the options.
            dask: address of a Dask cluster, or "local".
            workers: number of Dask processes on this machine.
            report: True if a page about the run is to be written, which needs some of the exports.

        Raises:
            ValueError: an export, the device or the bundle does not exist; `dask` and `workers` contradict each other;
                or Dask is not installed.
        """
        dask = _cluster(dask, workers)
        from cellseg_monai.exports import chosen_exports
        from cellseg_monai.inference import Reading

        exports = chosen_exports(options.export)
        if not exports:
            raise ValueError("got no exports; list the files to write, for example --export labels,csv")
        if report:
            check_exports(exports)
        reading = Reading(options.axes, options.pixel_size_um)
        # Pass the bundle's folder, because processes elsewhere might not find a bundle by its name or as a zip.
        bundle = AUTO if options.bundle == AUTO else str(used_bundle(options.bundle).absolute())
        from cellseg_monai.inference.torch_network import choose_device

        device = str(choose_device(options.device))
        from cellseg_monai.bundle import PipelineLoader

        load = PipelineLoader(replace(options, bundle=bundle))
        return cls(options, exports, reading, load, device, dask, workers)

    def job(self, output: Path, check: Callable[[Preprocessing], None] | None = None) -> Job:
        """Load the network, and return the job.

        Args:
            output: folder for the results.
            check: called before the network is loaded, with the settings for preparing images; it can raise an error.
        """
        from cellseg_monai.inference import Job, within_memory

        pipeline = self.load(check)
        for note in pipeline.notes:
            print_error(f"note: {note.text}")
        job = Job(pipeline, output, self.exports, self.reading)
        most_bytes = self.options.most_bytes
        return job if most_bytes is None else within_memory(job, most_bytes, self.device)

    @contextmanager
    def worked_by(self, job: Job) -> Iterator[Job]:
        """Yield the job for a `with` block, with its work moved to the Dask cluster if there is one."""
        if self.dask is None:
            yield job
            return
        from cellseg_monai.bundle import PipelineLoader
        from cellseg_monai.inference.cluster.cluster_job import on_cluster
        from cellseg_monai.inference.cluster.workers import open_cluster

        # Results depend on the precision, so all processes use the one chosen here, whatever devices they have.
        precise = replace(self.load.options, amp=job.pipeline.largest.precision == "bfloat16")
        with open_cluster(self.dask, workers=self.workers) as cluster:
            yield on_cluster(job, cluster, PipelineLoader(precise))


def machine_of(device: str) -> dict[str, Any]:
    """Return the entries of `run.json` that describe the machine: software versions, device and GPU model."""
    import torch

    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    return {"versions": {"python": platform.python_version(), "torch": torch.__version__}, "device": device, **gpu}


def _cluster(dask: str | None, workers: int | None) -> str | None:
    """Return the address of the cluster to use: `dask`, or "local" if `workers` is given, or None for no cluster.

    Raises:
        ValueError: `dask` and `workers` contradict each other, there are too many workers, or Dask is not installed.
    """
    if workers is not None and dask not in (None, "local"):
        raise ValueError(
            f"got --workers {workers} --dask {dask}, but --workers sets how many processes to start on this machine; "
            "leave out --workers to use a cluster elsewhere"
        )
    check_workers(workers)
    cluster = dask if workers is None else "local"
    if cluster is not None:
        from cellseg_monai.inference.cluster.workers import check_dask

        check_dask(cluster)
    return cluster
