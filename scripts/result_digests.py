"""Print the SHA-256 of the files that `cellseg segment` writes, for fixed images and many settings.

On the same machine, two versions of the code with the same results print the same lines. The output of the network
differs in the last bits between kinds of processors, so only compare runs on one machine. To check that a change of the
code does not change results, run this before and after it:

    python scripts/result_digests.py --output before.txt
    python scripts/result_digests.py --output after.txt
    diff before.txt after.txt

The images are generated. With `--images`, those of a folder are also segmented.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

_FILES = "labels,ome,zarr,rois,geojson,coco,csv,overlay"
_POSTPROCESSING: dict[str, dict[str, object]] = {
    "components": {"method": "components"},
    "distance_watershed": {"method": "distance_watershed", "seed_depth": 1.5},
    "boundary_watershed": {
        "method": "boundary_watershed",
        "boundary_threshold": 0.4,
        "min_seed_area_px": 8,
        "seed_depth": 1.0,
    },
}
_COMMON: dict[str, object] = {"threshold": 0.5, "min_area_px": 20, "fill_holes": True}


def write_images(folder: Path) -> None:
    """Write the generated images: small ones, a stack, and one that is segmented in tiles and blocks."""
    from cellseg_monai.data import nuclei, phase_cells

    (folder / "small").mkdir(parents=True)
    for seed in range(4):
        tifffile.imwrite(folder / "small" / f"nuclei_{seed}.tif", nuclei(seed=seed).image, compression="zlib")
    tifffile.imwrite(folder / "small" / "phase.tif", phase_cells(seed=7).image, compression="zlib")
    stack = np.stack([nuclei(seed=seed).image for seed in (10, 11, 12)])
    (folder / "stack").mkdir()
    tifffile.imwrite(folder / "stack" / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    (folder / "large").mkdir()
    rows = [
        np.concatenate([nuclei(seed=20 + 6 * row + column).image for column in range(6)], axis=1) for row in range(6)
    ]
    tifffile.imwrite(folder / "large" / "large.tif", np.concatenate(rows), tile=(256, 256), compression="zlib")


def runs(images: Path, settings: Path, folder: Path | None) -> dict[str, list[str]]:
    """Return the arguments of `cellseg segment` for each run, by its name."""
    small, stack, large = (str(images / name) for name in ("small", "stack", "large"))
    methods = {}
    for name, values in _POSTPROCESSING.items():
        path = settings / f"{name}.json"
        path.write_text(json.dumps(_COMMON | values), encoding="utf-8")
        methods[f"small, {name}"] = [small, "--postprocess", str(path), "--export", "labels,csv"]
        methods[f"large, {name}"] = [large, "--postprocess", str(path), "--export", "labels,csv", *_SMALL_MEMORY]
    named = {
        "small": [small, "--export", _FILES],
        "small, float32": [small, "--amp", "False"],
        "small, tiles of 128": [small, "--tile", "128", "--overlap", "32"],
        "small, test-time augmentation": [small, "--tta"],
        "small, diameter 20": [small, "--diameter", "20"],
        "small, diameter 50": [small, "--diameter", "50"],
        "small, Dask": [small, "--workers", "1"],
        "stack": [stack, "--export", _FILES],
        "large, whole": [large, "--export", "labels,csv", "--max_memory", "20GB"],
        "large, blocks": [large, "--export", "labels,zarr,geojson,csv", *_SMALL_MEMORY],
        "large, blocks, test-time augmentation": [large, "--tta", *_SMALL_MEMORY],
        "large, blocks, diameter 40": [large, "--diameter", "40", *_SMALL_MEMORY],
        "large, Dask": [large, "--workers", "1", *_SMALL_MEMORY],
        **methods,
    }
    if folder is not None:
        named["given"] = [str(folder)]
        named["given, diameter 50"] = [str(folder), "--diameter", "50"]
    return named


# So little memory that the large image is not held, but segmented tile by tile and block by block.
_SMALL_MEMORY = ["--max_memory", "1.75GB", "--tile", "256", "--overlap", "32"]


def decoded() -> dict[str, str]:
    """Return the SHA-256 of the objects of each method from fixed maps, whole and in blocks, without a network."""
    from cellseg_monai.decoding import (
        BoundaryWatershed,
        Components,
        DistanceMapWatershed,
        DistanceWatershed,
        Postprocessing,
        label_in_blocks,
        label_objects,
    )

    rng = np.random.default_rng(0)
    foreground, other = (ndimage.uniform_filter(rng.random((700, 900)), 9).astype(np.float32) for _ in range(2))
    foreground, other = ((values - values.min()) / np.ptp(values) for values in (foreground, other))
    maps = {"foreground": foreground, "boundary": other, "distance": other}
    methods = (Components(), DistanceWatershed(), BoundaryWatershed(0.4, 4, 1.0), DistanceMapWatershed(0.05))
    lines = {}
    for method in methods:
        settings = Postprocessing(method, threshold=0.45)
        out: np.ndarray = np.zeros((500, 1000), np.uint32)
        label_in_blocks(maps, settings, out, block_px=200)
        for name, labels in (("whole", label_objects(maps, settings)), ("blocks", out)):
            lines[f"{method.name}, {name}"] = hashlib.sha256(labels.astype("<u4").tobytes()).hexdigest()
    return lines


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run by its path, except for the record of the run."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "run.json" and not path.name.startswith(".segment")
    }


def main() -> None:
    """Segment all images, print the lines, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="text file to write")
    parser.add_argument("--images", type=Path, help="folder of additional images")
    options = parser.parse_args()
    lines = [f"decoded: {name} {digest}" for name, digest in decoded().items()]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "settings").mkdir()
        write_images(work / "images")
        for number, (run, words) in enumerate(runs(work / "images", work / "settings", options.images).items()):
            output = work / f"results_{number}"
            command = [sys.executable, "-m", "cellseg_monai", "segment", *words]
            completed = subprocess.run(
                [*command, "--output", str(output)], capture_output=True, text=True, encoding="utf-8", check=False
            )
            if completed.returncode:
                raise SystemExit(f"{run}: {completed.stderr}")
            for path, digest in digests(output).items():
                lines.append(f"{run}: {path} {digest}")
                print(lines[-1], flush=True)
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
