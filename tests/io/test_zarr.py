"""OME-Zarr and bare Zarr arrays, beyond what the reader contract asks for."""

import json

import numpy as np
import pytest
import zarr

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import open_image, read, read_labels
from tests.io.files import write_ome_zarr, write_zarr_array, write_zarr_group
from tests.io.windows import assert_windows_are_those_of_the_whole

VERSIONS = (2, 3) if zarr.__version__.startswith("3") else (2,)


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype("uint16")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.ome.zarr"


@pytest.mark.parametrize("version", VERSIONS)
class TestImages:
    def test_axes_names_and_sizes_are_used(self, path, version):
        stored = numbers(2, 3, 4, 25, 36)
        write_ome_zarr(
            path, stored, axes="tczyx", version=version, scale=(1, 1, 900, 250, 500), unit="nanometer",
            channels=("DAPI", "", "actin"),
        )  # fmt: skip
        image = read(path)
        assert image.axes == "TZCYX"
        np.testing.assert_array_equal(image.pixels, stored.transpose(0, 2, 1, 3, 4))
        assert image.channel_names == ("DAPI", "", "actin")
        assert image.pixel_size_um == pytest.approx((0.25, 0.5))
        assert assert_windows_are_those_of_the_whole(path)

    def test_lower_resolutions_are_levels(self, path, version):
        levels = [numbers(2, 40, 60), numbers(2, 20, 30), numbers(2, 10, 15), numbers(1, 5, 8)]
        write_ome_zarr(path, *levels, axes="cyx", version=version)
        with open_image(path) as image:
            assert [level.shape for level in image.levels] == [(2, 40, 60), (2, 20, 30), (2, 10, 15)]
            assert image.levels[2].downsampling == (4, 4)
            np.testing.assert_array_equal(
                image.levels[1].window((), slice(3, 9), slice(7, 25)), levels[1][:, 3:9, 7:25]
            )

    def test_a_chunk_that_is_not_there_is_empty(self, path, version):
        write_ome_zarr(path, numbers(25, 36), version=version)
        chunk = path / ("0/1/1" if version == 2 else "0/c/1/1")
        chunk.unlink()
        pixels = read(path).pixels[0]
        assert not pixels[10:20, 10:20].any()
        assert pixels[20:].any()

    def test_a_chunk_that_is_cut_off_is_named(self, path, version):
        write_ome_zarr(path, np.random.default_rng(0).integers(0, 9999, (25, 36)), version=version)
        chunk = path / ("0/1/2" if version == 2 else "0/c/1/2")
        chunk.write_bytes(chunk.read_bytes()[:-1])
        with open_image(path) as image:
            image.window((), slice(0, 10), slice(0, 36))
            with pytest.raises(UnreadableImageError, match="chunk 1/2 of its array '0' cannot be decoded"):
                image.window((), slice(5, 15), slice(0, 36))

    def test_without_a_unit_there_is_no_pixel_size(self, path, version):
        write_ome_zarr(path, numbers(5, 6), version=version, scale=(0.5, 0.5))
        assert read(path).pixel_size_um is None

    def test_an_axis_that_is_not_known_is_named(self, path, version):
        write_ome_zarr(path, numbers(2, 5, 6), version=version, axes="ayx")
        with pytest.raises(UnreadableImageError, match=r"its axes are AYX \(2 × 5 × 6\), of which A is not known"):
            read(path)
        assert read(path, axes="ZYX").axes == "ZCYX"

    def test_an_array_that_is_missing_is_named(self, path, version):
        write_ome_zarr(path, numbers(5, 6), version=version)
        (path / "0").rename(path / "elsewhere")
        with pytest.raises(UnreadableImageError, match="its array '0' is missing"):
            read(path)

    def test_a_label_image_is_read_as_such(self, path, version):
        labels = numbers(25, 36).astype("uint32") * 100_000
        write_ome_zarr(path, labels, version=version)
        found = read_labels(path)
        np.testing.assert_array_equal(found, labels)

    def test_a_bare_array_of_two_axes_is_a_plane(self, path, version):
        write_zarr_array(path, numbers(25, 36), version=version)
        np.testing.assert_array_equal(read(path).pixels[0], numbers(25, 36))

    def test_a_bare_array_of_more_axes_must_be_stated(self, path, version):
        write_zarr_array(path, numbers(3, 25, 36), version=version)
        with pytest.raises(UnreadableImageError, match="nothing in the file says what its axes are"):
            read(path)
        assert read(path, axes="ZYX").axes == "ZCYX"


