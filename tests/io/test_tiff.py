import tracemalloc

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read, read_labels
from tests.io.files import lsm_colours, lsm_info, write_micromanager, write_packed_tiff

PLANE = np.array([[0, 10, 20], [30, 40, 250]], np.uint8)

# Keeps tifffile from naming itself as the program that wrote the file.
PAINT = {"software": "Paint", "metadata": None}


def numbers(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.tif"


class TestBitDepths:
    @pytest.mark.parametrize(
        ("bits", "dtype"), [(2, "uint8"), (7, "uint8"), (10, "uint16"), (12, "uint16"), (24, "uint32")]
    )
    def test_odd_depths_keep_their_values_in_the_next_larger_type(self, path, bits, dtype):
        stored = np.array([[0, 1, 2], [3, 2**bits - 1, 1]], dtype)
        write_packed_tiff(path, stored, bits, metadata=None, photometric="minisblack")
        if bits == 24 and imagecodecs.packints_decode(b"\0\0\1", np.dtype(np.uint32), 24, runlen=1)[0] != 1:
            pytest.skip("the installed imagecodecs swaps the bytes of 24 bits, which another test covers")
        pixels = read(path).pixels
        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels[0], stored)

    def test_24_bits_are_refused_if_imagecodecs_swaps_their_bytes(self, path, monkeypatch):
        write_packed_tiff(path, np.array([[1, 2**24 - 1]], np.uint32), 24, metadata=None, photometric="minisblack")
        # The versions for Python 3.10 do this.
        swapped = np.array([1], np.uint32).byteswap()
        monkeypatch.setattr(imagecodecs, "packints_decode", lambda *_, **__: swapped)
        with pytest.raises(
            UnreadableImageError, match=r"the installed imagecodecs .* swaps the bytes of 24-bit pixels; install"
        ):
            read(path)

    def test_one_bit_becomes_bool(self, path):
        tifffile.imwrite(path, PLANE > 15, photometric="minisblack", metadata=None)
        np.testing.assert_array_equal(read(path).pixels, (PLANE > 15)[None])

    def test_complex_pixels_are_refused(self, path):
        tifffile.imwrite(path, np.ones((4, 5), np.complex64))
        with pytest.raises(UnreadableImageError, match="real numbers"):
            read(path)


class TestLayouts:
    @pytest.mark.parametrize("kinds", [
        pytest.param({"compression": "lzw"}, id="LZW"),
        pytest.param({"compression": "zlib", "predictor": True}, id="deflate with predictor"),
        pytest.param({"compression": "zstd"}, id="zstd"),
        pytest.param({"compression": "packbits"}, id="packbits"),
        pytest.param({"tile": (16, 32)}, id="tiled"),
        pytest.param({"rowsperstrip": 7}, id="many strips"),
        pytest.param({"byteorder": ">"}, id="big-endian"),
        pytest.param({"bigtiff": True}, id="BigTIFF"),
        pytest.param({"bigtiff": True, "byteorder": ">", "compression": "zlib"}, id="big-endian BigTIFF"),
    ])  # fmt: skip
    def test_the_layout_changes_nothing(self, path, kinds):
        stored = numbers(40, 50)
        tifffile.imwrite(path, stored, metadata=None, photometric="minisblack", **kinds)
        np.testing.assert_array_equal(read(path).pixels[0], stored)

    def test_jpeg_in_tiff_is_read_as_colours(self, path):
        stored = np.full((32, 32, 3), (200, 100, 50), np.uint8)
        tifffile.imwrite(path, stored, compression="jpeg", photometric="rgb", metadata=None)
        image = read(path)
        assert image.channel_names == ("red", "green", "blue")
        assert np.abs(image.pixels.mean((1, 2)) - (200, 100, 50)).max() < 3

    @pytest.mark.parametrize("planarconfig", ["contig", "separate"])
    def test_interleaved_and_planar_colours_are_the_same_image(self, path, planarconfig):
        stored = numbers(3, 4, 5, dtype="uint8")
        written = stored if planarconfig == "separate" else stored.transpose(1, 2, 0)
        tifffile.imwrite(path, written, photometric="rgb", planarconfig=planarconfig, metadata=None)
        image = read(path)
        np.testing.assert_array_equal(image.pixels, stored)
        assert image.channel_names == ("red", "green", "blue")

    def test_alpha_is_a_channel_named_alpha(self, path):
        stored = numbers(4, 5, 4, dtype="uint8")
        tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
        image = read(path)
        assert image.channel_names == ("red", "green", "blue", "alpha")
        np.testing.assert_array_equal(image.pixels, stored.transpose(2, 0, 1))

    def test_inks_have_their_names(self, path):
        tifffile.imwrite(path, numbers(4, 5, 4, dtype="uint8"), photometric="separated", metadata=None)
        assert read(path).channel_names == ("cyan", "magenta", "yellow", "black")


