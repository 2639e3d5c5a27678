"""Results only replace results of an earlier attempt at the same image."""

import numpy as np
import pytest
import tifffile

from cellseg_monai.inference import check_output_files, find_images


def plane(path):
    np.save(path, np.ones((4, 5)))


def stack(path):
    tifffile.imwrite(path, np.ones((3, 4, 5), "u2"), photometric="minisblack", metadata={"axes": "ZYX"})


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def find(*paths):
    images, faults = find_images([str(path) for path in paths])
    assert faults == []
    return images


def test_a_link_to_an_image_counts_as_that_image(tmp_path, output):
    plane(tmp_path / "c.npy")
    (output / "c.csv").symlink_to(tmp_path / "c.npy")
    with pytest.raises(FileExistsError, match=r"c\.csv is an input, and a result would replace it"):
        check_output_files(output, find(tmp_path / "c.npy"), ["csv"], may_replace=lambda *_: True)


def test_an_existing_file_is_kept_unless_it_is_known_to_come_from_the_image(tmp_path, output):
    plane(tmp_path / "c.npy")
    images = find(tmp_path / "c.npy")
    (output / "c.csv").touch()
    asked = []
    check_output_files(output, images, ["csv"], may_replace=lambda *question: asked.append(question) or True)
    assert asked == [(images[0], output / "c.csv")]
    check_output_files(output, images, ["labels"])
    with pytest.raises(FileExistsError, match=r"c\.csv already exists"):
        check_output_files(output, images, ["labels", "csv"])


class TestFilesOfPlanes:
    def test_a_file_with_the_name_of_a_plane_is_kept(self, tmp_path, output):
        stack(tmp_path / "s.tif")
        (output / "s_Z002_overlay.png").touch()
        with pytest.raises(FileExistsError, match=r"s_Z002_overlay\.png already exists"):
            check_output_files(output, find(tmp_path / "s.tif"), ["labels", "overlay"])

    @pytest.mark.parametrize(
        ("name", "exports"),
        [("s_Z003_overlay.png", ["overlay"]), ("s_Z002_overlay.png", ["labels"]), ("s_Z002.csv", ["csv", "overlay"])],
        ids=["a plane beyond the last", "an export that is not written", "an export that holds a whole stack"],
    )
    def test_other_files_do_not_matter(self, tmp_path, output, name, exports):
        stack(tmp_path / "s.tif")
        (output / name).touch()
        check_output_files(output, find(tmp_path / "s.tif"), exports)

    def test_files_of_planes_of_two_images_must_differ(self, tmp_path, output):
        stack(tmp_path / "s.tif")
        plane(tmp_path / "s_Z001.npy")
        images = find(tmp_path / "s.tif", tmp_path / "s_Z001.npy")
        with pytest.raises(FileExistsError, match=r"s\.tif and .*s_Z001\.npy would both produce .*s_Z001_overlay\.png"):
            check_output_files(output, images, ["overlay"])
        check_output_files(output, images, ["labels", "csv"])

    def test_given_axes_decide_the_planes(self, tmp_path, output):
        np.save(tmp_path / "s.npy", np.ones((3, 4, 5)))
        (output / "s_T001_overlay.png").touch()
        images = find(tmp_path / "s.npy")
        check_output_files(output, images, ["overlay"], axes="ZYX")
        with pytest.raises(FileExistsError, match="s_T001_overlay"):
            check_output_files(output, images, ["overlay"], axes="TYX")

    def test_an_unreadable_image_is_left_to_fail_later(self, tmp_path, output):
        (tmp_path / "s.tif").write_bytes(b"nothing")
        (output / "s_T001_overlay.png").touch()
        check_output_files(output, find(tmp_path / "s.tif"), ["overlay"])
