"""The record of a run, next to its results: `run.json`, and a journal until the run is complete."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.digest import image_digest
from cellseg_monai.flag import Flag
from cellseg_monai.inference.fingerprint import differences
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Done, Failed
from cellseg_monai.inference.record_checks import check_record
from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import read_text

__all__ = ["NAME", "RunRecord", "check_no_run", "has_run", "images_of", "read_run", "results_in"]

NAME = "run.json"
_JOURNAL = "run.journal.jsonl"

# The flags to name in messages about entries of the record whose name differs from that of the flag.
_FLAGS = {
    "device": " (--device)",
    "precision": " (--amp, or --device)",
    "bundle.weights_sha256": " (--bundle, --checkpoint)",
    "preprocess.zoom": " (--diameter)",
    "diameter": " (--diameter)",
    "polarity": " (--polarity)",
}


class RunRecord:
    """The record of a run, with a journal of one line per finished image so that an interrupted run can be resumed.

    Args:
        output: folder for the results.
        about: everything on which the results depend, such as versions, bundle and settings; see `about_job`.
        notes: further entries for the record, such as the command.
        resume: continue the run in the folder, if there is one.

    Attributes:
        failures: the reason why each failed image could not be segmented, one line each.

    Raises:
        FileExistsError: the folder contains a run, and `resume` is false.
        ValueError: the run to resume was started with different settings, or its record is damaged.
    """

    def __init__(
        self, output: Path, about: Mapping[str, Any], notes: Mapping[str, Any] | None = None, *, resume: bool = False
    ) -> None:
        self.output = output
        self._about, self._notes = dict(about), dict(notes or {})
        self._images: dict[str, dict[str, Any]] = {}
        self._left: dict[str, dict[str, str]] = {}  # by image key: earlier results of images that have failed since
        self._begun: set[str] = set()  # keys of all images for which this run may have written files
        self.failures: list[str] = []
        if not resume:
            check_no_run(output)
        if has_run(output):
            self._resume()
        results = self._left | {key: entry["files"] for key, entry in self._images.items()}
        self._owners = {name: key for key, names in results.items() for name in names}
        self._digests = {name: digest for names in results.values() for name, digest in names.items()}

    def may_replace(self, image: ImageFile, target: Path) -> bool:
        """Return True if an existing file is an unchanged result of an earlier attempt at segmenting the same image.

        A killed run may have written results without recording them. They must come from that run, because when it
        started, no file had the name of a result. The results of an image that is done and stays so are not replaced.

        Args:
            image: the image.
            target: the existing file, whose name is that of a result.
        """
        name = self._name(target)
        if self._owners.get(name, image.key) != image.key:
            return False
        return image.key in self._begun or (name in self._digests and (self.has(image) or self._is_unchanged(name)))

    def begin(self, images: Sequence[ImageFile]) -> None:
        """Start the journal; from now on, new files in the output folder can be results of these images."""
        self._begun.update(image.key for image in images)
        first = {"about": self._about, "begun": sorted(self._begun), "left": self._left}
        lines = map(json.dumps, [first, *self._images.values()])
        with replacing(self.output / _JOURNAL) as aside:
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def has(self, image: ImageFile) -> bool:
        """Return True if an image is done, has not changed since, and still has all its result files."""
        entry = self._images.get(image.key)
        if entry is None or not all((self.output / name).exists() for name in entry["files"]):
            return False
        try:
            return bool(entry["sha256"] == image.sha256)
        except OSError:  # try to segment it, so that it is reported as unreadable
            return False

    def add(self, outcome: Done | Failed) -> None:
        """Record the outcome of an image, and delete its outdated result files."""
        key = outcome.image.key
        if isinstance(outcome, Failed):
            if entry := self._images.pop(key, None):  # these files are results of an earlier version of the image
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
            "files": {self._name(path): image_digest(path) for path in outcome.files},
            **({"notes": [note._asdict() for note in outcome.notes]} if outcome.notes else {}),
            "flags": [_flag_entry(flag) for flag in outcome.flags],
            "measures": [_finite(measures) for measures in outcome.measures],
            **({"choices": [dict(choice) for choice in outcome.choices]} if outcome.choices else {}),
            **({"image_classes": list(map(dict, outcome.image_classes))} if outcome.image_classes else {}),
        }
        earlier = {**self._images.get(key, {}).get("files", {}), **self._left.pop(key, {})}
        # Delete first, then record: if the run is killed in between, the image is segmented again when it is resumed.
        self._remove(name for name in earlier if name not in entry["files"])
        self._images[key] = entry
        self._digests.update(entry["files"])
        # If the disk is full, keep the results without this line, which is needed only if the run is killed.
        with suppress(OSError), open(self.output / _JOURNAL, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fail(self, reason: str) -> None:
        """Record why an image could not be segmented."""
        self.failures.append(reason)

    def finish(self, **notes: Any) -> Path:
        """Write `run.json`, delete the journal, and return the path of `run.json`.

        Args:
            notes: further entries for the record, such as how long the run took.
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
                f"the run in {self.output} was started with different settings: {listed}. Resume it with the original "
                "settings, or choose another --output"
            )
        self._begun = set(run.get("begun", ()))
        self._images = {entry["key"]: entry for entry in entries}
        self._left = {key: results for key, results in run.get("left", {}).items() if key not in self._images}

    def _is_unchanged(self, name: str) -> bool:
        """Return True if a recorded result is as the run wrote it."""
        try:
            return image_digest(self.output / name) == self._digests[name]
        except OSError:
            return False

    def _remove(self, names: Iterable[str]) -> None:
        """Delete earlier result files, such as those of planes that a stack no longer has; folders are kept."""
        for path in (self.output / name for name in names):
            if not path.resolve().is_relative_to(self.output.resolve()) or path.is_dir():
                continue
            if path.exists() and not self._is_unchanged(self._name(path)):
                self.fail(
                    f"{path}: kept, because it has changed since the run wrote it; its image no longer has this result"
                )
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self.fail(f"{path}: {error.strerror}; delete this file: it belongs to an earlier version of the image")

    def _name(self, path: Path) -> str:
        """Return the path of a result file relative to the output folder; jobs on a cluster use absolute paths."""
        return path.absolute().relative_to(self.output.absolute()).as_posix()


