"""A job on many images with a network that needs no torch: outcomes, their order, and the files."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import Done, Failed, Job, Pipeline, Tiles, find_images
from cellseg_monai.inference import job as inference_job
from cellseg_monai.inference.large_plane import segment_large
from cellseg_monai.pixels import Preprocessing
from tests.raw_head import RawHead

SQUARES = np.zeros((40, 50), np.uint16)
SQUARES[5:15, 5:15] = SQUARES[20:30, 30:45] = 1_000


def network(batch):
    """Pass bright pixels through as foreground; fail on a dark image."""
    if not batch.any():
        raise MemoryError("no room for a dark image")
    return batch


@pytest.fixture
def job(tmp_path):
    pipeline = Pipeline(
        bundle="bright",
        version="1",
        weights_sha256="",
        network=network,
        head=RawHead(),
        preprocess=Preprocessing(lower_percentile=0, upper_percentile=100, noise_floor=0),
        postprocess=Postprocessing(),
        tiles=Tiles((64, 64), overlap=0),
    )
    return Job(pipeline, tmp_path / "out", ("labels", "csv", "overlay"))


def stack(path, planes):
    tifffile.imwrite(path, np.stack(planes), photometric="minisblack", metadata={"axes": "ZYX"})
    return path


def outcomes(job, *paths):
    images, faults = find_images(list(map(str, paths)))
    assert faults == []
    return list(job.run(images))


def test_only_unfinished_files_of_a_run_are_removed(job, tmp_path):
    np.save(tmp_path / "a.npy", SQUARES)
    unfinished = job.output / ".unfinished"
    mine, left = unfinished / "mine" / "a.txt", unfinished / ("0" * 32) / "a.csv"
    for file in (mine, left):
        file.parent.mkdir(parents=True)
        file.touch()
    assert isinstance(*outcomes(job, tmp_path / "a.npy"), Done)
    assert list(unfinished.rglob("*")) == [mine.parent, mine]


def test_unfinished_files_are_not_written_through_a_link(job, tmp_path):
    np.save(tmp_path / "a.npy", SQUARES)
    (tmp_path / "mine" / ("0" * 32)).mkdir(parents=True)
    job.output.mkdir()
    (job.output / ".unfinished").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError, match="unfinished already exists"):
        outcomes(job, tmp_path / "a.npy")
    assert (tmp_path / "mine" / ("0" * 32)).is_dir()


@pytest.mark.parametrize("are_large", [True, False])
def test_no_more_of_the_largest_planes_are_segmented_together_than_fit_into_memory(
    job, tmp_path, monkeypatch, are_large
):
    for number in range(8):
        np.save(tmp_path / f"{number}.npy", SQUARES)
    working: list[None] = []
    most: list[int] = []
    right = inference_job.segment_plane

    def counted(*arguments):
        working.append(None)
        most.append(len(working))
        time.sleep(0.2)  # long enough for others to begin
        found = right(*arguments)
        working.pop()
        return found

    monkeypatch.setattr(inference_job, "segment_plane", counted)
    large_px = SQUARES.size * (1 if are_large else 10)
    found = outcomes(replace(job, large_px=large_px), *sorted(tmp_path.glob("*.npy")))
    assert [type(outcome) for outcome in found] == [Done] * 8
    assert (max(most) <= 2) == are_large


def test_outcomes_have_the_order_of_the_images(job, tmp_path):
    for number in range(6):
        np.save(tmp_path / f"{number}.npy", SQUARES if number % 3 else np.zeros_like(SQUARES))
    found = outcomes(job, *(tmp_path / f"{number}.npy" for number in range(6)))
    assert [type(outcome) for outcome in found] == [Failed, Done, Done] * 2
    assert [outcome.image.key for outcome in found] == list("012345")
    assert found[0].reason == f"{tmp_path / '0.npy'}: no room for a dark image"
    assert [outcome.objects for outcome in found if isinstance(outcome, Done)] == [2] * 4
    assert {path.name for path in job.output.iterdir()} == {
        f"{number}{suffix}" for number in "1245" for suffix in (".tif", ".csv", "_overlay.png")
    }


DARK, BROKEN = np.zeros_like(SQUARES, float), np.full(SQUARES.shape, np.nan)
BRIGHT = SQUARES.astype(float)


@pytest.mark.parametrize(
    "planes",
    [
        [BRIGHT, BRIGHT, BRIGHT, BROKEN],
        [BRIGHT, BROKEN, BRIGHT, BROKEN, BRIGHT],
        [BROKEN, BRIGHT],
        [BRIGHT, DARK, BRIGHT, BRIGHT, BRIGHT],
        [BRIGHT, DARK, BROKEN],
        [DARK, DARK, BROKEN, BROKEN],
    ],
    ids=["the last", "two", "the first", "in the network", "in the network and after", "all"],
)
@pytest.mark.parametrize("repeat", range(3))
def test_a_stack_with_failing_planes_fails_once_and_leaves_nothing(job, tmp_path, planes, repeat):
    np.save(tmp_path / "a.npy", SQUARES)
    np.save(tmp_path / "b.npy", SQUARES)
    found = outcomes(job, tmp_path / "a.npy", stack(tmp_path / "s.tif", planes), tmp_path / "b.npy")
    assert [(type(outcome), outcome.image.key) for outcome in found] == [(Done, "a"), (Failed, "s"), (Done, "b")]
    assert not [path for path in job.output.iterdir() if path.name.startswith(("s", "."))]


def test_a_plane_that_cannot_be_written_fails_its_image_once(job, tmp_path):
    """There is a folder where an overlay of the stack should be written."""
    path = stack(tmp_path / "s.tif", [BRIGHT] * 4)
    (job.output / "s_Z002_overlay.png" / "notes").mkdir(parents=True)
    (failed,) = outcomes(job, path)
    where = job.output / "s_Z002_overlay.png"
    assert failed.reason == f"{path}: {where}: a folder with this name exists; move it elsewhere"
    assert {path.name for path in job.output.iterdir()} == {"s_Z002_overlay.png"}


def test_planes_of_a_stack_become_one_file(job, tmp_path):
    path = stack(tmp_path / "s.tif", [BRIGHT, np.roll(BRIGHT, 5), DARK + 1e-3 + BRIGHT])
    (done,) = outcomes(job, path)
    assert (done.axes, done.objects, len(done.files)) == ("ZCYX", 6, 5)
    labels = io.read(job.output / "s.tif")
    assert labels.axes == "ZCYX"
    np.testing.assert_array_equal(labels.pixels[1, 0] > 0, np.roll(SQUARES, 5) > 0)


def test_labels_of_a_stack_are_kept_only_for_exports_that_need_them(job, tmp_path, monkeypatch):
    monkeypatch.setattr("cellseg_monai.io.LabelSpool.add", lambda *_: pytest.fail("nobody asked for it"))
    path = stack(tmp_path / "s.tif", [BRIGHT] * 2)
    (done,) = outcomes(replace(job, exports=("overlay", "coco")), path)
    assert [path.name for path in done.files] == [
        f"s_Z00{z}_{kind}" for z in range(2) for kind in ("coco.json", "overlay.png")
    ]


def seven(tmp_path):
    for number in range(7):
        np.save(tmp_path / f"{number}.npy", SQUARES)
    return find_images([str(tmp_path)])[0]


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cellseg")]


def test_stopping_early_leaves_no_partial_files_and_no_threads(job, tmp_path):
    running = job.run(seven(tmp_path))
    assert next(running).image.key == "0"
    running.close()
    assert threads() == []
    left = {path.name for path in job.output.iterdir()}
    whole = [{f"{number}{suffix}" for suffix in (".tif", ".csv", "_overlay.png")} for number in range(7)]
    assert left == set().union(*(files for files in whole if files & left))
    assert not whole[6] & left


@pytest.mark.parametrize("at", ["prepared_plane", "segment_plane"])
def test_a_fault_of_the_program_ends_the_run_and_keeps_finished_images(job, tmp_path, monkeypatch, at):
    right = getattr(inference_job, at)

    def wrong(*arguments, **settings):
        # Threads do not finish in the order of the images, so the image is told by its name.
        if (settings.get("name") or arguments[0].name) == "3.npy":
            raise TypeError("a slip of ours")
        return right(*arguments, **settings)

    monkeypatch.setattr(inference_job, at, wrong)
    outcomes = []
    with pytest.raises(TypeError, match="a slip of ours"):
        outcomes.extend(job.run(seven(tmp_path)))
    assert threads() == []
    assert not (job.output / ".unfinished").exists()
    assert not (job.output / "3.tif").exists()


@pytest.mark.parametrize(
    ("zoom", "large_px", "is_large"), [(None, 50, True), (2, 150, True), (0.5, 50, True), (2, 500, False)]
)
def test_planes_are_large_in_the_file_or_at_the_scale_of_the_network(job, tmp_path, zoom, large_px, is_large):
    np.save(tmp_path / "a.npy", np.ones((10, 10), np.uint8))
    pipeline = replace(job.pipeline, preprocess=job.pipeline.preprocess.at_zoom(zoom))
    with io.open_image(tmp_path / "a.npy") as image:
        assert replace(job, pipeline=pipeline, large_px=large_px).is_large(image) == is_large


def test_earlier_outcomes_are_reported_before_a_large_plane_is_begun(job, tmp_path):
    np.save(tmp_path / "a.npy", SQUARES)
    np.save(tmp_path / "b.npy", np.tile(SQUARES, (2, 2)))
    begun = []

    def large(*arguments, **settings):
        begun.append("large")
        return segment_large(*arguments, **settings)

    images, _ = find_images([str(tmp_path / "a.npy"), str(tmp_path / "b.npy")])
    run = replace(job, large=large, large_px=SQUARES.size).run(images)
    assert next(run).image.key == "a"
    assert begun == []
    assert [outcome.objects for outcome in run] == [8]
    assert begun == ["large"]


def test_results_replace_labels_that_a_stopped_run_left(job, tmp_path):
    np.save(tmp_path / "a.npy", SQUARES)
    zarr = Job(job.pipeline, job.output, ("zarr",))
    for _ in range(2):
        (done,) = outcomes(zarr, tmp_path / "a.npy")
        assert done.files == (job.output / "a.zarr",)
    assert [path.name for path in job.output.iterdir()] == ["a.zarr"]
    assert io.read_labels(job.output / "a.zarr").max() == 2
