"""Many images segmented by the workers of a cluster: small ones each by one worker, large ones by all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from uuid import uuid4

from cellseg_monai.inference.cluster.large_plane_on_cluster import LargeOnCluster
from cellseg_monai.inference.cluster.remote_plane import RemotePipeline
from cellseg_monai.inference.cluster.workers import Cluster, is_of_an_image, reason_of
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import UNFINISHED, Done, Failed, Job, Reading
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.io import open_image

__all__ = ["ClusterJob", "on_cluster"]


@dataclass(frozen=True, kw_only=True)
class ClusterJob(Job):
    """A job whose images are segmented on a cluster; `on_cluster` makes it.

    Args:
        cluster: does the work.
        load: as for `LargeOnCluster`.
    """

    cluster: Cluster
    load: Callable[[], Pipeline]

    def run(self, images: Sequence[ImageFile]) -> Generator[Done | Failed, None, None]:
        """Segment images; one that fails does not stop the others.

        Yields:
            What became of each image: first of the small ones, as they are done, then of the large ones in their order.

        Raises:
            RuntimeError: a fault of this program, rather than of an image; see `errors.OF_AN_IMAGE`.
        """
        job = _RemoteJob(
            RemotePipeline.of(self.pipeline, self.load), self.output, tuple(self.exports), self.reading, self.large_px
        )
        self.output.mkdir(parents=True, exist_ok=True)
        try:
            yield from self._run(job, images)
        finally:
            for left in self.output.glob(f"{UNFINISHED}-*"):  # of workers that were killed
                shutil.rmtree(left, ignore_errors=True)

    def _run(self, job: _RemoteJob, images: Sequence[ImageFile]) -> Iterator[Done | Failed]:
        large = []
        calls = [(job, replace(image, path=image.path.absolute())) for image in images]
        with closing(self.cluster.finished(_segment_small, calls)) as ended:
            for number, outcomes in ended:
                image = images[number]
                if outcomes is None:
                    large.append(number)
                elif not isinstance(outcomes, BaseException):
                    yield from (replace(outcome, image=image) for outcome in outcomes)
                elif is_of_an_image(outcomes):
                    yield Failed(image, f"{image.path}: {reason_of(outcomes)}")
                else:
                    raise RuntimeError(f"{image.path}: {reason_of(outcomes)}") from outcomes
        yield from super().run([images[number] for number in sorted(large)])


def on_cluster(job: Job, cluster: Cluster, load: Callable[[], Pipeline]) -> ClusterJob:
    """The same job, done by a cluster.

    Args:
        job: whose output lies on a file system that the workers share.
        cluster: does the work.
        load: as for `LargeOnCluster`.
    """
    settings = {each.name: getattr(job, each.name) for each in fields(job)}
    changed = {"output": job.output.absolute(), "large": LargeOnCluster(cluster, load)}
    return ClusterJob(**settings | changed, cluster=cluster, load=load)


@dataclass(frozen=True)
class _RemoteJob:
    """A `Job` as it is sent to another process."""

    pipeline: RemotePipeline
    output: Path
    exports: tuple[str, ...]
    reading: Reading
    large_px: int


def _segment_small(sent: _RemoteJob, image: ImageFile) -> list[Done | Failed] | None:
    """What became of an image, done here; None for one with planes so large that all workers should do it."""
    if not sent.output.is_dir():
        raise FileNotFoundError(
            f"a worker does not see {sent.output}; choose an --output on a file system that all workers share"
        )
    # Of this call alone: others write into the same output.
    aside = f"{UNFINISHED}-{uuid4().hex}"
    job = Job(sent.pipeline.loaded(), sent.output, sent.exports, sent.reading, sent.large_px, aside=aside)
    try:
        with open_image(image.path, axes=sent.reading.axes) as opened:
            if job.is_large(opened):
                return None
    except (ValueError, OSError):
        pass  # told below, as any other image that cannot be read
    return list(job.run([image]))
