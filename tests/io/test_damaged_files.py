"""A sample of damaged files; `benchmarks/damaged_files.py` damages files of all kinds."""

import random
import tracemalloc

import damaged_files
import numpy as np
import pytest
from damaged_samples import samples

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read, read_labels
from tests.io.files import write_dicom

KINDS = {sample.name: sample for sample in samples()}
TRIED = (
    "tiff strips.tif",
    "tiff lzw.tif",
    "ome.tif",
    "lsm.lsm",
    "micromanager.tif",
    "png grey.png",
    "png 16-bit colours.png",
    "metaimage zlib.mha",
    "nrrd gzip.nrrd",
    "dicom.dcm",
    "zarr 2 blosc.zarr",
    "zarr 3 zstd.zarr",
    "cellpose_seg.npy",
)


def test_damaged_files_are_refused_or_read_alike_in_two_processes(capsys):
    total = damaged_files.try_all([KINDS[name] for name in TRIED], 15)
    assert total[damaged_files.FAILED] == 0, capsys.readouterr().out
    assert total.total() == 15 * len(TRIED)
    assert total[damaged_files.REFUSED] > 20


def test_there_are_enough_kinds():
    assert len(KINDS) == len(samples()) > 70


def test_mutants_are_always_the_same_and_differ_from_the_file():
    content = bytes(range(256)) * 4
    mutants = [[damaged_files.damaged(content, n, random.Random(n)) for n in range(50)] for _ in range(2)]
    assert mutants[0] == mutants[1]
    assert sum(mutant != content for mutant in mutants[0]) > 45


class TestLengthsAreNotBelieved:
    """By decoders that would allocate them."""

    def test_of_a_dicom_element(self, tmp_path):
        path = tmp_path / "a.dcm"
        write_dicom(path, np.ones((20, 30), np.uint16))
        content = bytearray(path.read_bytes())
        read(path)
        place = content.rindex(b"OW") + 4
        content[place : place + 4] = (2**31 - 2).to_bytes(4, "little")
        path.write_bytes(content)
        with pytest.raises(UnreadableImageError, match=r"ends within the DICOM element \(7fe0,0010\)"):
            read(path)

    @pytest.mark.parametrize("code", [b"r", b"B", b"\x8e", b"\x95", b"X", b"\x96"])
    def test_of_a_part_of_a_pickle(self, tmp_path, code):
        path = tmp_path / "a_seg.npy"
        KINDS["cellpose_seg.npy"].write(path)
        head = path.read_bytes()[:128]
        path.write_bytes(head + b"\x80\x04K\x01" + code + b"\xff\xff\xff\x0f\0\0\0\0" + bytes(100))
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableImageError):
                read_labels(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 10**6
