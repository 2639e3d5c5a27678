"""Read 448 odd, old and broken files, each in a child process with limits, and compare every value.

    python benchmarks/torture.py FOLDER

FOLDER holds the unpacked set: `manifest.csv` (what tifffile and Pillow say of each file's first page)
and the files. What counts:

exact      every value, the type and the axes are those of an independent reading: tifffile's own array
           (Pillow's for the files that tifffile cannot decode), whose first page is in turn compared with
           the manifest's shape, type, minimum and maximum. It is moved to C, Y, X here, by code that
           shares nothing with the package. Of a palette that is the picture, the reference is the
           palette's colour for each index; of min-is-white, it is the inverted value; of a file by
           ImageJ or another microscopy program, both times the stored value.
           What this cannot see: channel names, pixel sizes and the remedies of messages, which are not
           compared; a fault of tifffile or Pillow itself, from which the manifest comes too (pages after
           the first, and files that only Pillow reads, have no other witness than their own decoder); and
           whether tifffile's first series is the image that was meant. Those are what tests/io is for.
refused    UnreadableImageError, which names file, reason and remedy.
wrong      anything else that comes back: other values, another error, an image of a file that neither
           tifffile nor Pillow reads.
died       no answer: killed, or over 10 s, or over 2 GB of private memory.

Stacks whose axes nobody states must be refused. They are not counted as exact, although they are read a
second time, with the axes given, and have to be exact then: if not, they are wrong.

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
from cellseg_monai.io import Image, read
from cellseg_monai.io.registry import FORMATS

SECONDS = 10.0
BYTES = 2 * 10**9
LEAST_SHARE = 0.97
UNSTATED = {"IYX": "ZYX", "QYX": "ZYX", "IYXS": "TYXC"}  # tifffile's word for it: what we then state
EXACT, REFUSED, UNSTATED_AXES, WRONG, DIED = "exact", "refused", "refused: axes not stated", "wrong", "died"


class Outcome(NamedTuple):
    """What became of one file."""

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
    except Exception as error:  # noqa: BLE001 - that nothing else is raised is what is measured
        return Outcome(WRONG, f"raised {type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    if reference is None:
        return Outcome(WRONG, f"came back as {image.pixels.shape}; neither library reads it", seconds, peak)
    if reference[0] in UNSTATED:
        return Outcome(WRONG, f"axes are not stated, and it came back as {image.axes}", seconds, peak)
    fault = difference(image, *in_order(*reference))
    return Outcome(WRONG if fault else EXACT, fault, seconds, peak)


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def expected(path: Path, row: dict[str, str]) -> tuple[str, np.ndarray] | None:
    """Return axes and array by tifffile or Pillow, or None where the manifest says that neither reads."""
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
    """Stop if tifffile's reading of the first page is not the one that the manifest recorded."""
    found = (str(page.shape), str(page.dtype), float(page.min()), float(page.max()))
    recorded = (row["shape"], row["dtype"], float(row["mn"]), float(row["mx"]))
    if found != recorded:
        raise AssertionError(f"the manifest says {recorded}, the installed tifffile {found}")


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
    """Say how an image differs from the reference; empty if it does not."""
    found, wanted = image.pixels, array.astype(array.dtype.newbyteorder("="))
    if image.axes != axes:
        return f"axes {image.axes}, expected {axes}"
    if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        return f"{found.dtype} {found.shape}, expected {wanted.dtype} {wanted.shape}"
    if not np.array_equal(found, wanted, equal_nan=wanted.dtype.kind == "f"):
        return f"{int((found != wanted).sum())} of {found.size} values differ"
    return ""


def child(path: Path, row: dict[str, str], answer: Connection) -> None:
    """Judge one file under the limits and send the outcome."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer.send(judge(path, row))
    except Exception as error:  # noqa: BLE001 - a fault of this program must not pass for one of a file
        answer.send(Outcome(WRONG, f"not comparable: {type(error).__name__}: {error}"))


def in_child(path: Path, row: dict[str, str]) -> Outcome:
    """Return the outcome of one file, whatever happens to the process that reads it."""
    # fork, not spawn: a new process a file for milliseconds, with the libraries already imported.
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
    """Run all files, print the counts, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the unpacked set, with manifest.csv")
    folder = parser.parse_args().folder
    with (folder / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    importlib.import_module(f"cellseg_monai.io.{FORMATS[0].backend}")  # once here, not once a child
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
