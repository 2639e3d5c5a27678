"""`cellseg segment` with faults: they are named, the rest is done, and no file is incomplete."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from cellseg_monai import io
from tests.cells import cells
from tests.cli.conftest import digests
from tests.io.files import write_metaimage, write_zarr_array

RESULTS = {f"{name}.{suffix}" for name in "abc" for suffix in ("tif", "csv")}


def truncated(path: Path) -> None:
    tifffile.imwrite(path.with_suffix(".whole"), cells(), compression="zlib")
    path.write_bytes(path.with_suffix(".whole").read_bytes()[:2_000])


def broken_stack(path: Path) -> None:
    planes = np.stack([cells(seed).astype(np.float32) for seed in range(5)])
    planes[2, 3, 4] = np.nan
    tifffile.imwrite(path, planes, photometric="minisblack", metadata={"axes": "ZYX"})


def negative_chunk(path: Path) -> None:
    write_zarr_array(path, cells(), chunks=(48, 48))
    content = bytearray((path / "1" / "0").read_bytes())
    content[4:8] = (-1).to_bytes(4, "little", signed=True)
    (path / "1" / "0").write_bytes(content)


def huge_array(path: Path) -> None:
    write_zarr_array(path, cells(), chunks=(48, 48))
    metadata = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps({**metadata, "shape": [40, 6_999_990]}))


def surplus(path: Path) -> None:
    write_metaimage(path, cells())
    path.write_bytes(path.read_bytes() + b"more")


FAULTS = {
    "a chunk of negative size": ("b0.zarr", negative_chunk, "chunk 1/0 of the array 'b0.zarr' cannot be decoded"),
    "a huge array without chunks": ("b0.zarr", huge_array, "it declares 40 × 6999990 pixels, but only 4 of"),
    "a MetaImage with more pixels than it states": ("b0.mha", surplus, "bytes of pixels, but the file holds"),
    "an unreadable file": ("b0.tif", lambda path: path.write_bytes(b"nothing of an image"), "is not TIFF"),
    "an empty file": ("b0.png", lambda path: path.write_bytes(b""), "the file is empty"),
    "a truncated file": ("b0.tif", truncated, "the data ends within strip 0 (rows 0 to 95) of page 0"),
    "an image without pixels": ("b0.npy", lambda path: np.save(path, np.zeros((0, 7))), "the image is empty (0 × 7)"),
    "NaN": ("b0.npy", lambda path: np.save(path, np.full((9, 9), np.nan)), "81 of 81 values are NaN, infinite"),
    "three unnamed channels": (
        "b0.tif",
        lambda path: tifffile.imwrite(path, np.ones((3, 9, 9), "u2"), imagej=True, metadata={"axes": "CYX"}),
        "3 channels (3 unnamed, 0 to 2), expected a grey, RGB or RGBA image; set channels to a list, such as [0], or",
    ),
    "a stack with unknown axes": ("b0.npy", lambda path: np.save(path, np.ones((4, 9, 9))), "pass axes='ZYX'"),
    "a stack with a broken plane": ("b0.tif", broken_stack, "1 of 9216 values are NaN"),
    "a link that leads nowhere": ("b0.tif", lambda path: path.symlink_to("nowhere.tif"), "No such file or directory"),
    "a folder called .zarr": ("b0.zarr", Path.mkdir, "has none of .zgroup, .zarray, zarr.json"),
}


@pytest.mark.parametrize(("name", "make", "says"), FAULTS.values(), ids=FAULTS)
def test_a_bad_image_is_named_once_and_the_others_are_done(cellseg, images, output, name, make, says):
    make(images / name)
    ran = cellseg("segment", images, "--output", output, "--export", "labels,csv")
    assert ran.code == 1
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(f"{images / name}: ")
    assert says in ran.errors[0]
    assert set(digests(output)) == RESULTS
    assert {path.name for path in output.iterdir()} == RESULTS | {"run.json"}


@pytest.mark.parametrize("make", [negative_chunk, huge_array])
def test_a_run_with_an_image_that_cannot_be_decoded_is_resumed_to_its_end(cellseg, images, output, make):
    make(images / "a0.zarr")
    for resumed in ((), ("--resume",)):
        ran = cellseg("segment", images, "--output", output, "--export", "labels,csv", *resumed)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert set(digests(output)) == RESULTS


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can read everything")
def test_a_file_without_permission_to_read_is_named(cellseg, images, output):
    (images / "b.npy").chmod(0)
    ran = cellseg("segment", images, "--output", output)
    assert (ran.code, ran.errors) == (1, [f"{images / 'b.npy'}: Permission denied"])
    assert set(digests(output)) == {name for name in RESULTS if not name.startswith("b")}


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_leaves_only_complete_results_and_the_run_can_be_resumed(cellseg, images, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        # Only some of the overlays, which hardly compress, fit on the disk.
        for name in "abc":
            np.save(images / f"{name}.npy", cells(0, (400, 400), 20))
        words = ("segment", images, "--output", disk / "out", "--export", "csv,overlay")
        ran = cellseg(*words)
        assert ran.code == 1
        assert {line for line in ran.errors if "No space left" in line} == set(ran.errors)
        assert [line.split(": ")[0] for line in ran.errors[:1]] == [str(images / "c.npy")]
        left = {path.name for path in (disk / "out").iterdir()}
        assert left - {"run.json", "run.journal.jsonl"} == {"a.csv", "a_overlay.png", "b.csv", "b_overlay.png"}
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert cellseg(*words, "--resume").code == 0
        assert {"c.csv", "c_overlay.png", "run.json"} <= {path.name for path in (disk / "out").iterdir()}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_missing_input_and_a_folder_without_images_are_named_and_the_rest_is_done(cellseg, images, tmp_path, output):
    (tmp_path / "empty").mkdir()
    ran = cellseg("segment", tmp_path / "empty", images, tmp_path / "nowhere.tif", images / "*.dcm", "--output", output)
    assert ran.code == 1
    assert [line.split(": ")[0] for line in ran.errors] == [
        str(tmp_path / "empty"), str(tmp_path / "nowhere.tif"), str(images / "*.dcm"),
    ]  # fmt: skip
    assert set(digests(output)) == RESULTS


def test_two_images_with_the_same_stem_are_named_and_the_rest_is_done(cellseg, images, output):
    tifffile.imwrite(images / "b.tif", cells(7))
    ran = cellseg("segment", images, "--output", output)
    assert ran.code == 1
    assert ran.errors == [
        f"{images / 'b.npy'} and {images / 'b.tif'} would have the same result files; rename one, or segment "
        "them into different folders"
    ]
    assert set(digests(output)) == {name for name in RESULTS if not name.startswith("b")}


WRONG_WORDS = {
    "export": (["--export", "tiff"], "got export 'tiff', expected one or more of labels, ome, zarr,"),
    "no export": (["--export", ","], "got no exports"),
    "device": (["--device", "gpu"], "got device 'gpu', expected auto, cpu, cuda, cuda:N or mps"),
    "mps": (["--device", "mps"], f"got device 'mps', but PyTorch {torch.__version__} on "),
    "second processor": (["--device", "cpu:7"], "got device 'cpu:7', but this machine has 1 cpu device(s)"),
    "tile": (["--tile", "0"], "got tile=0, expected a finite number of at least 1"),
    "overlap": (["--tile", "256", "--overlap", "200"], "got an overlap of 200 px for tiles of (256, 256) px"),
    "negative overlap": (["--overlap=-1"], "got overlap=-1, expected a finite number of at least 0"),
    "pixel size": (["--pixel_size", "0"], "got pixel_size=0.0, expected a finite number above 0"),
    "channels": (["--channels", "0,1"], "got 2 channel(s), 0, 1, expected 1 for the bundle nuclei"),
    "no channels": (["--channels", ","], "got channels=(), expected 'grey', 'rgb'"),
    "bundle": (["--bundle", "nuclear"], "no bundle named 'nuclear' ships with this package; did you mean 'nuclei'?"),
    "no weights": (["--bundle", "pspnet"], "pspnet/models/model.pt; train the bundle first"),
    "no checkpoint": (
        ["--bundle", "nuclei", "--checkpoint", "nowhere.pt"],
        f"no checkpoint at {Path('nowhere.pt').absolute()}; ",
    ),
    "no settings": (
        ["--bundle", "nuclei", "--postprocess", "nowhere.json"],
        f"--postprocess: no such file: {Path('nowhere.json').absolute()}; pass a file written by `cellseg calibrate`",
    ),
    "memory": (["--max_memory", "much"], "got 'much' as an amount of memory, expected a number of MB or GB"),
    "little memory": (
        ["--max_memory", "1GB", "--device", "cpu"],
        "got 1.0 GB of memory, expected at least about 2.6 GB",
    ),
    "nothing as bundle": (["--bundle", ""], "got --bundle '', expected a path or name"),
    "nothing as checkpoint": (["--checkpoint="], "got --checkpoint '', expected a path or name"),
    "twice": (["--tile", "96", "--tile", "128"], "got --tile more than once; give it once"),
    "too many workers": (["--workers", "1000000"], "got --workers 1000000, expected 1 to "),
    "no workers": (["--workers", "0"], "got --workers 0, expected 1 to "),
    "workers elsewhere": (
        ["--workers", "2", "--dask", "tcp://a:1"],
        "got --workers 2 --dask tcp://a:1, but --workers sets how many",
    ),
    "misspelt": (["--tiles", "3"], "did you mean --tile?"),
}


@pytest.mark.parametrize(("words", "says"), WRONG_WORDS.values(), ids=WRONG_WORDS)
def test_a_wrong_word_is_refused_in_one_line_before_anything_is_done(cellseg, images, output, words, says):
    ran = cellseg("segment", images, "--output", output, *words)
    assert ran.code == 1
    assert len(ran.errors) == len(ran.err.splitlines()) == 1
    assert says in ran.errors[0]
    assert not output.exists()


def test_cuda_without_a_gpu_is_refused(cellseg, images, output):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    ran = cellseg("segment", images, "--output", output, "--device", "cuda")
    assert ran.code == 1
    assert f"got device 'cuda', but PyTorch {torch.__version__} on this machine supports only cpu" in ran.errors[0]


def test_a_missing_channel_is_reported_for_each_image(cellseg, images, output):
    ran = cellseg("segment", images, "--output", output, "--channels", "DAPI")
    assert ran.code == 1
    assert [line.split(": ")[0] for line in ran.errors] == [str(images / f"{name}.npy") for name in "abc"]
    assert all("cannot find channel 'DAPI'" in line for line in ran.errors)
    assert not output.exists()


@pytest.mark.parametrize("axes", ["ZYX", "QQ"])
def test_axes_that_fit_no_image_leave_no_run_behind(cellseg, images, output, axes):
    ran = cellseg("segment", images, "--output", output, "--axes", axes)
    assert ran.code == 1
    assert [line.split(": ")[0] for line in ran.errors] == [str(images / f"{name}.npy") for name in "abc"]
    assert all(f"axes={axes!r}" in line for line in ran.errors)
    assert not output.exists()


@pytest.mark.parametrize("content", ["{}", '{"threshold": 0.4}'])
def test_incomplete_settings_are_refused(cellseg, images, output, tmp_path, content):
    (tmp_path / "mine.json").write_text(content)
    ran = cellseg("segment", images, "--output", output, "--bundle", "nuclei", "--postprocess", tmp_path / "mine.json")
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert "mine.json: missing settings: fill_holes, " in ran.errors[0]
    assert ran.errors[0].endswith("; add these settings")
    assert not output.exists()


def test_failed_images_are_named_even_if_the_page_fails(cellseg, images, output, monkeypatch, capsys):
    (images / "b0.png").write_bytes(b"")
    monkeypatch.setattr("cellseg_monai.report.write_quality_report", lambda *args, **keywords: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cellseg("segment", images, "--output", output, "--report")
    assert f"error: {images / 'b0.png'}: the file is empty" in capsys.readouterr().err
    assert set(digests(output)) == RESULTS


def test_a_page_is_written_for_binary_images(cellseg, images, output):
    np.save(images / "d.npy", cells() > 900)
    ran = cellseg("segment", images, "--output", output, "--report")
    assert (ran.code, ran.errors) == (0, [])
    ran = cellseg("segment", images, "--output", output, "--resume")
    assert f"{output / 'report.html'} is older than the results" in ran.err
    assert cellseg("quality", output, "--output", output / "again.html").code == 0
    assert cellseg("replay", output, "--output", output / "again").code == 0
    ran = cellseg("quality", output / "nowhere")
    assert ran.errors == [f"no such file: {output / 'nowhere'}; pass the run.json next to the results"]


def test_the_only_image_with_the_channel_is_segmented(cellseg, images, output):
    tifffile.imwrite(images / "d.ome.tif", cells()[np.newaxis], metadata={"axes": "CYX", "Channel": {"Name": ["DAPI"]}})
    ran = cellseg("segment", images, "--output", output, "--channels", "DAPI")
    assert (ran.code, len(ran.errors)) == (1, 3)
    assert set(digests(output)) == {"d.tif", "d.csv"}


def test_a_channel_whose_name_has_a_comma_can_be_chosen(cellseg, tmp_path, output):
    stains = np.stack([np.zeros_like(cells()), cells()])
    metadata = {"axes": "CYX", "Channel": {"Name": ["actin", "DA,PI"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", stains, photometric="minisblack", metadata=metadata)
    assert cellseg("segment", tmp_path / "a.ome.tif", "--output", output, "--channels", '["DA,PI"]').code == 0
    assert io.read_labels(output / "a.tif").any()
    again = cellseg("replay", output / "run.json", "--output", tmp_path / "again")
    assert (again.code, digests(tmp_path / "again")) == (0, digests(output))
    ran = cellseg("segment", tmp_path / "a.ome.tif", "--output", tmp_path / "b", "--channels", "DA,PI")
    assert "got 2 channel(s), DA, PI, expected 1" in ran.errors[0]


def test_a_missing_dask_is_named_before_the_network_is_loaded(cellseg, images, output, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "model.pt").write_bytes(b"nothing")
    weights = ("--bundle", "nuclei", "--checkpoint", tmp_path / "model.pt")
    for words in (["--dask", "local"], ["--workers", "2"], ["--dask", "tcp://a:1"]):
        ran = cellseg("segment", images, "--output", output, *weights, *words)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert "pip install 'cellseg_monai[cluster]'" in ran.errors[0]
        assert not output.exists()


def make_zip(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


class TestBundles:
    def test_a_zip_of_something_else_is_refused(self, cellseg, images, output, tmp_path):
        path = make_zip(tmp_path / "notes.zip", notes="", more__notes="")
        ran = cellseg("segment", images, "--output", output, "--bundle", path)
        assert ran.code == 1
        assert ran.errors == [
            f"{path}: got more, notes, expected configs/metadata.json at the top level or in one top-level folder; "
            "zip a single bundle folder"
        ]

    def test_a_file_that_is_not_a_zip_is_refused(self, cellseg, images, output, tmp_path):
        (tmp_path / "bundle.zip").write_text("<html>")
        ran = cellseg("segment", images, "--output", output, "--bundle", tmp_path / "bundle.zip")
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert "got a file that is not a zip, expected a bundle" in ran.errors[0]

    def test_a_bundle_of_another_kind_is_refused(self, cellseg, images, output, tmp_path):
        (tmp_path / "other" / "configs").mkdir(parents=True)
        (tmp_path / "other" / "configs" / "metadata.json").write_text('{"version": "1"}')
        ran = cellseg("segment", images, "--output", output, "--bundle", tmp_path / "other")
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert "metadata.json lacks name, so it is not a valid bundle" in ran.errors[0]

    @pytest.mark.parametrize("content", [b"nothing", b"junk", b"", b"PK\3\4", bytes(range(256))], ids=repr)
    def test_a_broken_checkpoint_is_named(self, cellseg, images, output, tmp_path, content):
        (tmp_path / "model.pt").write_bytes(content)
        weights = ("--bundle", "nuclei", "--checkpoint", tmp_path / "model.pt")
        ran = cellseg("segment", images, "--output", output, *weights)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert ran.errors[0].startswith(f"{tmp_path / 'model.pt'} ")
        assert ran.errors[0].endswith("pass another file with `--checkpoint PATH`")


class TestOutputs:
    def test_a_file_as_output_is_refused(self, cellseg, images, output):
        output.write_text("notes")
        ran = cellseg("segment", images, "--output", output)
        assert (ran.code, ran.errors) == (
            1,
            [f"--output {output} is a file, not a folder; choose another --output"],
        )
        assert output.read_text() == "notes"

    def test_images_are_never_overwritten_by_their_labels(self, cellseg, images):
        tifffile.imwrite(images / "d.tif", cells())
        before = digests(images)
        ran = cellseg("segment", images, "--output", images)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert f"{images / 'd.tif'} is an input, and a result would replace it" in ran.errors[0]
        assert digests(images) == before

    def test_other_files_with_the_names_of_results_are_kept(self, cellseg, images, output):
        output.mkdir()
        (output / "b.csv").write_text("mine")
        ran = cellseg("segment", images, "--output", output)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert f"{output / 'b.csv'} already exists" in ran.errors[0]
        assert digests(output).keys() == {"b.csv"}

    def test_a_second_run_into_the_same_folder_is_refused(self, cellseg, images, output):
        from cellseg_monai.lock import only_one

        with only_one(output / ".segment.lock", "cellseg segment"):
            ran = cellseg("segment", images, "--output", output)
        assert (ran.code, len(ran.errors)) == (1, 1)
        assert "another `cellseg segment` is writing to this folder" in ran.errors[0]


def test_a_stack_with_a_failed_plane_leaves_no_results(cellseg, images, output):
    """The overlays of earlier planes have already been written to the temporary folder by then."""
    shutil.rmtree(images)
    images.mkdir()
    broken_stack(images / "s.tif")
    ran = cellseg("segment", images, "--output", output, "--export", "labels,overlay,csv,zarr")
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert {path.name for path in output.iterdir()} == {"run.json"}


def test_an_image_that_a_format_cannot_hold_fails_alone(cellseg, images, output):
    np.save(images / "b.npy", np.ones((4, 1), np.uint8))
    tifffile.imwrite(
        images / "z.tif", np.ones((3, 40, 1), "u2"), photometric="minisblack", ome=True, metadata={"axes": "ZYX"}
    )
    assert io.read(images / "z.tif").axes == "ZCYX"
    ran = cellseg("segment", images, "--output", output)
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert "one pixel wide" in ran.errors[0]
    assert set(digests(output)) == RESULTS


def test_a_page_of_another_run_is_not_replaced(cellseg, images, output):
    output.mkdir()
    (output / "report.html").write_text("mine")
    ran = cellseg("segment", images, "--output", output, "--report")
    assert ran.errors == [
        f"{output / 'report.html'} already exists, and --report would replace it; choose another --output"
    ]
    assert [path.name for path in output.iterdir()] == ["report.html"]


def test_a_dry_run_names_the_image_whose_tiles_do_not_fit(cellseg, images, output, monkeypatch):
    np.save(images / "large.npy", cells(shape=(192, 192)))
    forward = torch.nn.Conv2d.forward

    def full(module, batch):
        if batch.shape[-1] >= 192:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(module, batch)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", full)
    ran = cellseg("segment", images, "--output", output, "--dry_run", "--device", "cpu")
    assert ran.code == 1
    (error,) = ran.errors
    assert error.startswith(f"{images / 'large.npy'}: cpu has too little memory for 1 tile(s) of ")
    assert ran.out.count("the network sees grey") == 4
    assert "the network would take" not in ran.out


def test_a_network_that_does_not_fit_is_reported_in_one_line(cellseg, images, output, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    ran = cellseg("segment", images, "--output", output, "--device", "cpu")
    assert ran.code == 1
    assert ran.err == "error: cpu has too little memory for the network; free up some memory, or use another --device\n"
    assert not output.exists()


def test_a_memory_error_without_a_message_is_reported_in_one_line(cellseg, images, output, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("cellseg_monai.bundle.one_pipeline.torch_network", full)
    ran = cellseg("segment", images, "--output", output, "--device", "cpu")
    assert (ran.code, len(ran.errors)) == (1, 1)
    assert "run out of memory; close other programs" in ran.errors[0]
