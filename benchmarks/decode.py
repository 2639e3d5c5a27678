"""Time and memory of making objects from maps, compared with scikit-image over the whole image in the same run.

    OMP_NUM_THREADS=1 python benchmarks/decode.py [--large | --memory-alone | --libraries FOLDER]

The images are discs on a jittered grid. In the sparse case about a third of the foreground lies in clumps of several
cells, in the crowded case nearly all of it; the share is printed. There are 700 cells in 1024² and, with --large, 5,000
in 3000² and 40,000 in 8192². Ours is the whole of `label_objects`: threshold, holes, division, areas, numbers. Theirs
is the division alone, over the whole image, with the highest points of the distance as markers:

distance watershed      `distance_transform_edt`, `peak_local_max` and `watershed`, of the foreground.
boundary watershed      the first two of the foreground without the boundary, and `watershed` of the boundary.

Times are processor time of this process, so that other programs do not count: the shortest of several calls, or one
call for the largest images, ours and theirs in turn. For the largest images the memory of ours is measured too, in a
child process, beyond the maps and imported modules; --memory-alone does only this. Exits with 1 if a ratio is below 1
or the memory above 4 GB.

--libraries compares `label_objects` with itself on top of compiled libraries, which the package does not require, on
1024² and 3000²; `decode_libraries.py` says what is replaced by what. FOLDER is where the libraries are:
`pip install --target FOLDER edt connected-components-3d`. Printed are processor times, the share of our gain over
scikit-image that is kept (it says little where ours is hardly faster), and the pixels whose label differs from ours.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
from child_process import held_bytes, in_child
from decode_libraries import CONTESTANTS
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from cellseg_monai.decoding import BoundaryWatershed, DistanceWatershed, Postprocessing, label_objects
from cellseg_monai.labels import touching_boundaries

LEAST_RATIO = 1.0
MOST_BYTES = 4 * 10**9
SIZES = {1024: 700, 3000: 5_000, 8192: 40_000}
# The least and the greatest radius of a cell, as shares of the grid's pitch.
CASES = {"sparse": (0.3, 0.5), "crowded": (0.42, 0.62)}
METHODS = {
    method.name: Postprocessing(method, min_area_px=16, fill_holes=False)
    for method in (DistanceWatershed(), BoundaryWatershed(boundary_threshold=0.3))
}


def maps_of(case: str, size: int, count: int, seed: int = 0) -> tuple[dict[str, np.ndarray], float]:
    """Return noisy maps of `count` cells, foreground and touching boundary, and the share of foreground in clumps."""
    side = size if size <= 4096 else size // 4  # larger images repeat a part
    rng = np.random.default_rng(seed)
    cells = int(np.ceil(np.sqrt(count) * side / size))
    pitch = side / cells
    labels: np.ndarray = np.zeros((side, side), np.int32)
    for index in range(cells**2):
        centre = (np.array(divmod(index, cells)) + 0.5 + rng.uniform(-0.15, 0.15, 2)) * pitch
        reach = pitch * rng.uniform(*CASES[case])
        top, left = np.maximum(np.floor(centre - reach), 0).astype(int)
        window = labels[top : int(centre[0] + reach) + 1, left : int(centre[1] + reach) + 1]
        rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
        window[(rows + top - centre[0]) ** 2 + (columns + left - centre[1]) ** 2 <= reach**2] = index + 1
    maps = np.stack([labels > 0, touching_boundaries(labels)]).astype(np.float32)
    maps = ndimage.uniform_filter(maps, (0, 3, 3))
    maps = np.clip(maps + rng.normal(0, 0.03, maps.shape), 0, 1).astype(np.float32)
    foreground, boundary = np.tile(maps, (1, size // side, size // side))
    return {"foreground": foreground, "boundary": boundary}, share_in_clumps(labels)


def share_in_clumps(labels: np.ndarray) -> float:
    """Return the share of the foreground that lies in connected components of several cells."""
    pieces = ndimage.label(labels)[0][labels > 0]
    lone = np.bincount(np.unique(np.stack([pieces, labels[labels > 0]]), axis=1)[0]) == 1
    return 1 - float(lone[pieces].mean())


def theirs(method: str, maps: dict[str, np.ndarray]) -> np.ndarray:
    """Return the objects of a watershed over the whole image."""
    settings = METHODS[method]
    mask = maps["foreground"] > settings.threshold
    if isinstance(settings.method, BoundaryWatershed):
        boundary = maps["boundary"]
        return watershed(boundary, peaks(mask & ~(boundary > settings.method.boundary_threshold))[0], mask=mask)
    seeds, distance = peaks(mask)
    return watershed(-distance, seeds, mask=mask)


def peaks(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest points of the distance to the background as seeds, and that distance."""
    distance = ndimage.distance_transform_edt(mask)
    places = peak_local_max(distance, footprint=np.ones((5, 5)), exclude_border=False)
    highest: np.ndarray = np.zeros(mask.shape, bool)
    highest[tuple(places.T)] = True
    return ndimage.label(highest, np.ones((3, 3)))[0], distance


