import json
import sys
from pathlib import Path

import pytest

from cellseg_monai import cli
from cellseg_monai.bundle import bundle_faults
from cellseg_monai.spreadsheets import read_table


def test_a_curve_scores_nested_selections_on_the_same_images(
    annotated: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "curve"
    words = ["learning_curve", str(annotated), "--bundle", str(small), "--output", str(output), "--sizes", "[2,7]"]
    words += ["--epochs", "1", "--roi_size", "[32,32]", "--batch_size", "2", "--steps_per_epoch", "1"]
    monkeypatch.setattr(sys, "argv", ["cellseg", *words])
    cli.main()
    printed = capsys.readouterr().out.splitlines()
    curve = json.loads((output / "learning_curve.json").read_text())
    assert [point["images"] for point in curve["points"]] == [0, 2, 7]
    assert curve["held_out"] == 4
    assert printed[-2] == curve["answer"]
    assert curve["answer"].lower() in (output / "learning_curve.html").read_text().lower()
    assert (output / "learning_curve.svg").read_text().startswith("<?xml")
    assert [row["images"] for row in read_table(output / "learning_curve.csv")] == ["0", "2", "7"]

    lists = [json.loads((output / name / "datalist.json").read_text()) for name in ("images_0002", "images_0007")]
    few, many = ({Path(entry["image"]).stem for entry in [*lst["training"], *lst["validation"]]} for lst in lists)
    held_out = [{Path(entry["image"]).stem for entry in lst["test"]} for lst in lists]
    assert few < many
    assert held_out[0] == held_out[1]
    assert not held_out[0] & many
    assert bundle_faults(output / "images_0007") == []

    before = (output / "images_0007" / "evaluation" / "cellseg_summary.json").stat().st_mtime_ns
    cli.main()
    assert capsys.readouterr().out.splitlines() == printed[-5:]
    assert (output / "images_0007" / "evaluation" / "cellseg_summary.json").stat().st_mtime_ns == before
