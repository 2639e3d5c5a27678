"""What was done to which images, kept beside the results: `run.json`, and on the way there a journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.data.digest import image_digest
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.job import Done, Failed

__all__ = ["NAME", "RunRecord", "has_run", "images_of", "read_run"]

NAME = "run.json"
_JOURNAL = "run.journal.jsonl"


class RunRecord:
    """The record of a run, a line in a journal an image, so that a stopped run goes on.

    Args:
        output: the folder of the results.
        about: what the results depend on, as JSON: versions, bundle, settings.
        told: what is noted beside it, such as the command.
        resume: go on with the run that lies there.

    Attributes:
        failures: why images were not segmented, a line each.

    Raises:
        FileExistsError: there are results of a run, and it is not to go on.
        ValueError: it is to go on, but depends on something else.
    """

    def __init__(
        self, output: Path, about: Mapping[str, Any], told: Mapping[str, Any] | None = None, *, resume: bool = False
    ) -> None:
        self.output = output
        self._about, self._told = json.loads(json.dumps(about)), dict(told or {})
        self._images: dict[str, dict[str, Any]] = {}
        self.failures: list[str] = []
        there = has_run(output)
        if there and not resume:
            raise FileExistsError(
                f"{output} holds another run, whose results would be mixed with these; go on with it by --resume, "
                "or choose another --output"
            )
        if there:
            self._go_on()
        self._write_journal()

    def has(self, image: ImageFile) -> bool:
        """Whether an image is done: the same file, and all that was written of it still there."""
        entry = self._images.get(image.key)
        if entry is None or not all((self.output / name).exists() for name in entry["files"]):
            return False
        try:
            return bool(entry["sha256"] == image_digest(image.path))
        except OSError:  # tried again, so that it is named with the others that cannot be read
            return False

    def add(self, outcome: Done | Failed) -> None:
        """Note what became of an image."""
        if isinstance(outcome, Failed):
            self._images.pop(outcome.image.key, None)  # results of what it was before
            self.fail(outcome.reason)
            return
        entry: dict[str, Any] = {
            "key": outcome.image.key,
            "path": str(outcome.image.path.absolute()),
            "sha256": outcome.sha256,
            "axes": outcome.axes,
            "shape": list(outcome.shape),
            "objects": outcome.objects,
            "seconds": round(outcome.seconds, 3),
            "files": [path.relative_to(self.output).as_posix() for path in outcome.files],
        }
        self._images[entry["key"]] = entry
        # On a full disk the results count: only who resumes a killed run would miss the line.
        with suppress(OSError), open(self.output / _JOURNAL, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fail(self, reason: str) -> None:
        """Note why an image was not segmented."""
        self.failures.append(reason)

    def finish(self, **told: Any) -> Path:
        """Write `run.json`; the journal goes.

        Args:
            told: more to note, such as how long it took.
        """
        whole = {
            **self._told,
            **told,
            "about": self._about,
            "images": [self._images[key] for key in sorted(self._images)],
            "failures": self.failures,
        }
        with replacing(self.output / NAME) as aside:
            aside.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        (self.output / _JOURNAL).unlink(missing_ok=True)
        return self.output / NAME

    def _go_on(self) -> None:
        if (self.output / _JOURNAL).exists():
            lines = (self.output / _JOURNAL).read_text(encoding="utf-8").splitlines()
            about = _entry(lines[0]) if lines else None
            entries = [entry for line in lines[1:] if (entry := _entry(line))]
        else:
            run = read_run(self.output / NAME)
            about, entries = run["about"], run["images"]
        if about is None:
            raise ValueError(f"{self.output / _JOURNAL} is damaged; begin anew in another --output")
        if about != self._about:
            keys = [key for key in {*about, *self._about} if about.get(key) != self._about.get(key)]
            raise ValueError(
                f"the run in {self.output} was of another {', '.join(sorted(keys))}; resume it as it was begun, or "
                "choose another --output"
            )
        self._images = {entry["key"]: entry for entry in entries}

    def _write_journal(self) -> None:
        lines = [json.dumps(self._about), *map(json.dumps, self._images.values())]
        with replacing(self.output / _JOURNAL) as aside:
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def has_run(output: Path) -> bool:
    """Whether a folder holds the results of a run, whole or not."""
    return (output / NAME).exists() or (output / _JOURNAL).exists()


def read_run(path: Path) -> dict[str, Any]:
    """What a `run.json` says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is none.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no run.json: {error}; name the one that lies beside the results") from error
    if not isinstance(run, dict) or not {"about", "images", "arguments"} <= run.keys():
        raise ValueError(f"{path} is no run.json of `cellseg segment`; name the one that lies beside the results")
    return run


def images_of(run: Mapping[str, Any]) -> list[ImageFile]:
    """The images that a run was made of, as they are now.

    Args:
        run: see `read_run`.

    Raises:
        ValueError: some have changed or are gone; each is named.
    """
    images, faults = [], []
    for entry in run["images"]:
        path = Path(entry["path"])
        images.append(ImageFile(path, Path(entry["key"]).parent))
        try:
            if image_digest(path) != entry["sha256"]:
                faults.append(f"{path} has changed")
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
    if faults:
        raise ValueError(f"{'; '.join(faults)}; put back the images that the run was made of")
    return images


def _entry(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # the line that was being written when the run was killed
        return None
