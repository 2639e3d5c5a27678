"""The folder of a run: what it refuses, its lock and its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.inference.fingerprint import about_job
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Job
from cellseg_monai.inference.output_files import check_output_files
from cellseg_monai.inference.run_record import NAME, RunRecord, check_no_run, results_in
from cellseg_monai.lock import only_one

__all__ = ["RunFolder"]

_LOCK = ".segment.lock"


@dataclass(frozen=True)
class RunFolder:
    """The folder that the results of a run are written to.

    A new run, a resumed one and a repetition take the same steps, in this order:

    1. `check`, before anything is loaded or searched: the path is no file, and the folder holds no other run and no
       other report page.
    2. `results`, so that an earlier run's results are not taken for images.
    3. `opened`, when the job is known: the lock is taken; the record is read, and a run is only resumed with the
       settings that it was begun with; no result may replace an image, or a file that is not of this run.
    4. `RunRecord.begin`, after which the images are segmented.
    5. `stale_page`, when they are done.

    Before the fourth step nothing is written but the lock. A dry run only takes the second step.

    Args:
        path: the folder, which need not exist.
        resume: continue the run that the folder holds.
        report: the run also writes a report page.
    """

    path: Path
    resume: bool = False
    report: bool = False

    @property
    def record(self) -> Path:
        """The file that describes the run when it is done."""
        return self.path / NAME

    @property
    def page(self) -> Path:
        """The report page; its numbers are next to it as JSON."""
        return self.path / "report.html"

    def check(self) -> None:
        """Refuse a path that is a file, and a folder whose run or page would be mixed with this one's.

        Raises:
            ValueError: the path is a file.
            FileExistsError: there is another run, or a page that would be replaced.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"--output {self.path} is a file, expected a folder; name another one")
        if self.resume:
            return
        check_no_run(self.path)
        for file in (self.page, self.page.with_suffix(".json")) if self.report else ():
            if file.exists():
                raise FileExistsError(f"{file} already exists, and --report would replace it; choose another --output")

    def results(self) -> set[Path]:
        """Return the files that the run in this folder, if there is one, has written for images, with full paths.

        Raises:
            ValueError: the record of the run is damaged.
        """
        return results_in(self.path)

    @contextmanager
    def opened(
        self, job: Job, device: str, images: Sequence[ImageFile], notes: Mapping[str, Any]
    ) -> Iterator[RunRecord]:
        """Hold the lock on the folder, and give the record of the run.

        Args:
            job: what is done with each image.
            device: where the network runs, such as "cpu" or "cuda:1".
            images: all images that will be segmented.
            notes: what the record also says, such as the command.

        Raises:
            FileExistsError: another process writes to the folder; it holds another run; or results would have the name
                of an image, of a file that is not of this run, or of other results.
            ValueError: the run to be resumed was begun with other settings, or its record is damaged.
        """
        with only_one(self.path / _LOCK, "cellseg segment"):
            record = RunRecord(self.path, about_job(job, device), notes, resume=self.resume)
            check_output_files(self.path, images, job.exports, axes=job.reading.axes, may_replace=record.may_replace)
            yield record

    def stale_page(self) -> Path | None:
        """Return the report page of an earlier state of a run that was resumed without `report`, if there is one."""
        return self.page if self.resume and not self.report and self.page.exists() else None
