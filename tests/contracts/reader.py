"""Requirements for every reader. A format is tested by a subclass that writes one of its files:

class TestPng(ReaderContract):
    suffix = ".png"
    dtypes = ("uint8", "uint16")

    def write(self, path, array):
        PIL.Image.fromarray(array).save(path)
"""

import random
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import Image, read, readable_suffixes
from tests.io.windows import assert_windows_equal_whole_image


def gradient(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return smooth values that differ along every axis, so that swapped or mirrored axes are noticed."""
    kind = np.dtype(dtype)
    highest = 200 if kind.itemsize == 1 and kind.kind == "u" else 100
    values = sum(np.indices(shape)[axis] * step for axis, step in enumerate((3, 5, 11)[: len(shape)]))
    return (values % 2 == 1) if kind.kind == "b" else (values % highest).astype(kind)


def copy(source: Path, target: Path) -> None:
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)


def image_or_error(path: Path) -> Image | UnreadableImageError:
    """Return the image, or the only permitted error, which must name the file, reason and remedy."""
    try:
        return read(path)
    except UnreadableImageError as error:
        refusal = error
    assert str(path) in str(refusal)
    assert refusal.reason
    assert refusal.remedy
    return refusal


class ReaderContract:
    suffix: ClassVar[str]
    # Types that files of this format can store, and that must be read back.
    dtypes: ClassVar[tuple[str, ...]]
    # Numbers of samples that a pixel can have besides one, and their types.
    samples: ClassVar[tuple[int, ...]] = ()
    sample_dtypes: ClassVar[tuple[str, ...]] = ()
    # Largest difference between values; more than 0 only if the format itself is lossy.
    tolerance: ClassVar[float] = 0
    # True if the first bytes identify the format, so that a wrong name does no harm.
    has_magic: ClassVar[bool] = True

    def write(self, path: Path, array: np.ndarray) -> None:
        """Write an array of (Y, X), or of (Y, X, samples) if the format supports it."""
        raise NotImplementedError

    def write_sized(self, path: Path, array: np.ndarray, *, height_um: float, width_um: float) -> None:
        """Write an array of (Y, X) with its pixel size, if the format supports it."""
        pytest.skip("files of this format state no pixel size")

    def parts(self, path: Path) -> list[Path]:
        """Return the files that make up an image, each of which the tests damage."""
        return [path]

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / f"cells{self.suffix}"
        self.write(path, gradient((14, 17), self.dtypes[0]))
        return path

    def assert_same(self, actual: np.ndarray, expected: np.ndarray) -> None:
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
        if self.tolerance:
            assert np.abs(actual.astype(float) - expected).max() <= self.tolerance
        else:
            np.testing.assert_array_equal(actual, expected)

    def test_the_suffix_is_registered(self):
        assert self.suffix in readable_suffixes()

    def test_a_plane_is_read_back_with_one_channel(self, tmp_path):
        for dtype in self.dtypes:
            plane = gradient((14, 17), dtype)
            self.write(tmp_path / f"{dtype}{self.suffix}", plane)
            image = read(tmp_path / f"{dtype}{self.suffix}")
            assert image.axes == "CYX"
            self.assert_same(image.pixels, plane[None])

    def test_the_samples_of_a_pixel_become_channels(self, tmp_path):
        for dtype in self.sample_dtypes:
            for n_samples in self.samples:
                pixels = gradient((14, 17, n_samples), dtype)
                self.write(tmp_path / f"{dtype}{self.suffix}", pixels)
                image = read(tmp_path / f"{dtype}{self.suffix}")
                assert image.axes == "CYX"
                self.assert_same(image.pixels, pixels.transpose(2, 0, 1))
                assert len(image.channel_names) in (0, n_samples)

    def test_pixels_are_contiguous_writable_and_of_native_byte_order(self, file):
        pixels = read(file).pixels
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable
        assert pixels.dtype.isnative

    def test_axes_from_the_user_take_precedence(self, file):
        np.testing.assert_array_equal(read(file, axes="XY").pixels[0], read(file).pixels[0].T)

    def test_the_pixel_size_follows_the_axes_from_the_user(self, tmp_path):
        path = tmp_path / f"cells{self.suffix}"
        self.write_sized(path, gradient((14, 17), self.dtypes[0]), height_um=0.5, width_um=0.25)
        assert read(path).pixel_size_um == pytest.approx((0.5, 0.25))
        assert read(path, axes="YX").pixel_size_um == pytest.approx((0.5, 0.25))
        assert read(path, axes="XY").pixel_size_um == pytest.approx((0.25, 0.5))

    @pytest.mark.parametrize("axes", ["ZYX", "YQ", "YY", "CX"])
    def test_axes_that_do_not_fit_are_refused(self, file, axes):
        with pytest.raises(UnreadableImageError, match=f"axes='{axes}'"):
            read(file, axes=axes)

    def test_the_path_can_be_text_and_the_suffix_upper_case(self, file):
        path = file.with_suffix(self.suffix.upper())
        copy(file, path)
        np.testing.assert_array_equal(read(str(path)).pixels, read(file).pixels)

    def test_a_wrong_name_does_no_harm(self, file, tmp_path):
        if not self.has_magic:
            pytest.skip("files of this format have no signature")
        path = tmp_path / "misnamed.jpg"
        copy(file, path)
        np.testing.assert_array_equal(read(path).pixels, read(file).pixels)

    def test_windows_equal_those_of_the_whole_image(self, file):
        assert_windows_equal_whole_image(file)
        assert_windows_equal_whole_image(file, axes="XY")

    def test_a_file_truncated_anywhere_is_refused_or_complete(self, file):
        whole = read(file).pixels
        for part in self.parts(file):
            content = part.read_bytes()
            n = len(content)
            for length in {n - 1, n - 2, n - 4, n - 9, n - 13, n - 40, n * 3 // 4, n // 2, n // 4, 140, 20, 3, 1}:
                if not 0 < length < n:
                    continue
                part.write_bytes(content[:length])
                image = image_or_error(file)
                if isinstance(image, Image):
                    np.testing.assert_array_equal(image.pixels, whole)
            part.write_bytes(content)

    def test_a_damaged_file_gives_an_image_or_the_permitted_error(self, file):
        generator = random.Random(0)
        for part in self.parts(file):
            content = part.read_bytes()
            for _ in range(60 // len(self.parts(file))):
                damaged = bytearray(content)
                for _ in range(generator.choice((1, 4))):
                    damaged[generator.randrange(min(len(content), 500))] = generator.randrange(256)
                part.write_bytes(damaged)
                image_or_error(file)
            part.write_bytes(content)

    def test_an_empty_file_is_refused(self, file):
        file.write_bytes(b"")
        with pytest.raises(UnreadableImageError, match="empty"):
            read(file)

    def test_a_missing_file_is_not_found(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / f"nothing{self.suffix}")
