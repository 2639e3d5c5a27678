"""Fixtures for the tests of all packages."""

import ctypes
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, settings

from cellseg_monai.io import write_labels

# Examples are the same in each run, so that failures are reproducible, and have no deadline, so that they pass on a
# busy machine. For other examples, run pytest --hypothesis-profile=default --hypothesis-seed=random.
settings.register_profile("seeded", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seeded")

pytest.register_assert_rewrite("tests.contracts.preparer", "tests.report.pages")


@pytest.fixture(autouse=True)
def _no_log_handler_outlives_its_test() -> Iterator[None]:
    """Remove handlers that libraries install, because pytest closes the stream to which they write."""
    yield
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in list(getattr(logger, "handlers", ())):
            if type(handler) is logging.StreamHandler:
                logger.removeHandler(handler)


@pytest.fixture(autouse=True, scope="module")
def _memory_is_given_back() -> Iterator[None]:
    """Return freed memory to the system after each file; in small pieces, glibc keeps gigabytes of it."""
    yield
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A function that returns the folder of a public data set, or skips the test if it is not unpacked."""
    root = os.environ.get("CELLSEG_DATA")

    def folder(name: str) -> Path:
        if not root:
            pytest.skip("CELLSEG_DATA is not set; set it to the folder with the unpacked public data sets")
        if not (Path(root) / name).is_dir():
            pytest.skip(f"no {name} in CELLSEG_DATA={root}")
        return Path(root) / name

    return folder


def _save_image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 4000, (6, 8)).astype(np.uint16)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None)
    return path


def _save_label(path: Path, labels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if labels is None:
        labels = np.zeros((6, 8), np.int32)
        labels[1:3, 1:3], labels[4:6, 4:7] = 1, 2
    write_labels(path.with_suffix(".tif"), labels)
    return path.with_suffix(".tif").rename(path)


@pytest.fixture
def save_image() -> Callable[..., Path]:
    """`save_image(path, seed=0)`, which writes a 6 × 8 image of noise."""
    return _save_image


@pytest.fixture
def save_label() -> Callable[..., Path]:
    """`save_label(path, labels=None)`, which writes a label image, by default 6 × 8 pixels with two objects."""
    return _save_label


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """`make_dataset(stems, name="set", labelled=True)`, which writes a data set and returns its folder."""

    def make(stems: Iterable[str], name: str = "set", labelled: bool = True) -> Path:
        folder = tmp_path / name
        for number, stem in enumerate(stems):
            _save_image(folder / "images" / f"{stem}.tif", number)
            if labelled:
                _save_label(folder / "labels" / f"{stem}.tif")
        return folder

    return make
