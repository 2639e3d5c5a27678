"""An array in a file holds what an array in memory would."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.inference.disk_array import DiskArray


@given(
    shape=st.tuples(st.integers(1, 6), st.one_of(st.integers(1, 5), st.integers(60, 120))),
    read=st.sampled_from([1, 30, 2**20]),
    strip=st.sampled_from([2, 2048]),
    data=st.data(),
)
def test_windows_are_read_and_written_as_those_of_an_array(tmp_path_factory, shape, read, strip, data):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_READ_VALUES", read), ("_STRIP_PX", strip)):
            patch.setattr(f"cellseg_monai.inference.disk_array.{name}", value)
        check_windows(tmp_path_factory, shape, data)


def check_windows(tmp_path_factory, shape, data):
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    edges = data.draw(
        st.one_of(st.none(), st.sets(st.integers(1, 100), max_size=4).map(lambda e: sorted({0, *e, shape[-1]})))
    )
    if edges is not None:
        edges = [edge for edge in edges if edge <= shape[-1]]
    path = tmp_path_factory.mktemp("disk") / "array"
    disk = DiskArray.create(path, array.shape, array.dtype, edges=edges)
    disk[:, :] = array
    for _ in range(3):
        window = tuple(
            data.draw(st.tuples(st.integers(0, n), st.integers(0, n)).map(lambda e: slice(*sorted(e)))) for n in shape
        )
        np.testing.assert_array_equal(disk[window], array[window])
        disk[window] = array[window] = data.draw(st.integers(-9, 9))
        np.testing.assert_array_equal(disk[:, :], array)


def test_an_array_too_large_for_the_disk_is_refused_at_once(tmp_path):
    with pytest.raises(OSError, match="are free; free up some space") as caught:
        DiskArray.create(tmp_path / "array", (10**7, 10**7), np.dtype(np.float64))
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "array").exists()


def test_steps_are_refused(tmp_path):
    disk = DiskArray.create(tmp_path / "array", (4, 4), np.dtype(np.uint8))
    with pytest.raises(IndexError, match="without a step"):
        disk[::2, :]


class Sparing:
    """A file that moves 5 bytes in a call; systems move less than asked for if it is much, or on a signal."""

    def __init__(self, path, mode, buffering=-1):
        self.file = open(path, mode, buffering=buffering)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def seek(self, offset):
        self.file.seek(offset)

    def readinto(self, buffer):
        return self.file.readinto(buffer[:5])

    def write(self, buffer):
        return self.file.write(buffer[:5])


def test_transfers_that_take_several_calls_are_complete(tmp_path, monkeypatch):
    disk = DiskArray.create(tmp_path / "array", (3, 4), np.dtype(np.int32))
    monkeypatch.setattr("cellseg_monai.inference.disk_array.open", Sparing, raising=False)
    disk[:, :] = np.arange(12).reshape(3, 4)
    assert disk[1:, 1:].tolist() == [[5, 6, 7], [9, 10, 11]]


def test_a_file_that_ends_early_or_takes_no_more_is_an_error(tmp_path, monkeypatch):
    disk = DiskArray.create(tmp_path / "array", (3, 4), np.dtype(np.int32))
    with monkeypatch.context() as full:
        full.setattr(Sparing, "write", lambda *_: 0)
        full.setattr("cellseg_monai.inference.disk_array.open", Sparing, raising=False)
        with pytest.raises(OSError, match="no more data could be written"):
            disk[:, :] = 1
    os.truncate(disk.path, 40)
    with pytest.raises(OSError, match="shorter than when it was created") as caught:
        disk[:, :]
    assert caught.value.filename == str(disk.path)