class TestPalettes:
    RAMP = np.arange(256, dtype=np.uint16)

    def write(self, path, palette, **how):
        tifffile.imwrite(path, PLANE, photometric="palette", colormap=palette, software="Paint", **how)

    def test_a_palette_gives_colours_in_files_of_other_programs(self, path):
        self.write(path, np.stack([self.RAMP, 255 - self.RAMP, self.RAMP * 0]) * 257, metadata=None)
        image = read(path)
        np.testing.assert_array_equal(image.pixels, np.stack([PLANE, 255 - PLANE, PLANE * 0]))
        assert image.pixels.dtype == np.uint8
        assert image.channel_names == ("red", "green", "blue")

    def test_a_palette_of_greys_gives_one_channel(self, path):
        self.write(path, np.stack([255 - self.RAMP] * 3) * 256, metadata=None)
        np.testing.assert_array_equal(read(path).pixels, 255 - PLANE[None])

    def test_a_palette_of_16_bits_keeps_them(self, path):
        self.write(path, np.stack([self.RAMP * 256 + 3, self.RAMP, self.RAMP]), metadata=None)
        image = read(path)
        assert image.pixels.dtype == np.uint16
        np.testing.assert_array_equal(image.pixels[0], PLANE.astype(np.uint16) * 256 + 3)

    def test_a_label_image_is_read_as_its_indices(self, path):
        self.write(path, np.stack([255 - self.RAMP, self.RAMP, self.RAMP]) * 257, metadata=None)
        np.testing.assert_array_equal(read_labels(path), PLANE)

    def test_a_look_up_table_of_imagej_is_for_display(self, path):
        tifffile.imwrite(path, PLANE, imagej=True, colormap=np.stack([self.RAMP * 0, self.RAMP, self.RAMP]) * 256)
        np.testing.assert_array_equal(read(path).pixels, PLANE[None])


class TestMinIsWhite:
    def test_values_are_inverted_in_files_of_other_programs(self, path):
        tifffile.imwrite(path, PLANE, photometric="miniswhite", **PAINT)
        np.testing.assert_array_equal(read(path).pixels, 255 - PLANE[None])

    def test_odd_depths_are_inverted_within_their_bits(self, path):
        write_packed_tiff(path, PLANE.astype("u2") * 16, 12, photometric="miniswhite", **PAINT)
        np.testing.assert_array_equal(read(path).pixels[0], 4095 - PLANE.astype("u2") * 16)

    def test_a_mask_of_one_bit_is_inverted(self, path):
        tifffile.imwrite(path, PLANE > 15, photometric="miniswhite", **PAINT)
        np.testing.assert_array_equal(read(path).pixels[0], PLANE <= 15)

    @pytest.mark.parametrize("metadata", [None, {}], ids=["without axes", "with axes"])
    def test_a_mask_that_tifffile_marks_as_min_is_white_is_not_inverted(self, path, metadata):
        tifffile.imwrite(path, PLANE > 15, metadata=metadata)
        np.testing.assert_array_equal(read(path).pixels[0], PLANE > 15)

    def test_values_are_kept_in_files_of_microscopy_programs(self, path):
        tifffile.imwrite(path, PLANE, photometric="miniswhite", description="ImageJ=1.53t\n", **PAINT)
        np.testing.assert_array_equal(read(path).pixels, PLANE[None])

    @pytest.mark.parametrize("bits", [4, 8, 12, 16])
    def test_labels_are_read_as_stored(self, path, bits):
        labels = np.array([[0, 1], [2, 3]], "uint16" if bits > 8 else "uint8")
        if bits % 8:
            write_packed_tiff(path, labels, bits, photometric="miniswhite", **PAINT)
        else:
            tifffile.imwrite(path, labels, photometric="miniswhite", **PAINT)
        np.testing.assert_array_equal(read_labels(path), labels)

    def test_a_mask_of_one_bit_is_inverted_when_read_as_labels_too(self, path):
        tifffile.imwrite(path, PLANE > 15, photometric="miniswhite", **PAINT)
        np.testing.assert_array_equal(read_labels(path), PLANE <= 15)

    def test_images_with_different_inversion_are_not_positions(self, path):
        with tifffile.TiffWriter(path) as writer:
            for photometric in ("minisblack", "miniswhite"):
                writer.write(PLANE, photometric=photometric, contiguous=False, **PAINT)
        with pytest.raises(UnreadableImageError, match=r"minisblack.*miniswhite"):
            read(path, axes="ZYX")

    def test_floating_point_values_are_refused(self, path):
        tifffile.imwrite(path, PLANE.astype("f4"), photometric="miniswhite", **PAINT)
        with pytest.raises(UnreadableImageError, match="min-is-black"):
            read(path)


