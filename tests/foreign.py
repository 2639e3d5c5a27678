"""A bundle of somebody else, which leaves a mark when its code runs."""

import json
import shutil
from pathlib import Path

NUCLEI = Path(__file__).parents[1] / "bundles" / "nuclei"


def foreign_bundle(folder: Path, mark: Path, *, note: str = "") -> Path:
    """Copy the bundle nuclei to a folder, and let its configs create the file `mark` when they are evaluated."""
    shutil.copytree(NUCLEI / "configs", folder / "configs")
    (folder / "models").mkdir()
    for name in ("model.pt", "weights.json"):
        (folder / "models" / name).symlink_to(NUCLEI / "models" / name)
    for path in (folder / "configs").glob("*.json"):
        config = json.loads(path.read_text())
        if "roi_size" in config:
            config["roi_size"] = f"$(__import__('pathlib').Path({str(mark)!r}).touch(), [128, 128])[1]"
            config["note"] = note
            path.write_text(json.dumps(config))
    return folder
