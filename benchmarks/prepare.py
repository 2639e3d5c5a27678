"""Speed of `cellseg data prepare`, relative to only decoding and encoding the same files with two processes.

    python benchmarks/prepare.py [--images 5000] [--layout cellseg_tiff|mask_per_object|coco] [--rounds 3]

The benchmark makes a raw folder with 16-bit images of 520 × 696 pixels and 100 objects each. The bare loop reads images
and masks of the layout with tifffile and Pillow, and writes the image as it was stored and a label image like that of
the prepared set. It checks nothing, keeps no record and cannot be resumed. For COCO it loads the JSON but draws
nothing, so that ratio has no aim. Both run in turn, so that a machine that slows down slows both. The result is the
median of the ratios of all rounds.

Exits with 1 if the ratio is below 0.60 (except for COCO), or if all processes of prepare together held 2 GB or more.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from cellseg_monai.datasets.preparing import prepare

LEAST_RATIO, MOST_BYTES = 0.60, 2 * 10**9
WORKERS = 2
SHAPE, OBJECTS, DIFFERENT = (520, 696), 100, 20
RADIUS = 14

Outlines = list[list[float]]


def example(seed: int) -> tuple[np.ndarray, np.ndarray, Outlines]:
    """Return an image and its labels, both (Y, X) uint16, and the outlines of the objects in the form of COCO."""
    rng = np.random.default_rng(seed)
    labels: np.ndarray = np.zeros(SHAPE, np.uint16)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outlines: Outlines = []
    for number in range(1, OBJECTS + 1):
        y, x = (rng.uniform(RADIUS, side - RADIUS) for side in SHAPE)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < RADIUS**2] = number
        outline = np.stack([x + RADIUS * np.cos(angles), y + RADIUS * np.sin(angles)], axis=1)
        outlines.append(outline.round(2).ravel().tolist())
    image = np.asarray(rng.poisson(np.where(labels > 0, 1000, 200)), np.uint16)
    return image, labels, outlines


def write_raw(raw: Path, layout: str, count: int) -> None:
    """Write a raw folder; only the first images differ, the others are copies of them."""
    images, annotations = [], []
    examples = [example(number) for number in range(min(count, DIFFERENT))]
    for number in range(count):
        stem = f"image_{number:05d}"
        image, labels, outlines = examples[number % DIFFERENT]
        if number >= DIFFERENT:
            copy(raw, layout, f"image_{number % DIFFERENT:05d}", stem)
        else:
            write_example(raw, layout, stem, image, labels)
        images.append({"id": number, "file_name": f"{stem}.tif", "height": SHAPE[0], "width": SHAPE[1]})
        annotations += [{"image_id": number, "iscrowd": 0, "segmentation": [outline]} for outline in outlines]
    if layout == "coco":
        (raw / "train.json").write_text(json.dumps({"images": images, "annotations": annotations}))


def write_example(raw: Path, layout: str, stem: str, image: np.ndarray, labels: np.ndarray) -> None:
    """Write one image with its masks in a layout."""
    folder = raw / stem if layout == "mask_per_object" else raw
    (folder / "images").mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "images" / f"{stem}.tif", image, metadata=None)
    if layout == "cellseg_tiff":
        (raw / "labels").mkdir(exist_ok=True)
        tifffile.imwrite(raw / "labels" / f"{stem}_label.tiff", labels, compression="zlib", metadata=None)
    if layout == "mask_per_object":
        (folder / "masks").mkdir()
        for number in range(1, OBJECTS + 1):
            Image.fromarray(np.uint8(255) * (labels == number)).save(folder / "masks" / f"{number}.png")


def copy(raw: Path, layout: str, stem: str, new: str) -> None:
    """Copy the files of one image."""
    if layout == "mask_per_object":
        shutil.copytree(raw / stem, raw / new)
        (raw / new / "images" / f"{stem}.tif").rename(raw / new / "images" / f"{new}.tif")
        return
    shutil.copyfile(raw / "images" / f"{stem}.tif", raw / "images" / f"{new}.tif")
    if layout == "cellseg_tiff":
        shutil.copyfile(raw / "labels" / f"{stem}_label.tiff", raw / "labels" / f"{new}_label.tiff")


def bare(task: tuple[Path, list[Path], np.ndarray, Path]) -> None:
    """Decode the files of one image, and encode an image and a label image."""
    image, masks, labels, output = task
    tifffile.imwrite(output / "images" / image.name, tifffile.imread(image), metadata=None)
    for path in masks:
        read = np.asarray(Image.open(path)) if path.suffix == ".png" else tifffile.imread(path)
        labels = read if len(masks) == 1 else labels
    tifffile.imwrite(output / "labels" / image.name, labels, compression="zlib", metadata=None)


def bare_loop(raw: Path, layout: str, output: Path) -> float:
    """Return the seconds of the bare loop over all images."""
    labels = example(0)[1]
    for name in ("images", "labels"):
        (output / name).mkdir(parents=True)
    tasks = []
    for image in sorted(raw.rglob("*.tif")):
        masks = {
            "cellseg_tiff": [raw / "labels" / f"{image.stem}_label.tiff"],
            "mask_per_object": sorted((image.parent.parent / "masks").glob("*.png")),
            "coco": [],
        }[layout]
        tasks.append((image, masks, labels, output))
    start = time.perf_counter()
    if layout == "coco":
        json.loads((raw / "train.json").read_text())
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(bare, tasks))
    return time.perf_counter() - start


def prepared(raw: Path, output: Path) -> None:
    """Prepare the raw folder; runs in its own process, whose memory is watched."""
    result = prepare(raw, output, workers=WORKERS)
    if result.faults:
        raise SystemExit("\n".join(map(str, result.faults[:10])))


def watched(target: Callable[..., None], *arguments: object) -> tuple[float, int]:
    """Return the seconds of a process, and the peak memory that it and its children held together."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    peak, stop = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.1):
            peak = max(peak, held_bytes(process.pid or 0))

    start = time.perf_counter()
    process.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    process.join()
    seconds = time.perf_counter() - start
    stop.set()
    watcher.join()
    if process.exitcode:
        raise SystemExit("prepare failed")
    return seconds, peak


