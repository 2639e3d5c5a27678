"""Damage small sound files of many formats, read them in two processes, and compare what comes back.

    python benchmarks/damaged_files.py [--mutants 200] [--only TEXT] [--keep FOLDER]

Each mutant has a flipped bit, a missing end, a range of zeros, or another number in its header. It is read whole and
window by window, in two processes in which new memory is filled with different bytes, so that values which were never
read from the file differ. The outcome of a mutant is one of these:

refused    UnreadableImageError, in both processes, and for the whole image as well as for its windows.
equal      The image is that of the sound file.
different  The image differs from that of the sound file, but all four readings agree. Without a checksum in the file,
           nobody can know.
FAILED     The process ended or took more than 20 s, 4 GB or, on top of what it had, 1 GB; another error came out; the
           processes disagree; or the whole image and its windows do.

Prints the counts by format, and exits with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from child_process import held_bytes
from damaged_samples import Sample, samples

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, open_image, read, read_labels

SECONDS = 20.0
IMPORT_SECONDS = 300.0
LIMIT_BYTES = 4 * 10**9
MOST_BYTES = 10**9
FILLS = ("85", "170")  # MALLOC_PERTURB_ of the two processes
REFUSED, EQUAL, DIFFERENT, FAILED = "refused", "equal", "different", "FAILED"
NUMBERS = (0, 1, 2, 3, 7, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
HEAD_BYTES = 500


def damaged(content: bytes, number: int, generator: random.Random) -> bytes:
    """Return a mutant of the content of a file; its number determines the kind of damage."""
    mutant = bytearray(content)
    n = len(content)
    anywhere, in_head = generator.randrange(n), generator.randrange(min(n, HEAD_BYTES))
    in_tail = n - 1 - generator.randrange(min(n, HEAD_BYTES))
    if number % 5 == 0:
        mutant[anywhere] ^= 1 << generator.randrange(8)
    elif number % 5 == 1:
        place = generator.choice((in_head, in_tail))
        mutant[place] ^= 1 << generator.randrange(8)
    elif number % 5 == 2:
        return content[: generator.choice((anywhere, in_tail, in_head))]
    elif number % 5 == 3:
        place = generator.choice((anywhere, in_head, in_tail))
        length = min(generator.choice((1, 4, 32, 512)), n - place)
        mutant[place : place + length] = bytes(length)
    else:
        return _other_number(content, generator)
    return bytes(mutant)


def _other_number(content: bytes, generator: random.Random) -> bytes:
    """Return the content with another number in its header, as text or as an integer of 2, 4 or 8 bytes."""
    words = list(re.finditer(rb"\d+", content[: 4 * HEAD_BYTES]))
    is_text = content[:200].isascii() and words
    if is_text or (words and generator.random() < 0.2):
        word = generator.choice(words)
        value = int(word.group()[:18])
        new = generator.choice((value + 1, max(0, value - 1), value * 2, value // 2, *NUMBERS, -1))
        return content[: word.start()] + str(new).encode() + content[word.end() :]
    size = generator.choice((1, 2, 2, 4, 4, 8))
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    order = generator.choice(orders)
    place = 2 * generator.randrange(min(len(content), HEAD_BYTES) // 2)
    value = int.from_bytes(content[place : place + size], order)
    new = generator.choice((value + 1, value - 1, value * 2, value // 2, *NUMBERS)) % 256**size
    return content[:place] + new.to_bytes(size, order) + content[place + size :]


def parts(path: Path) -> list[Path]:
    """Return the files that make up an image, sorted."""
    return sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]


def mutants(sample: Sample, folder: Path, count: int) -> Iterator[Path]:
    """Write the sound file and then its mutants into a folder, one after the other, and yield their paths."""
    sound = folder / "sound" / sample.name
    sound.parent.mkdir(parents=True)
    sample.write(sound)
    yield sound
    for number in range(count):
        generator = random.Random(f"{sample.name} {number}")
        place = folder / str(number) / sample.name
        place.parent.mkdir()
        (shutil.copytree if sound.is_dir() else shutil.copyfile)(sound, place)
        part = generator.choice(parts(place))
        if content := part.read_bytes():
            part.write_bytes(damaged(content, number, generator))
        yield place


def read_both_ways(path: Path, axes: str | None, *, is_labels: bool) -> str:
    """Return a digest of an image, "refused", or what is wrong."""
    if is_labels:
        try:
            array = read_labels(path)
        except UnreadableImageError as error:
            fault = REFUSED if error.reason and error.remedy else f"the message is incomplete: {error}"
            return fault if "MemoryError" not in error.reason else f"out of memory: {error}"
        return hashlib.sha256(f"{array.shape} {array.dtype}".encode() + array.tobytes()).hexdigest()
    answers: list[Image | str] = []
    for function in (read, by_windows):
        try:
            answers.append(function(path, axes))
        except UnreadableImageError as error:
            answers.append(REFUSED)
            if "MemoryError" in error.reason:
                return f"out of memory: {error}"
    whole, windows = answers
    if isinstance(whole, Image) and isinstance(windows, Image):
        one, other = digest(whole), digest(windows)
        return one if one == other else "the whole image and its windows differ"
    if whole != windows:
        return "the windows are refused" if isinstance(whole, Image) else "only the whole image is refused"
    return REFUSED


def by_windows(path: Path, axes: str | None) -> Image:
    """Return an image that is put together from windows of odd sizes."""
    with open_image(path, axes) as image:
        pixels = np.empty(image.shape, image.dtype)
        height, width = image.shape[-2:]
        step = max(19, height // 8), max(23, width // 8)
        for plane in image.planes():
            for y in range(0, height, step[0]):
                for x in range(0, width, step[1]):
                    rows, columns = slice(y, min(height, y + step[0])), slice(x, min(width, x + step[1]))
                    pixels[plane][:, rows, columns] = image.window(plane, rows, columns)
        return Image(pixels, image.axes, image.pixel_size_um, image.channel_names)


def digest(image: Image) -> str:
    """Return a digest of everything in an image."""
    about = f"{image.axes} {image.pixels.shape} {image.pixels.dtype} {image.pixel_size_um} {image.channel_names}"
    return hashlib.sha256(about.encode() + image.pixels.tobytes()).hexdigest()


def work(requests: Connection) -> None:
    """Answer requests to read files until the connection ends; runs in a process of its own."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # decoders in C print their warnings
    while True:
        try:
            path, axes, is_labels = requests.recv()
        except EOFError:
            return
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        before = held_bytes("VmHWM")
        try:
            answer = read_both_ways(path, axes, is_labels=is_labels)
        except BaseException as error:  # noqa: BLE001 - whatever comes out is the finding
            answer = f"raised {type(error).__name__}: {error}"
        requests.send((answer, held_bytes("VmHWM") - before))


