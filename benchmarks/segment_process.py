"""Running `cellseg segment` as a user does, in its own process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SegmentRun", "segment_folder"]


@dataclass(frozen=True)
class SegmentRun:
    """A finished run of `cellseg segment`.

    Args:
        output: folder of the results.
        record: content of `run.json`.
    """

    output: Path
    record: Mapping[str, Any]

    @property
    def labels(self) -> dict[str, Path]:
        """The label image of each segmented image, by the name of the image without suffix."""
        return {
            Path(image["path"]).stem: self.output / name
            for image in self.record["images"]
            for name in image["files"]
            if name.endswith(".tif")
        }

    @property
    def about(self) -> dict[str, Any]:
        """Return the settings that the results depend on, and the time taken, for a file of results."""
        known = self.record["about"]
        kept = ("cellseg_monai", "bundle", "scout", "precision", "device", "diameter")
        bundles = {name: about["bundle"] for name, about in known.get("bundles", {}).items()}
        return {
            "options": {name: self.record["arguments"][name] for name in ("bundle", "diameter", "checkpoint")},
            **{name: known[name] for name in kept if name in known},
            "bundles": bundles,
            "seconds": self.record["seconds"],
            "megapixels_per_second": self.record["megapixels_per_second"],
        }


def segment_folder(images: Path, output: Path, flags: Sequence[str] = ()) -> SegmentRun:
    """Segment a folder of images in a new process; results of an earlier run in the output folder are removed.

    What the command prints is kept next to the output folder, in a file with the suffix `.log`.

    Raises:
        SystemExit: the command was refused.
    """
    if output.exists():
        shutil.rmtree(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = ["segment", str(images), "--output", str(output), *flags]
    log = output.with_name(f"{output.name}.log")
    with log.open("w", encoding="utf-8") as stream:
        subprocess.run([sys.executable, "-m", "cellseg_monai", *command], stdout=stream, stderr=subprocess.STDOUT)
    if not (output / "run.json").is_file():
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise SystemExit(f"error: cellseg {' '.join(command)}: {' '.join(last) or 'no results'}; see {log}")
    return SegmentRun(output, json.loads((output / "run.json").read_text(encoding="utf-8")))
