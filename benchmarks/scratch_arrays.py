"""Time of segmenting a large plane with its intermediate arrays in strips, in chunks, and row by row.

    python benchmarks/scratch_arrays.py [--sides 4096 8192] [--rounds 3]

The strips are those of `inference.disk_array.DiskArray`. The chunks are `ZarrChunks` of 1024 × 1024 px without
compression, the rows a `DiskArray` of one strip. A threshold stands in for the network, so that the arrays weigh most.
Each run is a process of its own; every other round goes backwards. Prints the median of processor time and of elapsed
time for each, and exits with 1 if strips gain less than 10 % of processor time against either.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
from child_process import in_child
from segment_memory import thresholded, write_image

from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.boxes import squares
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.inference import Failed, Job, find_images, large_plane
from cellseg_monai.inference.disk_array import DiskArray
from cellseg_monai.io.zarr_chunks import ZarrChunks

LEAST_GAIN = 0.10


class Uncompressed:
    """Takes the place of a compressor."""

    encode = staticmethod(np.ndarray.tobytes)
    decode = staticmethod(bytes)


class RawChunks(ZarrChunks):
    """Chunks without compression."""

    _codec = Uncompressed()


def in_chunks(path: Path, shape: tuple[int, int], dtype: np.dtype, *, edges: Sequence[int] | None = None) -> RawChunks:
    """Return a new array of zeros; the system does not store chunks that are not written."""
    array = RawChunks(path, shape, dtype)
    for rows, columns in squares(shape, array.chunk_px):
        file = path / str(rows.start // array.chunk_px) / str(columns.start // array.chunk_px)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.truncate(file, array.chunk_px**2 * dtype.itemsize)
    return array


def in_rows(path: Path, shape: tuple[int, int], dtype: np.dtype, *, edges: Sequence[int] | None = None) -> DiskArray:
    """Return a new array of zeros, in one strip."""
    return DiskArray.create(path, shape, dtype, edges=(0, shape[1]))


KINDS: dict[str, Any] = {"strips": DiskArray.create, "chunks": in_chunks, "rows": in_rows}


def measure(path: Path, kind: str) -> tuple[float, float]:
    """Return the processor time and the elapsed time of segmenting an image, in seconds."""
    keep_freed_memory()  # as the command does
    large_plane.DiskArray = SimpleNamespace(create=KINDS[kind])  # type: ignore[assignment, misc]
    pipeline = replace(load_pipeline("nuclei").largest, network=thresholded)
    with tempfile.TemporaryDirectory(dir=path.parent) as output:
        cpu, begun = time.process_time(), time.perf_counter()
        (outcome,) = Job(pipeline, Path(output)).run(find_images([str(path)])[0])
        if isinstance(outcome, Failed):
            raise SystemExit(outcome.reason)
        return time.process_time() - cpu, time.perf_counter() - begun


def main() -> int:
    """Measure each size, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    least = 1.0
    for side in arguments.sides:
        seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.tif"
            write_image(path, side)
            for number in range(arguments.rounds):
                for kind in list(KINDS) if number % 2 else reversed(KINDS):
                    seconds[kind].append(in_child(measure, path, kind))
        for kind, times in seconds.items():
            cpu, elapsed = (median(column) for column in zip(*times, strict=True))
            gain = 1 - median(strips / other for (strips, _), (other, _) in zip(seconds["strips"], times, strict=True))
            print(
                f"{side}², {kind}: {cpu:.2f} s of processor time, {elapsed:.2f} s; strips gain {gain:.0%}", flush=True
            )
            least = least if kind == "strips" else min(least, gain)
    print(f"strips gain {least:.0%} or more (aim {LEAST_GAIN:.0%})")
    return int(least < LEAST_GAIN)


if __name__ == "__main__":
    sys.exit(main())