class Reader:
    """A process that reads files, and is replaced when it ends."""

    def __init__(self, fill: str) -> None:
        self._fill = fill
        self._first: tuple[Any, ...] = ()
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # MALLOC_PERTURB_ counts from the start of a program
        self._connection, child = context.Pipe()
        self._process = context.Process(target=work, args=(child,), daemon=True)
        environment = {"MALLOC_PERTURB_": self._fill, "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1"}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        self._process.start()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        child.close()

    def ask(self, path: Path, axes: str | None, *, is_labels: bool) -> None:
        """Begin to read a file."""
        self._connection.send((path, axes, is_labels))
        self._begun = time.monotonic()

    def answer(self) -> str:
        """Return the outcome, or what happened to the process."""
        try:
            if self._connection.poll(max(0.0, self._begun + SECONDS - time.monotonic())):
                answer, peak = self._connection.recv()
                return str(answer) if peak <= MOST_BYTES else f"took {peak / 1e9:.1f} GB"
            fault = f"no answer within {SECONDS:.0f} s"
        except EOFError:
            self._process.join()
            fault = f"the process ended with {self._process.exitcode}"
        self.close()
        self._start()
        self.warm()
        return fault

    def warm(self, *first: Any) -> None:
        """Read a sound file, which imports the libraries; also the next process does this before anything else."""
        self._first = first or self._first
        self.ask(*self._first[:2], is_labels=self._first[2])
        if not self._connection.poll(IMPORT_SECONDS):
            raise RuntimeError(f"the sound file {self._first[0]} is not read")
        self._connection.recv()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def judge(path: Path, sample: Sample, readers: list[Reader], sound: str | None) -> tuple[str, str]:
    """Return the verdict on a file, and the digest of its image or what is wrong."""
    digests = []
    for is_labels in [False, True] if sample.is_labels else [False]:
        for reader in readers:
            reader.ask(path, sample.axes, is_labels=is_labels)
        one, other = (reader.answer() for reader in readers)
        if one != other:
            return FAILED, f"the two processes differ: {one} | {other}"
        if one != REFUSED and not re.fullmatch("[0-9a-f]{64}", one):
            return FAILED, one
        digests.append(one)
    together = " ".join(digests)
    if set(digests) == {REFUSED}:
        return REFUSED, together
    return (EQUAL if together == sound or sound is None else DIFFERENT), together


