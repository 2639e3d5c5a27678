"""Label images as TIFF, whole or in tiles, with one or several planes."""

import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellseg_monai.exports import Segmentation, write_exports
from cellseg_monai.io import label_tiff, open_image, read, read_labels, write_labels
from cellseg_monai.labels import measure_objects
from tests.label_images import Stored, many_discs

LABELS = np.array([[0, 1, 1], [2, 0, 3]])
DISCS = many_discs(1_000)  # 416²


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.tif"


@pytest.fixture
def small_tiles(monkeypatch):
    """Write tiles even for small planes."""
    monkeypatch.setattr(label_tiff, "STRIPS_UP_TO_PX", 1_000)
    monkeypatch.setattr(label_tiff, "TILE_PX", 32)


IDS = st.one_of(st.integers(0, 127), st.integers(65_534, 65_537), st.integers(2**31 - 2, 2**32 - 1))


@given(
    arrays.arrays(np.uint64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=IDS),
    st.sampled_from([np.uint8, np.int32, np.uint32, np.int64, np.uint64]),
)
def test_written_labels_are_read_back(tmp_path_factory, labels, dtype):
    labels = np.minimum(labels, np.iinfo(dtype).max).astype(dtype)
    path = tmp_path_factory.mktemp("labels") / "labels.tif"
    write_labels(path, labels)
    read_back = read_labels(path)
    np.testing.assert_array_equal(read_back, labels)
    assert read_back.dtype == (np.int32 if labels.max() < 2**31 else np.int64)