class TestOme:
    def test_axes_names_and_sizes_are_used(self, path):
        stored = numbers(2, 3, 4, 5)  # stored as C, Z, Y, X: two channels, three planes
        metadata = {
            "axes": "CZYX",
            "Channel": {"Name": ["DAPI", "actin"]},
            "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.0005, "PhysicalSizeYUnit": "mm",
        }  # fmt: skip
        tifffile.imwrite(path, stored, ome=True, metadata=metadata, photometric="minisblack")
        image = read(path)
        assert image.axes == "ZCYX"
        np.testing.assert_array_equal(image.pixels, stored.transpose(1, 0, 2, 3))
        assert image.channel_names == ("DAPI", "actin")
        assert image.pixel_size_um == pytest.approx((0.5, 0.25))

    def test_micrometres_are_the_default_unit(self, path):
        tifffile.imwrite(path, PLANE, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.4})
        assert read(path).pixel_size_um == pytest.approx((0.4, 0.3))

    def test_time_comes_before_depth(self, path):
        stored = numbers(2, 3, 2, 4, 5)
        tifffile.imwrite(path, stored, ome=True, metadata={"axes": "ZTCYX"}, photometric="minisblack")
        image = read(path)
        assert image.axes == "TZCYX"
        np.testing.assert_array_equal(image.pixels, stored.transpose(1, 0, 2, 3, 4))

    def test_equal_images_are_positions(self, path):
        with tifffile.TiffWriter(path, ome=True) as writer:
            for position in range(3):
                writer.write(PLANE + position, metadata={"axes": "YX"})
        image = read(path)
        assert image.axes == "PCYX"
        np.testing.assert_array_equal(image.pixels[:, 0], [PLANE, PLANE + 1, PLANE + 2])

    @pytest.mark.parametrize(("one", "other"), [
        pytest.param({"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}, {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
                     id="pixel sizes"),
        pytest.param({"Channel": {"Name": ["DAPI"]}}, {"Channel": {"Name": ["GFP"]}}, id="channel names"),
    ])  # fmt: skip
    def test_images_with_different_metadata_are_not_positions(self, path, one, other):
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(PLANE, metadata={"axes": "YX", **one})
            writer.write(PLANE, metadata={"axes": "YX", **other})
        with pytest.raises(UnreadableImageError, match=r"2 images of different kinds \(.*(0\.5 µm|'GFP')"):
            read(path)

    @pytest.mark.parametrize(("axis", "name", "one", "other"), [
        ("Z", "PhysicalSizeZ", 1, 2), ("T", "TimeIncrement", 1, 60), ("Z", "PhysicalSizeZ", 1, None),
        ("Z", "PhysicalSizeX", 0.5, 0.50000001),
    ])  # fmt: skip
    def test_images_with_different_steps_are_not_positions(self, path, axis, name, one, other):
        with tifffile.TiffWriter(path, ome=True) as writer:
            for value in (one, other):
                sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, name: value}
                metadata = {name: value for name, value in sizes.items() if value is not None}
                writer.write(numbers(3, 4, 5), metadata={"axes": f"{axis}YX", **metadata}, photometric="minisblack")
        with pytest.raises(UnreadableImageError, match="2 images of different kinds"):
            read(path)

    def test_positions_are_read_without_a_second_copy(self, path):
        n_positions, plane = 8, numbers(500, 500)
        with tifffile.TiffWriter(path, ome=True) as writer:
            for position in range(n_positions):
                writer.write(plane + position, metadata={"axes": "YX"})
        tracemalloc.start()
        try:
            pixels = read(path).pixels
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        np.testing.assert_array_equal(pixels[:, 0, 0, 0], np.arange(n_positions))
        assert peak < 1.5 * pixels.nbytes

    def test_ambiguous_images_have_no_metadata(self, path):
        """tifffile omits images without pixels, so that later ones move up."""
        first = (
            '<Image ID="Image:0"><Pixels DimensionOrder="XYCZT" Type="uint8" SizeX="3" SizeY="2" SizeC="1" '
            'SizeZ="1" SizeT="1" PhysicalSizeX="9" PhysicalSizeY="9"><Channel Name="DAPI"/>{}</Pixels></Image>'
        )
        second = first.replace('"9"', '"1"').replace("DAPI", "GFP").format('<TiffData IFD="0" PlaneCount="1"/>')
        xml = f'<?xml version="1.0"?><OME>{first.format("")}{second}</OME>'
        tifffile.imwrite(path, PLANE, description=xml, metadata=None)
        image = read(path)
        np.testing.assert_array_equal(image.pixels[0], PLANE)
        assert (image.pixel_size_um, image.channel_names) == (None, ())

    def test_the_samples_of_a_colour_are_named(self, path):
        stored = numbers(4, 5, 3, dtype="uint8")
        tifffile.imwrite(path, stored, ome=True, photometric="rgb", metadata={"axes": "YXS"})
        image = read(path)
        np.testing.assert_array_equal(image.pixels, stored.transpose(2, 0, 1))
        assert image.channel_names == ("red", "green", "blue")

    def test_an_unnamed_channel_does_not_affect_the_names_of_others(self, path):
        metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "", "actin"]}}
        tifffile.imwrite(path, numbers(3, 4, 5), ome=True, photometric="minisblack", metadata=metadata)
        assert read(path).channel_names == ("DAPI", "", "actin")

    def test_names_and_sizes_follow_the_axes_from_the_user(self, path):
        metadata = {"axes": "CYX", "Channel": {"Name": list("abc")}, "PhysicalSizeX": 1, "PhysicalSizeY": 2}
        tifffile.imwrite(path, numbers(3, 3, 3), ome=True, photometric="minisblack", metadata=metadata)
        images = [read(path, axes=axes) for axes in ("CYX", "CXY", "YCX")]
        assert [image.pixel_size_um for image in images] == [(2, 1), (1, 2), None]
        assert [image.channel_names for image in images] == [tuple("abc"), tuple("abc"), ()]

    def test_images_of_different_sizes_are_refused(self, path):
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(PLANE, metadata={"axes": "YX"})
            writer.write(PLANE[:, :2], metadata={"axes": "YX"})
        with pytest.raises(UnreadableImageError, match="2 images of different kinds"):
            read(path)

    def test_a_pyramid_is_read_at_full_size(self, path):
        stored = numbers(64, 64)
        with tifffile.TiffWriter(path, ome=True) as writer:
            writer.write(stored, subifds=1, metadata={"axes": "YX"})
            writer.write(stored[::2, ::2], subfiletype=1)
        np.testing.assert_array_equal(read(path).pixels[0], stored)

    def test_missing_pages_are_refused(self, path):
        tifffile.imwrite(path, numbers(4, 40, 50), ome=True, metadata={"axes": "ZYX"}, compression="zlib")
        path.write_bytes(path.read_bytes().replace(b'SizeZ="4"', b'SizeZ="9"'))
        with pytest.raises(UnreadableImageError, match="missing 5 of 9 pages"):
            read(path)