class TestOlderVersions:
    def test_axes_that_are_not_stated_are_all_five(self, path):
        write_zarr_group(path, {"multiscales": [{"version": "0.1", "datasets": [{"path": "0"}]}]})
        write_zarr_array(path / "0", numbers(2, 3, 1, 5, 6))
        image = read(path)
        assert (image.axes, image.pixels.shape, image.pixel_size_um) == ("TZCYX", (2, 1, 3, 5, 6), None)

    def test_axes_may_be_names_alone(self, path):
        multiscale = {"version": "0.3", "axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}
        write_zarr_group(path, {"multiscales": [multiscale]})
        write_zarr_array(path / "0", numbers(3, 5, 6))
        assert read(path).axes == "ZCYX"

    def test_a_scale_of_all_resolutions_multiplies(self, path):
        write_ome_zarr(path, numbers(5, 6), scale=(0.5, 0.25), unit="micrometer")
        attributes = json.loads((path / ".zattrs").read_text())
        attributes["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [2, 2]}]
        write_zarr_group(path, attributes)
        assert read(path).pixel_size_um == (1, 0.5)


class TestCollections:
    @pytest.mark.parametrize(
        ("attributes", "inner", "says"),
        [
            ({"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}, "A/1/0", "a plate of 2 wells"),
            ({"well": {"images": [{"path": "0"}, {"path": "1"}, {"path": "2"}]}}, "0", "a well of 3 fields"),
            ({"labels": ["cells"]}, "cells", "a list of label images"),
            ({}, "anything", "a Zarr group that is not marked as an image"),
        ],
        ids=["plate", "well", "labels", "group"],
    )
    def test_one_image_of_it_has_to_be_named(self, path, attributes, inner, says):
        write_zarr_group(path, attributes)
        for above in list((path / inner).relative_to(path).parents)[:-1]:
            write_zarr_group(path / above, {})
        write_ome_zarr(path / inner, numbers(5, 6))
        with pytest.raises(UnreadableImageError, match=rf"{says}.*pass one image, such as {path / inner}"):
            read(path)
        assert read(path / inner).pixels.shape == (1, 5, 6)

    def test_the_only_image_of_a_converted_file_is_it(self, path):
        write_zarr_group(path, {"bioformats2raw.layout": 3})
        write_zarr_group(path / "OME", {})
        write_ome_zarr(path / "0", numbers(5, 6))
        np.testing.assert_array_equal(read(path).pixels[0], numbers(5, 6))
        write_ome_zarr(path / "1", numbers(5, 6))
        with pytest.raises(UnreadableImageError, match="a collection of several images"):
            read(path)


def test_the_version_that_zarr_2_does_not_read_is_named(path, monkeypatch):
    write_zarr_group(path, {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}, version=3)
    (path / "0").mkdir()
    (path / "0" / "zarr.json").write_text(json.dumps({"node_type": "array", "shape": [5, 6]}))
    monkeypatch.setattr(zarr, "__version__", "2.18.3")
    with pytest.raises(UnreadableImageError, match=r"zarr 2\.18\.3 reads version 2; install zarr 3"):
        read(path)


def test_a_file_called_zarr_is_refused(path):
    path.write_bytes(b"PK")
    with pytest.raises(UnreadableImageError, match="is no OME-Zarr"):
        read(path)