def held_bytes(pid: int) -> int:
    """Return the memory of a process and its descendants (Linux); shared memory counts once for each of them."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    resident = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
    return resident + sum(held_bytes(int(child)) for child in children)


def main() -> None:
    """Make the raw folder, run both loops, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--layout", choices=("cellseg_tiff", "mask_per_object", "coco"), default="cellseg_tiff")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="working folder; a temporary folder by default")
    options = parser.parse_args()
    times, peak = [], 0
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        raw, output = Path(name) / "raw", Path(name) / "output"
        write_raw(raw, options.layout, options.images)
        for _ in range(options.rounds):
            bare_seconds = bare_loop(raw, options.layout, output)
            shutil.rmtree(output)
            seconds, peak_bytes = watched(prepared, raw, output)
            again, _ = watched(prepared, raw, output)
            shutil.rmtree(output)
            times.append((bare_seconds, seconds, again))
            peak = max(peak, peak_bytes)
    bare_seconds, seconds, again = (statistics.median(column) for column in zip(*times, strict=True))
    ratios = [bare_time / prepare_time for bare_time, prepare_time, _ in times]
    ratio = statistics.median(ratios)
    task = f"{options.images} images of {SHAPE[0]} × {SHAPE[1]}, {OBJECTS} objects each"
    print(f"{task}, {options.layout}, {WORKERS} processes, median of {options.rounds} rounds")
    print(f"  bare loop {bare_seconds:7.1f} s")
    print(f"  prepare   {seconds:7.1f} s, {options.images / seconds:.0f} images per second; a second run {again:.1f} s")
    print(f"  ratio     {ratio:7.2f}   (aim {LEAST_RATIO:.2f}; {', '.join(f'{value:.2f}' for value in ratios)})")
    print(f"  memory    {peak / 1e9:7.2f} GB at most (aim {MOST_BYTES / 1e9:.0f})")
    if (ratio < LEAST_RATIO and options.layout != "coco") or peak > MOST_BYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
