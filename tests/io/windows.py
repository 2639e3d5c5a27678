"""That windows of a file are those of the image that `read` returns."""

import random
from pathlib import Path

import numpy as np

from cellseg_monai.io import open_image, read


def assert_windows_are_those_of_the_whole(path: Path, axes: str | None = None, *, n_windows: int = 4) -> bool:
    """Compare all that an open image says with what `read` returns; tells whether it is read lazily."""
    whole, chance = read(path, axes), random.Random(str(path.name))
    with open_image(path, axes) as image:
        assert (image.axes, image.shape, image.dtype) == (whole.axes, whole.pixels.shape, whole.pixels.dtype)
        assert (image.pixel_size_um, image.channel_names) == (whole.pixel_size_um, whole.channel_names)
        planes = list(image.planes())
        for plane in [planes[0], *chance.choices(planes, k=n_windows), planes[-1]]:
            y, x = (slice(*sorted(chance.choices(range(n + 1), k=2))) for n in image.shape[-2:])
            found, wanted = image.window(plane, y, x), whole.pixels[plane][:, y, x]
            np.testing.assert_array_equal(found, wanted)
            assert found.dtype == wanted.dtype
            assert found.flags.c_contiguous
            assert found.flags.writeable
            channels = chance.choices(range(image.shape[-3]), k=2)
            np.testing.assert_array_equal(image.window(plane, y, x, channels=channels), wanted[channels])
        np.testing.assert_array_equal(image.read().pixels, whole.pixels)
        return image.is_lazy
