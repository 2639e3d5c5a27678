"""The page of a run without truth: self-contained, lowest scores first, unusual images flagged."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.heads import ForegroundHead
from cellseg_monai.inference import Job, Pipeline, RunRecord, Tiles, find_images
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import TrainingData
from cellseg_monai.report import QualityReport, write_quality_report
from tests.quality.planes import plane
from tests.report.pages import Reader, check_page

NASTY = "<script>alert(1)&"
TRAINING = TrainingData("discs", "w", 9, 99, (20, 24, 30), (0.03, 0.04, 0.05), (0.2, 0.25, 0.4), (0.7, 0.8, 0.95))
RECIPE = Pipeline(
    bundle="discs",
    version="1",
    weights_sha256="w",
    network=lambda batch: 12 * (batch - 0.4),
    head=ForegroundHead(),
    preprocess=Preprocessing(),
    postprocess=Postprocessing(),
    tiles=Tiles((256, 256)),
)


def segmented(folder: Path, exports: Sequence[str] = ("labels", "csv"), pipeline: Pipeline = RECIPE) -> Path:
    """Segment the images in a folder and return the run.json."""
    job = Job(pipeline, folder / "out", exports)
    about = {
        "cellseg_monai": "0",
        "bundle": {"name": pipeline.bundle, "version": pipeline.version, "weights_sha256": pipeline.weights_sha256},
        "preprocess": dataclasses.asdict(pipeline.preprocess),
        "tta": pipeline.tta,
        "axes": None,
        "pixel_size_um": None,
    }
    record = RunRecord(job.output, about, {"arguments": {}})
    for outcome in job.run(find_images([str(folder / "images")])[0]):
        record.add(outcome)
    return record.finish()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images that are good, blurred, saturated and empty."""
    (tmp_path / "images").mkdir()
    for name, pixels in {
        NASTY: plane()[0],
        "blurred": plane(blur=4.0)[0],
        "saturated": plane(most=700)[0],
        "nothing": np.full((1, 160, 160), 200, np.uint16),
    }.items():
        np.save(tmp_path / "images" / f"{name}.npy", pixels[0])
    return tmp_path


def read(report: QualityReport) -> tuple[Reader, dict]:
    return check_page(report.page), json.loads(report.numbers.read_text(encoding="utf-8"))


def test_a_page_is_small_and_names_are_escaped(folder: Path) -> None:
    report = write_quality_report(segmented(folder), training=TRAINING)
    assert not report.faults
    assert report.page == folder / "out" / "report.html"
    assert report.page.stat().st_size < 2_000_000
    assert NASTY in read(report)[0].text


def test_images_have_their_flags_and_the_lowest_scores_come_first(folder: Path) -> None:
    page, numbers = read(report := write_quality_report(segmented(folder), training=TRAINING))
    flags = {row["image"]: sorted(row["flags"]) for row in numbers["images"]}
    assert flags[NASTY] == []
    assert "out of focus" in flags["blurred"]
    assert "saturated" in flags["saturated"]
    assert {"no objects", "low contrast"} <= set(flags["nothing"])
    assert report.flagged == 3
    scores = [row["score"] for row in numbers["images"]]
    assert scores[-1] is None
    assert scores[:-1] == sorted(scores[:-1])
    assert numbers["images"][0]["image"] == "blurred"
    low = [item["score"] for item in numbers["lowest_objects"]]
    assert low == sorted(low)
    assert len(low) == 3 * 4  # four per image
    assert page.figures() == ["image-1", "image-2", "image-3", "image-4"]
    assert "Images are compared with each other only in runs of at least 8 images." in page.text


