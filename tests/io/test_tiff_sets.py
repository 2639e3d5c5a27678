"""Images that are divided among several TIFF files: any file gives the whole, and none leads elsewhere."""

import os
import shutil
import tracemalloc

import numpy as np
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import image_files, open_image, read
from tests.io.files import write_micromanager
from tests.io.windows import assert_windows_equal_whole_image

PLANES = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)
NAMES = ("a.ome.tif", "b.ome.tif", "c.ome.tif")
XMLNS = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def uuid(number):
    return f"urn:uuid:00000000-0000-0000-0000-00000000000{number}"


def ome(names, *, own=None, axis="C", positions=False, uuids=None):
    """Return OME-XML in which each plane is in a file of its own."""
    uuids = uuids or [uuid(n) for n in range(len(names))]
    data = [
        f'<TiffData First{axis}="{0 if positions else n}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">{identifier}</UUID></TiffData>'
        for n, (name, identifier) in enumerate(zip(names, uuids, strict=True))
    ]
    sizes = {"C": 1, "Z": 1, "T": 1, axis: 1 if positions else len(names)}
    lengths = " ".join(f'Size{a}="{n}"' for a, n in sizes.items())
    groups = [[one] for one in data] if positions else [data]
    images = "".join(
        f'<Image ID="Image:{n}"><Pixels ID="Pixels:{n}" DimensionOrder="XYCZT" Type="uint16" SizeX="30" SizeY="20" '
        f"{lengths}>{''.join(group)}</Pixels></Image>"
        for n, group in enumerate(groups)
    )
    root = f' UUID="{own}"' if own else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{XMLNS}"{root}>{images}</OME>'


def binary_only(name):
    return f'<?xml version="1.0"?><OME xmlns="{XMLNS}" UUID="{uuid(9)}"><BinaryOnly MetadataFile="{name}"/></OME>'


def write(path, plane, xml):
    tifffile.imwrite(path, plane, description=xml.encode(), metadata=None, photometric="minisblack")


def write_set(folder, **how):
    for n, (name, plane) in enumerate(zip(NAMES, PLANES, strict=True)):
        write(folder / name, plane, ome(NAMES, own=uuid(n), **how))


class TestFilesThatNameEachOther:
    @pytest.mark.parametrize("name", NAMES)
    def test_each_gives_the_whole_image(self, tmp_path, name):
        write_set(tmp_path)
        image = read(tmp_path / name)
        assert image.axes == "CYX"
        assert image.notes == ()
        np.testing.assert_array_equal(image.pixels, PLANES)
        assert_windows_equal_whole_image(tmp_path / name)

    def test_each_position_can_have_a_file(self, tmp_path):
        write_set(tmp_path, positions=True)
        image = read(tmp_path / "b.ome.tif")
        assert image.axes == "PCYX"
        np.testing.assert_array_equal(image.pixels[:, 0], PLANES)

    @pytest.mark.parametrize("name", NAMES)
    def test_they_are_found_as_one_image(self, tmp_path, name):
        write_set(tmp_path)
        write(tmp_path / "other.ome.tif", PLANES[0], ome(["other.ome.tif"], own=uuid(0)))
        assert image_files(tmp_path / name) == tuple(tmp_path / n for n in NAMES)
        assert image_files(tmp_path / "other.ome.tif") == (tmp_path / "other.ome.tif",)

    def test_a_missing_file_is_named(self, tmp_path):
        write_set(tmp_path)
        (tmp_path / "b.ome.tif").unlink()
        for name in ("a.ome.tif", "c.ome.tif"):
            with pytest.raises(UnreadableImageError, match=r"names the file 'b\.ome\.tif', which is missing; copy all"):
                read(tmp_path / name)
        assert image_files(tmp_path / "a.ome.tif") == (tmp_path / "a.ome.tif", tmp_path / "c.ome.tif")

    def test_a_file_of_another_set_is_said(self, tmp_path):
        write_set(tmp_path)
        write(tmp_path / "b.ome.tif", PLANES[1], ome(NAMES, own=uuid(7), uuids=[uuid(5), uuid(7), uuid(8)]))
        (note,) = read(tmp_path / "a.ome.tif").notes
        assert note.kind == "file-set"
        assert "UUID of b.ome.tif is not the one" in note.text

    def test_a_file_with_another_layout_is_refused(self, tmp_path):
        write_set(tmp_path)
        xml = ome(NAMES, own=uuid(1)).encode()
        tifffile.imwrite(tmp_path / "b.ome.tif", PLANES[1], description=xml, metadata=None, byteorder=">")
        with pytest.raises(UnreadableImageError, match="byte order of page 1 differ"):
            read(tmp_path / "a.ome.tif")

    def test_a_file_that_is_cut_off_is_refused(self, tmp_path):
        write_set(tmp_path)
        part = tmp_path / "c.ome.tif"
        part.write_bytes(part.read_bytes()[:-600])
        for function in (read, lambda path: open_image(path).close()):
            with pytest.raises(UnreadableImageError):
                function(tmp_path / "a.ome.tif")


