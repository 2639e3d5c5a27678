"""Sharpness, saturation, and contrast compared with noise."""

import numpy as np
import pytest
from scipy import ndimage

from cellseg_monai.pixels import contrast_over_noise, saturated_share, sharpness


def discs(side: int = 160) -> np.ndarray:
    rows, columns = np.ogrid[:40, :40]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 <= 12**2
    return 100 + 1000.0 * np.tile(disc, (side // 40, side // 40))


def photographed(image: np.ndarray, blur: float, noise: float = 20.0) -> np.ndarray:
    """Blur an image as optics do, then add the noise of a camera."""
    blurred = ndimage.gaussian_filter(image, blur)
    return blurred + np.random.default_rng(0).normal(0, noise, image.shape)


@pytest.mark.parametrize("noise", [0.0, 10.0, 40.0])
def test_blurring_reduces_sharpness_at_any_noise(noise: float) -> None:
    values = [sharpness(photographed(discs(), blur, noise)) for blur in (0.8, 1.5, 3, 6)]
    assert values[0] > 3 * values[1]
    assert values[1] > 1.5 * max(values[2:])


@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_exposure_does_not_change_sharpness(factor: float) -> None:
    image = photographed(discs(), 1)
    assert sharpness(factor * image + 3) == pytest.approx(sharpness(image), rel=0.01)


def test_sharpness_of_noise_or_constant_images_is_nan() -> None:
    noise = np.random.default_rng(0).normal(100, 5, (64, 64))
    for image in (noise, np.zeros((64, 64)), np.zeros((2, 64)), np.zeros((0, 0))):
        assert np.isnan(sharpness(image))


def test_sharpness_of_wide_integers_does_not_overflow() -> None:
    image = photographed(discs(), 1)
    assert sharpness(image.astype(np.uint16)) == pytest.approx(sharpness(image), rel=0.05)


def test_a_clipped_image_is_saturated_and_others_are_not() -> None:
    image = photographed(discs(), 1).round()
    assert saturated_share(image) < 1e-3
    clipped = np.minimum(image, 1000)
    assert saturated_share(clipped) == np.mean(image >= 1000) > 0.05
    assert saturated_share(np.random.default_rng(0).poisson(2, (64, 64))) < 1e-3  # few grey values with a thin tail
    assert saturated_share(np.full((4, 4), 255, np.uint8)) == 0
    assert saturated_share(np.zeros((0, 3))) == 0


def test_contrast_is_a_multiple_of_the_noise() -> None:
    assert contrast_over_noise(photographed(discs(), 1, noise=10)) == pytest.approx(101, rel=0.15)
    assert contrast_over_noise(np.random.default_rng(0).normal(0, 3, (200, 200))) < 8
    assert contrast_over_noise(np.repeat([[0.0, 1.0]], 50, axis=0)) == np.inf
