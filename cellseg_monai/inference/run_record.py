"""The record of a run, kept with its results: `run.json`, and a journal until the run is done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.inference.fingerprint import differences
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Done, Failed

__all__ = ["NAME", "RunRecord", "check_no_run", "has_run", "images_of", "read_run", "results_in"]

NAME = "run.json"
_JOURNAL = "run.journal.jsonl"

# Flags that decide entries with another name.
_FLAGS = {
    "device": " (--device)",
    "precision": " (--amp, or --device)",
    "bundle.weights_sha256": " (--bundle, --checkpoint)",
    "preprocess.zoom": " (--diameter)",
}


class RunRecord:
    """The record of a run. Each image is a line in a journal, so that a run that was stopped can be resumed.

    Args:
        output: the folder of the results.
        about: everything that the results depend on, in the form that JSON returns: versions, bundle, settings.
        notes: what else the record says, such as the command.
        resume: continue the run in this folder.

    Attributes:
        failures: the reasons why images were not segmented, one line each.

    Raises:
        FileExistsError: the folder holds a run, and `resume` is false.
        ValueError: the run to be resumed depends on something else, or its record is damaged.
    """

    def __init__(
        self, output: Path, about: Mapping[str, Any], notes: Mapping[str, Any] | None = None, *, resume: bool = False
    ) -> None:
        self.output = output
        self._about, self._notes = dict(about), dict(notes or {})
        self._images: dict[str, dict[str, Any]] = {}
        self._left: dict[str, list[str]] = {}  # earlier files of images that have failed since, by the images' keys
        self._begun: set[str] = set()  # keys of the images of a run that was killed
        self.failures: list[str] = []
        if not resume:
            check_no_run(output)
        if has_run(output):
            self._resume()
        files = self._left | {key: entry["files"] for key, entry in self._images.items()}
        self._owners = {name: key for key, names in files.items() for name in names}

    def may_replace(self, image: ImageFile, target: Path) -> bool:
        """Return True if a file with the name of a result comes from an earlier attempt at the same image.

        A run that was killed may have written files without noting them. They can be told from the files of others,
        because no file had the name of a result when that run began.

        Args:
            image: the image.
            target: the file, which exists.
        """
        owner = self._owners.get(self._name(target))
        return owner == image.key or (owner is None and image.key in self._begun)

    def begin(self, images: Sequence[ImageFile]) -> None:
        """Write the journal: from here on, new files in the output can be results of these images."""
        self._begun.update(image.key for image in images)
        first = {"about": self._about, "begun": sorted(self._begun), "left": self._left}
        lines = map(json.dumps, [first, *self._images.values()])
        with replacing(self.output / _JOURNAL) as aside:
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def has(self, image: ImageFile) -> bool:
        """Return True if an image is done: its file has not changed, and all its results are still there."""
        entry = self._images.get(image.key)
        if entry is None or not all((self.output / name).exists() for name in entry["files"]):
            return False
        try:
            return bool(entry["sha256"] == image.sha256)
        except OSError:  # retried, so that it is named with the others that cannot be read
            return False

    def add(self, outcome: Done | Failed) -> None:
        """Note the outcome of an image, and remove files of its earlier results that it no longer has."""
        key = outcome.image.key
        if isinstance(outcome, Failed):
            if entry := self._images.pop(key, None):  # these results are of an earlier state of the image
                self._left[key] = entry["files"]
            self.fail(outcome.reason)
            return
        entry = {
            "key": key,
            "path": str(outcome.image.path.absolute()),
            "sha256": outcome.sha256,
            "axes": outcome.axes,
            "shape": list(outcome.shape),
            "objects": outcome.objects,
            "seconds": round(outcome.seconds, 3),
            "files": list(map(self._name, outcome.files)),
            **({"notes": [note._asdict() for note in outcome.notes]} if outcome.notes else {}),
        }
        files = entry["files"]
        earlier = self._images.get(key, {}).get("files", []) + self._left.pop(key, [])
        # Before the image is noted: a run that is killed in between makes the image again, and removes the rest.
        self._remove(name for name in earlier if name not in files)
        self._images[key] = entry
        # The results matter more than this line, which may not fit on a full disk: only a killed run needs it.
        with suppress(OSError), open(self.output / _JOURNAL, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fail(self, reason: str) -> None:
        """Note why an image was not segmented."""
        self.failures.append(reason)

    def finish(self, **notes: Any) -> Path:
        """Write `run.json`, and remove the journal.

        Args:
            notes: what else the record says, such as how long the run took.
        """
        run = {
            **self._notes,
            **notes,
            "about": self._about,
            "images": [self._images[key] for key in sorted(self._images)],
            "failures": self.failures,
            **({"left": self._left} if self._left else {}),
        }
        with replacing(self.output / NAME) as aside:
            aside.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
        (self.output / _JOURNAL).unlink(missing_ok=True)
        return self.output / NAME

    def _resume(self) -> None:
        run, entries = _recorded(self.output)
        if changed := differences(run["about"], self._about):
            listed = "; ".join(f"{name} {change}{_FLAGS.get(name, '')}" for name, change in changed.items())
            raise ValueError(
                f"the run in {self.output} was begun with other settings: {listed}. Resume it with the same ones, or "
                "choose another --output"
            )
        self._begun = set(run.get("begun", ()))
        self._images = {entry["key"]: entry for entry in entries}
        self._left = {key: files for key, files in run.get("left", {}).items() if key not in self._images}

    def _remove(self, names: Iterable[str]) -> None:
        """Remove files of earlier results, such as those of planes that a stack no longer has; folders are kept."""
        for path in (self.output / name for name in names):
            if not path.resolve().is_relative_to(self.output.resolve()) or path.is_dir():
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self.fail(f"{path}: {error.strerror}; remove it, because it belongs to an earlier state of the image")

    def _name(self, path: Path) -> str:
        """Return the path of a file within the output; a cluster gives full paths."""
        return path.absolute().relative_to(self.output.absolute()).as_posix()


def check_no_run(output: Path) -> None:
    """Refuse a folder that holds the results of a run.

    Raises:
        FileExistsError: it does.
    """
    if has_run(output):
        raise FileExistsError(
            f"{output} holds another run, whose results would be mixed with these; continue it with --resume, or "
            "choose another --output"
        )


def has_run(output: Path) -> bool:
    """Return True if a folder holds the results of a run, complete or not."""
    return (output / NAME).exists() or (output / _JOURNAL).exists()


def results_in(output: Path) -> set[Path]:
    """Return the files that the run in a folder, if there is one, has written for images, with full paths.

    Raises:
        ValueError: its record is damaged.
    """
    if not has_run(output):
        return set()
    run, entries = _recorded(output)
    files = [*(entry["files"] for entry in entries), *run.get("left", {}).values()]
    return {output.resolve() / name for names in files for name in names}


def read_run(path: Path) -> dict[str, Any]:
    """Return the content of a `run.json`.

    Raises:
        FileNotFoundError: it does not exist.
        ValueError: the file is something else.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no run.json at {path}; name the one next to the results") from error
    except ValueError as error:
        raise ValueError(f"{path} is no run.json: {error}; name the one next to the results") from error
    if not isinstance(run, dict) or not {"about", "images", "arguments"} <= run.keys():
        raise ValueError(f"{path} is no run.json of `cellseg segment`; name the one next to the results")
    return run


