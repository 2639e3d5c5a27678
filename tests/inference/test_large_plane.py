"""The place of intermediate results of a plane that is not held in memory."""

import os
import tempfile
from dataclasses import replace

import numpy as np
import pytest

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import Pipeline, Tiles, prepared_plane, segment_plane
from cellseg_monai.inference.large_plane import _Framed, segment_large
from cellseg_monai.io import open_image
from cellseg_monai.pixels import Preprocessing
from tests.cells import cells
from tests.raw_head import RawHead


@pytest.fixture
def pipeline():
    return Pipeline(
        bundle="bright",
        version="1",
        weights_sha256="",
        network=lambda batch: batch,
        head=RawHead(),
        preprocess=Preprocessing(noise_floor=0),
        postprocess=Postprocessing(),
        tiles=Tiles((64, 64)),
    )


@pytest.mark.parametrize("target_um", [None, 0.8], ids=["as it is", "at another scale"])
def test_nothing_is_written_outside_the_scratch_folder(pipeline, tmp_path, monkeypatch, target_um):
    """The system's folder for temporary files can be small, or in memory."""
    written = []

    class Watched:
        def __enter__(self):
            self.file = tempfile.TemporaryFile(dir=tmp_path)
            return self.file

        def __exit__(self, *_):
            written.append(os.fstat(self.file.fileno()).st_size)
            self.file.close()

    np.save(tmp_path / "a.npy", cells())
    pipeline = replace(pipeline, preprocess=replace(pipeline.preprocess, pixel_size_um=target_um))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    monkeypatch.setattr("cellseg_monai.decoding.blockwise.label.TemporaryFile", Watched)
    with open_image(tmp_path / "a.npy") as image:
        large = segment_large(image.plane(), pipeline, tmp_path / "scratch", pixel_size_um=(0.5, 0.5))
        expected = segment_plane(prepared_plane(cells()[np.newaxis], pipeline, pixel_size_um=(0.5, 0.5)), pipeline)
        np.testing.assert_array_equal(large.labels[:, :], expected.labels)
    assert expected.labels.any()
    assert (written, list((tmp_path / "system").iterdir())) == ([0], [])


@pytest.mark.parametrize("zoom", [None, 0.5, 2.0])
def test_a_plane_without_objects_has_an_empty_table(pipeline, tmp_path, zoom):
    dark = np.zeros((40, 50), np.uint8)
    np.save(tmp_path / "a.npy", dark)
    pipeline = replace(pipeline, preprocess=replace(pipeline.preprocess, zoom=zoom))
    with open_image(tmp_path / "a.npy") as image:
        large = segment_large(image.plane(), pipeline, tmp_path)
        small = segment_plane(prepared_plane(dark[np.newaxis], pipeline), pipeline)
        assert not np.asarray(large.labels[:, :]).any()
        assert list(large.table.columns) == list(small.table.columns)
        assert len(large.table) == 0


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (slice(1, 3), slice(0, 2), [[1, 1], [3, 3]]),
        (slice(0, 0), slice(0, 2), np.zeros((0, 2))),
        (slice(0, 2), slice(1, 1), np.zeros((2, 0))),
        (slice(0, 0), slice(0, 0), np.zeros((0, 0))),
    ],
)
def test_a_map_is_read_at_the_size_of_the_image_even_in_an_empty_window(rows, columns, expected):
    framed = _Framed(np.array([[1, 2], [3, 4]], np.float32), (4, 4))
    window = framed[rows, columns]
    assert (window.dtype, window.tolist()) == (np.float32, np.asarray(expected).tolist())
    assert window.shape == np.shape(expected)
