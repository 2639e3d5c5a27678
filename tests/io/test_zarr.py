"""Features of OME-Zarr and bare Zarr arrays that the reader contract does not cover."""

import json

import numpy as np
import pytest
import zarr

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import open_image, read, read_labels
from tests.io.files import write_ome_zarr, write_zarr_array, write_zarr_group
from tests.io.windows import assert_windows_equal_whole_image

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
        assert assert_windows_equal_whole_image(path)

    def test_lower_resolutions_are_levels(self, path, version):
        levels = [numbers(2, 40, 60), numbers(2, 20, 30), numbers(2, 10, 15), numbers(1, 5, 8)]
        write_ome_zarr(path, *levels, axes="cyx", version=version)
        with open_image(path) as image:
            assert [level.shape for level in image.levels] == [(2, 40, 60), (2, 20, 30), (2, 10, 15)]
            assert image.levels[2].downsampling == (4, 4)
            np.testing.assert_array_equal(
                image.levels[1].window((), slice(3, 9), slice(7, 25)), levels[1][:, 3:9, 7:25]
            )

    def test_a_missing_chunk_is_empty(self, path, version):
        write_ome_zarr(path, numbers(25, 36), version=version)
        chunk = path / ("0/1/1" if version == 2 else "0/c/1/1")
        chunk.unlink()
        pixels = read(path).pixels[0]
        assert not pixels[10:20, 10:20].any()
        assert pixels[20:].any()

    def test_an_array_without_any_chunk_is_noted(self, path, version):
        write_ome_zarr(path, numbers(25, 36) + 1, numbers(12, 18) + 1, version=version)
        assert read(path).notes == ()
        for level, names in (("1", "'1'"), ("0", "'0', '1'")):
            for file in (path / level).rglob("*"):
                if file.is_file() and file.name not in (".zarray", ".zattrs", "zarr.json"):
                    file.unlink()
            image = read(path)
            assert [note.kind for note in image.notes] == ["empty"]
            assert f"no chunk of the array {names} exists" in image.notes[0].text
        assert not image.pixels.any()

    @pytest.mark.parametrize(
        "transforms",
        [
            [{"type": "scale", "path": "0"}],
            [{"type": "affine", "affine": [[1, 0, 0], [0, 1, 0]]}],
            [{"type": "scale", "scale": [0.5, 0.5]}, {"type": "rotation", "rotation": [1, 0, 0, 1]}],
            [{"type": "scale", "scale": "55"}],
            [{"type": "scale", "scale": [True, "1_0"]}],
        ],
    )
    def test_a_size_that_is_not_a_list_of_scales_is_noted(self, path, version, transforms):
        write_ome_zarr(path, numbers(25, 36), version=version, unit="micrometer")
        file = path / ("zarr.json" if version == 3 else ".zattrs")
        content = json.loads(file.read_text())
        attributes = content["attributes"]["ome"] if version == 3 else content
        attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"] = transforms
        file.write_text(json.dumps(content))
        image = read(path)
        assert image.pixel_size_um is None
        assert "not understood" in image.notes[0].text

    @pytest.mark.parametrize("kind", ["time", "channel"])
    def test_an_axis_whose_type_contradicts_its_name_is_not_guessed(self, path, version, kind):
        write_ome_zarr(path, numbers(25, 36), version=version)
        file = path / ("zarr.json" if version == 3 else ".zattrs")
        file.write_text(file.read_text().replace('"name": "x", "type": "space"', f'"name": "x", "type": "{kind}"'))
        with pytest.raises(UnreadableImageError, match="axes"):
            read(path)

    def test_a_truncated_chunk_is_reported(self, path, version):
        write_ome_zarr(path, np.random.default_rng(0).integers(0, 9999, (25, 36)), version=version)
        chunk = path / ("0/1/2" if version == 2 else "0/c/1/2")
        chunk.write_bytes(chunk.read_bytes()[:-1])
        with open_image(path) as image:
            image.window((), slice(0, 10), slice(0, 36))
            with pytest.raises(UnreadableImageError, match="chunk 1/2 of the array '0' cannot be decoded"):
                image.window((), slice(5, 15), slice(0, 36))

    def test_without_a_unit_there_is_no_pixel_size_but_a_note(self, path, version):
        write_ome_zarr(path, numbers(5, 6), version=version, scale=(0.5, 0.5))
        image = read(path)
        assert image.pixel_size_um is None
        assert "0.5 without a unit" in image.notes[0].text

    def test_a_scale_of_one_without_a_unit_is_no_size(self, path, version):
        write_ome_zarr(path, numbers(2, 5, 6), axes="zyx", version=version)
        image = read(path)
        assert (image.pixel_size_um, image.z_step_um, image.notes) == (None, None, ())

    def test_steps_are_used(self, path, version):
        scale, units = (2, 1, 3, 0.5, 0.5), {"unit": "micrometer", "z_unit": "micrometer", "t_unit": "minute"}
        write_ome_zarr(path, numbers(2, 1, 3, 5, 6), axes="tczyx", version=version, scale=scale, **units)
        image = read(path)
        assert (image.pixel_size_um, image.z_step_um, image.time_step_s) == ((0.5, 0.5), 3, 120)

    def test_a_step_in_an_unknown_unit_is_noted(self, path, version):
        write_ome_zarr(path, numbers(3, 5, 6), axes="zyx", version=version, scale=(3, 1, 1), z_unit="furlong")
        image = read(path)
        assert (image.z_step_um, [note.kind for note in image.notes]) == (None, ["z-step"])

    def test_an_unknown_axis_is_reported(self, path, version):
        write_ome_zarr(path, numbers(2, 5, 6), version=version, axes="ayx")
        with pytest.raises(UnreadableImageError, match=r"its axes are AYX \(2 × 5 × 6\), and A is not supported"):
            read(path)
        assert read(path, axes="ZYX").axes == "ZCYX"

    def test_a_missing_array_is_reported(self, path, version):
        write_ome_zarr(path, numbers(5, 6), version=version)
        (path / "0").rename(path / "elsewhere")
        with pytest.raises(UnreadableImageError, match="the array '0' is missing"):
            read(path)

    def test_a_label_image_is_read(self, path, version):
        labels = numbers(25, 36).astype("uint32") * 100_000
        write_ome_zarr(path, labels, version=version)
        read_back = read_labels(path)
        np.testing.assert_array_equal(read_back, labels)

    def test_a_bare_array_of_two_axes_is_a_plane(self, path, version):
        write_zarr_array(path, numbers(25, 36), version=version)
        np.testing.assert_array_equal(read(path).pixels[0], numbers(25, 36))

    def test_the_axes_of_a_bare_array_of_more_dimensions_must_be_stated(self, path, version):
        write_zarr_array(path, numbers(3, 25, 36), version=version)
        with pytest.raises(UnreadableImageError, match="does not say what its axes are"):
            read(path)
        assert read(path, axes="ZYX").axes == "ZCYX"


