import itertools
import pickle
import subprocess
import sys

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import FORMATS, Image, image_stem, read, readable_suffixes
from tests.io.files import write_dicom, write_metaimage, write_nrrd, write_ome_zarr


class TestAnyFile:
    def test_a_png_named_tif_is_read_as_a_png(self, tmp_path):
        PIL.Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "cells.tif", format="png")
        np.testing.assert_array_equal(read(tmp_path / "cells.tif").pixels[0], np.eye(4))

    def test_a_text_file_named_tif_is_refused(self, tmp_path):
        (tmp_path / "cells.tif").write_text("<html>Not found</html>")
        with pytest.raises(UnreadableImageError, match="is not TIFF") as caught:
            read(tmp_path / "cells.tif")
        assert caught.value.path == str(tmp_path / "cells.tif")
        assert pickle.loads(pickle.dumps(caught.value)).remedy == caught.value.remedy

    def test_an_unknown_type_is_refused_with_a_list_of_the_supported_ones(self, tmp_path):
        (tmp_path / "cells.doc").write_bytes(b"word")
        with pytest.raises(UnreadableImageError, match=r"\.tif"):
            read(tmp_path / "cells.doc")

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(UnreadableImageError, match="folder"):
            read(tmp_path)


class TestNumpy:
    def test_the_axes_of_three_dimensions_must_be_stated(self, tmp_path):
        np.save(tmp_path / "cells.npy", np.zeros((4, 5, 3), np.uint8))
        with pytest.raises(UnreadableImageError, match=r"4 × 5 × 3 .*axes='YXS' for colours, 'YXC'"):
            read(tmp_path / "cells.npy")
        assert read(tmp_path / "cells.npy", axes="YXC").pixels.shape == (3, 4, 5)

    @pytest.mark.parametrize(
        ("axes", "count", "names"),
        [
            ("YXS", 3, ("red", "green", "blue")),
            ("YXS", 4, ("red", "green", "blue", "alpha")),
            ("YXS", 2, ()),
            ("YXC", 3, ()),
        ],
    )
    def test_samples_declared_by_the_user_are_a_colour(self, tmp_path, axes, count, names):
        np.save(tmp_path / "cells.npy", np.zeros((4, 5, count), np.uint8))
        assert read(tmp_path / "cells.npy", axes=axes).channel_names == names

    def test_nothing_is_unpickled(self, tmp_path):
        np.save(tmp_path / "cells.npy", np.array([[{}]], object), allow_pickle=True)
        with pytest.raises(UnreadableImageError):
            read(tmp_path / "cells.npy")

    def test_an_empty_array_is_refused(self, tmp_path):
        np.save(tmp_path / "cells.npy", np.zeros((0, 5)))
        with pytest.raises(UnreadableImageError):
            read(tmp_path / "cells.npy")


@given(st.permutations("TZCYX"), st.integers(2, 5))
def test_axes_in_any_order_are_put_in_order(tmp_path_factory, order, n_axes):
    """Every axis has a length of its own, and every value is unique."""
    kept = [a for a in order if a in "YX" or a in "TZC"[: n_axes - 2]]
    lengths = dict(zip("TZCYX", (2, 3, 4, 5, 6), strict=True))
    target = [a for a in "TZCYX" if a in kept]
    whole = np.arange(np.prod([lengths[a] for a in target])).reshape([lengths[a] for a in target])
    path = tmp_path_factory.mktemp("axes") / "cells.npy"
    np.save(path, whole.transpose([target.index(a) for a in kept]))
    image = read(path, axes="".join(kept))
    assert image.axes == "".join(a for a in "TZ" if a in kept) + "CYX"
    np.testing.assert_array_equal(image.pixels.reshape(whole.shape), whole)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.b.ome.tif", "a.b"), ("A.OME.TIF", "A"), ("some.tif", "some"), ("d/a.png", "a")],
)
def test_image_stem_drops_the_suffix(name, stem):
    assert image_stem(name) == stem


class TestImage:
    @pytest.mark.parametrize("axes", ["YXC", "ZTCYX", "CYXS", "QCYX"])
    def test_axes_in_another_order_are_refused(self, axes):
        with pytest.raises(ValueError, match="expected 'CYX'"):
            Image(np.zeros((1,) * len(axes)), axes)

    def test_every_channel_needs_a_name(self):
        with pytest.raises(ValueError, match=r"channel names \(1\) differs from the number of channels \(2\)"):
            Image(np.zeros((2, 3, 4)), "CYX", channel_names=("DAPI",))


class TestRegistry:
    def test_no_two_formats_share_a_suffix(self):
        assert len(set(readable_suffixes())) == len(readable_suffixes())

    def test_no_two_formats_share_a_signature(self):
        for one, other in itertools.combinations(FORMATS, 2):
            assert not {mark for _, mark in one.starts} & {mark for _, mark in other.starts}

    def test_importing_the_package_loads_no_decoder(self):
        slow = {"tifffile", "PIL", "itk", "zarr", "numcodecs", "scipy", "skimage", "torch"}
        code = f"import sys, cellseg_monai.io; print({slow} & set(sys.modules))"
        process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert process.stdout.strip() == "set()"


def test_itk_is_imported_only_for_formats_that_it_alone_reads(tmp_path):
    plane = np.arange(64, dtype=np.uint8).reshape(8, 8)
    colours = np.stack([plane, plane, plane], -1)
    for suffix in ("png", "jpg", "bmp", "tif"):
        PIL.Image.fromarray(colours).save(tmp_path / f"colours.{suffix}")
    PIL.Image.fromarray(plane.astype(np.uint16)).save(tmp_path / "grey16.png")
    (tmp_path / "colours16.png").write_bytes(imagecodecs.png_encode(colours.astype(np.uint16)))
    tifffile.imwrite(tmp_path / "compressed.tif", plane, compression="zlib")
    np.save(tmp_path / "plane.npy", plane)
    write_ome_zarr(tmp_path / "plane.zarr", plane)
    write_nrrd(tmp_path / "plane.nrrd", plane)
    write_metaimage(tmp_path / "plane.mha", plane)
    write_dicom(tmp_path / "plane.dcm", plane)
    code = (
        "import sys, cellseg_monai.io as io\n"
        "for path in sys.argv[1:]:\n"
        "    io.read(path)\n"
        "    print('itk' in sys.modules)"
    )
    paths = sorted(tmp_path.iterdir(), key=lambda path: path.suffix == ".dcm")
    process = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["False"] * (len(paths) - 1) + ["True"]


def test_itk_exits_cleanly_even_if_warnings_are_errors():
    code = (
        "import contextlib, warnings, cellseg_monai.formats.itk_reader\n"
        "with warnings.catch_warnings(), contextlib.suppress(UserWarning):\n"
        "    warnings.simplefilter('error')\n"
        "    warnings.warn('judged')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
