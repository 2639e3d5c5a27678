"""Time and memory of matching two label images at ten thresholds, as ratios to other programs, from one run.

    OMP_NUM_THREADS=1 python benchmarks/matching.py [--large] [--no-monai]

The objects are discs on a jittered grid, many of them touching; in the prediction each disc is slightly shifted and has
another radius. Everything is called once before it is timed. Times are the shortest of several calls, all in this
process and one thread. Packages that are not installed are skipped, with a line that says so.

700 objects in 1024²    against StarDist and Cellpose, ten thresholds in one call, and against MONAI's panoptic
                        quality, which takes one threshold per call: one call, at 0.5 (about 6 GB of memory).
5,000 in 3000²          against StarDist and Cellpose.
40,000 in 8192²         with --large, in a child process: against one `np.unique` over the paired ids, and the peak
                        memory besides the two images. The objects² tables of the others do not fit here.

The counts of StarDist and Cellpose are also compared. Exits with 1 if a count differs or a ratio misses its aim.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import numpy as np
import torch
from child_process import held_bytes, in_child
from monai.metrics import compute_panoptic_quality

from cellseg_monai.scores import IOU_THRESHOLDS, object_counts

# Smallest factors by which ours should be faster than others; for np.unique, the largest ratio to its time.
AIMS = {
    (1024, "StarDist"): 5,
    (1024, "Cellpose"): 5,
    (1024, "MONAI"): 100,
    (3000, "StarDist"): 20,
    (3000, "Cellpose"): 20,
}
LARGEST_TIMES_UNIQUE = 2
MOST_BYTES = 2 * 10**9


def discs(size: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a prediction and a truth of `count` objects each, YX int32."""
    rng = np.random.default_rng(seed)
    cells = int(np.ceil(np.sqrt(count)))
    pitch = size / cells
    images: list[np.ndarray] = [np.zeros((size, size), np.int32) for _ in range(2)]
    for index in range(count):
        place = (np.array(divmod(index, cells)) + 0.5 + rng.uniform(-0.15, 0.15, 2)) * pitch
        radius = pitch * rng.uniform(0.3, 0.5)
        for image, move, scale in zip(
            images, (rng.normal(0, 0.05, 2) * pitch, 0), (rng.uniform(0.8, 1.1), 1), strict=True
        ):
            centre, reach = place + move, radius * scale
            low = np.maximum(np.floor(centre - reach), 0).astype(int)
            window = image[low[0] : int(centre[0] + reach) + 1, low[1] : int(centre[1] + reach) + 1]
            rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
            inside = (rows + low[0] - centre[0]) ** 2 + (columns + low[1] - centre[1]) ** 2 <= reach**2
            window[inside] = index + 1
    return images[0], images[1]


def seconds(function: Callable[[], object], least: int = 3, most: float = 1.0) -> float:
    """Return the shortest time of a call, after one that is not counted."""
    function()
    times: list[float] = []
    while len(times) < least or (sum(times) < most and len(times) < 50):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def installed(name: str) -> ModuleType | None:
    """Return a module; if it cannot be imported, print a line and return None."""
    try:
        return import_module(name)
    except ImportError as error:
        print(f"  {name} skipped: {error}")
        return None


def compare(size: int, count: int, with_monai: bool) -> bool:
    """Print times and ratios for one pair of images; return True if all aims are met."""
    prediction, truth = discs(size, count)
    print(f"{count} objects in {size}², ten thresholds:")
    ours = seconds(lambda: object_counts(prediction, truth))
    counts = [(count.tp, count.fp, count.fn) for count in object_counts(prediction, truth)]
    print(f"  cellseg_monai {1e3 * ours:9.1f} ms   F1 {np.mean([2 * t / (2 * t + p + n) for t, p, n in counts]):.3f}")
    aims_met = True

    def report(name: str, theirs: float) -> None:
        nonlocal aims_met
        aim = AIMS[size, name]
        aims_met &= theirs / ours >= aim
        print(f"  {name:13} {1e3 * theirs:9.1f} ms   {theirs / ours:7.1f} times ours (aim {aim})")

    def agree(their_counts: list[tuple[int, int, int]]) -> None:
        nonlocal aims_met
        aims_met &= their_counts == counts
        print(f"  {'':13} counts {'agree' if their_counts == counts else f'DIFFER: {their_counts}, ours {counts}'}")

    if stardist := installed("stardist.matching"):
        report("StarDist", seconds(lambda: stardist.matching(truth, prediction, thresh=IOU_THRESHOLDS), 2))
        rows = stardist.matching(truth, prediction, thresh=IOU_THRESHOLDS)
        agree([(int(row.tp), int(row.fp), int(row.fn)) for row in rows])
    if cellpose := installed("cellpose.metrics"):
        call = lambda: cellpose.average_precision([truth], [prediction], threshold=list(IOU_THRESHOLDS))  # noqa: E731
        report("Cellpose", seconds(call, 2))
        _, tp, fp, fn = call()
        agree([(int(t), int(p), int(n)) for t, p, n in zip(tp[0], fp[0], fn[0], strict=True)])
    if with_monai:
        tensors = torch.from_numpy(prediction), torch.from_numpy(truth)
        compute_panoptic_quality(*(tensor[:64, :64] for tensor in tensors))
        start = time.perf_counter()
        compute_panoptic_quality(*tensors)
        report("MONAI", time.perf_counter() - start)
    return aims_met


def large() -> tuple[float, float, int, float]:
    """Return our seconds and those of `np.unique` for the largest pair, our peak memory besides it, and its F1."""
    prediction, truth = discs(8192, 40_000)
    object_counts(prediction[:64], truth[:64])
    before = held_bytes("VmRSS")
    start = time.perf_counter()
    counts = object_counts(prediction, truth)
    ours = time.perf_counter() - start
    above = held_bytes("VmHWM") - before
    paired = truth.astype(np.uint64) << np.uint64(32) | prediction.astype(np.uint64)
    start = time.perf_counter()
    np.unique(paired)
    return ours, time.perf_counter() - start, above, float(counts[0].f1)


def compare_large() -> bool:
    """Print time and memory for the largest pair; return True if both aims are met."""
    ours, unique, above, f1 = in_child(large)
    print(f"40000 objects in 8192², ten thresholds:\n  cellseg_monai {1e3 * ours:9.1f} ms   F1 at 0.5 {f1:.3f}")
    ratio = f"ours takes {ours / unique:.2f} times as long (aim {LARGEST_TIMES_UNIQUE})"
    print(f"  np.unique     {1e3 * unique:9.1f} ms   {ratio}")
    print(f"  {above / 1e9:.2f} GB besides the two images of 0.27 GB each (aim {MOST_BYTES / 1e9:.0f} GB)")
    return bool(ours <= LARGEST_TIMES_UNIQUE * unique and above <= MOST_BYTES)


def main() -> int:
    """Run all comparisons and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also 40,000 objects in 8192²")
    parser.add_argument("--no-monai", action="store_true", help="leave out MONAI, which takes 6 GB")
    arguments = parser.parse_args()
    aims_met = compare(1024, 700, with_monai=not arguments.no_monai)
    aims_met &= compare(3000, 5000, with_monai=False)
    if arguments.large:
        aims_met &= compare_large()
    return int(not aims_met)


if __name__ == "__main__":
    sys.exit(main())
