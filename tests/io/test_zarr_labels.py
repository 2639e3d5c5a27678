import json
import multiprocessing
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellseg_monai.io import open_image, read, read_labels, write_labels, writing_zarr_labels
from cellseg_monai.io.label_pyramid import halve_labels
from cellseg_monai.io.zarr_chunks import ZarrChunks
from tests.io.files import write_ome_zarr, write_zarr_group

CHUNK = 16
LABELS = np.random.default_rng(0).integers(0, 2**32, (45, 70), dtype=np.uint32)
BLOCKS = [(y, x) for y in range(0, 45, CHUNK) for x in range(0, 70, CHUNK)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.ome.zarr"


def write_block(store, y, x):
    store.write(LABELS[y : y + CHUNK, x : x + CHUNK], y=y, x=x)


def write(path, labels=LABELS, **how):
    with writing_zarr_labels(path, labels.shape, chunk_px=CHUNK, **how) as store:
        store.write(labels)


class TestRoundTrip:
    def test_written_labels_are_read_back_by_us_and_by_zarr(self, path):
        write(path, pixel_size_um=(0.5, 0.25))
        image = read(path)
        np.testing.assert_array_equal(image.pixels[0], LABELS)
        assert (image.pixels.dtype, image.pixel_size_um) == (np.uint32, (0.5, 0.25))
        np.testing.assert_array_equal(read_labels(path), LABELS)
        np.testing.assert_array_equal(zarr.open_array(str(path / "0"), mode="r")[...], LABELS)

    @pytest.mark.parametrize("axes", ["ZYX", "TYX", "TPZYX"])
    def test_steps_are_read_back_for_the_axes_that_a_stack_has(self, path, axes):
        shape = (1,) * (len(axes) - 2) + (3, 4)
        with writing_zarr_labels(path, shape, axes=axes, z_step_um=3, time_step_s=0.1) as store:
            store.write(np.zeros((3, 4), int), plane=(0,) * (len(axes) - 2))
        image = read(path)
        assert image.z_step_um == (3 if "Z" in axes else None)
        assert image.time_step_s == (0.1 if "T" in axes else None)
        assert (image.pixel_size_um, image.notes) == (None, ())
        multiscale = json.loads((path / ".zattrs").read_text())["multiscales"][0]
        units = {axis["name"]: axis.get("unit") for axis in multiscale["axes"]}
        assert (units.get("z"), units.get("t")) == (
            "micrometer" if "Z" in axes else None,
            "second" if "T" in axes else None,
        )

    def test_ids_of_64_bits_are_kept(self, path):
        write(path, LABELS.astype(np.uint64) * 2**20, dtype=np.uint64)
        np.testing.assert_array_equal(read_labels(path), LABELS.astype(np.int64) * 2**20)

    @settings(max_examples=15)
    @given(
        st.sampled_from(["YX", "ZYX", "TYX", "TPZYX"]),
        st.lists(st.integers(1, 2), min_size=3, max_size=3),
        st.integers(1, 40),
        st.integers(1, 40),
    )
    def test_stacks_keep_their_axes(self, tmp_path_factory, axes, leading, height, width):
        path = tmp_path_factory.mktemp("stack") / "cells.zarr"
        shape = (*leading[: len(axes) - 2], height, width)
        labels = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
        with writing_zarr_labels(path, shape, axes=axes, chunk_px=CHUNK) as store:
            for plane in np.ndindex(shape[:-2]):
                store.write(labels[plane], plane=plane)
        image = read(path)
        kept = [n for axis, n in zip(axes, shape, strict=True) if axis != "P" or n > 1]
        assert image.axes == "".join(a for a, n in zip(axes[:-2], shape, strict=False) if a != "P" or n > 1) + "CYX"
        np.testing.assert_array_equal(image.pixels.reshape(kept), labels.reshape(kept))

    def test_threads_write_blocks_at_the_same_time(self, path):
        with (
            writing_zarr_labels(path, LABELS.shape, chunk_px=CHUNK, workers=2) as store,
            ThreadPoolExecutor(4) as pool,
        ):
            list(pool.map(lambda corner: write_block(store, *corner), BLOCKS))
        np.testing.assert_array_equal(read(path).pixels[0], LABELS)

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_processes_write_blocks_at_the_same_time(self, path, method):
        with writing_zarr_labels(path, LABELS.shape, chunk_px=CHUNK) as store:
            write_block(store, 0, 0)  # so that a forked process inherits a codec in use
            with multiprocessing.get_context(method).Pool(2) as pool:
                pool.starmap(write_block, [(store, *corner) for corner in BLOCKS])
            np.testing.assert_array_equal(store.read(slice(5, 40), slice(10, 33)), LABELS[5:40, 10:33])
        np.testing.assert_array_equal(read(path).pixels[0], LABELS)

    def test_it_can_be_written_as_tiff_by_planes(self, path, tmp_path):
        write(path)
        with open_image(path) as image:
            write_labels(tmp_path / "cells.tif", image.plane().channel(0))
        np.testing.assert_array_equal(read_labels(tmp_path / "cells.tif"), LABELS)


class TestMetadata:
    """Compare the metadata with the specification of NGFF 0.4, https://ngff.openmicroscopy.org/0.4."""

    def test_a_plane(self, path):
        write(path, pixel_size_um=(0.5, 0.25))
        assert json.loads((path / ".zgroup").read_text()) == {"zarr_format": 2}
        attributes = json.loads((path / ".zattrs").read_text())
        assert attributes["image-label"] == {"version": "0.4"}
        (multiscale,) = attributes["multiscales"]
        assert (multiscale["version"], multiscale["name"], multiscale["type"]) == ("0.4", "cells", "mode")
        assert multiscale["axes"] == [
            {"name": "y", "type": "space", "unit": "micrometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ]
        assert multiscale["datasets"][0] == {
            "path": "0",
            "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.25]}],
        }
        assert multiscale["datasets"][2] == {
            "path": "2",
            "coordinateTransformations": [
                {"type": "scale", "scale": [2.0, 1.0]},
                {"type": "translation", "translation": [0.75, 0.375]},  # the centre of 4 pixels lies 1.5 pixels further
            ],
        }

    def test_a_stack(self, path):
        with writing_zarr_labels(path, (2, 3, 5, 6), axes="TZYX", chunk_px=CHUNK) as store:
            for plane in np.ndindex(2, 3):
                store.write(np.ones((5, 6), int), plane=plane)
        (multiscale,) = json.loads((path / ".zattrs").read_text())["multiscales"]
        assert [(axis["name"], axis["type"]) for axis in multiscale["axes"]] == [
            ("t", "time"), ("z", "space"), ("y", "space"), ("x", "space"),
        ]  # fmt: skip
        array = json.loads((path / "0" / ".zarray").read_text())
        assert (array["shape"], array["chunks"], array["dtype"]) == ([2, 3, 5, 6], [1, 1, CHUNK, CHUNK], "<u4")
        assert (path / "0" / "1" / "2" / "0" / "0").is_file()


class TestPyramid:
    def test_each_resolution_halves_the_one_before(self, path):
        write(path)
        with open_image(path) as image:
            assert [level.shape[-2:] for level in image.levels] == [(45, 70), (23, 35), (12, 18), (6, 9)]
            expected = LABELS
            for level in image.levels:
                np.testing.assert_array_equal(level.window()[0], expected)
                expected = halve_labels(expected)

    @given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 3)))
    def test_the_most_frequent_label_wins(self, labels):
        halved = halve_labels(labels)
        even = np.pad(labels, [(0, n % 2) for n in labels.shape], mode="edge")
        for y, x in np.ndindex(halved.shape):
            four = even[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel().tolist()
            assert halved[y, x] == max(four, key=four.count)  # max takes the first of equally frequent ones


class TestCompletion:
    def test_an_unwritten_chunk_is_reported_and_nothing_remains(self, path):
        def leave_two_out():
            with writing_zarr_labels(path, LABELS.shape, chunk_px=CHUNK) as store:
                for y, x in BLOCKS:
                    if x < 64 or y == 0:
                        write_block(store, y, x)

        with pytest.raises(ValueError, match=r"2 chunks were not written.*rows 16 to 31, columns 64 to 69"):
            leave_two_out()
        assert list(path.parent.iterdir()) == []

    def test_a_failure_leaves_the_old_labels(self, path):
        write(path)
        with pytest.raises(ValueError, match="negative"), writing_zarr_labels(path, (32, 70), chunk_px=CHUNK) as store:
            store.write(np.stack([LABELS[:16].ravel(), -1 - LABELS[:16].astype(int).ravel()]).reshape(32, 70))
        assert list(path.parent.iterdir()) == [path]
        np.testing.assert_array_equal(read(path).pixels[0], LABELS)

    def test_labels_are_replaced(self, path):
        write(path)
        write(path, LABELS[:10, :10])
        assert list(path.parent.iterdir()) == [path]
        np.testing.assert_array_equal(read(path).pixels[0], LABELS[:10, :10])

    @pytest.mark.parametrize("kind", ["an image", "a folder", "a file"])
    def test_nothing_else_is_replaced(self, path, kind):
        if kind == "an image":
            write_ome_zarr(path, LABELS)
        elif kind == "a folder":
            path.mkdir()
        else:
            path.write_text("notes")
        with pytest.raises(FileExistsError, match="is not a label image"):
            write(path)
        assert path.exists()


class TestWithinAnImage:
    def test_labels_are_added_to_the_list_of_the_image(self, path):
        write_ome_zarr(path, LABELS)
        for name in ("cells", "nuclei", "cells"):
            write(path / "labels" / name)
        assert json.loads((path / "labels" / ".zattrs").read_text()) == {"labels": ["cells", "nuclei"]}
        assert json.loads((path / "labels" / ".zgroup").read_text()) == {"zarr_format": 2}
        attributes = json.loads((path / "labels" / "cells" / ".zattrs").read_text())
        assert attributes["image-label"] == {"version": "0.4", "source": {"image": "../../"}}
        np.testing.assert_array_equal(read(path).pixels[0], LABELS)
        np.testing.assert_array_equal(read(path / "labels" / "nuclei").pixels[0], LABELS)

    def test_another_version_is_refused(self, path):
        write_zarr_group(path, {}, version=3)
        with pytest.raises(ValueError, match=r"an OME-Zarr 0\.5 image, but labels are written as 0\.4"):
            write(path / "labels" / "cells")
        assert [file.name for file in path.iterdir()] == ["zarr.json"]

    def test_a_folder_named_labels_has_no_special_meaning(self, tmp_path):
        write(tmp_path / "labels" / "cells.zarr")
        assert [file.name for file in (tmp_path / "labels").iterdir()] == ["cells.zarr"]
        assert "source" not in json.loads((tmp_path / "labels" / "cells.zarr" / ".zattrs").read_text())["image-label"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("how", "says"),
        [
            ({"axes": "CYX", "shape": (1, 5, 6)}, "got axes 'CYX'"),
            ({"axes": "ZTYX", "shape": (1, 1, 5, 6)}, "in that order"),
            ({"axes": "ZYX", "shape": (5, 6)}, "pass one length"),
            ({"shape": (0, 6)}, "at least 1"),
            ({"dtype": np.uint16}, "pass numpy.uint32"),
            ({"chunk_px": 0}, "at least 1"),
            ({"pixel_size_um": (0, 1)}, "two positive lengths"),
        ],
        ids=["channels", "order", "too few", "empty", "type", "chunks", "pixel size"],
    )
    def test_impossible_arguments_are_refused_before_anything_is_created(self, path, how, says):
        with pytest.raises(ValueError, match=says), writing_zarr_labels(path, **{"shape": (5, 6), **how}):
            raise AssertionError
        assert not path.exists()

    @pytest.mark.parametrize(
        ("block", "at", "error", "says"),
        [
            (np.ones((16, 16), int), {"y": 8}, ValueError, "row 8, column 0; begin and end blocks at multiples of 16"),
            (np.ones((15, 16), int), {}, ValueError, "begin and end blocks"),
            (np.ones((16, 16), int), {"y": 32}, ValueError, "begin and end blocks"),
            (np.ones((0, 16), int), {}, ValueError, "begin and end blocks"),
            (np.ones((1, 16, 16), int), {}, ValueError, "pass labels with the axes Y and X"),
            (np.ones((16, 16)), {}, TypeError, "float64"),
            (-np.ones((16, 16), int), {"x": 16}, ValueError, "got label -1 in the block at .* column 16"),
            (np.full((16, 16), 2**32), {}, ValueError, "4294967296"),
        ],
        ids=["corner", "part of a chunk", "beyond the end", "empty", "stack", "fractions", "negative", "too large"],
    )
    def test_a_block_that_does_not_fit_is_refused(self, path, block, at, error, says):
        with pytest.raises(error, match=says), writing_zarr_labels(path, (45, 70), chunk_px=CHUNK) as store:
            store.write(block, **at)


def test_a_chunk_is_a_single_blosc_block_so_that_its_bytes_are_reproducible(tmp_path):
    labels = np.zeros((1024, 1024), np.uint16)
    ZarrChunks(tmp_path, labels.shape, labels.dtype, 1024).write(labels, (), 0, 0)
    # The header of Blosc: versions, flags and size of a value, then the size of all bytes and of a block.
    _, total_bytes, block_bytes = struct.unpack_from("<4sII", (tmp_path / "0" / "0").read_bytes())
    assert total_bytes == block_bytes == labels.nbytes
