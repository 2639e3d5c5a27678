"""The class of cells and of the image, the same for planes in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.exports import write_exports
from cellseg_monai.exports.table_csv import read
from cellseg_monai.heads import CellClassHead, ForegroundHead, ImageClassHead, JoinedHeads
from cellseg_monai.inference import Pipeline, Tiles, prepared_plane, segment_plane
from cellseg_monai.inference.image_class import image_class_probabilities
from cellseg_monai.inference.large_plane import segment_large
from cellseg_monai.pixels import Preprocessing
from tests.cells import cells

HEAD = JoinedHeads((ForegroundHead(), CellClassHead(("dim", "bright")), ImageClassHead(("A", "B"), tag="cell_type")))


def network(batch: np.ndarray) -> np.ndarray:
    """Cells are bright spots, the brightest of which are of the second class; dark tiles are of the first."""
    image = batch[:, :1]
    of_image = np.broadcast_to(image.mean(axis=(2, 3), keepdims=True) * 8, image.shape)
    return np.concatenate([20 * image - 6, 0 * image, 20 * image - 12, 0 * image, of_image], axis=1).astype(np.float32)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(
        bundle="classes",
        version="1",
        weights_sha256="",
        network=network,
        head=HEAD,
        preprocess=Preprocessing(noise_floor=0),
        postprocess=Postprocessing(),
        tiles=Tiles((64, 64)),
    )


def test_the_table_has_the_classes_of_cells_and_image(pipeline: Pipeline, tmp_path: Path) -> None:
    found = segment_plane(prepared_plane(cells()[np.newaxis], pipeline, name="a.tif"), pipeline)
    table = found.table
    assert table.classes == ("dim", "bright")
    means = np.stack([table["mean_class_dim"], table["mean_class_bright"]])
    assert table["class"].tolist() == np.array(["dim", "bright"])[means.argmax(axis=0)].tolist()
    assert table["class_probability"].tolist() == means.max(axis=0).tolist()
    assert sum(found.image_classes.values()) == pytest.approx(1)
    assert set(table["image_class"].tolist()) == {max(found.image_classes, key=found.image_classes.__getitem__)}
    [path] = write_exports(tmp_path, found, "csv")["csv"]
    again = read(path)
    assert again["image_class"].tolist() == table["image_class"].tolist()
    assert again.classes == table.classes


def test_planes_on_disk_have_the_same_classes(pipeline: Pipeline, tmp_path: Path) -> None:
    pixels = cells()
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    expected = segment_plane(prepared_plane(pixels[np.newaxis], pipeline), pipeline)
    (tmp_path / "scratch").mkdir()
    with io.open_image(tmp_path / "a.tif") as image:
        found = segment_large(image.plane(()), pipeline, tmp_path / "scratch")
        assert found.table["class"].tolist() == expected.table["class"].tolist()
        assert found.image_classes == pytest.approx(dict(expected.image_classes), abs=1e-6)


def test_networks_without_classes_of_images_give_none(pipeline: Pipeline) -> None:
    assert image_class_probabilities({"foreground": np.ones((2, 2)), "class/a": np.ones((2, 2))}) == {}