def images_of(run: Mapping[str, Any]) -> list[ImageFile]:
    """Return the images that a run was made of.

    Args:
        run: the content of its `run.json`, as `read_run` returns it.

    Raises:
        ValueError: some of them have changed or are gone; each is named.
    """
    images, faults = [], []
    for entry in run["images"]:
        image = ImageFile(Path(entry["path"]), Path(entry["key"]).parent)
        images.append(image)
        try:
            if image.sha256 != entry["sha256"]:
                faults.append(f"{image.path} has changed")
        except OSError as error:
            faults.append(f"{image.path}: {error.strerror}")
    if faults:
        raise ValueError(f"{'; '.join(faults)}; put back the images that the run was made of")
    return images


def _recorded(output: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the record says about the run in a folder, and about each image that is done.

    It is read from `run.json`, or from the journal of a run that was stopped.

    Raises:
        ValueError: it is damaged.
    """
    journal = output / _JOURNAL
    if not journal.exists():
        run = read_run(output / NAME)
        return run, run["images"]
    lines = journal.read_text(encoding="utf-8").splitlines()
    first = _entry(lines[0]) if lines else None
    if first is None or not {"about", "begun", "left"} <= first.keys():
        raise ValueError(f"{journal} is damaged; start again with another --output")
    return first, [entry for line in lines[1:] if (entry := _entry(line))]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:  # the line that was being written when the run was killed
        return None
    return entry if isinstance(entry, dict) else None