class TestWriting:
    @pytest.mark.parametrize(
        ("highest", "dtype"), [(0, "uint16"), (65_535, "uint16"), (65_536, "uint32"), (2**32 - 1, "uint32")]
    )
    def test_the_highest_id_determines_the_type(self, path, highest, dtype):
        write_labels(path, np.array([[0, highest]]))
        assert tifffile.imread(path).dtype == dtype

    @pytest.mark.parametrize(
        ("labels", "error", "says"),
        [
            (LABELS.astype(float), TypeError, "float64"),
            (LABELS > 0, TypeError, "bool"),
            (-LABELS, ValueError, "-3"),
            (LABELS + 2**32, ValueError, "4294967299"),
            (LABELS[None], ValueError, r"\(1, 2, 3\)"),
            (LABELS[:0], ValueError, "at least 1"),
        ],
        ids=["fractions", "bool", "negative", "beyond 32 bits", "stack", "empty"],
    )
    def test_anything_but_a_label_image_is_refused(self, path, labels, error, says):
        with pytest.raises(error, match=says):
            write_labels(path, labels)
        assert not path.exists()

    def test_a_list_is_written_as_an_array(self, path):
        write_labels(path, LABELS.tolist())
        np.testing.assert_array_equal(read_labels(path), LABELS)

    def test_another_suffix_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"\.tif"):
            write_labels(tmp_path / "labels.png", LABELS)

    def test_the_pixel_size_is_read_back(self, path):
        write_labels(path, LABELS, pixel_size_um=(0.5, 0.325))
        assert read(path).pixel_size_um == (0.5, 0.325)
        with tifffile.TiffFile(path) as tif:  # other programs see it as pixels per centimetre
            numerator, denominator = tif.pages.first.tags["YResolution"].value
        assert numerator / denominator == pytest.approx(20_000)

    @pytest.mark.parametrize("size", [(0, 1), (1, -1), (float("nan"), 1)])
    def test_an_impossible_pixel_size_is_refused(self, path, size):
        with pytest.raises(ValueError, match="two positive lengths"):
            write_labels(path, LABELS, pixel_size_um=size)

    def test_the_same_labels_give_the_same_bytes(self, path, tmp_path):
        write_labels(path, LABELS, pixel_size_um=(1, 1))
        write_labels(tmp_path / "again.tif", LABELS, pixel_size_um=(1, 1))
        assert path.read_bytes() == (tmp_path / "again.tif").read_bytes()

    def test_a_failure_leaves_the_old_file_and_nothing_else(self, path, monkeypatch):
        write_labels(path, LABELS)

        def fill_the_disk(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(tifffile.TiffWriter, "write", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            write_labels(path, LABELS + 1)
        monkeypatch.undo()
        assert list(path.parent.iterdir()) == [path]
        np.testing.assert_array_equal(read_labels(path), LABELS)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", [None, "well A1.tif"], ids=["TIFF", "OME-TIFF"])
class TestTiles:
    def test_written_labels_are_read_back_with_their_pixel_size(self, tmp_path, name):
        path = tmp_path / ("labels.tif" if name is None else "labels.ome.tif")
        stored = Stored(DISCS)
        write_labels(path, stored, pixel_size_um=(0.5, 0.325), ome_name=name)
        np.testing.assert_array_equal(read_labels(path), DISCS)
        assert read(path).pixel_size_um == (0.5, 0.325)
        assert stored.largest <= 32 * 32
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            assert (page.tilewidth, page.tilelength, page.dtype, page.compression) == (32, 32, np.uint16, 8)
            assert (file.is_ome, file.is_bigtiff) == (name is not None, False)

    def test_the_same_labels_give_the_same_bytes(self, tmp_path, name):
        for file_name in ("a.tif", "b.tif"):
            write_labels(tmp_path / file_name, DISCS, ome_name=name)
        assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()

    def test_an_id_that_does_not_fit_is_reported_with_its_place(self, path, name):
        labels = np.zeros((40, 70), int)
        labels[35, 66] = 70_000
        with pytest.raises(ValueError, match="label 70000 in the block at row 32, column 64, expected at most 65535"):
            write_labels(path, labels, ome_name=name, highest_id=7)
        assert list(path.parent.iterdir()) == []


class TestStacks:
    @settings(max_examples=30)
    @given(
        st.sampled_from(["ZYX", "TYX", "PYX", "TZYX", "TPYX", "TPZYX"]),
        st.lists(st.integers(2, 3), min_size=3, max_size=3),
        st.sampled_from([None, "cells.tif"]),
        st.booleans(),
    )
    def test_axes_are_read_back(self, tmp_path_factory, axes, leading, name, tiled):
        path = tmp_path_factory.mktemp("stack") / ("cells.tif" if name is None else "cells.ome.tif")
        shape = (*leading[: len(axes) - 2], 40, 35)
        labels = np.arange(np.prod(shape)).reshape(shape)
        with pytest.MonkeyPatch.context() as patch:
            if tiled:
                patch.setattr(label_tiff, "STRIPS_UP_TO_PX", 1_000)
                patch.setattr(label_tiff, "TILE_PX", 32)
            write_labels(path, labels, axes=axes, pixel_size_um=(0.5, 0.25), ome_name=name)
        image = read(path)
        assert (image.axes, image.pixel_size_um) == (axes[:-2] + "CYX", (0.5, 0.25))
        np.testing.assert_array_equal(image.pixels, labels[..., None, :, :])

    @pytest.mark.parametrize("name", ["labels.tif", "labels.ome.tif"])
    @pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX", "TPZYX", "PYX"])
    @pytest.mark.parametrize("size_um", [None, (0.1, 1 / 3)], ids=["without pixel size", "with pixel size"])
    def test_steps_are_read_back_for_the_axes_that_a_stack_has(self, tmp_path, name, axes, size_um):
        path, shape = tmp_path / name, (2,) * (len(axes) - 2) + (3, 4)
        labels = np.arange(np.prod(shape)).reshape(shape)
        ome_name = "labels" if "ome" in name else None
        steps = {"z_step_um": 0.1 + 0.2, "time_step_s": 1 / 7}
        write_labels(path, labels, axes=axes, pixel_size_um=size_um, ome_name=ome_name, **steps)
        image = read(path)
        assert image.z_step_um == (steps["z_step_um"] if "Z" in axes else None)
        assert image.time_step_s == (steps["time_step_s"] if "T" in axes else None)
        assert (image.pixel_size_um, image.notes) == (size_um, ())

    def test_a_stack_opens_in_imagej_with_its_axes_and_sizes(self, path):
        labels = np.arange(72).reshape(2, 3, 3, 4)
        write_labels(path, labels, axes="TZYX", pixel_size_um=(0.5, 0.25), z_step_um=3, time_step_s=60)
        with tifffile.TiffFile(path) as tif:
            assert (tif.series[0].kind, tif.series[0].axes) == ("imagej", "TZYX")
            np.testing.assert_array_equal(tif.series[0].asarray(), labels)
            metadata, page = tif.imagej_metadata, tif.pages.first
        expected = {"images": 6, "slices": 3, "frames": 2, "hyperstack": True, "unit": "micron"}
        assert expected.items() <= metadata.items()
        assert (metadata["spacing"], metadata["finterval"], page.resolution) == (3, 60, (4, 2))
        assert page.tags["ResolutionUnit"].value == 1  # pixels per unit of the header

    def test_axes_of_length_one_are_kept(self, path):
        for shape in ((1, 3, 4, 5), (3, 1, 4, 5), (1, 1, 4, 5)):
            labels = np.arange(np.prod(shape)).reshape(shape)
            write_labels(path, labels, axes="TZYX")
            image = read(path)
            assert image.axes == "TZCYX"
            np.testing.assert_array_equal(image.pixels[:, :, 0], labels)

    @pytest.mark.parametrize("axes", ["XY", "TT", "ZQX", "", "YX"])
    def test_a_header_with_other_axes_is_not_believed(self, path, axes):
        write_labels(path, np.zeros((2, 3, 4), int), axes="ZYX")
        content = path.read_bytes()
        path.write_bytes(content.replace(b"cellseg_axes=ZYX", b"cellseg_axes=" + axes.encode().ljust(3)))
        assert read(path).axes == "ZCYX"

    @pytest.mark.parametrize("step", [0, -1, float("nan"), float("inf")])
    def test_impossible_steps_are_refused(self, path, step):
        for name in ("z_step_um", "time_step_s"):
            with pytest.raises(ValueError, match=f"got {name}="):
                write_labels(path, np.zeros((2, 3, 4), int), axes="ZYX", **{name: step})
        assert not path.exists()

    def test_only_one_plane_of_a_stack_is_held_at_a_time(self, path):
        stored = Stored(np.ones((5, 4, 6), int))
        write_labels(path, stored, axes="ZYX")
        assert stored.largest == 24

    def test_a_wrong_id_is_reported_with_its_plane(self, path):
        with pytest.raises(ValueError, match=r"got label -1 in plane \(1,\), in the block at row 0, column 0"):
            write_labels(path, np.array([[[1, 1]], [[-1, 1]]]), axes="ZYX")
        assert list(path.parent.iterdir()) == []

    def test_planes_one_pixel_wide_are_refused(self, path):
        with pytest.raises(ValueError, match="one pixel wide"):
            write_labels(path, np.arange(8).reshape(2, 4, 1), axes="ZYX")

    @pytest.mark.parametrize(("axes", "says"), [("ZTYX", "T, P and Z in that order"), ("ZYX", "one length")])
    def test_impossible_axes_are_refused(self, path, axes, says):
        with pytest.raises(ValueError, match=says):
            write_labels(path, LABELS, axes=axes)


def test_files_beyond_four_gigabytes_are_bigtiff(path, monkeypatch):
    monkeypatch.setattr(label_tiff, "CLASSIC_TIFF_BYTES", 10_000)
    write_labels(path, DISCS)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
    np.testing.assert_array_equal(read_labels(path), DISCS)


def test_only_a_few_tiles_of_a_large_plane_are_in_memory(path):
    class Lazy:
        """Labels that are computed on demand."""

        shape, dtype = (8192, 8192), np.dtype(np.uint32)

        def __getitem__(self, window):
            y, x = (np.arange(*part.indices(n)) for part, n in zip(window, self.shape, strict=True))
            return (y[:, None] // 7 * 1000 + x // 9).astype(self.dtype)

    tracemalloc.start()
    try:
        write_labels(path, Lazy(), durable=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64e6  # of the 268 MB of the plane
    with open_image(path) as image:
        window = slice(8000, 8192), slice(10, 20)
        np.testing.assert_array_equal(image.window((), *window)[0], Lazy()[window])


@pytest.mark.usefixtures("small_tiles")
def test_exporting_a_large_image_never_reads_it_as_a_whole(tmp_path):
    stored = Stored(DISCS)
    segmentation = Segmentation(stored, measure_objects(DISCS), "a.tif", pixel_size_um=(0.5, 0.5))
    (path,) = write_exports(tmp_path, segmentation, "labels")["labels"]
    assert stored.largest <= 32 * 32
    np.testing.assert_array_equal(read_labels(path), DISCS)
    assert read(path).pixel_size_um == (0.5, 0.5)


@pytest.mark.parametrize("side_um", [5e-324, 1e-12, 1e-6, 1e6, 1e300])
@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_sizes_that_the_tags_of_tiff_cannot_hold_are_still_kept(tmp_path, side_um, axes):
    labels = np.ones((3, 4) if axes == "YX" else (2, 3, 4), np.int32)
    write_labels(tmp_path / "a.tif", labels, axes=axes, pixel_size_um=(side_um, side_um))
    assert read(tmp_path / "a.tif").pixel_size_um == (side_um, side_um)
