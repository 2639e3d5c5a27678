"""What is measured of a plane, of any size and scale."""

import dataclasses

import numpy as np
import pytest

from cellseg_monai.io import write_labels
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import PlaneMeasures, TrainingData, describe_training_data, measure_plane
from cellseg_monai.quality.measures import sample_windows
from cellseg_monai.settings import write_settings
from tests.quality.planes import plane


def measured(pixels: np.ndarray, labels: np.ndarray, **settings: object) -> PlaneMeasures:
    seen = []

    def window(rows: slice, columns: slice) -> np.ndarray:
        seen.append((rows, columns))
        return pixels[:, rows, columns]

    size_um = settings.pop("image_size_um", None)
    found = measure_plane(window, labels, measure_objects(labels), Preprocessing(**settings), pixel_size_um=size_um)
    assert len(seen) <= 16
    return found


def test_the_numbers_of_a_plane() -> None:
    pixels, labels = plane()
    found = measured(pixels, labels)
    assert (found.objects, found.megapixels) == (16, 160 * 160 / 1e6)
    assert found.diameter_px == pytest.approx(24, abs=0.5)
    assert found.cut == 0
    assert found.saturated < 0.001
    assert found.contrast > 60
    assert found.brightness == pytest.approx(0.3, abs=0.05)
    assert found.object_contrast == pytest.approx(0.85, abs=0.1)
    assert found.per_megapixel == pytest.approx(625)


def test_dark_objects_have_a_negative_contrast() -> None:
    pixels, labels = plane()
    assert measured(2000 - pixels, labels).object_contrast < -0.7


def test_without_objects_there_is_nothing_to_say_of_them() -> None:
    pixels, labels = plane()
    found = measured(pixels, np.zeros_like(labels))
    assert found.objects == 0
    assert all(np.isnan(value) for value in (found.diameter_px, found.cut, found.object_contrast))
    assert found.sharpness > 0


def test_another_pixel_size_is_measured_at_the_scale_of_the_network() -> None:
    pixels, labels = plane()
    fine = np.kron(pixels[0], np.ones((2, 2)))[np.newaxis], np.kron(labels, np.ones((2, 2), int))
    scaled = measured(*fine, pixel_size_um=0.5, image_size_um=(0.25, 0.25))
    assert scaled.diameter_px == pytest.approx(measured(pixels, labels).diameter_px, rel=0.02)
    assert scaled.sharpness == pytest.approx(measured(pixels, labels).sharpness, rel=0.2)


def test_a_large_plane_is_measured_by_a_part_of_it() -> None:
    pixels, labels = plane()
    tiled = np.tile(pixels, (1, 30, 30)), np.tile(labels, (30, 30))
    found, whole = measured(*tiled), measured(pixels, labels)
    assert found.sharpness == pytest.approx(whole.sharpness, rel=0.05)
    assert found.brightness == pytest.approx(whole.brightness, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (767, 2000), (5000, 3), (4000, 4000), (30_000, 20_000)])
def test_windows_lie_within_a_plane_and_have_one_size(shape: tuple[int, int]) -> None:
    windows = sample_windows(shape)
    assert len({(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in windows}) == 1
    assert max(rows.stop for rows, _ in windows) == shape[0]
    assert max(columns.stop for _, columns in windows) == shape[1]
    assert len(windows) <= 16
    if shape[0] * shape[1] < 16 * 600**2:
        covered = np.zeros(shape, bool)
        for window in windows:
            covered[window] = True
        assert covered.all()


def test_training_data_are_described_and_kept(tmp_path) -> None:
    pairs = []
    for name in "ab":
        pixels, labels = plane(seed=ord(name))
        np.save(tmp_path / f"{name}.npy", pixels[0])
        write_labels(tmp_path / f"{name}.tif", labels)
        pairs.append((str(tmp_path / f"{name}.npy"), str(tmp_path / f"{name}.tif")))
    found = describe_training_data(pairs, Preprocessing(), name="discs", weights_sha256="0")
    assert (found.images, found.objects) == (2, 32)
    assert found.diameter_px[0] == pytest.approx(24, abs=0.5)
    halved = describe_training_data(pairs, Preprocessing(shorter_side_px=80), name="discs", weights_sha256="0")
    assert halved.diameter_px == pytest.approx([each / 2 for each in found.diameter_px], abs=0.01)
    write_settings(found, tmp_path / "training_data.json")
    assert TrainingData.from_json(tmp_path / "training_data.json") == found
    write_labels(tmp_path / "a.tif", np.zeros((160, 160), np.int32))
    with pytest.raises(ValueError, match="1 images without an object"):
        describe_training_data(pairs[:1], Preprocessing(), name="discs", weights_sha256="0")
    with pytest.raises(ValueError, match="three ascending numbers"):
        dataclasses.replace(found, sharpness=(2.0, 1.0, 3.0))