def seconds(*functions: Callable[[], object], calls: int) -> list[float]:
    """Return the shortest processor time of each, called in turn."""
    times = []
    for _ in range(calls):
        for function in functions:
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
    return [min(times[index :: len(functions)]) for index in range(len(functions))]


def compare(case: str, size: int, count: int) -> bool:
    """Print times and ratios for one image; return True if all ratios reach the aim."""
    maps, share = maps_of(case, size, count)
    print(f"{count} {case} cells in {size}², {share:.0%} of the foreground in clumps:", flush=True)
    good = True
    for method, settings in METHODS.items():
        ours, whole = seconds(
            functools.partial(label_objects, maps, settings),
            functools.partial(theirs, method, maps),
            calls=min(8, max(1, 2**25 // size**2)),
        )
        print(
            f"  {method:18} {size**2 / 1e6 / ours:6.1f} Mpx/s; scikit-image "
            f"{size**2 / 1e6 / whole:6.1f} Mpx/s, ours {whole / ours:4.2f} times as fast (aim {LEAST_RATIO:.0f})",
            flush=True,
        )
        good &= whole / ours >= LEAST_RATIO
    return good


def labels_of(contestant: str, maps: dict[str, np.ndarray], settings: Postprocessing) -> np.ndarray:
    """Return the objects that a contestant makes."""
    with CONTESTANTS[contestant]():
        return label_objects(maps, settings)


def compare_libraries(case: str, size: int, count: int) -> None:
    """Print how fast each contestant of `decode_libraries` is on one image, and where its labels differ from ours."""
    maps, _ = maps_of(case, size, count)
    print(f"{count} {case} cells in {size}²:", flush=True)
    for method, settings in METHODS.items():
        calls = [functools.partial(labels_of, contestant, maps, settings) for contestant in CONTESTANTS]
        whole, *times = seconds(
            functools.partial(theirs, method, maps), *calls, calls=min(10, max(4, 2**24 // size**2))
        )
        print(f"  {method:18} {'scikit-image':24} {whole * 1e3:6.0f} ms", flush=True)
        labels = label_objects(maps, settings)
        for contestant, call, taken in zip(CONTESTANTS, calls, times, strict=True):
            differing = np.count_nonzero(call() != labels)
            print(
                f"  {method:18} {contestant:24} {taken * 1e3:6.0f} ms, {taken / times[0]:4.2f} of our time, "
                f"{(whole - taken) / (whole - times[0]):5.0%} of our gain, {differing} pixels differ",
                flush=True,
            )


def measure(method: str, case: str, size: int, count: int) -> tuple[int, float, int]:
    """Return the peak memory beyond the maps, megapixels per second, and the number of objects."""
    maps, _ = maps_of(case, size, count)
    label_objects({name: values[:64, :64] for name, values in maps.items()}, METHODS[method])
    before = held_bytes("VmRSS")
    start = time.process_time()
    objects = int(label_objects(maps, METHODS[method]).max())
    taken = time.process_time() - start
    return held_bytes("VmHWM") - before, size**2 / 1e6 / taken, objects


def compare_memory() -> bool:
    """Print the memory of ours for the largest image; return True if it is within the aim."""
    size, count = max(SIZES.items())
    good = True
    for case, method in itertools.product(CASES, METHODS):
        above, speed, objects = in_child(measure, method, case, size, count)
        print(
            f"  {case:7} {method:18} {above / 1e9:.2f} GB above the maps of {size}², "
            f"{above / size**2:.0f} bytes a pixel (aim {MOST_BYTES / 1e9:.0f} GB); "
            f"{speed:.1f} Mpx/s, {objects} objects",
            flush=True,
        )
        good &= above <= MOST_BYTES
    return good


def main() -> int:
    """Run all comparisons, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also 3000² and 8192², and the memory")
    parser.add_argument("--memory-alone", action="store_true", help="only the memory and speed of ours on 8192²")
    parser.add_argument("--libraries", metavar="FOLDER", help="only compare with edt and cc3d, installed there")
    arguments = parser.parse_args()
    if arguments.memory_alone:
        return int(not compare_memory())
    if arguments.libraries:
        sys.path.append(arguments.libraries)
        missing = [name for name in ("edt", "cc3d") if importlib.util.find_spec(name) is None]
        if missing:
            print(f"no {' and no '.join(missing)} in {arguments.libraries}: not compared; install them there with pip")
            return 1
        for size, case in itertools.product((1024, 3000), CASES):
            compare_libraries(case, size, SIZES[size])
        return 0
    good = True
    for size, count in list(SIZES.items())[: None if arguments.large else 1]:
        for case in CASES:
            good &= compare(case, size, count)
    return int(not (good and (not arguments.large or compare_memory())))


if __name__ == "__main__":
    sys.exit(main())
