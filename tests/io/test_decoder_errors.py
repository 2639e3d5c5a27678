"""Errors from libraries become one kind of error, in words that mean something to a user."""

import os
from pathlib import Path

import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.io import read


class OddError(Exception):
    """An error that shares no base class with those of decoders."""


@pytest.mark.parametrize("kind", [SystemError, BufferError, RecursionError, MemoryError, StopIteration, OddError])
def test_every_error_becomes_an_unreadable_image_with_its_cause(kind):
    cause = kind("the block is broken")
    with (
        pytest.raises(UnreadableImageError, match=rf"{kind.__name__}: the block is broken") as caught,
        decoding(Path()),
    ):
        raise cause
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_request_to_stop_is_not_an_unreadable_image(kind):
    with pytest.raises(kind), decoding(Path()):
        raise kind


def test_a_file_that_a_decoder_cannot_find_is_not_a_missing_image(tmp_path):
    with pytest.raises(UnreadableImageError, match="No such file"), decoding(tmp_path):
        (tmp_path / "part").read_bytes()
    with pytest.raises(FileNotFoundError), decoding(tmp_path / "image"):
        (tmp_path / "image").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "/build/Modules/IO/itkGDCMImageIO.cxx:123: ITK ERROR: GDCMImageIO(0x55e5231cdef0): cannot read",
        "Object arrays cannot be loaded when allow_pickle=False",
        "In PyTorch 2.6, we changed the default value of the `weights_only` argument",
        "max_denominator should be at least 1",
        "corrupt \x1b[31mtag",
        "corrupt " * 100,
    ],
    ids=["address", "advice", "markdown", "argument", "escape", "long"],
)
def test_words_for_programmers_are_left_out(text):
    with pytest.raises(UnreadableImageError) as caught, decoding(Path("a.dcm")):
        raise RuntimeError(text)
    assert caught.value.reason == "the file cannot be decoded (RuntimeError)"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["a.tif", "a.mha", "a.npy"])
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UnreadableImageError, match="a device or a pipe"):
        read(tmp_path / name)
