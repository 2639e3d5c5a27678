"""Read 448 odd, old and broken files, each in a child process with limits, and compare every value.

    python benchmarks/torture.py FOLDER

FOLDER holds the unpacked set: the files and `manifest.csv`, which says what tifffile and Pillow read from the
first page of each. The outcome of a file is one of these:

exact      All values, the type and the axes equal those of an independent reading: tifffile's own array, or
           Pillow's for files that tifffile cannot decode. The first page of that array is in turn compared with
           the manifest's shape, type, minimum and maximum. It is moved to C, Y, X here, by code that shares
           nothing with the package. If a palette holds the colours of the picture, the reference is the colour
           for each index; for min-is-white, it is the inverted value. In files by ImageJ or another microscopy
           program, it is the stored value in both cases.
           Not covered: channel names, pixel sizes and the remedies of messages; faults of tifffile or Pillow
           itself, which also made the manifest (pages after the first, and files that only Pillow reads, are
           only checked against their own decoder); and whether tifffile's first series is the intended image.
           The tests in tests/io cover those.
refused    UnreadableImageError, with file, reason and remedy.
wrong      Any other result: other values, another error, an image from a file that neither tifffile nor Pillow
           reads.
died       No answer: killed, or more than 10 s, or more than 2 GB of private memory.

Stacks with unstated axes must be refused. They do not count as exact, but are read again with the axes given, and
count as wrong if they are not exact then.

Exits with 1 if anything is wrong or died, or if less than 97 % of the readable files are exact.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import multiprocessing
import resource
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image as PillowImage

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.registry import FORMATS
from cellseg_monai.io import Image, read

SECONDS = 10.0
BYTES = 2 * 10**9
LEAST_SHARE = 0.97
UNSTATED = {"IYX": "ZYX", "QYX": "ZYX", "IYXS": "TYXC"}  # axes as tifffile reports them: the axes that we then give
EXACT, REFUSED, UNSTATED_AXES, WRONG, DIED = "exact", "refused", "refused: axes not stated", "wrong", "died"


class Outcome(NamedTuple):
    """The outcome of reading one file."""

    verdict: str
    detail: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


def judge(path: Path, row: dict[str, str]) -> Outcome:
    """Read one file and compare it; runs in a child process."""
    reference = expected(path, row)
    start = time.perf_counter()
    try:
        image = read(path)
    except UnreadableImageError as error:
        seconds = time.perf_counter() - start
        if "MemoryError" in error.reason:
            return Outcome(DIED, f"over {BYTES / 1e9:.0f} GB: {error}")
        if str(path) not in str(error) or not error.reason or not error.remedy:
            return Outcome(WRONG, f"the message lacks file, reason or remedy: {error}", seconds)
        if reference is None or reference[0] not in UNSTATED:
            return Outcome(REFUSED, f"{error.reason}; {error.remedy}", seconds, peak_bytes())
        axes, array = reference
        fault = difference(read(path, UNSTATED[axes]), *in_order(UNSTATED[axes], array))
        detail = fault or f"exact once axes={UNSTATED[axes]!r} is given: {error.reason}"
        return Outcome(WRONG if fault else UNSTATED_AXES, detail, seconds, peak_bytes())
    except Exception as error:  # noqa: BLE001 - any other error counts as a wrong result
        return Outcome(WRONG, f"raised {type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    if reference is None:
        return Outcome(WRONG, f"was read as {image.pixels.shape}, although neither library reads it", seconds, peak)
    if reference[0] in UNSTATED:
        return Outcome(WRONG, f"axes are not stated, and it was read as {image.axes}", seconds, peak)
    fault = difference(image, *in_order(*reference))
    return Outcome(WRONG if fault else EXACT, fault, seconds, peak)


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def expected(path: Path, row: dict[str, str]) -> tuple[str, np.ndarray] | None:
    """Return axes and array from tifffile or Pillow; None if the manifest says that neither reads the file."""
    if row["tifffile_tf"] == "ok":
        with tifffile.TiffFile(path) as tif:
            page = tif.pages.first
            agrees_with_manifest(page.asarray(), row)
            series = tif.series[0]
            array, axes = series.asarray(), series.axes
            written_by_microscopy = bool(tif.flags & {"imagej", "ome", "lsm", "shaped"})
            if not written_by_microscopy and page.photometric == tifffile.PHOTOMETRIC.PALETTE:
                assert page.colormap is not None
                array = np.stack([channel[array.astype(int)] for channel in page.colormap])
                if (page.colormap == page.colormap // 257 * 257).all() or not (page.colormap & 255).any():
                    array = (array >> 8).astype(np.uint8)
                if (page.colormap == page.colormap[:1]).all():
                    return axes, array[0]
                return "S" + axes, array
            if not written_by_microscopy and page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                white = 2**page.bitspersample - 1
                array = (white - array.astype(np.int64)).astype(array.dtype)
            return axes, array
    if row["pil"] == "ok":
        with PillowImage.open(path) as picture:
            array = np.array(picture)
        width, height = (int(n) for n in row["psize"].strip("()").split(","))
        assert array.shape[:2] == (height, width), "Pillow and the manifest disagree"
        return "YXS"[: array.ndim], array
    return None


def agrees_with_manifest(page: np.ndarray, row: dict[str, str]) -> None:
    """Stop if tifffile reads the first page differently from what the manifest recorded."""
    installed = (str(page.shape), str(page.dtype), float(page.min()), float(page.max()))
    recorded = (row["shape"], row["dtype"], float(row["mn"]), float(row["mx"]))
    if installed != recorded:
        raise AssertionError(f"the manifest says {recorded}, the installed tifffile {installed}")


def in_order(axes: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Return axes and array with C, Y, X last."""
    axes = axes.replace("S", "C")
    assert len(set(axes)) == len(axes), f"two channel axes: {axes}"
    if "C" not in axes:
        axes, array = "C" + axes, array[np.newaxis]
    target = "".join(a for a in "TZCYX" if a in axes)
    assert len(target) == len(axes), f"axes that the comparison does not know: {axes}"
    return target, np.moveaxis(array, [axes.index(a) for a in target], range(len(target)))


