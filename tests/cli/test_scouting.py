"""`cellseg scout` says what images show."""

import csv
import json

import numpy as np
import pytest
import tifffile

import cellseg_monai
from tests.cells import cells
from tests.scouted_bundles import save_scout


@pytest.fixture
def weights(tmp_path):
    save_scout(tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_a_row_for_each_image_and_a_line_for_each_bad_file(cellseg, images, weights):
    (images / "broken.tif").write_bytes(b"II*\0 not an image")
    ran = cellseg("scout", images, "--checkpoint", weights, "--pixel_size", 0.5)
    head, *rows = ran.out.splitlines()
    assert head.split() == ["image", "shows", "sure", "diameter", "objects", "suggestion"]
    assert [row.split()[0].rsplit("/", 1)[-1] for row in rows] == ["a.npy", "b.npy", "c.npy"]
    assert all("nuclei in fluorescence" in row and "bright" in row and "nuclei" in row for row in rows)
    assert ran.code == 1
    assert len(ran.errors) == 1
    assert "broken.tif" in ran.errors[0]


def test_the_columns_are_aligned(cellseg, images, weights):
    np.save(images / "b.npy", 60_000 - cells(1))
    head, *rows = cellseg("scout", images, "--checkpoint", weights, "--pixel_size", 0.5).out.splitlines()
    assert "none of the known kinds of microscope images" in rows[1]
    sure, suggestion = head.index("sure"), head.index("suggestion")
    assert [row[sure - 2 : sure] for row in rows] == ["  "] * 3
    assert [row[sure].isdigit() for row in rows] == [True] * 3
    assert [row[suggestion - 2 : suggestion + 6] for row in rows] == ["  nuclei"] * 3


def test_json_table_and_python_say_the_same(cellseg, images, weights, tmp_path):
    printed = json.loads(cellseg("scout", images, "--checkpoint", weights, "--json").out)
    table = tmp_path / "seen.csv"
    assert cellseg("scout", images, "--checkpoint", weights, "--output", table).code == 0
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [image["image"] for image in printed]
    look = cellseg_monai.look(images / "a.npy", checkpoint=weights)
    assert look.to_mapping() == printed[0]
    array = cellseg_monai.look(cells(0), checkpoint=weights)
    assert {**array.to_mapping(), "image": look.image} == printed[0]
    for taken in (table, tmp_path / "seen.txt"):
        assert cellseg("scout", images, "--checkpoint", weights, "--output", taken).code == 1


def test_stacks_and_channels_are_looked_at_as_segment_does(cellseg, tmp_path, weights):
    stack = np.stack([np.stack([cells(seed), np.zeros_like(cells())]) for seed in range(5)])
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, stack, ome=True, metadata={"axes": "ZCYX", "Channel": {"Name": ["DAPI", "empty"]}})
    refused = cellseg("scout", path, "--checkpoint", weights)
    assert (refused.code, len(refused.errors)) == (1, 1)
    assert "2 channels" in refused.errors[0]
    (seen,) = json.loads(cellseg("scout", path, "--channels", "DAPI", "--checkpoint", weights, "--json").out)
    assert seen["kind"] == "fluorescence_nuclei"


def test_an_image_with_nan_is_a_fault_in_the_words_of_segment(cellseg, tmp_path, weights):
    image = cells().astype(np.float32)
    image[:9] = np.nan
    np.save(tmp_path / "a.npy", image)
    ran = cellseg("scout", tmp_path / "a.npy", "--checkpoint", weights, "--json")
    assert (ran.code, json.loads(ran.out)) == (1, [])
    (error,) = ran.errors
    assert f"{tmp_path / 'a.npy'}: 864 of 9216 values are NaN" in error
    with pytest.raises(ValueError, match="864 of 9216 values are NaN"):
        cellseg_monai.look(image, checkpoint=weights)


def test_weights_of_another_bundle_are_refused(cellseg, images):
    from cellseg_monai.bundle import find_bundle

    ran = cellseg("scout", images, "--checkpoint", find_bundle("nuclei") / "models" / "model.pt")
    assert ran.code == 1
    assert "belongs to the bundle 'nuclei', not 'scout'" in ran.err


def test_the_scout_cannot_segment(cellseg, images, output):
    ran = cellseg("segment", images, "--output", output, "--bundle", "scout")
    assert ran.code == 1
    assert "finds no cells" in ran.err
