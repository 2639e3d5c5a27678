"""Windows of images: they equal those of the whole image and read no more than necessary."""

import csv
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import PIL.Image
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats import tiff_reader
from cellseg_monai.formats.block_cache import BlockCache
from cellseg_monai.io import open_image, read
from cellseg_monai.pixels import percentile_ranges
from tests.io.files import write_micromanager, write_ome_zarr, write_packed_tiff
from tests.io.windows import assert_windows_equal_whole_image


def numbers(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return (np.arange(np.prod(shape)) * 7).reshape(shape).astype(dtype)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.tif"


@pytest.fixture
def decoded(monkeypatch):
    """Record the page and index of every TIFF segment that is read."""
    from cellseg_monai.formats.tiff_array import _Pages

    segments, encoded = [], _Pages._encoded
    monkeypatch.setattr(
        _Pages, "_encoded", lambda self, number, index: segments.append((number, index)) or encoded(self, number, index)
    )
    return segments


class TestTiff:
    LAYOUTS = (
        pytest.param((130, 150), {}, id="one uncompressed strip"),
        pytest.param((130, 150), {"byteorder": ">"}, id="big-endian"),
        pytest.param((130, 150), {"compression": "zlib"}, id="one compressed strip"),
        pytest.param((130, 150), {"compression": "lzw", "rowsperstrip": 7}, id="strips"),
        pytest.param((130, 150), {"compression": "zlib", "predictor": True, "tile": (32, 16)}, id="tiles"),
        pytest.param((130, 150), {"tile": (32, 16)}, id="uncompressed tiles"),
        pytest.param((130, 150), {"tile": (16, 16), "bigtiff": True, "compression": "zstd"}, id="BigTIFF"),
        pytest.param((130, 150, 3), {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}, id="interleaved"),
        pytest.param((130, 150, 3), {"photometric": "rgb", "rowsperstrip": 9}, id="interleaved strips"),
        pytest.param(
            (3, 130, 150),
            {"photometric": "rgb", "planarconfig": "separate", "tile": (32, 32), "compression": "zlib"},
            id="planar",
        ),
        pytest.param(
            (3, 130, 150),
            {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib", "rowsperstrip": 9},
            id="planar strips",
        ),
        pytest.param((5, 130, 150), {"metadata": {"axes": "ZYX"}, "compression": "zlib"}, id="compressed stack"),
        pytest.param((2, 3, 4, 30, 50), {"imagej": True, "metadata": {"axes": "TZCYX"}}, id="ImageJ hyperstack"),
        pytest.param(
            (2, 3, 30, 50),
            {"imagej": True, "metadata": {"axes": "ZCYX"}, "compression": "zlib"},
            id="compressed ImageJ hyperstack",
        ),
        pytest.param(
            (3, 4, 30, 50), {"ome": True, "metadata": {"axes": "CZYX"}, "tile": (16, 16)}, id="OME, channels first"
        ),
        pytest.param(
            (2, 30, 50, 3),
            {"ome": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}, "tile": (16, 16)},
            id="OME stack of colours",
        ),
        pytest.param((4, 32, 48), {"volumetric": True, "tile": (2, 16, 16), "metadata": {"axes": "ZYX"}}, id="volume"),
    )

    @pytest.mark.parametrize(("shape", "how"), LAYOUTS)
    def test_windows_equal_those_of_the_whole_image(self, path, shape, how):
        stored = numbers(*shape) % 4096
        tifffile.imwrite(
            path, stored.astype("uint8") if shape[-1] == 3 else stored, **{"photometric": "minisblack", **how}
        )
        assert assert_windows_equal_whole_image(path)

    def test_windows_of_12_bits_equal_those_of_the_whole_image(self, path):
        write_packed_tiff(path, numbers(130, 150) % 4096, 12, metadata=None, rowsperstrip=16)
        assert assert_windows_equal_whole_image(path)

    @pytest.mark.parametrize("axes", ["ZYX", "YXC", "XCY", "CXY"])
    def test_axes_from_the_user_apply_to_pages_and_tiles(self, path, axes):
        with tifffile.TiffWriter(path) as writer:
            for page in numbers(3, 40, 50):
                writer.write(page, metadata=None, contiguous=False, compression="zlib", tile=(16, 16))
        assert assert_windows_equal_whole_image(path, axes)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_positions(self, path, compression):
        with tifffile.TiffWriter(path, ome=True) as writer:
            for position in numbers(3, 2, 40, 50):
                writer.write(position, metadata={"axes": "CYX"}, photometric="minisblack", compression=compression)
        assert assert_windows_equal_whole_image(path)

    def test_micromanager_positions(self, path):
        write_micromanager(path, numbers(2, 3, 40, 50))
        assert assert_windows_equal_whole_image(path)

    @pytest.mark.parametrize("photometric", ["palette", "miniswhite"])
    def test_pictures_have_the_values_that_they_show(self, path, photometric):
        how = {"software": "Paint", "metadata": None, "compression": "zlib", "rowsperstrip": 9}
        if photometric == "palette":
            how["colormap"] = np.stack([np.arange(256), 255 - np.arange(256), np.zeros(256)]).astype("u2") * 257
        tifffile.imwrite(path, numbers(40, 50, dtype="uint8"), photometric=photometric, **how)
        assert assert_windows_equal_whole_image(path)

    def test_jpeg_within_tiff(self, path):
        how = {"compression": "jpeg", "photometric": "rgb", "tile": (32, 32), "metadata": None}
        tifffile.imwrite(path, numbers(70, 90, 3, dtype="uint8"), **how)
        assert assert_windows_equal_whole_image(path)

    def test_a_set_of_several_files(self, path):
        planes, second = numbers(2, 40, 50), path.with_name("second.tif")
        xml = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">
        <Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="50" SizeY="40" SizeZ="2"
        SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>
        <TiffData IFD="0" FirstZ="0" PlaneCount="1"><UUID FileName="cells.tif">urn:uuid:1</UUID></TiffData>
        <TiffData IFD="0" FirstZ="1" PlaneCount="1"><UUID FileName="second.tif">urn:uuid:2</UUID></TiffData>
        </Pixels></Image></OME>"""
        how = {"metadata": None, "compression": "zlib", "rowsperstrip": 9}
        tifffile.imwrite(path, planes[0], description=xml, **how)
        tifffile.imwrite(second, planes[1], description=xml.replace('UUID="urn:uuid:1"', 'UUID="urn:uuid:2"', 1), **how)
        np.testing.assert_array_equal(read(path).pixels[:, 0], planes)
        assert assert_windows_equal_whole_image(path)

    def test_only_the_tiles_that_a_window_touches_are_decoded(self, path, decoded):
        tifffile.imwrite(path, numbers(2, 128, 160), tile=(32, 32), compression="zlib", metadata={"axes": "ZYX"})
        with open_image(path) as image:
            image.window((1,), slice(30, 34), slice(32, 64))
            assert decoded == [(1, 1), (1, 6)]
            image.window((1,), slice(33, 40), slice(33, 40))
            assert decoded == [(1, 1), (1, 6)]

    def test_only_the_requested_channel_is_decoded(self, path, decoded):
        how = {"compression": "zlib", "photometric": "minisblack", "metadata": {"axes": "CYX"}}
        tifffile.imwrite(path, numbers(5, 40, 50), **how)
        with open_image(path) as image:
            np.testing.assert_array_equal(image.plane().channel(3)[5:8, 1:4], numbers(5, 40, 50)[3, 5:8, 1:4])
            assert {number for number, _ in decoded} == {3}
            np.testing.assert_array_equal(image.plane()[1:4, 5:8, 1:4], numbers(5, 40, 50)[1:4, 5:8, 1:4])

    @pytest.mark.parametrize(
        ("how", "channels", "indices"),
        [({}, (2, 0, 2), [0, 1]), ({"planarconfig": "separate"}, (1, 1), [8, 9])],
        ids=["interleaved", "planar"],
    )
    def test_samples_are_decoded_once_however_many_are_requested(
        self, path, decoded, monkeypatch, how, channels, indices
    ):
        monkeypatch.setattr(tiff_reader, "BlockCache", partial(BlockCache, max_bytes=0))
        stored = numbers(3, 64, 128, dtype="uint8")
        tifffile.imwrite(
            path,
            stored if how else stored.transpose(1, 2, 0),
            **{"photometric": "rgb", "tile": (32, 32), "compression": "zlib", "metadata": None, **how},
        )
        with open_image(path) as image:
            window = image.window((), slice(3, 30), slice(20, 40), channels=channels)
        np.testing.assert_array_equal(window, stored[list(channels), 3:30, 20:40])
        assert [index for _, index in decoded] == indices

    @pytest.mark.parametrize(
        ("how", "chunk_shape"),
        [
            ({"compression": None}, None),
            ({"rowsperstrip": 7, "compression": "zlib"}, (7, 150)),
            ({"tile": (32, 16), "compression": "zlib"}, (32, 16)),
            ({"tile": (256, 256), "compression": "zlib"}, (256, 256)),
        ],
        ids=str,
    )
    def test_the_chunk_shape_is_that_of_the_strips_or_tiles(self, path, how, chunk_shape):
        tifffile.imwrite(path, numbers(2, 130, 150), photometric="minisblack", metadata={"axes": "CYX"}, **how)
        with open_image(path) as image:
            assert image.chunk_shape == chunk_shape
        with open_image(path, axes="CXY") as image:
            assert image.chunk_shape == (chunk_shape and chunk_shape[::-1])

    def test_the_chunk_shape_of_colours_has_no_samples(self, path):
        colours = np.stack([np.arange(256), 255 - np.arange(256), np.zeros(256)]).astype("u2") * 257
        how = {"photometric": "palette", "colormap": colours, "metadata": None, "compression": "zlib"}
        tifffile.imwrite(path, numbers(40, 50, dtype="uint8"), software="Paint", rowsperstrip=9, **how)
        with open_image(path) as image:
            assert (image.shape, image.chunk_shape) == ((3, 40, 50), (9, 50))

    def test_percentile_ranges_decode_each_tile_once(self, path, decoded, monkeypatch):
        monkeypatch.setattr(tiff_reader, "BlockCache", partial(BlockCache, max_bytes=2 * 16 * 16))
        tifffile.imwrite(path, numbers(40, 900), tile=(16, 16), compression="zlib")
        with open_image(path) as image:
            percentile_ranges(partial(image.window, ()), (40, 900), chunk_shape=image.chunk_shape, window_px=40 * 40)
        assert sorted(decoded) == [(0, number) for number in range(3 * 57)]

    def test_lower_resolutions_are_levels(self, path):
        full = numbers(3, 64, 96)
        with tifffile.TiffWriter(path, ome=True) as writer:
            how = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
            writer.write(full, subifds=2, metadata={"axes": "CYX"}, **how)
            for step in (2, 4):
                writer.write(full[:, ::step, ::step], subfiletype=1, **how)
        with open_image(path) as image:
            assert [level.shape for level in image.levels] == [(3, 64, 96), (3, 32, 48), (3, 16, 24)]
            assert [level.downsampling for level in image.levels] == [(1, 1), (2, 2), (4, 4)]
            window = image.levels[2].window((), slice(2, 9), slice(5, 24))
        np.testing.assert_array_equal(window, full[:, ::4, ::4][:, 2:9, 5:24])
        with pytest.raises(ValueError, match="closed"):
            image.levels[2].window((), slice(2, 9), slice(5, 24))


class TestDamage:
    def write(self, path):
        tifffile.imwrite(path, numbers(128, 160), tile=(32, 32), compression="zlib", metadata=None)
        with tifffile.TiffFile(path) as tif:
            page = tif.pages.first
            return bytearray(path.read_bytes()), page.dataoffsets, page.databytecounts

    def test_a_file_that_ends_within_a_tile_is_refused_with_the_place(self, path):
        content, offsets, _ = self.write(path)
        path.write_bytes(content[: offsets[19] + 3])
        with pytest.raises(UnreadableImageError, match=r"tile 19 \(rows 96 to 127, columns 128 to 159\) of page 0"):
            open_image(path)

    def test_a_damaged_tile_is_refused_with_its_place_but_others_are_read(self, path):
        content, offsets, counts = self.write(path)
        content[offsets[7] : offsets[7] + counts[7]] = bytes(counts[7])
        path.write_bytes(content)
        with open_image(path) as image:
            np.testing.assert_array_equal(image.window((), slice(0, 32), slice(0, 160))[0], numbers(128, 160)[:32])
            with pytest.raises(
                UnreadableImageError, match=r"tile 7 \(rows 32 to 63, columns 64 to 95\) of page 0 cannot"
            ):
                image.window((), slice(40, 41), slice(70, 71))


class TestOtherFormats:
    def test_the_chunk_shape_of_a_zarr_is_that_of_its_chunks(self, tmp_path):
        write_ome_zarr(tmp_path / "cells.zarr", numbers(2, 40, 50), axes="cyx", chunks=(1, 8, 16))
        with open_image(tmp_path / "cells.zarr") as image:
            assert image.chunk_shape == (8, 16)

    def test_a_png_is_read_as_a_whole(self, tmp_path):
        PIL.Image.fromarray(numbers(40, 50, dtype="uint8")).save(tmp_path / "cells.png")
        assert not assert_windows_equal_whole_image(tmp_path / "cells.png")

    def test_a_window_of_a_png_is_a_copy(self, tmp_path):
        PIL.Image.fromarray(numbers(40, 50, dtype="uint8")).save(tmp_path / "cells.png")
        with open_image(tmp_path / "cells.png") as image:
            image.window()[...] = 0
            assert image.window().any()

    def test_a_window_of_a_png_is_copied_only_once(self, tmp_path):
        PIL.Image.fromarray(numbers(1000, 1000, 3, dtype="uint8")).save(tmp_path / "cells.png")
        with open_image(tmp_path / "cells.png") as image:
            tracemalloc.start()
            try:
                window = image.window()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert peak < 1.5 * window.nbytes

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_npy_is_mapped(self, tmp_path, order):
        np.save(tmp_path / "cells.npy", np.asarray(numbers(3, 40, 50), order=order))
        assert assert_windows_equal_whole_image(tmp_path / "cells.npy", "ZYX")


@pytest.mark.parametrize("kind", ["tiles", "strips", "uncompressed", "npy", "zarr"])
def test_a_window_takes_only_the_memory_of_a_window(tmp_path, kind):
    side, block = 4096, 256
    stored = np.zeros((side, side), np.uint16)
    stored[::5, ::7] = 1000
    layouts = {
        "tiles": {"tile": (block, block), "compression": "zlib"},
        "strips": {"rowsperstrip": 16, "compression": "zlib"},
        "uncompressed": {},
    }
    path = tmp_path / {"npy": "a.npy", "zarr": "a.zarr"}.get(kind, "a.tif")
    if kind == "npy":
        np.save(path, stored)
    elif kind == "zarr":
        write_ome_zarr(path, stored, chunks=(block, block))
    else:
        tifffile.imwrite(path, stored, metadata=None, **layouts[kind])
    with open_image(path) as image:
        image.window((), slice(0, 8), slice(0, 8))  # import modules and read the metadata first
        tracemalloc.start()
        try:
            window = image.window((), slice(2000, 2100), slice(3000, 3200))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(window[0], stored[2000:2100, 3000:3200])
    assert peak < stored.nbytes / 8


def test_threads_read_windows_at_the_same_time(path):
    stored = numbers(256, 256)
    tifffile.imwrite(path, stored, tile=(16, 16), compression="zlib", metadata=None)
    corners = [(y, x) for y in range(0, 250, 31) for x in range(0, 250, 29)]
    with open_image(path) as image, ThreadPoolExecutor(8) as pool:
        places = [(slice(y, min(y + 40, 256)), slice(x, min(x + 40, 256))) for y, x in corners]
        for place, window in zip(places, pool.map(lambda place: image.window((), *place), places), strict=True):
            np.testing.assert_array_equal(window[0], stored[place])


class TestRefusals:
    @pytest.fixture
    def image(self, path):
        tifffile.imwrite(path, numbers(3, 20, 30), metadata={"axes": "ZYX"}, photometric="minisblack")
        with open_image(path) as image:
            yield image

    @pytest.mark.parametrize(
        ("plane", "y", "x", "how", "error", "says"),
        [
            (
                (),
                slice(0, 1),
                slice(0, 1),
                {},
                IndexError,
                r"plane \(\) does not exist .*axes ZCYX, shape 3 × 1 × 20 × 30",
            ),
            ((3,), slice(0, 1), slice(0, 1), {}, IndexError, r"plane \(3,\)"),
            ((-1,), slice(0, 1), slice(0, 1), {}, IndexError, r"plane \(-1,\)"),
            ((0,), slice(10, 21), slice(0, 1), {}, IndexError, "rows 10 to 21, but the image has 20; crop the window"),
            ((0,), slice(0, 1), slice(-4, 1), {}, IndexError, "columns -4 to 1, but the image has 30"),
            ((0,), slice(0, 9, 2), slice(0, 1), {}, ValueError, "a step of 2"),
            ((0,), slice(0, 1), slice(0, 1), {"channels": (1,)}, IndexError, "channel 1, but the number .* is 1"),
            ((0,), slice(0, 1), slice(0, 1), {"channels": ()}, ValueError, "got no channels; pass at least one"),
        ],
        ids=["no plane", "plane", "negative plane", "rows", "columns", "step", "channel", "no channels"],
    )
    def test_a_window_outside_the_image_is_refused(self, image, plane, y, x, how, error, says):
        with pytest.raises(error, match=says):
            image.window(plane, y, x, **how)

    def test_a_closed_image_is_not_read(self, image):
        image.close()
        with pytest.raises(ValueError, match="closed"):
            image.window((0,), slice(0, 1), slice(0, 1))

    def test_open_image_refuses_files_with_the_same_message_as_read(self, path):
        with tifffile.TiffWriter(path) as writer:
            for page in numbers(3, 4, 5):
                writer.write(page, metadata=None, contiguous=False)
        with pytest.raises(UnreadableImageError) as by_read:
            read(path)
        with pytest.raises(UnreadableImageError) as by_open:
            open_image(path)
        assert str(by_open.value) == str(by_read.value)


@pytest.mark.slow
def test_windows_of_odd_and_old_files_equal_those_from_read(real_data):
    folder, n_read = real_data("torture_formats"), 0
    with (folder / "manifest.csv").open(newline="") as stream:
        paths = [folder / row["path"] for row in csv.DictReader(stream)]
    for path in paths:
        for axes in (None, "ZYX", "XY", "TYXC"):
            try:
                read(path, axes)
            except UnreadableImageError:
                continue
            assert_windows_equal_whole_image(path, axes, n_windows=1)
            n_read += 1
    assert n_read > 500