class TestImageJ:
    def test_axes_and_sizes_of_a_hyperstack_are_used(self, path):
        stored = numbers(2, 3, 2, 4, 5)
        metadata = {"axes": "TZCYX", "unit": "um"}
        tifffile.imwrite(path, stored, imagej=True, resolution=(4, 2), metadata=metadata)
        image = read(path)
        assert image.axes == "TZCYX"
        np.testing.assert_array_equal(image.pixels, stored)
        assert image.pixel_size_um == (0.5, 0.25)

    @pytest.mark.parametrize(("unit", "um"), [
        ("micron", 1), ("\\u00B5m", 1), ("nm", 0.001), ("mm", 1000), ("cm", 10_000), ("inch", None), ("pixel", None),
    ])  # fmt: skip
    def test_units_are_understood(self, path, unit, um):
        tifffile.imwrite(path, PLANE, imagej=True, resolution=(2, 2), metadata={"unit": unit})
        assert read(path).pixel_size_um == (None if um is None else pytest.approx((um / 2, um / 2)))

    def test_channel_labels_become_names(self, path):
        metadata = {"axes": "CYX", "Labels": ["nuclei", "actin"]}
        tifffile.imwrite(path, numbers(2, 4, 5), imagej=True, metadata=metadata)
        assert read(path).channel_names == ("nuclei", "actin")


