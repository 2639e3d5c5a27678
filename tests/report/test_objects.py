"""Objects measured by stretches of their rows, against pixel by pixel."""

import numpy as np
import pytest

from cellseg_monai.report.objects import measure_objects


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_every_object_is_measured_as_pixel_by_pixel(dtype):
    rng = np.random.default_rng(0)
    labels = (rng.integers(0, 4, (9, 5)).repeat(3, axis=1) * 60).astype(dtype)
    labels[2:4] = 180  # an object that goes on from the end of a row to the next
    values = rng.normal(1000, 300, labels.shape).astype(np.float32)
    found = measure_objects(labels, values)
    assert found.ids.tolist() == [60, 120, 180]
    for place, number in enumerate(found.ids):
        rows, columns = np.nonzero(labels == number)
        assert found.areas_px[place] == len(rows)
        assert found.rows[place] == pytest.approx(rows.mean())
        assert found.columns[place] == pytest.approx(columns.mean())
        assert found.intensities[place] == pytest.approx(values[labels == number].mean(dtype=np.float64))


@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (4, 0)])
def test_without_objects_there_is_nothing_to_measure(shape):
    found = measure_objects(np.zeros(shape, np.int32), np.ones(shape))
    assert [len(each) for each in (found.ids, found.areas_px, found.rows, found.columns, found.intensities)] == [0] * 5