class TestMetadataElsewhere:
    def write(self, folder, metadata_file):
        for n, (name, plane) in enumerate(zip(NAMES, PLANES, strict=True)):
            is_master = name == metadata_file
            xml = ome(NAMES, own=uuid(n)) if is_master else binary_only(metadata_file)
            write(folder / name, plane, xml if is_master else xml.replace(uuid(9), uuid(n)))

    @pytest.mark.parametrize("name", NAMES)
    def test_a_companion_file_describes_all_files(self, tmp_path, name):
        self.write(tmp_path, "set.companion.ome")
        (tmp_path / "set.companion.ome").write_text(ome(NAMES, own=uuid(8)))
        np.testing.assert_array_equal(read(tmp_path / name).pixels, PLANES)
        assert image_files(tmp_path / name) == tuple(tmp_path / n for n in (*NAMES, "set.companion.ome"))

    @pytest.mark.parametrize("name", NAMES)
    def test_one_of_the_files_describes_all(self, tmp_path, name):
        self.write(tmp_path, "b.ome.tif")
        np.testing.assert_array_equal(read(tmp_path / name).pixels, PLANES)
        assert image_files(tmp_path / name) == tuple(tmp_path / n for n in NAMES)

    def test_a_missing_companion_is_named(self, tmp_path):
        self.write(tmp_path, "set.companion.ome")
        with pytest.raises(UnreadableImageError, match=r"'set\.companion\.ome', which is missing"):
            read(tmp_path / "a.ome.tif")

    def test_a_damaged_companion_is_refused(self, tmp_path):
        self.write(tmp_path, "set.companion.ome")
        (tmp_path / "set.companion.ome").write_text(ome(NAMES)[:-30])
        with pytest.raises(UnreadableImageError):
            read(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    "name",
    ["../x.tif", "sub/x.tif", "./x.tif", "..", "..\\x.tif", "C:x.tif", "C:\\x.tif", "/dev/zero", "\\\\host\\x.tif"],
)
class TestNamesThatLeadElsewhere:
    def test_a_plane_is_refused(self, tmp_path, name):
        folder = tmp_path / "images"
        (folder / "sub").mkdir(parents=True)
        for place in (tmp_path, folder, folder / "sub"):
            tifffile.imwrite(place / "x.tif", PLANES[1], metadata=None)
        for names, own in ((["a.ome.tif", name], uuid(0)), (["a.ome.tif", name], None), ([name], None)):
            write(folder / "a.ome.tif", PLANES[0], ome(names, own=own))
            with pytest.raises(UnreadableImageError, match="outside its folder and is not read"):
                read(folder / "a.ome.tif")
            assert image_files(folder / "a.ome.tif")[0] == folder / "a.ome.tif"

    def test_a_companion_is_refused(self, tmp_path, name):
        write(tmp_path / "a.ome.tif", PLANES[0], binary_only(name))
        with pytest.raises(UnreadableImageError, match="outside its folder and is not read"):
            read(tmp_path / "a.ome.tif")