class TestLsm:
    def write(self, path, stored, *, names=(), **values):
        height, width = stored.shape[-2:]
        values = {"DimensionX": width, "DimensionY": height, "DimensionZ": 1, "DimensionTime": 1, **values}
        n_channels = len(names) or 1
        info = lsm_info(DimensionChannels=n_channels, **values)
        n_bytes = info.nbytes
        with tifffile.TiffWriter(path, byteorder="<") as writer:
            for n, plane in enumerate(stored):  # each followed by a thumbnail, as the microscope writes it
                extra = {"extratags": [(34412, "B", n_bytes, info.tobytes())]} if n == 0 else {}
                planar = {"planarconfig": "separate"} if names else {}
                how = {"photometric": "minisblack", "metadata": None, "contiguous": False}
                writer.write(plane, **how, **planar, **extra)
                writer.write(PLANE, subfiletype=1, **how)
        content = bytearray(path.read_bytes())
        if names:
            info["OffsetChannelColors"] = len(content)
            with tifffile.TiffFile(path) as tif:
                at = tif.pages.first.tags[34412].valueoffset
            content[at : at + n_bytes] = info.tobytes()
            path.write_bytes(bytes(content) + lsm_colours(names))

    def test_axes_and_voxel_size_are_used(self, path):
        stored = numbers(3, 4, 5)
        self.write(path, stored, DimensionZ=3, VoxelSizeX=2e-7, VoxelSizeY=3e-7)
        image = read(path)
        assert image.axes == "ZCYX"
        np.testing.assert_array_equal(image.pixels[:, 0], stored)
        assert image.pixel_size_um == pytest.approx((0.3, 0.2))

    def test_channel_names_are_used(self, path):
        stored, names = numbers(2, 3, 4, 5), ("Ch1-DAPI", "Ch2-GFP", "Ch3-Cy5")
        self.write(path, stored, names=names, DimensionZ=2)
        image = read(path)
        assert image.channel_names == names
        np.testing.assert_array_equal(image.pixels, stored)

    def test_an_unknown_axis_is_reported(self, path):
        stored = numbers(6, 4, 5)
        self.write(path, stored, DimensionZ=3, DimensionM=2)
        with pytest.raises(UnreadableImageError, match=r"its axes are MZYX \(2 × 3 × 4 × 5\), and M is not supported"):
            read(path)
        assert read(path, axes="PZYX").axes == "PZCYX"


def test_micromanager_positions_are_read(path):
    stored = numbers(2, 3, 4, 5)
    write_micromanager(path, stored)
    image = read(path)
    assert image.axes == "TPCYX"
    np.testing.assert_array_equal(image.pixels[:, :, 0], stored)


