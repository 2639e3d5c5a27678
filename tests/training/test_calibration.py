"""Calibration on images whose best settings are known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from cellseg_monai.data import items_digest
from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.errors import CheckpointError, DatasetError
from cellseg_monai.training import Calibration

# Two cells of 4 pixels that touch, and a speck of dirt.
TRUTH = [0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0]
FOREGROUND = [0.4, 0.9, 0.9, 0.9, 0.6, 0.6, 0.9, 0.9, 0.9, 0.4, 0.4, 0.9]
BOUNDARY = [0, 0, 0, 0, 0.4, 0.4, 0, 0, 0, 0, 0, 0]

SEARCH = [
    {"setting": "threshold", "values": [0.3, 0.5, 0.7], "objective": "dice"},
    {"setting": "boundary_threshold", "values": [0.3, 0.5]},
    {"setting": "min_area_px", "values": [0, 2]},
]


def step(tmp_path: Path, *scales: int) -> tuple[list, list]:
    """Return a batch and the output of an engine: an image per scale, by which its truth is larger than its maps."""
    batch, output = [], []
    for number, scale in enumerate(scales):
        paths = {}
        for key in ("image", "label"):
            path = tmp_path / f"{key}{number}.bin"
            path.write_bytes(f"{key} {number}".encode())
            paths[key] = path
        batch.append({"image_path": str(paths["image"]), "label_path": paths["label"]})
        truth = np.kron([TRUTH], np.ones((scale, scale), np.int32))
        output.append(
            {
                "maps": {"foreground": np.array([FOREGROUND]), "boundary": np.array([BOUNDARY])},
                "label": torch.from_numpy(truth[np.newaxis].astype("i4")),
            }
        )
    return batch, output


def run(calibration: Calibration, batch: list, output: list) -> None:
    engine = Engine(lambda engine, _: output)
    calibration.attach(engine)
    engine.run([batch])


def test_what_a_killed_calibration_left_is_removed(tmp_path: Path) -> None:
    output_dir, folder = tmp_path / "output", tmp_path / "output" / "calibration"
    (folder / ".maps_abcd1234").mkdir(parents=True)
    left = [
        tmp_path / ".postprocess.json.0123456789ab.part",
        folder / ".curve.csv.0123456789ab.part",
        folder / ".calibration.json.0123456789ab.part",
        folder / ".maps_abcd1234" / "0_truth.npy",
    ]
    for path in left:
        path.touch()
    (folder / "mine.npy").touch()
    start = Postprocessing(BoundaryWatershed(), min_area_px=0, fill_holes=False)
    run(Calibration(tmp_path / "postprocess.json", str(output_dir), start, SEARCH), *step(tmp_path, 1))
    assert sorted(path.name for path in folder.iterdir()) == ["calibration.json", "curve.csv", "mine.npy"]
    assert not any(path.exists() for path in left)


def test_the_best_settings_and_all_trials_are_written(tmp_path: Path) -> None:
    weights, output_dir = tmp_path / "weights", tmp_path / "output"
    weights.mkdir()
    start = Postprocessing(BoundaryWatershed(), min_area_px=0, fill_holes=False)
    calibration = Calibration(weights / "postprocess.json", str(output_dir), start, SEARCH, section="training")
    batch, output = step(tmp_path, 1, 2)
    run(calibration, batch, output)

    chosen = Postprocessing.from_json(weights / "postprocess.json")
    # At a threshold of 0.3 every pixel is foreground, and 0.7 misses two of the eight true pixels. A boundary threshold
    # of 0.5 misses the boundary, and 0.3 finds it. Then only the speck is false, which the smallest area removes.
    assert chosen == Postprocessing(
        BoundaryWatershed(boundary_threshold=0.3), threshold=0.5, min_area_px=2, fill_holes=False
    )

    with open(output_dir / "calibration" / "curve.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["round", "setting", "value", "f1", "f1_50", "dice", "iou"]
    first = [row for row in rows if row["round"] == "1"]
    assert [(row["setting"], float(row["value"])) for row in first] == [
        (sweep["setting"], value) for sweep in SEARCH for value in sweep["values"]
    ]
    # 12, 9 and 7 predicted pixels, of which 8, 8 and 6 are true. Both images score the same, so the mean is the same.
    assert [float(row["dice"]) for row in first[:3]] == pytest.approx([16 / 20, 16 / 17, 12 / 15])
    assert [float(row["iou"]) for row in first[:3]] == pytest.approx([8 / 12, 8 / 9, 6 / 9])
    # Without the boundary, there are one object of both cells, with an IoU of 1/2, and the speck. The object matches
    # at the first of the ten thresholds only: 2 · 1 / (2 · 1 + 1 + 1). With the boundary, there are both cells and the
    # speck: 4 / (4 + 1).
    assert [float(row["f1"]) for row in first[3:5]] == pytest.approx([4 / 5, (2 / 4) / 10])
    assert [float(row["f1"]) for row in first[5:]] == pytest.approx([4 / 5, 1])
    # The second round finds nothing better, so the search ends.
    assert {row["round"] for row in rows} == {"1", "2"}

    report = json.loads((output_dir / "calibration" / "calibration.json").read_text())
    assert report["settings"] == json.loads((weights / "postprocess.json").read_text())
    assert (report["f1"], report["f1_interval"], report["dice"]) == (1, [1, 1], pytest.approx(16 / 17))
    assert (report["section"], report["images"]) == ("training", 2)
    assert report["objectives"] == {"threshold": "dice", "boundary_threshold": "f1", "min_area_px": "f1"}
    items = [{"image": str(item["image_path"]), "label": str(item["label_path"])} for item in batch]
    assert report["sha256"] == items_digest(items)


def test_the_log_shows_the_scores_before_and_after(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start = Postprocessing(BoundaryWatershed(boundary_threshold=0.5), min_area_px=0)
    with caplog.at_level("INFO"):
        run(Calibration(tmp_path / "a.json", str(tmp_path), start, SEARCH), *step(tmp_path, 1, 2))
    # Before, the boundary was missed, so there was one object of both cells.
    assert "mean F1 1.0000 [1.0000, 1.0000]" in caplog.text
    assert "with the starting settings 0.0500" in caplog.text
    assert "the settings were fitted to these images" in caplog.text
    assert json.loads((tmp_path / "calibration" / "calibration.json").read_text())["f1_before"] == pytest.approx(0.05)


def test_a_single_image_has_no_interval(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start = Postprocessing(BoundaryWatershed(), min_area_px=0)
    caplog.set_level("INFO")
    run(Calibration(tmp_path / "fitted.json", str(tmp_path), start, SEARCH, rounds=1), *step(tmp_path, 1))
    assert json.loads((tmp_path / "calibration" / "calibration.json").read_text())["f1_interval"] is None
    assert "nan" not in caplog.text


def test_no_files_are_left_behind_or_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 30, hard_limit))
    try:
        search = [{"setting": "threshold", "values": [0.5]}]
        run(Calibration(tmp_path / "fitted.json", str(tmp_path), Postprocessing(), search), *step(tmp_path, *[1] * 60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard_limit))
    assert not list((tmp_path / "temporary").iterdir())


def test_an_unwritable_folder_is_refused_before_any_image_is_processed(tmp_path: Path) -> None:
    engine = Engine(lambda engine, batch: pytest.fail("an image was processed"))
    (tmp_path / "file").touch()  # a file in place of the folder, because root can write to any folder
    Calibration(
        tmp_path / "file" / "postprocess.json", str(tmp_path), Postprocessing(BoundaryWatershed()), SEARCH
    ).attach(engine)
    with pytest.raises(CheckpointError, match=r"cannot write .*file/postprocess\.json;.*--checkpoint PATH"):
        engine.run([0])
    engine = Engine(lambda engine, batch: pytest.fail("an image was processed"))
    Calibration(
        tmp_path / "a.json", str(tmp_path / "file" / "out"), Postprocessing(BoundaryWatershed()), SEARCH
    ).attach(engine)
    with pytest.raises(CheckpointError, match=r"cannot write the search results to .*file/out/calibration;"):
        engine.run([0])
    assert not (tmp_path / "calibration").exists()


def test_missing_folders_are_created(tmp_path: Path) -> None:
    target, output_dir = tmp_path / "new" / "deep" / "fitted.json", tmp_path / "other" / "output"
    start = Postprocessing(BoundaryWatershed())
    run(Calibration(target, str(output_dir), start, SEARCH, rounds=1), *step(tmp_path, 1))
    assert target.exists()
    assert (output_dir / "calibration" / "curve.csv").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("treshold", "did you mean 'threshold'"),
        ("seed_depth", "seed_depth does not apply to the method components; remove it"),
    ],
)
def test_a_sweep_of_an_unknown_setting_is_refused_when_the_config_is_built(
    tmp_path: Path, setting: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration(tmp_path / "a.json", str(tmp_path), Postprocessing(), [{"setting": setting, "values": [0.5]}])


def test_labels_without_any_object_are_refused(tmp_path: Path) -> None:
    start = Postprocessing(BoundaryWatershed())
    batch, output = step(tmp_path, 1)
    output[0]["label"] = torch.zeros_like(output[0]["label"])
    with pytest.raises(DatasetError, match=r"got 1 label image\(s\) without any object"):
        run(Calibration(tmp_path / "postprocess.json", str(tmp_path / "out"), start, SEARCH), batch, output)
    assert not (tmp_path / "postprocess.json").exists()


def test_empty_labels_and_masks_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    batch, output = step(tmp_path, 1, 1, 2)
    output[0]["label"] = torch.zeros_like(output[0]["label"])
    mask = output[1]["label"].clone()
    mask[..., 5] = 0
    output[1]["label"] = (mask > 0).int()
    start = Postprocessing(BoundaryWatershed())
    with caplog.at_level("WARNING"):
        run(Calibration(tmp_path / "postprocess.json", str(tmp_path / "out"), start, SEARCH), batch, output)
    assert [message.split(" (warning)")[0] for message in caplog.messages] == [
        f"{tmp_path / 'label0.bin'}: no-objects",
        f"{tmp_path / 'label1.bin'}: binary-mask",
    ]