def try_all(kinds: list[Sample], count: int, keep: Path | None = None) -> Counter[str]:
    """Damage files of all kinds, print the counts, and return the totals.

    Args:
        kinds: kinds of files.
        count: number of mutants of each.
        keep: folder for the mutants that failed, or None.

    Raises:
        RuntimeError: a sound file cannot be read.
    """
    readers, total = [Reader(fill) for fill in FILLS], Counter[str]()
    width = max(len(sample.name) for sample in kinds)
    print(f"{'':{width}s} {REFUSED:>9s} {EQUAL:>9s} {DIFFERENT:>9s} {FAILED:>9s}")
    try:
        for sample in kinds:
            counts, faults = Counter[str](), Counter[str]()
            with tempfile.TemporaryDirectory() as folder:
                paths = mutants(sample, Path(folder), count)
                first = next(paths)
                for reader in readers:
                    reader.warm(first, sample.axes, sample.is_labels)
                verdict, sound = judge(first, sample, readers, None)
                if verdict != EQUAL:
                    raise RuntimeError(f"the sound file {sample.name!r} is not read: {sound}")
                for path in paths:
                    verdict, detail = judge(path, sample, readers, sound)
                    counts[verdict] += 1
                    if verdict == FAILED:
                        faults[f"{path.parent.name}: {detail.replace(folder, '')[:300]}"] += 1
                        if keep is not None:
                            place = keep / sample.name.replace(" ", "_") / path.parent.name
                            shutil.copytree(path.parent, place, dirs_exist_ok=True)
                    shutil.rmtree(path.parent)
            print(
                f"{sample.name:{width}s} " + " ".join(f"{counts[v]:9d}" for v in (REFUSED, EQUAL, DIFFERENT, FAILED)),
                flush=True,
            )
            for fault in faults:
                print(f"    {fault}")
            total += counts
    finally:
        for reader in readers:
            reader.close()
    return total


def main() -> int:
    """Damage files, print the counts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200, help="number of mutants of each kind of file")
    parser.add_argument("--only", default="", help="text in the names of the kinds to try")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that failed")
    options = parser.parse_args()
    kinds = [sample for sample in samples() if options.only in sample.name]
    begun = time.perf_counter()
    total = try_all(kinds, options.mutants, options.keep)
    print(f"\n{total.total()} mutants of {len(kinds)} kinds in {time.perf_counter() - begun:.0f} s:")
    print(", ".join(f"{total[verdict]} {verdict}" for verdict in (REFUSED, EQUAL, DIFFERENT, FAILED)))
    return int(total[FAILED] > 0)


if __name__ == "__main__":
    sys.exit(main())
