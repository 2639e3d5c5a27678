"""What a NumPy file holds is held against its header."""

import numpy as np
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import open_image, read, read_labels

PLANE = np.arange(12, dtype=np.uint16).reshape(3, 4)


def with_shape(path, shape):
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": PLANE.dtype.str, "fortran_order": False, "shape": shape})
        stream.write(PLANE.tobytes())


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (1, 1), (3, 5), (40, 6_999_990), (10**9, 10**9), (0, 4)])
@pytest.mark.parametrize("reader", [read, read_labels, open_image])
def test_a_shape_that_differs_from_the_values_is_refused_with_both_sizes(tmp_path, shape, reader):
    with_shape(tmp_path / "a.npy", shape)
    says = rf"declares {2 * shape[0] * shape[1]} bytes of pixels, but the file holds 24"
    with pytest.raises(UnreadableImageError, match=says):
        reader(tmp_path / "a.npy")


def test_a_negative_shape_is_refused(tmp_path):
    with_shape(tmp_path / "a.npy", (-3, -4))
    with pytest.raises(UnreadableImageError, match=r"declares the shape \(-3, -4\)"):
        read(tmp_path / "a.npy")


def test_two_arrays_in_one_file_are_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as stream:
        np.save(stream, PLANE)
        np.save(stream, PLANE)
    with pytest.raises(UnreadableImageError, match="declares 24 bytes of pixels, but the file holds 176"):
        read(tmp_path / "a.npy")


def test_an_image_of_python_objects_is_refused_without_advice_on_numpy(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, None]], object), allow_pickle=True)
    with pytest.raises(UnreadableImageError, match="holds Python objects, not pixels; save the pixels") as caught:
        read(tmp_path / "a.npy")
    assert "pickle" not in str(caught.value)