def test_an_absolute_name_is_refused_even_in_its_own_folder(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", PLANES[1], metadata=None)
    write(tmp_path / "a.ome.tif", PLANES[0], ome(["a.ome.tif", str(tmp_path / "x.tif")], own=uuid(0)))
    with pytest.raises(UnreadableImageError, match="outside its folder"):
        read(tmp_path / "a.ome.tif")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need a Unix system")
class TestWhatIsNotARegularFile:
    def refused(self, folder, match):
        write(folder / "a.ome.tif", PLANES[0], ome(["a.ome.tif", "x.tif"], own=uuid(0)))
        with pytest.raises(UnreadableImageError, match=match):
            read(folder / "a.ome.tif")

    def test_a_link_out_of_the_folder_is_refused(self, tmp_path):
        folder = tmp_path / "images"
        folder.mkdir()
        tifffile.imwrite(tmp_path / "secret.tif", PLANES[1], metadata=None)
        (folder / "x.tif").symlink_to("../secret.tif")
        self.refused(folder, "outside its folder")

    def test_a_link_to_itself_is_refused(self, tmp_path):
        (tmp_path / "x.tif").symlink_to("x.tif")
        self.refused(tmp_path, "missing")

    def test_a_pipe_is_refused_without_waiting_for_it(self, tmp_path):
        os.mkfifo(tmp_path / "x.tif")
        self.refused(tmp_path, "not a regular file")

    def test_a_folder_is_refused(self, tmp_path):
        (tmp_path / "x.tif").mkdir()
        self.refused(tmp_path, "not a regular file")

    def test_a_link_within_the_folder_is_followed(self, tmp_path):
        write_set(tmp_path)
        (tmp_path / "c.ome.tif").rename(tmp_path / "real.tif")
        (tmp_path / "c.ome.tif").symlink_to("real.tif")
        np.testing.assert_array_equal(read(tmp_path / "a.ome.tif").pixels, PLANES)


@pytest.mark.parametrize("own", [uuid(0), None], ids=["with a UUID", "without a UUID"])
def test_a_single_file_can_be_renamed(tmp_path, own):
    write(tmp_path / "old.ome.tif", PLANES[0], ome(["old.ome.tif"], own=own))
    shutil.move(tmp_path / "old.ome.tif", tmp_path / "new.ome.tif")
    np.testing.assert_array_equal(read(tmp_path / "new.ome.tif").pixels[0], PLANES[0])


class TestPlanesInTheMetadata:
    def write(self, path, changes):
        tifffile.imwrite(path, PLANES, ome=True, metadata={"axes": "ZYX"})
        with tifffile.TiffFile(path) as tif:
            xml = tif.ome_metadata
        for old, new in changes.items():
            assert old in xml
            xml = xml.replace(old, new)
        tifffile.imwrite(path, PLANES, description=xml.encode(), metadata=None, photometric="minisblack")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('SizeZ="3"', 'SizeZ="999999999"'),
            ('SizeT="1"', 'SizeT="99999999999999999999"'),
            ('SizeC="1"', 'SizeC="2147483647"'),
            ('PlaneCount="3"', 'PlaneCount="999999999"'),
            ('IFD="0"', 'IFD="999999999" FirstZ="999999999"'),
        ],
    )
    def test_more_than_the_file_can_hold_are_refused_before_memory_is_allocated(self, tmp_path, old, new):
        self.write(tmp_path / "a.ome.tif", {old: new})
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableImageError):
                read(tmp_path / "a.ome.tif")
            assert image_files(tmp_path / "a.ome.tif") == (tmp_path / "a.ome.tif",)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5 * 10**6

    def test_planes_that_are_not_described_are_said(self, tmp_path):
        self.write(tmp_path / "a.ome.tif", {'SizeZ="3"': 'SizeZ="2"'})
        image = read(tmp_path / "a.ome.tif")
        np.testing.assert_array_equal(image.pixels[:, 0], PLANES[:2])
        assert [note.text for note in image.notes] == [
            "the OME-XML lists 3 planes but describes 2; only these are read"
        ]

    def test_a_micromanager_stack_of_impossible_size_is_refused_before_memory_is_allocated(self, tmp_path):
        path = tmp_path / "a.tif"
        write_micromanager(path, PLANES[None])
        content = path.read_bytes()
        np.testing.assert_array_equal(read(path).pixels.squeeze(), PLANES)
        place = content.index(bytes([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])) + 4
        path.write_bytes(content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :])
        tracemalloc.start()
        try:
            assert image_files(path) == (path,)
            with pytest.raises(UnreadableImageError, match="planes, expected at most"):
                read(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5 * 10**6

    def test_missing_planes_of_a_micromanager_stack_are_said(self, tmp_path):
        path = tmp_path / "a.tif"
        write_micromanager(path, PLANES[None])
        assert read(path).notes == ()
        path.write_bytes(path.read_bytes().replace(b'"Slices": 1', b'"Slices": 4'))
        image = read(path)
        np.testing.assert_array_equal(image.pixels.squeeze(), PLANES)
        (note,) = image.notes
        assert note.text.startswith("12 planes were planned, and 3 are there; if")
