"""Other programs and a bundle on the same images: accuracy, speed, memory and size of install.

    python benchmarks/peers.py DATA OUTPUT ENVIRONMENTS [--minutes 20] [--programs stardist ours]

ENVIRONMENTS gets a virtual environment for each program, made with pip, which needs a package index. No trained weights
are downloaded: each program starts from random weights, and learns from the same training images for the same minutes.
The images are BBBC039 and the fluorescence of DSB 2018, in grey; settings are chosen on the validation images.

watershed   Otsu's threshold and a watershed of the distance transform, from scikit-image; it learns only the size.
stardist    StarDist from PyPI, which also chooses its thresholds on the validation images.
instanseg   InstanSeg from PyPI.
ours        A bundle of this package, by default `nuclei`, calibrated on the validation images.

Every program runs in its own process, reads images from a folder and writes label images, which the same function
scores. MP/s is measured from the first image file to the last label file, without the start of the program. OUTPUT
gets `peers.json`, which `python benchmarks/accuracy_page.py OUTPUT/peers.json` writes into docs/accuracy.md. A program
that does not install or fails is reported with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import tifffile
from altered_images import write_image
from any_images import save
from measured_process import Measured, run_measured
from mixed_images import Case, by_group, find_cases, write_lists
from pooled_scores import score_files
from segment_process import SegmentRun

from cellseg_monai._version import __version__
from cellseg_monai.data import Datalist, write_datalist
from cellseg_monai.io import read, read_labels

GROUPS = ("bbbc039", "dsb2018 fluorescence")
SECTIONS = ("training", "validation", "test")
PROGRAMS = Path(__file__).parent / "peer_programs"
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "watershed": ("scikit-image==0.26.0", "scipy==1.17.1", "tifffile==2026.3.3", "numpy==2.4.6"),
    "stardist": ("stardist==0.9.2", "csbdeep==0.8.2", "tensorflow-cpu==2.15.1", "numpy==1.26.4", "tifffile==2026.3.3"),
    "instanseg": (
        "instanseg-torch==0.1.2", "torch==2.13.0", "monai==1.6.1", "pandas==2.3.3", "seaborn==0.13.2", "edt==3.1.2",
        "tifffile==2026.3.3", "numpy==2.4.6",
    ),
    "ours": (),
}  # fmt: skip
"""What pip installs for each program; `ours` runs in the environment of this script."""


@dataclass(frozen=True)
class Split:
    """The images that all programs share, as files.

    Args:
        folder: folder with `<section>/images`, `<section>/labels` and `datalist.json`.
        cases: the test images, as copied.
    """

    folder: Path
    cases: Sequence[Case]


def write_split(data: Path, folder: Path, groups: Sequence[str], limit: int | None) -> Split:
    """Write the images and labels of all sections, one channel each."""
    shutil.rmtree(folder, ignore_errors=True)
    datalist: Datalist = {}
    copied: list[Case] = []
    all_images = write_lists(data, folder / "lists")
    for section in SECTIONS:
        for part in ("images", "labels"):
            (folder / section / part).mkdir(parents=True)
        cases = find_cases(data, all_images, section, limit=limit)
        copied = [_copied(case, folder / section) for case in cases if case.group in groups]
        datalist[section] = [
            {"image": str(case.image), "label": str(case.label), "group": case.name, "tags": {"dataset": case.group}}
            for case in copied
        ]
    write_datalist(folder / "datalist.json", datalist)
    return Split(folder, copied)


def _copied(case: Case, folder: Path) -> Case:
    image, label = folder / "images" / f"{case.name}.tif", folder / "labels" / f"{case.name}.tif"
    write_image(image, read(case.image).pixels[:1])
    tifffile.imwrite(label, read_labels(case.label), compression="zlib")
    return Case(case.name, case.group, case.kind, image, label)


def environment(name: str, folder: Path) -> Path:
    """Return the Python of a program's environment, which is made first if it is not there.

    Raises:
        RuntimeError: pip could not install the program; the message is the last line that it printed.
    """
    root, wanted = folder / name, "\n".join(REQUIREMENTS[name])
    python, stamp = root / "bin" / "python", root / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(root)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[name]]
        run_measured(install, folder / f"{name}_install.log")
        stamp.write_text(wanted)
    return python


def peer(name: str, split: Split, output: Path, environments: Path, minutes: float) -> dict[str, Any]:
    """Return the numbers of a program in its own environment."""
    python = environment(name, environments)
    program, work = str(PROGRAMS / f"{name}_peer.py"), output / name
    shutil.rmtree(work, ignore_errors=True)
    sections = [str(split.folder / section) for section in ("training", "validation")]
    model = work / "model"
    training = [str(python), program, "train", *sections, str(model), "--minutes", f"{minutes:g}"]
    trained = run_measured(training, work / "train.log")
    prediction = [
        str(python),
        program,
        "predict",
        str(model),
        str(split.folder / "test" / "images"),
        str(work / "labels"),
    ]
    predicted = run_measured(prediction, work / "predict.log")
    labels = {path.stem: path for path in (work / "labels").glob("*.tif")}
    speed = json.loads((work / "labels" / "speed.json").read_text())["megapixels_per_second"]
    size = sum(path.lstat().st_size for path in (environments / name).rglob("*") if path.is_file())
    return _numbers(split, labels, work, speed, trained, predicted, size)


def ours(bundle: str, split: Split, output: Path, minutes: float) -> dict[str, Any]:
    """Return the numbers of a bundle of this package."""
    work = output / "ours"
    shutil.rmtree(work, ignore_errors=True)
    datalist, model = str(split.folder / "datalist.json"), work / "model"
    training = [sys.executable, str(PROGRAMS / "train_bundle.py"), bundle, datalist, str(model)]
    trained = run_measured([*training, "--minutes", f"{minutes:g}"], work / "train.log")
    flags = ["--bundle", bundle, "--checkpoint", str(model / "model.pt"), "--output", str(work / "labels")]
    images = str(split.folder / "test" / "images")
    predicted = run_measured([sys.executable, "-m", "cellseg_monai", "segment", images, *flags], work / "predict.log")
    run = SegmentRun(work / "labels", json.loads((work / "labels" / "run.json").read_text(encoding="utf-8")))
    speed = run.record["megapixels_per_second"]
    return _numbers(split, run.labels, work, speed, trained, predicted, installed_bytes("cellseg_monai"))


def _numbers(
    split: Split, labels: dict[str, Path], work: Path, speed: float, trained: Measured, predicted: Measured, size: int
) -> dict[str, Any]:
    groups = by_group(split.cases)
    return {
        "groups": {
            group: score_files({case.name: case.label for case in cases}, labels, work / "empty")
            for group, cases in groups.items()
        },
        "training_minutes": round(trained.seconds / 60, 1),
        "megapixels_per_second": round(speed, 3),
        "peak_memory_mb": predicted.peak_mb,
        "install_mb": round(size / 1e6),
    }


def installed_bytes(name: str) -> int:
    """Return the size of the files of an installed package and of all packages that it needs."""
    seen: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        wanted = waiting.pop()
        try:
            found = distribution(wanted)
        except PackageNotFoundError:  # a requirement of another platform or of an extra
            continue
        key = found.metadata["Name"].lower().replace("_", "-")
        if key not in seen:
            seen[key] = found
            lines = (line for line in found.requires or () if "extra ==" not in line)
            waiting += [_name_in(line) for line in lines]
    files = (Path(str(found.locate_file(file))) for found in seen.values() for file in found.files or ())
    return sum(path.stat().st_size for path in files if path.is_file())


def _name_in(requirement: str) -> str:
    """Return the name of the package in a requirement.

    >>> _name_in("numpy>=2; python_version < '3.14'"), _name_in("dask[array] (>=2)")
    ('numpy', 'dask')
    """
    end = next((place for place, letter in enumerate(requirement) if letter in " ;[(<>=!~"), len(requirement))
    return requirement[:end]


def main() -> int:
    """Measure the programs one after another, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("environments", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--programs", nargs="+", choices=list(REQUIREMENTS), default=list(REQUIREMENTS))
    parser.add_argument("--groups", nargs="+", default=list(GROUPS))
    parser.add_argument("--bundle", default="nuclei")
    parser.add_argument("--limit", type=int, help="greatest number of images of a group and section, for a quick trial")
    options = parser.parse_args()
    options.output, options.environments = options.output.absolute(), options.environments.absolute()
    split = write_split(options.data, options.output / "split", options.groups, options.limit)
    target = options.output / "peers.json"
    known = json.loads(target.read_text(encoding="utf-8"))["peers"]["programs"] if target.is_file() else {}
    is_whole = set(options.groups) == set(GROUPS)
    about = {
        "cellseg_monai": __version__, "section": "test", "limit": options.limit, "minutes": options.minutes,
        "only": None if is_whole else options.groups, "groups": options.groups, "cores": os.cpu_count(),
        "bundle": options.bundle,
    }  # fmt: skip
    failed = False
    for name in options.programs:
        try:
            if name == "ours":
                known[name] = ours(options.bundle, split, options.output, options.minutes)
            else:
                known[name] = peer(name, split, options.output, options.environments, options.minutes)
        except RuntimeError as error:
            known[name], failed = {"fault": str(error)}, True
        print(f"{name}: {json.dumps(known[name])}", flush=True)
        save(target, {"peers": {"about": about, "programs": known}})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