def difference(image: Image, axes: str, array: np.ndarray) -> str:
    """Return how an image differs from the reference; an empty text if it does not."""
    pixels, reference = image.pixels, array.astype(array.dtype.newbyteorder("="))
    if image.axes != axes:
        return f"axes {image.axes}, expected {axes}"
    if (pixels.shape, pixels.dtype) != (reference.shape, reference.dtype):
        return f"{pixels.dtype} {pixels.shape}, expected {reference.dtype} {reference.shape}"
    if not np.array_equal(pixels, reference, equal_nan=reference.dtype.kind == "f"):
        return f"{int((pixels != reference).sum())} of {pixels.size} values differ"
    return ""


def child(path: Path, row: dict[str, str], answer: Connection) -> None:
    """Judge one file under the limits and send the outcome."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer.send(judge(path, row))
    except Exception as error:  # noqa: BLE001 - a bug in this program must not count as a fault of the file
        answer.send(Outcome(WRONG, f"not comparable: {type(error).__name__}: {error}"))


def in_child(path: Path, row: dict[str, str]) -> Outcome:
    """Return the outcome of one file, whatever happens to the process that reads it."""
    # fork, not spawn: a new process takes only milliseconds, because the libraries are already imported.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(path, row, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(SECONDS):
            return Outcome(DIED, f"no answer within {SECONDS:.0f} s")
        outcome: Outcome = receiver.recv()
    except EOFError:
        process.join()
        return Outcome(DIED, f"the process ended with {process.exitcode}")
    finally:
        process.kill()
        process.join()
        receiver.close()
    if outcome.peak_bytes > BYTES:
        return outcome._replace(verdict=DIED, detail=f"took {outcome.peak_bytes / 1e9:.1f} GB")
    return outcome


def main() -> int:
    """Judge all files, print the counts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the unpacked set, with manifest.csv")
    folder = parser.parse_args().folder
    with (folder / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    importlib.import_module(f"cellseg_monai.io.{FORMATS[0].backend}")  # once here, instead of once in each child
    start = time.perf_counter()
    outcomes = {row["path"]: in_child(folder / row["path"], row) for row in rows}
    readable = {row["path"] for row in rows if "ok" in (row["tifffile_tf"], row["pil"])}
    for verdict in (REFUSED, UNSTATED_AXES, WRONG, DIED):
        for path, outcome in outcomes.items():
            if outcome.verdict == verdict:
                unexpected = " [readable]" if verdict == REFUSED and path in readable else ""
                print(f"{verdict}{unexpected}: {path}: {outcome.detail}")
    counts = Counter(outcome.verdict for outcome in outcomes.values())
    share = counts[EXACT] / max(1, len(readable))
    print(f"\n{len(rows)} files in {time.perf_counter() - start:.0f} s, each in its own process:")
    for verdict in (EXACT, REFUSED, UNSTATED_AXES, WRONG, DIED):
        print(f"  {counts[verdict]:4d} {verdict}")
    refused_readable = sum(outcomes[p].verdict == REFUSED for p in readable)
    print(f"  of {len(readable)} that tifffile or Pillow reads: {share:.1%} exact (at least {LEAST_SHARE:.0%});")
    print(f"  {refused_readable} refused, {counts[UNSTATED_AXES]} refused until their axes are given (not counted)")
    slowest = max(outcomes, key=lambda p: outcomes[p].seconds)
    largest = max(outcomes, key=lambda p: outcomes[p].peak_bytes)
    print(f"  slowest {outcomes[slowest].seconds:.2f} s: {slowest}")
    print(f"  most memory {outcomes[largest].peak_bytes / 1e6:.0f} MB, libraries included: {largest}")
    return int(counts[WRONG] + counts[DIED] > 0 or share < LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
