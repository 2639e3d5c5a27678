"""What was done to which images, kept beside the results: `run.json`, and on the way there a journal."""

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

# Which flags decide what does not bear their name.
_FLAGS = {
    "device": " (--device)",
    "precision": " (--amp, or --device)",
    "bundle.weights_sha256": " (--bundle, --checkpoint)",
    "preprocess.zoom": " (--diameter)",
}


class RunRecord:
    """The record of a run, a line in a journal an image, so that a stopped run goes on.

    Args:
        output: the folder of the results.
        about: what the results depend on, as JSON gives it back: versions, bundle, settings.
        notes: what is noted beside it, such as the command.
        resume: go on with the run that lies there.

    Attributes:
        failures: why images were not segmented, a line each.

    Raises:
        FileExistsError: there are results of a run, and it is not to go on.
        ValueError: it is to go on, but depends on something else.
    """

    def __init__(
        self, output: Path, about: Mapping[str, Any], notes: Mapping[str, Any] | None = None, *, resume: bool = False
    ) -> None:
        self.output = output
        self._about, self._notes = dict(about), dict(notes or {})
        self._images: dict[str, dict[str, Any]] = {}
        self._left: dict[str, list[str]] = {}  # files of images that failed since, by the keys of these
        self._begun: set[str] = set()  # keys of the images of a run that was killed
        self.failures: list[str] = []
        if not resume:
            check_no_run(output)
        if has_run(output):
            self._go_on()
        files = self._left | {key: entry["files"] for key, entry in self._images.items()}
        self._owners = {name: key for key, names in files.items() for name in names}

    def may_replace(self, image: ImageFile, target: Path) -> bool:
        """Whether a file with the name of a result of an image comes of an earlier attempt at this image.

        Of a run that was killed, files may have been put into place of which it could not take note. When it began,
        nothing had the names of the results of its images.
        """
        owner = self._owners.get(self._name(target))
        return owner == image.key or (owner is None and image.key in self._begun)

    def begin(self, images: Sequence[ImageFile]) -> None:
        """Write the journal: from here on, what comes into the output may be results of these images."""
        self._begun.update(image.key for image in images)
        first = {"about": self._about, "begun": sorted(self._begun), "left": self._left}
        lines = map(json.dumps, [first, *self._images.values()])
        with replacing(self.output / _JOURNAL) as aside:
            aside.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def has(self, image: ImageFile) -> bool:
        """Whether an image is done: the same file, and all that was written of it still there."""
        entry = self._images.get(image.key)
        if entry is None or not all((self.output / name).exists() for name in entry["files"]):
            return False
        try:
            return bool(entry["sha256"] == image.sha256)
        except OSError:  # tried again, so that it is named with the others that cannot be read
            return False

    def add(self, outcome: Done | Failed) -> None:
        """Note what became of an image; files of its earlier results that it no longer has are removed."""
        key = outcome.image.key
        if isinstance(outcome, Failed):
            if was := self._images.pop(key, None):  # results of what it was before
                self._left[key] = was["files"]
            self.fail(outcome.reason)
            return
        entry: dict[str, Any] = {
            "key": key,
            "path": str(outcome.image.path.absolute()),
            "sha256": outcome.sha256,
            "axes": outcome.axes,
            "shape": list(outcome.shape),
            "objects": outcome.objects,
            "seconds": round(outcome.seconds, 3),
            "files": list(map(self._name, outcome.files)),
        }
        was = self._images.get(key, {}).get("files", []) + self._left.pop(key, [])
        # Before it is noted: a run that is killed in between makes the image again, and removes what is still there.
        self._remove(name for name in was if name not in entry["files"])
        self._images[key] = entry
        # On a full disk the results count: only who resumes a killed run would miss the line.
        with suppress(OSError), open(self.output / _JOURNAL, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fail(self, reason: str) -> None:
        """Note why an image was not segmented."""
        self.failures.append(reason)

    def finish(self, **notes: Any) -> Path:
        """Write `run.json`; the journal goes.

        Args:
            notes: more to note, such as how long it took.
        """
        whole = {
            **self._notes,
            **notes,
            "about": self._about,
            "images": [self._images[key] for key in sorted(self._images)],
            "failures": self.failures,
            **({"left": self._left} if self._left else {}),
        }
        with replacing(self.output / NAME) as aside:
            aside.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        (self.output / _JOURNAL).unlink(missing_ok=True)
        return self.output / NAME

    def _go_on(self) -> None:
        run, entries = _told(self.output)
        if other := differences(run["about"], self._about):
            told = "; ".join(f"{name} {how}{_FLAGS.get(name, '')}" for name, how in other.items())
            raise ValueError(
                f"the run in {self.output} was begun otherwise: {told}. Resume it as it was begun, or choose another "
                "--output"
            )
        self._begun = set(run.get("begun", ()))
        self._images = {entry["key"]: entry for entry in entries}
        self._left = {key: files for key, files in run.get("left", {}).items() if key not in self._images}

    def _remove(self, names: Iterable[str]) -> None:
        """Remove files of earlier results, of planes that a stack had; a folder is none of a plane."""
        for path in (self.output / name for name in names):
            if not path.resolve().is_relative_to(self.output.resolve()) or path.is_dir():
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self.fail(f"{path}: {error.strerror}; remove it, it is of an earlier state of the image")

    def _name(self, path: Path) -> str:
        """Of a file below the output, which a cluster names in full."""
        return path.absolute().relative_to(self.output.absolute()).as_posix()


def check_no_run(output: Path) -> None:
    """Refuse a folder with the results of a run.

    Raises:
        FileExistsError: there are some.
    """
    if has_run(output):
        raise FileExistsError(
            f"{output} holds another run, whose results would be mixed with these; go on with it by --resume, "
            "or choose another --output"
        )


def has_run(output: Path) -> bool:
    """Whether a folder holds the results of a run, whole or not."""
    return (output / NAME).exists() or (output / _JOURNAL).exists()


def results_in(output: Path) -> set[Path]:
    """What the run in a folder, if there is one, has written of images, in full.

    Raises:
        ValueError: its record is damaged.
    """
    if not has_run(output):
        return set()
    run, entries = _told(output)
    files = [*(entry["files"] for entry in entries), *run.get("left", {}).values()]
    return {output.resolve() / name for names in files for name in names}


def read_run(path: Path) -> dict[str, Any]:
    """What a `run.json` says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is none.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no run.json at {path}; name the one that lies beside the results") from error
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


def _told(output: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the run in a folder says of itself, and of each image that is done; of one that is not whole, its journal.

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
        raise ValueError(f"{journal} is damaged; begin anew in another --output")
    return first, [entry for line in lines[1:] if (entry := _entry(line))]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:  # the line that was being written when the run was killed
        return None
    return entry if isinstance(entry, dict) else None