def check_no_run(output: Path) -> None:
    """Check that a folder does not contain the results of a run.

    Raises:
        FileExistsError: the folder contains the results of a run.
    """
    if has_run(output):
        raise FileExistsError(
            f"{output} already contains another run; continue that run with --resume, or choose another --output"
        )


def has_run(output: Path) -> bool:
    """Return True if a folder contains the results of a run, complete or not; a record can be a link to nothing."""
    return os.path.lexists(output / NAME) or os.path.lexists(output / _JOURNAL)


def results_in(output: Path) -> set[Path]:
    """Return the absolute paths of the result files of the run in a folder; empty if there is no run.

    Raises:
        ValueError: the record of the run is damaged.
    """
    if not has_run(output):
        return set()
    run, entries = _recorded(output)
    files = [*(entry["files"] for entry in entries), *run.get("left", {}).values()]
    return {output.resolve() / name for names in files for name in names}


def read_run(path: Path) -> dict[str, Any]:
    """Return the content of a `run.json` file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not the record of a run.
    """
    try:
        run = parse_json(read_text(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no such file: {path}; pass the run.json next to the results") from error
    except ValueError as error:
        raise ValueError(f"{path} is not a run.json: {error}; pass the run.json next to the results") from error
    is_run = isinstance(run, dict) and {"about", "images", "arguments"} <= run.keys()
    if not is_run or not isinstance(run["images"], list):
        raise ValueError(f"{path} was not written by `cellseg segment`; pass the run.json next to the results")
    try:
        check_record(run, run["images"], path.parent)
    except ValueError as error:
        raise ValueError(f"{path} was not written by `cellseg segment`: {error}; pass another run.json") from error
    return run


def images_of(run: Mapping[str, Any]) -> list[ImageFile]:
    """Return the images that a run segmented, with the choices made for them, after checking that they are the same.

    Args:
        run: content of the run's `run.json`, from `read_run`.

    Raises:
        ValueError: images have changed or no longer exist; the message names each of them.
    """
    images, faults = [], []
    for entry in run["images"]:
        image = ImageFile(Path(entry["path"]), Path(entry["key"]).parent, tuple(entry.get("choices", ())))
        images.append(image)
        try:
            if image.path.exists() and not _is_image(image.path):
                faults.append(f"{image.path} is not an image file")
            elif image.sha256 != entry["sha256"]:
                faults.append(f"{image.path} has changed")
        except OSError as error:
            faults.append(f"{image.path}: {error.strerror}")
    if faults:
        raise ValueError(f"{'; '.join(faults)}; restore the images that the run segmented")
    return images


def _recorded(output: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the record of the run in a folder: the entries for the run as a whole, and those for each finished image.

    They are read from `run.json`, or from the journal if the run was interrupted.

    Raises:
        ValueError: the record is damaged.
    """
    journal = output / _JOURNAL
    if not journal.exists():
        run = read_run(output / NAME)
        return run, run["images"]
    try:
        lines = read_text(journal).splitlines()
        first = _entry(lines[0]) if lines else None
        if first is None or not {"about", "begun", "left"} <= first.keys():
            raise ValueError("it does not begin with the settings of the run")
        entries = [entry for line in lines[1:] if (entry := _entry(line))]
        check_record(first, entries, output)
    except ValueError as error:
        raise ValueError(f"{journal} is damaged: {error}; start again with another --output") from error
    return first, entries


def _flag_entry(flag: Flag) -> dict[str, str]:
    plane = {"plane": flag.plane} if flag.plane else {}
    return {"kind": flag.kind, "severity": flag.severity, "reason": flag.reason, **plane}


def _finite(measures: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN and infinite values, which JSON cannot represent, with None."""
    return {name: value if math.isfinite(value) else None for name, value in measures.items()}


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = parse_json(line)
    except ValueError:  # a line that was only partly written when the run was killed
        return None
    return entry if isinstance(entry, dict) else None


def _is_image(path: Path) -> bool:
    """Return True for a file or an OME-Zarr, and False for a device, which has no end, or any other folder."""
    return path.is_file() or (path.is_dir() and path.suffix.lower() == ".zarr")
