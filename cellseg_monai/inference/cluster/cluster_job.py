"""A job on a cluster: each small image goes to a single worker, and all workers share each large image."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

from cellseg_monai.inference.cluster.large_plane_on_cluster import LargeOnCluster
from cellseg_monai.inference.cluster.remote_plane import RemoteChooser
from cellseg_monai.inference.cluster.workers import Cluster, is_of_an_image, reason_of
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Job, Reading
from cellseg_monai.inference.outcomes import Done, Failed
from cellseg_monai.inference.scouted import Chooser
from cellseg_monai.inference.unfinished import UNFINISHED, new_name, remove_unfinished
from cellseg_monai.io import open_image

__all__ = ["ClusterJob", "on_cluster"]


@dataclass(frozen=True, kw_only=True)
class ClusterJob(Job):
    """A job that segments its images on a cluster; create one with `on_cluster`.

    Args:
        cluster: the workers.
        load: function that loads the pipeline in another process; see `RemotePipeline`.
    """

    cluster: Cluster
    load: Callable[[], Chooser]

    def run(self, images: Sequence[ImageFile]) -> Generator[Done | Failed, None, None]:
        """Segment images; if one fails, the others are still segmented.

        Yields:
            The outcome of each image: small images first, as they finish, then large images in the order given.

        Raises:
            RuntimeError: there is a bug in this program, rather than a faulty image; see `errors.OF_AN_IMAGE`.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        try:
            large = yield from self._run_small(images)
            yield from super().run(large)
        finally:
            remove_unfinished(self.output)  # left by workers that were killed

    def _run_small(self, images: Sequence[ImageFile]) -> Generator[Done | Failed, None, list[ImageFile]]:
        """Segment each image on a single worker, and return the images that are too large for one worker."""
        pipeline = RemoteChooser.of(self.pipeline, self.load)
        job = _RemoteJob(pipeline, self.output, tuple(self.exports), self.reading, self.large_px)
        calls = [(job, replace(image, path=image.path.absolute())) for image in images]
        large = []
        with closing(self.cluster.finished(_segment_small, calls)) as ended:
            for number, result in ended:
                image = images[number]
                if isinstance(result, _TooLarge):
                    large.append(number)
                elif not isinstance(result, BaseException):
                    yield from (replace(outcome, image=image) for outcome in result)
                elif is_of_an_image(result):
                    yield Failed(image, f"{image.path}: {reason_of(result)}")
                else:
                    raise RuntimeError(f"{image.path}: {reason_of(result)}") from result
        return [images[number] for number in sorted(large)]


def on_cluster(job: Job, cluster: Cluster, load: Callable[[], Chooser]) -> ClusterJob:
    """Return a copy of a job that runs on a cluster.

    Args:
        job: the job; its output folder must be on a file system that all workers share.
        cluster: the workers.
        load: function that loads the pipeline in another process; see `RemotePipeline`.
    """
    settings = {field.name: getattr(job, field.name) for field in fields(job)}
    changed = {"output": job.output.absolute(), "large": LargeOnCluster(cluster, load)}
    return ClusterJob(**settings | changed, cluster=cluster, load=load)


@dataclass(frozen=True)
class _RemoteJob:
    """The parts of a `Job` that are sent to another process."""

    pipeline: RemoteChooser
    output: Path
    exports: tuple[str, ...]
    reading: Reading
    large_px: int


@dataclass(frozen=True)
class _TooLarge:
    """A worker's reply that the planes of an image are too large for one worker."""


def _segment_small(remote: _RemoteJob, image: ImageFile) -> list[Done | Failed] | _TooLarge:
    """Segment an image in this process and return its outcome, or `_TooLarge` if its planes are too large for that."""
    if not remote.output.is_dir():
        raise FileNotFoundError(
            f"a worker has no access to {remote.output}; choose an --output on a file system that all workers share"
        )
    job = Job(
        remote.pipeline.loaded(),
        remote.output,
        remote.exports,
        remote.reading,
        remote.large_px,
        unfinished=f"{UNFINISHED}-{new_name()}",  # unique, because other workers write to the same output folder
    )
    # If the image cannot be opened, `job.run` below reports it.
    with suppress(ValueError, OSError), open_image(image.path, axes=remote.reading.axes) as opened:
        if job.is_large(opened):
            return _TooLarge()
    return list(job.run([image]))