def test_the_page_names_the_measures_by_which_images_are_compared_with_each_other(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(7):
        np.save(tmp_path / "images" / f"{number}.npy", plane(seed=number)[0][0])
    np.save(tmp_path / "images" / "nothing.npy", np.full((160, 160), 200, np.uint16))  # neither sharp nor blurred
    page, _ = read(write_quality_report(segmented(tmp_path)))
    assert "Images are compared with each other by number of objects." in page.text


def test_intensities_of_every_channel_are_shown(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.concatenate([plane()[0], 2 * plane()[0]])
    tifffile.imwrite(tmp_path / "images" / "two.tif", pixels, metadata={"axes": "CYX"}, ome=True)
    pipeline = dataclasses.replace(RECIPE, preprocess=Preprocessing(channels=(0,)))
    page, _ = read(write_quality_report(segmented(tmp_path, pipeline=pipeline)))
    medians = [float(median) for median in re.findall(r"mean intensity, channel_\d: median ([\d.e+]+)[;.]", page.text)]
    assert len(medians) == 2
    assert medians[1] == pytest.approx(2 * medians[0], rel=0.01)


def test_a_channel_that_the_network_does_not_see_can_hold_nan_and_infinity(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    unseen = np.full((1, 160, 160), 3.0, np.float32)
    unseen[0, 0, :3] = np.nan, np.inf, 3e38
    pixels = np.concatenate([plane()[0].astype(np.float32), unseen])
    tifffile.imwrite(tmp_path / "images" / "two.tif", pixels, metadata={"axes": "CYX"}, ome=True)
    pipeline = dataclasses.replace(RECIPE, preprocess=Preprocessing(channels=(0,)))
    report = write_quality_report(segmented(tmp_path, pipeline=pipeline))
    assert not report.faults
    assert read(report)[0].figures() == ["image-1"]


def test_diameters_are_shown_at_the_scale_of_the_network_like_those_of_the_training_data(folder: Path) -> None:
    run = segmented(folder)
    record = json.loads(run.read_text())
    for entry in record["images"]:
        del entry["measures"]  # as in the record of an earlier version, whose planes are measured here
    record["about"] |= {"preprocess": {"channels": "grey", "pixel_size_um": 1.0}, "pixel_size_um": [0.5, 0.5]}
    run.write_text(json.dumps(record))
    page, numbers = read(write_quality_report(run, training=TRAINING))
    shown = re.search(r"Equivalent diameter \(px\): median ([\d.]+);", page.text)
    assert shown
    assert float(shown[1]) == pytest.approx(12, abs=1)
    assert [row["diameter_px"] for row in numbers["images"][:3]] == pytest.approx([12] * 3, abs=1)


def test_recorded_measures_are_not_measured_again(folder: Path) -> None:
    run = segmented(folder)
    record = json.loads(run.read_text())
    assert all(len(entry["measures"]) == 1 for entry in record["images"])
    fresh = write_quality_report(run, training=TRAINING).numbers.read_text()
    for entry in record["images"]:
        entry["measures"][0]["sharpness"] = 7.0
    run.write_text(json.dumps(record))
    numbers = json.loads(write_quality_report(run, training=TRAINING).numbers.read_text())
    assert {row["sharpness"] for row in numbers["images"]} == {7.0}
    for entry, damage in zip(record["images"], (None, [{}], [{"objects": "many"}], "[]"), strict=True):
        entry["measures"] = damage
    run.write_text(json.dumps(record))
    assert write_quality_report(run, training=TRAINING).numbers.read_text() == fresh


@pytest.mark.parametrize("training", [None, TRAINING], ids=["unknown training data", "training data of other weights"])
def test_the_page_says_that_training_data_are_missing(folder: Path, training: TrainingData | None) -> None:
    pipeline = RECIPE if training is None else dataclasses.replace(RECIPE, weights_sha256="others")
    page, numbers = read(write_quality_report(segmented(folder, pipeline=pipeline), training=training))
    assert "does not describe the data on which these weights were trained" in page.text
    assert numbers["training_data"] is None
    assert not {"intensity", "object size"} & {kind for row in numbers["images"] for kind in row["flags"]}


def test_agreement_is_shown_if_it_was_measured(folder: Path) -> None:
    page, numbers = read(write_quality_report(segmented(folder, pipeline=dataclasses.replace(RECIPE, tta=True))))
    assert all(0 <= item["agreement"] <= 1 for item in numbers["lowest_objects"])
    heads = [attributes for tag, attributes in page.tags if tag == "th" and attributes.get("scope") == "col"]
    assert len(heads) == 3 + 10  # the tables of flags and of images
    assert ", agreement " in page.text


def test_missing_changed_and_failed_images_are_reported_and_the_others_shown(folder: Path) -> None:
    (folder / "images" / "broken.npy").write_bytes(b"nothing")
    run = segmented(folder)
    (folder / "images" / "blurred.npy").unlink()
    np.save(folder / "images" / "saturated.npy", np.zeros((8, 8), np.uint8))
    report = write_quality_report(run)
    page, numbers = read(report)
    assert [row["image"] for row in numbers["images"]] == [NASTY, "nothing"]
    assert {fault.place for fault in report.faults} == {"segmenting", "blurred", "saturated"}
    assert numbers["faults"] == list(map(str, report.faults))
    assert "broken.npy" in page.text
    assert "restore the image that was segmented" in page.text


def test_a_run_in_which_every_image_failed_still_has_a_page(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.write_bytes(b"nothing")
    page, numbers = read(report := write_quality_report(segmented(folder)))
    assert numbers["images"] == []
    assert [fault.place for fault in report.faults] == ["segmenting"] * 4
    assert "0 objects in 0 image(s)" in page.text


def test_results_without_tables_are_reported(folder: Path) -> None:
    report = write_quality_report(segmented(folder, exports=["labels"]))
    assert [fault.kind for fault in report.faults] == ["no-results"] * 4
    assert read(report)[1]["faults"] == list(map(str, report.faults))


@pytest.mark.parametrize("kind", ["labels", "ome", "zarr"])
def test_stacks_are_shown_plane_by_plane_and_large_images_are_reduced(kind: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    stack = np.stack([plane(seed=0)[0][0], plane(blur=4.0)[0][0]])
    tifffile.imwrite(tmp_path / "images" / "stack.tif", stack, metadata={"axes": "ZYX"}, imagej=False)
    large = np.tile(plane()[0][0], (19, 19))
    tifffile.imwrite(tmp_path / "images" / "large.tif", large)
    report = write_quality_report(segmented(tmp_path, exports=[kind, "csv"]), overlays=1)
    page, numbers = read(report)
    assert not report.faults
    assert sorted(row["image"] for row in numbers["images"]) == ["large", "stack_Z000", "stack_Z001"]
    rows = {row["image"]: row for row in numbers["images"]}
    assert rows["stack_Z000"]["objects"] == 16
    assert rows["stack_Z001"]["sharpness"] < rows["stack_Z000"]["sharpness"] / 2
    assert len(page.figures()) == 3
    assert report.page.stat().st_size < 6_000_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "report.pdf"}, "expected an HTML file"),
        ({"overlays": -1}, "a whole number of at least 0"),
        ({"overlays": True}, "a whole number of at least 0"),
    ],
    ids=["another kind of file", "a negative number", "not a number"],
)
def test_invalid_arguments_are_refused(folder: Path, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_quality_report(segmented(folder), **change)


def test_a_file_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_quality_report(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"was not written by `cellseg segment`"):
        write_quality_report(tmp_path / "run.json")


def test_a_page_can_omit_the_pictures_of_whole_images(folder: Path) -> None:
    page, _ = read(write_quality_report(segmented(folder), folder / "here.html", overlays=0))
    assert page.figures() == []
    assert (folder / "here.json").is_file()


def changed_row(text: str, column: str, value: str) -> str:
    """Return a table in which one cell of the second object is replaced."""
    head, first, second, *rest = text.splitlines()
    cells = second.split(",")
    cells[head.split(",").index(column)] = value
    return "\n".join([head, first, ",".join(cells), *rest])


TABLES = {
    "without rows": lambda text: text.splitlines()[0],
    "with a row less": lambda text: "\n".join(text.splitlines()[:-1]),
    "with an id twice": lambda text: changed_row(text, "id", "1"),
    "with a fractional id": lambda text: changed_row(text, "id", "2.5"),
    "with an id of many digits": lambda text: changed_row(text, "id", "9" * 23),
    "with a box outside the image": lambda text: changed_row(text, "right_px", "9000"),
    "with a box of any size": lambda text: changed_row(text, "right_px", "inf"),
    "with a huge cell": lambda text: changed_row(text, "score", "0" * 200_000),
    "with a column twice": lambda text: text.replace("solidity", "id", 1),
    "without scores": lambda text: text.replace("score", "points", 1),
    "without areas": lambda text: text.replace("area_px", "area", 1),
}


@pytest.mark.parametrize("change", TABLES.values(), ids=TABLES)
def test_a_table_that_contradicts_the_run_is_a_fault(folder: Path, change: Callable[[str], str]) -> None:
    run = segmented(folder)
    path = run.with_name("blurred.csv")
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    report = write_quality_report(run)
    assert [(fault.place, fault.kind) for fault in report.faults] == [("blurred", "not-shown")]
    assert "blurred.csv" in report.faults[0].message


def test_a_record_that_claims_a_stack_is_a_fault(folder: Path) -> None:
    run = segmented(folder)
    record = json.loads(run.read_text(encoding="utf-8"))
    entry = next(entry for entry in record["images"] if entry["key"] == "blurred")
    entry |= {"axes": "ZCYX", "shape": [2, *entry["shape"]]}
    run.write_text(json.dumps(record), encoding="utf-8")
    assert [fault.kind for fault in write_quality_report(run).faults] == ["not-shown"] * 2
