"""Compare windows of a file with the image that `read` returns."""

import random
from pathlib import Path

import numpy as np

from cellseg_monai.io import open_image, read


def assert_windows_equal_whole_image(path: Path, axes: str | None = None, *, n_windows: int = 4) -> bool:
    """Compare an open image with the result of `read`; return True if the file is read lazily."""
    whole, generator = read(path, axes), random.Random(str(path.name))
    with open_image(path, axes) as image:
        assert (image.axes, image.shape, image.dtype) == (whole.axes, whole.pixels.shape, whole.pixels.dtype)
        assert (image.pixel_size_um, image.channel_names) == (whole.pixel_size_um, whole.channel_names)
        planes = list(image.planes())
        for plane in [planes[0], *generator.choices(planes, k=n_windows), planes[-1]]:
            y, x = (slice(*sorted(generator.choices(range(n + 1), k=2))) for n in image.shape[-2:])
            window, expected = image.window(plane, y, x), whole.pixels[plane][:, y, x]
            np.testing.assert_array_equal(window, expected)
            assert window.dtype == expected.dtype
            assert window.flags.c_contiguous
            assert window.flags.writeable
            channels = generator.choices(range(image.shape[-3]), k=2)
            np.testing.assert_array_equal(image.window(plane, y, x, channels=channels), expected[channels])
        np.testing.assert_array_equal(image.read().pixels, whole.pixels)
        return image.is_lazy
