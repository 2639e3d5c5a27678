"""Measures of planes of any size and scale."""

import dataclasses

import numpy as np
import pytest

from cellseg_monai.io import read_labels, write_labels
from cellseg_monai.labels import measure_objects
from cellseg_monai.pixels import PreparedPixels, Preprocessing, prepare_and_measure
from cellseg_monai.quality import PlaneMeasures, TrainingData, describe_training_data, measure_plane
from cellseg_monai.quality.measures import sample_windows
from cellseg_monai.settings import read_settings, write_settings
from tests.quality.planes import plane


def measured(pixels: np.ndarray, labels: np.ndarray, **settings: object) -> PlaneMeasures:
    def window(rows: slice, columns: slice) -> np.ndarray:
        return pixels[:, rows, columns]

    size_um = settings.pop("image_size_um", None)
    measures = measure_plane(window, labels, measure_objects(labels), Preprocessing(**settings), pixel_size_um=size_um)
    return measures


def test_the_measures_of_a_plane() -> None:
    pixels, labels = plane()
    measures = measured(pixels, labels)
    assert (measures.objects, measures.megapixels) == (16, 160 * 160 / 1e6)
    assert measures.diameter_px == pytest.approx(24, abs=0.5)
    assert measures.cut == 0
    assert measures.saturated < 0.001
    assert measures.contrast > 60
    assert measures.brightness == pytest.approx(0.3, abs=0.05)
    assert measures.object_contrast == pytest.approx(0.85, abs=0.1)
    assert measures.per_megapixel == pytest.approx(625)


def test_dark_objects_have_a_negative_contrast() -> None:
    pixels, labels = plane()
    assert measured(2000 - pixels, labels).object_contrast < -0.7


def test_measures_of_objects_are_nan_without_objects() -> None:
    pixels, labels = plane()
    measures = measured(pixels, np.zeros_like(labels))
    assert measures.objects == 0
    assert all(np.isnan(value) for value in (measures.diameter_px, measures.cut, measures.object_contrast))
    assert measures.sharpness > 0


def test_images_with_another_pixel_size_are_measured_at_the_scale_of_the_network() -> None:
    pixels, labels = plane()
    fine = np.kron(pixels[0], np.ones((2, 2)))[np.newaxis], np.kron(labels, np.ones((2, 2), int))
    scaled = measured(*fine, pixel_size_um=0.5, image_size_um=(0.25, 0.25))
    assert scaled.diameter_px == pytest.approx(measured(pixels, labels).diameter_px, rel=0.02)
    assert scaled.sharpness == pytest.approx(measured(pixels, labels).sharpness, rel=0.2)


def test_a_large_plane_is_measured_in_windows() -> None:
    pixels, labels = plane()
    tiled = np.tile(pixels, (1, 30, 30)), np.tile(labels, (30, 30))
    large, small = measured(*tiled), measured(pixels, labels)
    assert large.sharpness == pytest.approx(small.sharpness, rel=0.05)
    assert large.brightness == pytest.approx(small.brightness, abs=0.02)
    assert large.covered == pytest.approx(small.covered)
    assert large.saturated == pytest.approx(small.saturated, abs=1e-4)


def test_touching_objects_are_counted() -> None:
    pixels, labels = plane()
    halves = np.where(np.arange(160)[:, np.newaxis] % 40 < 20, labels, labels + 16 * (labels > 0))
    assert measured(pixels, labels).touching == 0
    assert measured(pixels, halves).touching == 1
    halves[halves == 17] = 0
    assert measured(pixels, halves).touching == pytest.approx(30 / 31)
    large = measured(np.tile(pixels, (1, 30, 30)), np.kron(np.arange(1, 901).reshape(30, 30), np.ones((160, 160), int)))
    assert large.touching == pytest.approx(1, abs=0.02)
    assert large.covered == 1


def test_a_plane_that_is_already_prepared_is_measured_as_it_is() -> None:
    pixels, labels = plane()
    settings = Preprocessing(zoom=0.5)
    prepared = PreparedPixels(*prepare_and_measure(pixels, settings))
    table = measure_objects(labels)
    given, found = (
        measure_plane(lambda rows, columns: pixels[:, rows, columns], labels, table, settings, prepared=each)
        for each in (prepared, None)
    )
    assert dataclasses.asdict(given) == pytest.approx(dataclasses.asdict(found), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (767, 2000), (5000, 3), (4000, 4000), (30_000, 20_000)])
def test_windows_lie_within_the_plane_and_have_equal_sizes(shape: tuple[int, int]) -> None:
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


def test_training_data_are_described_and_stored(tmp_path) -> None:
    pairs = []
    for name in "ab":
        pixels, labels = plane(seed=ord(name))
        np.save(tmp_path / f"{name}.npy", pixels[0])
        write_labels(tmp_path / f"{name}.tif", labels)
        pairs.append((str(tmp_path / f"{name}.npy"), str(tmp_path / f"{name}.tif")))
    description = describe_training_data(pairs, Preprocessing(), name="discs", weights_sha256="0")
    assert (description.images, description.objects) == (2, 32)
    assert description.diameter_px[0] == pytest.approx(24, abs=0.5)
    halved = describe_training_data(pairs, Preprocessing(shorter_side_px=80), name="discs", weights_sha256="0")
    assert halved.diameter_px == pytest.approx([diameter / 2 for diameter in description.diameter_px], abs=0.01)
    # Objects of another size and polarity are measured as the network sees them.
    pixels, labels = np.load(tmp_path / "b.npy"), read_labels(tmp_path / "b.tif")
    np.save(tmp_path / "b.npy", np.repeat(np.repeat(pixels.max() - pixels, 2, axis=0), 2, axis=1))
    write_labels(tmp_path / "b.tif", np.repeat(np.repeat(labels, 2, axis=0), 2, axis=1))
    settings = Preprocessing(diameter_px=12, polarity="bright")
    suited = describe_training_data(pairs, settings, name="discs", weights_sha256="0")
    assert suited.diameter_px == pytest.approx([12] * 3, abs=0.5)
    assert suited.object_contrast[0] > 0.2
    write_settings(description, tmp_path / "training_data.json")
    assert read_settings(TrainingData, tmp_path / "training_data.json") == description
    write_labels(tmp_path / "a.tif", np.zeros((160, 160), np.int32))
    with pytest.raises(ValueError, match="none of the 1 images contains any objects"):
        describe_training_data(pairs[:1], Preprocessing(), name="discs", weights_sha256="0")
    with pytest.raises(ValueError, match="three numbers in ascending order"):
        dataclasses.replace(description, sharpness=(2.0, 1.0, 3.0))