class TestUnstatedAxes:
    def write_pages(self, path, n_pages=3):
        stored = numbers(n_pages, 4, 5)
        with tifffile.TiffWriter(path) as writer:
            for page in stored:
                writer.write(page, metadata=None, contiguous=False)
        return stored

    def test_pages_without_stated_axes_are_refused_with_a_remedy(self, path):
        self.write_pages(path)
        with pytest.raises(UnreadableImageError, match=r"3 pages of 4 × 5 but does not say what they are.*axes='ZYX'"):
            read(path)

    @pytest.mark.parametrize(("axes", "read_as"), [("ZYX", "ZCYX"), ("tyx", "TCYX"), ("CYX", "CYX")])
    def test_the_user_can_state_the_axes(self, path, axes, read_as):
        stored = self.write_pages(path)
        image = read(path, axes=axes)
        assert image.axes == read_as
        np.testing.assert_array_equal(image.pixels.reshape(stored.shape), stored)

    def test_a_stack_by_tifffile_without_axes_is_refused(self, path):
        tifffile.imwrite(path, numbers(3, 4, 5), photometric="minisblack")
        with pytest.raises(UnreadableImageError, match="3 pages"):
            read(path)

    def test_a_stack_by_tifffile_with_axes_is_read(self, path):
        tifffile.imwrite(path, numbers(3, 4, 5), photometric="minisblack", metadata={"axes": "ZYX"})
        assert read(path).axes == "ZCYX"

    def test_two_images_without_stated_axes_are_refused(self, path):
        with tifffile.TiffWriter(path) as writer:
            writer.write(PLANE, contiguous=False)
            writer.write(PLANE, contiguous=False)
        with pytest.raises(UnreadableImageError, match="2 × 2 × 3 but does not say"):
            read(path)

    def test_the_print_resolution_of_a_plain_file_is_ignored(self, path):
        tifffile.imwrite(path, PLANE, resolution=(72, 72), resolutionunit="inch", metadata=None)
        assert read(path).pixel_size_um is None


class TestDamage:
    def test_a_missing_strip_is_not_read_as_zeros(self, path):
        tifffile.imwrite(path, numbers(40, 50), compression="zlib", rowsperstrip=10, metadata=None)
        with tifffile.TiffFile(path) as tif:
            counts = tif.pages.first.tags["StripByteCounts"]
        content = bytearray(path.read_bytes())
        content[counts.valueoffset : counts.valueoffset + counts.valuebytecount // 4] = bytes(
            counts.valuebytecount // 4
        )
        path.write_bytes(content)
        with pytest.raises(UnreadableImageError, match="missing 1 of 4 strips in page 0"):
            read(path)

    def test_a_missing_last_page_is_refused(self, path):
        with tifffile.TiffWriter(path) as writer:
            for page in numbers(4, 40, 50):
                writer.write(page, metadata=None, contiguous=False)
        content = path.read_bytes()
        for length in (len(content) * 3 // 4, len(content) // 2, len(content) - 10):
            path.write_bytes(content[:length])
            with pytest.raises(UnreadableImageError):
                read(path, axes="ZYX")

    def test_truncated_pixels_are_refused(self, path):
        tifffile.imwrite(path, numbers(40, 50), metadata=None)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(UnreadableImageError, match="the pixels need 4000 bytes, but the file has 2000"):
            read(path)

    def test_an_unreadable_depth_is_not_guessed(self, path):
        """Without it, tifffile would assume the default of the standard, 1 bit."""
        tifffile.imwrite(path, numbers(4, 5, 3, dtype="uint8"), photometric="rgb", metadata=None)
        with tifffile.TiffFile(path) as tif:
            tag = tif.pages.first.tags["BitsPerSample"]
        content = bytearray(path.read_bytes())
        content[tag.offset + 8 : tag.offset + 12] = (10_000).to_bytes(4, "little")
        path.write_bytes(content)
        with pytest.raises(UnreadableImageError, match="BitsPerSample of page 0 cannot be read"):
            read(path)

    def test_a_loop_of_pages_is_refused(self, path):
        TestUnstatedAxes().write_pages(path)
        with tifffile.TiffFile(path) as tif:
            first, last = tif.pages[0].offset, tif.pages[2].offset
        content = bytearray(path.read_bytes())
        n_tags = int.from_bytes(content[last : last + 2], "little")
        at = last + 2 + n_tags * 12
        content[at : at + 4] = first.to_bytes(4, "little")
        path.write_bytes(content)
        with pytest.raises(UnreadableImageError, match="points back"):
            read(path, axes="ZYX")

    @pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
    def test_an_impossible_size_is_refused_before_memory_is_allocated(self, path, compression):
        tifffile.imwrite(path, PLANE, compression=compression, metadata=None)
        content = bytearray(path.read_bytes())
        with tifffile.TiffFile(path) as tif:
            for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                tag = tif.pages.first.tags[name]
                size = min(tag.valuebytecount, 4)
                content[tag.valueoffset : tag.valueoffset + size] = (60_000).to_bytes(size, "little")
        path.write_bytes(content)
        with pytest.raises(UnreadableImageError, match=r"3\.6 GB|need 3600000000 bytes"):
            read(path)