class TestOlderVersions:
    def test_unstated_axes_are_all_five(self, path):
        write_zarr_group(path, {"multiscales": [{"version": "0.1", "datasets": [{"path": "0"}]}]})
        write_zarr_array(path / "0", numbers(2, 3, 1, 5, 6))
        image = read(path)
        assert (image.axes, image.pixels.shape, image.pixel_size_um) == ("TZCYX", (2, 1, 3, 5, 6), None)

    def test_axes_can_be_plain_names(self, path):
        multiscale = {"version": "0.3", "axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}
        write_zarr_group(path, {"multiscales": [multiscale]})
        write_zarr_array(path / "0", numbers(3, 5, 6))
        assert read(path).axes == "ZCYX"

    def test_a_common_scale_multiplies_that_of_each_resolution(self, path):
        write_ome_zarr(path, numbers(5, 6), scale=(0.5, 0.25), unit="micrometer")
        attributes = json.loads((path / ".zattrs").read_text())
        attributes["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [2, 2]}]
        write_zarr_group(path, attributes)
        assert read(path).pixel_size_um == (1, 0.5)


class TestCollections:
    @pytest.mark.parametrize(
        ("attributes", "inner", "says"),
        [
            ({"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}, "A/1/0", "a plate with 2 wells"),
            ({"well": {"images": [{"path": "0"}, {"path": "1"}, {"path": "2"}]}}, "0", "a well with 3 fields"),
            ({"labels": ["cells"]}, "cells", "a list of label images"),
            ({}, "anything", "a Zarr group that is not marked as an image"),
        ],
        ids=["plate", "well", "labels", "group"],
    )
    def test_one_image_of_a_collection_has_to_be_named(self, path, attributes, inner, says):
        write_zarr_group(path, attributes)
        for above in list((path / inner).relative_to(path).parents)[:-1]:
            write_zarr_group(path / above, {})
        write_ome_zarr(path / inner, numbers(5, 6))
        with pytest.raises(UnreadableImageError, match=rf"{says}.*pass one image, such as {path / inner}"):
            read(path)
        assert read(path / inner).pixels.shape == (1, 5, 6)

    def test_the_only_image_of_a_converted_file_is_read(self, path):
        write_zarr_group(path, {"bioformats2raw.layout": 3})
        write_zarr_group(path / "OME", {})
        write_ome_zarr(path / "0", numbers(5, 6))
        np.testing.assert_array_equal(read(path).pixels[0], numbers(5, 6))
        write_ome_zarr(path / "1", numbers(5, 6))
        with pytest.raises(UnreadableImageError, match="a collection of several images"):
            read(path)


def test_a_version_that_zarr_2_cannot_read_is_reported(path, monkeypatch):
    write_zarr_group(path, {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}, version=3)
    (path / "0").mkdir()
    (path / "0" / "zarr.json").write_text(json.dumps({"node_type": "array", "shape": [5, 6]}))
    monkeypatch.setattr(zarr, "__version__", "2.18.3")
    with pytest.raises(UnreadableImageError, match=r"zarr 2\.18\.3 reads only version 2; install zarr 3"):
        read(path)


def test_a_file_named_zarr_is_refused(path):
    path.write_bytes(b"PK")
    with pytest.raises(UnreadableImageError, match="is not OME-Zarr"):
        read(path)
