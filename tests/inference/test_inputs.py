"""The inputs of a command become images, each once."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.inference import check_output_files, find_images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("p/b.npy", "p/a.npy", "p/notes.txt", "p/.hidden.npy", "p/q/c.npy", "p/well.zarr/x.npy", "2024/a.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / name, np.ones((2, 2))) if name.endswith(".npy") else (tmp_path / name).write_text("")
    return tmp_path


def keys(*inputs):
    images, faults = find_images(inputs)
    assert faults == []
    return [image.key for image in images]


@pytest.mark.usefixtures("folder")
class TestFinding:
    def test_a_folder_gives_its_images_sorted_but_not_those_of_subfolders(self):
        assert keys("p") == ["a", "b", "well"]

    def test_a_pattern_keeps_the_folders_from_the_first_star_on(self):
        assert keys("p/**/*.npy") == ["a", "b", "q/c", "well.zarr/x"]
        assert keys("*/a.npy") == ["2024/a", "p/a"]

    def test_a_name_that_exists_is_no_pattern(self):
        for name in ("exp[1]", "exp1", "exp?", "a[b]/deep"):
            os.makedirs(name)
            np.save(f"{name}/{name[:4]}x.npy" if "/" not in name else f"{name}/y.npy", np.ones((2, 2)))
        np.save("exp1/img[1].npy", np.ones((2, 2)))
        np.save("exp1/img1.npy", np.ones((2, 2)))
        assert keys("exp[1]/*.npy") == ["exp[x"]
        assert keys("exp[1]") == ["exp[x"]
        assert keys("exp?/*.npy") == ["exp?x"]
        assert keys(f"{os.getcwd()}/exp[1]/*.npy") == ["exp[x"]
        assert keys("a[b]/**/*.npy") == ["deep/y"]
        assert keys("exp1/img[1].npy") == ["img[1]"]
        assert keys("exp[12]/img?.npy") == ["exp1/img1"]

    def test_links_that_lead_back_are_named_and_not_followed(self, caplog):
        os.symlink(os.path.abspath("p"), "p/q/back")
        os.symlink("..", "p/up")
        os.symlink("self", "p/self")
        os.symlink(os.path.abspath("2024"), "p/aside")
        os.symlink(os.path.abspath("p/q"), "2024/across")
        assert keys("p/**/a.npy", "p/**/c.npy") == ["a", "aside/a", "aside/across/c", "q/c"]
        assert {name for name in ("p/q/back", "p/up") if f"{name} is a link that leads back to" in caplog.text} == {
            "p/q/back",
            "p/up",
        }
        assert keys("p/*/a.npy") == ["aside/a"]
        assert "p/self is a link that leads to itself" in caplog.text

    def test_a_link_to_itself_is_reported_and_the_others_are_found(self):
        os.symlink("turn.npy", "p/turn.npy")
        images, faults = find_images(["p/*.npy", "p/turn.npy", "2024/loop/x.npy"])
        assert [image.key for image in images] == ["a", "b", "turn"]
        assert faults[0] == "p/turn.npy: the link leads nowhere"
        check_output_files(Path("out"), images, ["csv"])
        with pytest.raises(OSError, match="symbolic links"):
            _ = images[2].sha256

    def test_an_image_that_is_named_twice_is_found_once(self):
        assert keys("p/b.npy", "p", os.path.abspath("p/a.npy")) == ["b", "a", "well"]

    def test_missing_files_empty_folders_and_patterns_without_a_match_are_distinguished(self):
        (os.mkdir("empty"), os.mkdir("empty/z"))
        images, faults = find_images(["nowhere.tif", "empty", "p/*.tif", "p/a.npy"])
        assert [image.key for image in images] == ["a"]
        assert [fault.split(": ", 1)[1].split(";")[0] for fault in faults] == [
            "there is no such file or folder",
            "the folder contains no images",
            "the pattern matches no images",
        ]

    def test_images_with_the_same_stem_are_all_left_out(self):
        images, faults = find_images(["p/a.npy", "2024/a.npy", "p/b.npy"])
        assert [image.key for image in images] == ["b"]
        assert faults[0].startswith("p/a.npy and 2024/a.npy would have the same result files")

    def test_images_in_the_output_are_left_out_with_a_warning(self, caplog):
        images, faults = find_images(["p/**/*.npy"], output=Path("p/q"))
        assert ([image.key for image in images], faults) == (["a", "b", "well.zarr/x"], [])
        assert "left out 1 image(s) in the output folder p/q, for example p/q/c.npy" in caplog.text
        images, faults = find_images(["p/q/**/*.npy", "2024"], output=Path("p"))
        assert [image.key for image in images] == ["c", "a"]

    @pytest.mark.parametrize(
        ("inputs", "output"),
        [(["p/q/c.npy"], "p"), (["p/q"], "p"), (["p/q"], "p/q"), (["p/*/c.npy"], "p"), (["link/c.npy"], "p")],
        ids=["a file", "a folder in it", "the output itself", "a pattern in it", "by another name"],
    )
    def test_images_in_the_output_are_taken_if_they_are_named(self, inputs, output):
        os.symlink(os.path.abspath("p/q"), "link")
        images, _ = find_images(inputs, output=Path(output))
        assert [image.path.name for image in images] == ["c.npy"]

    def test_results_are_never_images(self, caplog):
        results = {Path("p/a.npy").absolute(), Path("p/well.zarr").absolute()}
        images, faults = find_images(["p/a.npy", "p", "p/**/*.npy"], output=Path("p"), results=results)
        assert ([image.path.name for image in images], faults, caplog.text) == (["b.npy", "c.npy"], [], "")

    def test_an_input_whose_images_are_all_in_the_output_is_a_fault(self):
        _, faults = find_images(["p/q*/*.npy"], output=Path("p/q"))
        assert faults == ["p/q*/*.npy: all images are in the output, p/q"]

    @pytest.mark.parametrize("inputs", [[], [""], [" "], ["-"]], ids=["nothing", "no text", "space", "an empty list"])
    def test_an_input_without_any_image_is_refused(self, inputs, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
        with pytest.raises(ValueError, match="got no images"):
            find_images(inputs)
