"""Time and memory of making objects block by block, compared with the whole image in the same run.

    OMP_NUM_THREADS=1 python benchmarks/blockwise.py [--memory-alone]

Discs on a jittered grid, about half of them touching others. Time is processor time of this process:
`label_in_blocks` over `label_objects`, on 3000² in blocks of 1024². Memory is what a child process allocates beyond its
imports, on 4096² and 8192² in blocks of 2048², with maps and labels in files. Pages of files do not count, as the
system can take them back at any time. Exits with 1 if blocks take more than twice as long, or if the memory grows by
more than 150 MB from the smaller to the larger image.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from child_process import held_bytes, in_child
from scipy import ndimage

from cellseg_monai.decoding import (
    BoundaryWatershed,
    DistanceMapWatershed,
    DistanceWatershed,
    Postprocessing,
    label_in_blocks,
    label_objects,
)
from cellseg_monai.labels import foreground_and_boundary

MOST_RATIO = 2.0
MOST_GROWTH_BYTES = 150 * 10**6
SETTINGS = {
    method.name: Postprocessing(method)
    for method in (
        BoundaryWatershed(boundary_threshold=0.3, seed_depth=1.0),
        DistanceMapWatershed(seed_depth=0.2),
        DistanceWatershed(seed_depth=1.0),
    )  # not Components: two labellings and little else, so its time says nothing
}


def maps_of(size: int, pitch_px: int = 42, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the maps of cells, with noise on them; the boundary also serves as the distance."""
    rng = np.random.default_rng(seed)
    labels: np.ndarray = np.zeros((size, size), np.int32)
    for number, corner in enumerate(np.ndindex(size // pitch_px, size // pitch_px), 1):
        y, x = (np.array(corner) + 0.5 + rng.uniform(-0.15, 0.15, 2)) * pitch_px
        reach = pitch_px * rng.uniform(0.3, 0.5)
        top, left = max(int(y - reach), 0), max(int(x - reach), 0)
        window = labels[top : int(y + reach) + 1, left : int(x + reach) + 1]
        rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
        window[(rows + top - y) ** 2 + (columns + left - x) ** 2 <= reach**2] = number
    maps = ndimage.uniform_filter(foreground_and_boundary(labels, 2), (0, 3, 3))
    foreground, boundary = np.clip(maps + rng.normal(0, 0.03, maps.shape), 0, 1).astype(np.float32)
    return {"foreground": foreground, "boundary": boundary, "distance": boundary}


def compare_times() -> bool:
    """Print ratios; return True if all are within the aim."""
    maps, good = maps_of(3000), True
    out: np.ndarray = np.zeros(maps["foreground"].shape, np.uint32)
    for method, settings in SETTINGS.items():
        times: dict[str, list[float]] = {"whole": [], "blocks": []}
        for name in ("whole", "blocks") * 3:  # in turn, as other programs can slow down either
            start = time.process_time()
            if name == "whole":
                label_objects(maps, settings)
            else:
                label_in_blocks(maps, settings, out, block_px=1024)
            times[name].append(time.process_time() - start)
        ratio = min(times["blocks"]) / min(times["whole"])
        speed = maps["foreground"].size / 1e6 / min(times["blocks"])
        print(
            f"  {method:24} {speed:5.1f} Mpx/s in blocks, {ratio:4.2f} times the time of the whole image "
            f"(aim {MOST_RATIO})",
            flush=True,
        )
        good &= ratio <= MOST_RATIO
    return good


def write_maps(path: Path, size: int) -> None:
    """Write the foreground and the boundary of `size`² to a file, repeating one part."""
    part = maps_of(2048)
    maps = np.lib.format.open_memmap(path, "w+", np.float32, (2, size, size))
    for values, name in zip(maps, ("foreground", "boundary"), strict=True):
        for top in range(0, size, 2048):
            for left in range(0, size, 2048):
                values[top : top + 2048, left : left + 2048] = part[name]


def measure(method: str, path: Path) -> tuple[int, int, float]:
    """Return the peak memory while objects are made from maps in a file, their number, and megapixels per second."""
    foreground, boundary = np.load(path, mmap_mode="r")
    maps = {"foreground": foreground, "boundary": boundary, "distance": boundary}
    out = np.lib.format.open_memmap(path.with_name("out.npy"), "w+", np.uint32, foreground.shape)
    corner = {name: values[:64, :64] for name, values in maps.items()}
    label_in_blocks(corner, SETTINGS[method], np.zeros((64, 64), np.uint32))
    before, most, done = held_bytes("RssAnon"), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], held_bytes("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.process_time()
    objects = label_in_blocks(maps, SETTINGS[method], out)
    taken = time.process_time() - start
    done.set()
    watcher.join()
    return most[0] - before, objects, maps["foreground"].size / 1e6 / taken


def compare_memory() -> bool:
    """Print the memory for both sizes; return True if its growth is within the aim."""
    good = True
    peaks: dict[str, list[int]] = {method: [] for method in SETTINGS}
    for size in (4096, 8192):
        with tempfile.TemporaryDirectory() as folder:
            write_maps(Path(folder) / "maps.npy", size)
            for method, measured in peaks.items():
                above, objects, speed = in_child(measure, method, Path(folder) / "maps.npy")
                measured.append(above)
                print(
                    f"  {method:24} {size}²: {above / 1e6:4.0f} MB, {objects} objects, {speed:.1f} Mpx/s",
                    flush=True,
                )
    for method, (small, large) in peaks.items():
        print(f"  {method:24} grows by {(large - small) / 1e6:.0f} MB (aim {MOST_GROWTH_BYTES / 1e6:.0f})")
        good &= large - small <= MOST_GROWTH_BYTES
    return good


def main() -> int:
    """Run all comparisons, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory-alone", action="store_true", help="only the memory")
    arguments = parser.parse_args()
    good = arguments.memory_alone or compare_times()
    return int(not (compare_memory() and good))


if __name__ == "__main__":
    sys.exit(main())
