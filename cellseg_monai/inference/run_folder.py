"""The output folder of a run: the checks before anything is written, the lock and the record."""

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
from cellseg_monai.inference.run_record import NAME, RunRecord, check_no_run, has_run, results_in
from cellseg_monai.inference.unfinished import check_unfinished
from cellseg_monai.lock import only_one

__all__ = ["RunFolder"]

_LOCK = ".segment.lock"


@dataclass(frozen=True)
class RunFolder:
    """The output folder of a run.

    A new, resumed or replayed run goes through these steps, in order:

    1. `check`, before loading the network or searching for images: the path must not be a file, and the folder must not
       contain another run, or a folder with the name of the one for unfinished files. If a report is requested, the
       folder must not contain a report page either.
    2. `results`, so that results of an earlier run are not treated as images.
    3. `opened`, once the job is known: takes the lock and reads the record. A run can be resumed only with its original
       settings. Results must not replace an image, or a file that this run did not write.
    4. `RunRecord.begin`, after which the images are segmented.
    5. `stale_page`, after the last image.

    Until the fourth step, nothing but the lock is written. A replayed run skips the second step, and a dry run performs
    only that step.

    Args:
        path: the folder, which need not exist.
        resume: continue the run in the folder.
        report: also write a report page.
    """

    path: Path
    resume: bool = False
    report: bool = False

    @property
    def record(self) -> Path:
        """The file that describes the run, written when the run is complete."""
        return self.path / NAME

    @property
    def page(self) -> Path:
        """The report page; its numbers are in a JSON file next to it."""
        return self.path / "report.html"

    def check(self) -> None:
        """Check that the path is not a file, and that the folder contains no other run, page or unfinished files.

        Raises:
            ValueError: the path is a file.
            FileExistsError: the folder contains another run, a report page that would be replaced, or a folder with the
                name of the one for unfinished files.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"--output {self.path} is a file, not a folder; choose another --output")
        if not self.resume:
            check_no_run(self.path)
        check_unfinished(self.path, is_resumed=has_run(self.path))
        if self.resume:
            return
        for file in (self.page, self.page.with_suffix(".json")) if self.report else ():
            if file.exists():
                raise FileExistsError(f"{file} already exists, and --report would replace it; choose another --output")

    def results(self) -> set[Path]:
        """Return the absolute paths of the result files of the run in this folder; empty if there is no run.

        Raises:
            ValueError: the record of the run is damaged.
        """
        return results_in(self.path)

    @contextmanager
    def opened(
        self, job: Job, device: str, images: Sequence[ImageFile], notes: Mapping[str, Any]
    ) -> Iterator[RunRecord]:
        """Lock the folder for a `with` block, and yield the record of the run.

        Args:
            job: the job.
            device: where the network runs, such as "cpu" or "cuda:1".
            images: the images that will be segmented.
            notes: further entries for the record, such as the command.

        Raises:
            FileExistsError: another process is writing to the folder; the folder contains another run; or a result
                would replace an image, another result, or a file that this run did not write.
            ValueError: the run to resume was started with different settings, or its record is damaged.
        """
        with only_one(self.path / _LOCK, "cellseg segment"):
            record = RunRecord(self.path, about_job(job, device), notes, resume=self.resume)
            check_output_files(self.path, images, job.exports, axes=job.reading.axes, may_replace=record.may_replace)
            yield record

    def stale_page(self) -> Path | None:
        """Return the report page if it is out of date because the run was resumed without `report`, otherwise None."""
        return self.page if self.resume and not self.report and self.page.exists() else None
