"""`cellseg segment` without faults: what it writes for images and for stacks."""

import csv
import io as text
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from tests.cells import cells
from tests.cli.conftest import digests
from tests.io.files import write_ome_zarr


@pytest.fixture
def stack(tmp_path):
    """A stack of two time points and three depths."""
    planes = np.stack([cells(seed) for seed in range(6)]).reshape(2, 3, 96, 96)
    path = tmp_path / "stack.ome.tif"
    metadata = {"axes": "TZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 3, "TimeIncrement": 60}
    tifffile.imwrite(path, planes, ome=True, photometric="minisblack", metadata=metadata)
    return path


def test_labels_tables_and_a_record_are_written(cellseg, images, output):
    ran = cellseg("segment", images, "--output", output)
    assert (ran.code, ran.errors) == (0, [])
    assert {path.name for path in output.iterdir()} == {"run.json"} | {
        f"{name}.{suffix}" for name in "abc" for suffix in ("tif", "csv")
    }
    run = json.loads((output / "run.json").read_text())
    assert [entry["key"] for entry in run["images"]] == ["a", "b", "c"]
    assert run["failures"] == []
    for entry in run["images"]:
        labels = io.read_labels(output / f"{entry['key']}.tif")
        assert len(np.unique(labels[labels > 0])) == entry["objects"] > 0
    assert f"3 image(s), {sum(entry['objects'] for entry in run['images'])} objects" in ran.out


def test_a_stack_gives_one_label_file_and_one_table(cellseg, stack, output):
    ran = cellseg("segment", stack, "--output", output, "--export", "labels,ome,zarr,csv,rois,overlay,coco")
    assert (ran.code, ran.errors) == (0, [])
    of_planes = [f"stack_T00{t}_Z00{z}_{kind}" for t, z in np.ndindex(2, 3) for kind in ("coco.json", "overlay.png")]
    whole = ["run.json", "stack.csv", "stack.ome.tif", "stack.tif", "stack.zarr", "stack_rois.zip"]
    assert sorted(path.name for path in output.iterdir()) == sorted(of_planes + whole)
    labels = io.read(output / "stack.tif")
    assert (labels.axes, labels.pixels.shape, labels.pixel_size_um) == ("TZCYX", (2, 3, 1, 96, 96), (0.5, 0.5))
    assert (labels.z_step_um, labels.time_step_s) == (3, 60)
    for name in ("stack.ome.tif", "stack.zarr"):
        other = io.read(output / name)
        assert (other.axes, other.pixel_size_um) == ("TZCYX", (0.5, 0.5))
        assert (other.z_step_um, other.time_step_s) == (3, 60)
        np.testing.assert_array_equal(other.pixels, labels.pixels)
    with open(output / "stack.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["t", "z", "id"]
    for t, z in np.ndindex(2, 3):
        ids = [int(row["id"]) for row in rows if (row["t"], row["z"]) == (str(t), str(z))]
        assert ids == np.unique(labels.pixels[t, z][labels.pixels[t, z] > 0]).tolist()
        assert ids[0] == 1


def test_a_unit_that_is_not_understood_is_noted(cellseg, tmp_path, output):
    for name in "ab":
        size = {"unit": "furlong"}
        tifffile.imwrite(tmp_path / f"{name}.tif", cells(0), imagej=True, resolution=(2, 2), metadata=size)
    inputs = [tmp_path / "a.tif", tmp_path / "b.tif"]
    text = "it states a pixel size of 0.5 'furlong' × 0.5 'furlong', which is not understood and not used"
    ran = cellseg("segment", *inputs, "--output", output, "--dry_run")
    assert [f"{image}: note: {text}" in ran.out for image in inputs] == [True, True]
    ran = cellseg("segment", *inputs, "--output", output)
    (printed,) = [line for line in ran.err.splitlines() if line.startswith("note: ")]
    assert printed.startswith(f"note: {inputs[0]}: {text}")
    assert "1 more image(s)" in printed
    for entry in json.loads((output / "run.json").read_text())["images"]:
        assert [note["kind"] for note in entry["notes"]] == ["pixel-size"]
    ran = cellseg("segment", *inputs, "--output", tmp_path / "sized", "--pixel_size", 0.5)
    assert "note: " not in ran.err
    assert "notes" not in json.loads((tmp_path / "sized" / "run.json").read_text())["images"][0]


def test_an_image_without_objects_has_no_roi_zip_and_a_note(cellseg, images, output):
    np.save(images / "b.npy", np.zeros((96, 96), np.uint16))
    ran = cellseg("segment", images, "--output", output, "--export", "labels,rois")
    assert (ran.code, ran.errors) == (0, [])
    assert sorted(path.name for path in output.glob("*.zip")) == ["a_rois.zip", "c_rois.zip"]
    assert f"note: {images / 'b.npy'}: it has no objects, so no _rois.zip was written" in ran.err
    notes = {entry["key"]: entry.get("notes", []) for entry in json.loads((output / "run.json").read_text())["images"]}
    assert [note["kind"] for note in notes["b"]] == ["no-objects"]
    assert notes["a"] == []
    assert cellseg("segment", images, "--output", output, "--export", "labels,rois", "--resume").code == 0


def test_a_plane_of_a_stack_is_segmented_like_a_single_image(cellseg, stack, tmp_path, output):
    np.save(tmp_path / "plane.npy", cells(5))
    assert cellseg("segment", stack, tmp_path / "plane.npy", "--output", output).code == 0
    stacked = io.read(output / "stack.tif").pixels[1, 2, 0]
    np.testing.assert_array_equal(stacked, io.read_labels(output / "plane.tif"))


def test_an_ome_zarr_and_a_pattern_with_folders_are_segmented(cellseg, tmp_path, output):
    write_ome_zarr(tmp_path / "plates" / "p1" / "a.ome.zarr", cells(0))
    np.save(tmp_path / "plates" / "a.npy", cells(1))
    assert cellseg("segment", tmp_path / "plates" / "**" / "*", "--output", output).code == 0
    assert {"a.tif", "p1/a.tif"} <= set(digests(output))


def test_the_images_of_a_list_on_standard_input_are_segmented(cellseg, images, output, monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", text.StringIO(f"\ufeff{images / 'a.npy'}\n\n{images / 'nowhere.npy'}\n{images / 'b.npy'}\n")
    )
    ran = cellseg("segment", "-", "--output", output)
    assert ran.code == 1
    assert ran.errors == [f"{images / 'nowhere.npy'}: there is no such file or folder"]
    assert set(digests(output)) == {"a.tif", "a.csv", "b.tif", "b.csv"}


def test_a_dry_run_describes_each_image_and_writes_nothing(cellseg, images, stack, output):
    np.save(images / "nan.npy", np.zeros((3, 8, 9)))
    ran = cellseg("segment", images, stack, "--output", output, "--dry_run")
    assert ran.code == 1
    assert "T 2, Z 3, C 1, Y 96, X 96; 0.5 × 0.5 µm per pixel; " in ran.out
    assert re.search(r"the network sees grey[^\n]*, 6 planes, each 1 tile", ran.out)
    assert re.search(r"the network would take about 0:00:\d\d on this machine", ran.out)
    assert len(ran.errors) == 1
    assert str(images / "nan.npy") in ran.errors[0]
    assert not output.exists()


def test_cells_are_scaled_to_the_size_of_the_training_cells(cellseg, images, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    for path in images.iterdir():
        np.save(large / path.name, np.kron(np.load(path), np.ones((3, 3), np.uint16)))
    words = ("--bundle", "nuclei", "--export", "labels,csv", "--output")
    assert cellseg("segment", images, "--diameter", "28", *words, tmp_path / "plain").code == 0
    assert cellseg("segment", large, "--diameter", "48", *words, tmp_path / "scaled").code == 0
    for path in (tmp_path / "plain").glob("*.tif"):
        plain, scaled = io.read_labels(path), io.read_labels(tmp_path / "scaled" / path.name)
        assert scaled.shape == (3 * plain.shape[0], 3 * plain.shape[1])
        assert plain.any()
        assert np.mean((scaled > 0) == np.kron(plain > 0, np.ones((3, 3), bool))) > 0.98
    plain, scaled = (json.loads((tmp_path / name / "run.json").read_text())["about"] for name in ("plain", "scaled"))
    assert plain["preprocess"]["zoom"] == 1
    assert scaled["preprocess"]["zoom"] == pytest.approx(28 / 48)  # the size of the training cells
    ran = cellseg("segment", images, "--diameter", "-3", *words, tmp_path / "refused")
    assert ran.errors == ["got diameter=-3.0, expected a finite number above 0; change or omit the value"]


def test_memory_and_workers_do_not_change_results(cellseg, images, tmp_path):
    for package in ("distributed", "cryptography"):
        pytest.importorskip(package, reason=f"{package} is in the extra `cluster`")
    words = ("segment", images, "--export", "labels,csv", "--device", "cpu", "--tile", "128", "--output")
    assert cellseg(*words, tmp_path / "plain").code == 0
    ran = cellseg(*words, tmp_path / "shared", "--workers", "2", "--max_memory", "2GB")
    assert (ran.code, ran.errors) == (0, [])
    assert digests(tmp_path / "shared") == digests(tmp_path / "plain")


@pytest.mark.parametrize(("tile", "overlap"), [("96", 48), ("1", 0), ("128", 64), ("4096", 64)])
def test_the_overlap_that_nobody_gave_fits_into_the_tiles(cellseg, images, output, tile, overlap):
    ran = cellseg("segment", images, "--output", output, "--tile", tile, "--dry_run")
    assert (ran.code, ran.errors) == (0, [])
    assert f"tiles of up to {tile} × {tile} px, which overlap by at least {overlap} px" in ran.out


def test_small_tiles_alone_give_the_results_of_their_overlap(cellseg, images, tmp_path):
    words = ("segment", images, "--tile", "48", "--output")
    assert cellseg(*words, tmp_path / "alone").code == 0
    assert cellseg(*words, tmp_path / "both", "--overlap", "24").code == 0
    assert digests(tmp_path / "alone") == digests(tmp_path / "both")


IMPORTED = """
import sys
from cellseg_monai import cli
sys.argv = ["cellseg", *sys.argv[1:]]
try:
    cli.main()
finally:
    heavy = {"torch", "monai", "tifffile", "scipy", "skimage", "matplotlib"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.mark.parametrize("words", [["--help"], ["segment", "--help"], ["replay", "--help"]], ids=" ".join)
def test_help_is_shown_without_slow_imports(words):
    done = subprocess.run([sys.executable, "-c", IMPORTED, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SYNOPSIS" in done.stdout + done.stderr


def test_the_package_is_imported_without_slow_imports():
    code = (
        "import sys, cellseg_monai; assert not {'torch', 'numpy'} & set(sys.modules); assert cellseg_monai.__version__"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_runs_like_the_command():
    module, command = (
        subprocess.run([sys.executable, *words, "segment", "--tiles", "3"], capture_output=True, text=True, check=False)
        for words in (["-m", "cellseg_monai"], ["-c", "from cellseg_monai.cli import main; main()"])
    )
    assert (module.returncode, module.stdout, module.stderr) == (command.returncode, command.stdout, command.stderr)
    assert "did you mean --tile?" in module.stderr


def test_unusual_images_are_flagged_at_the_end_in_the_tables_and_in_the_record(cellseg, images, output):
    np.save(images / "c.npy", (cells(2) > 1000).astype(np.uint8))
    ran = cellseg("segment", images, "--output", output, "--export", "csv,geojson")
    assert ran.code == 0
    flagged = {}
    for entry in json.loads((output / "run.json").read_text())["images"]:
        flagged[entry["key"]] = [flag["kind"] for flag in entry["flags"]]
        assert all(flag["severity"] in ("note", "warning", "serious") and flag["reason"] for flag in entry["flags"])
        assert entry["measures"][0]["objects"] == entry["objects"]
        with open(output / f"{entry['key']}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["flags"] for row in rows} <= {"; ".join(flagged[entry["key"]])}
    assert "mask" in flagged["c"]
    lines = [line for line in ran.err.splitlines() if line.startswith(("note: ", "warning: ", "serious: "))]
    assert len(lines) == len({kind for kinds in flagged.values() for kind in kinds})
    assert any(line.startswith("serious: 1 image(s) flagged mask: ") and "c.npy" in line for line in lines)


@pytest.mark.parametrize(("export", "package"), [("parquet", "pyarrow"), ("h5ad", "anndata")])
def test_flags_fit_into_tables_of_other_programs(cellseg, images, output, export, package):
    pytest.importorskip(package, reason=f"{package} is in the extra `tables`")
    np.save(images / "b.npy", 5000 - cells(1))
    assert cellseg("segment", images, "--output", output, "--export", export).code == 0
    assert (output / f"b.{export}").is_file()
