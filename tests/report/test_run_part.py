"""The part of a report about a training: it shows what the training wrote and names what is missing."""

import json
from pathlib import Path

import pytest

from cellseg_monai.report.run_figures import calibration_figure
from cellseg_monai.report.run_part import run_part
from tests.comparison.fabricated import write_table

TRIALS = [
    {"round": number, "setting": setting, "value": value, "f1": 0.5 + number / 10, "dice": 0.9, "iou": 0.8}
    for number in (1, 2)
    for setting, values in (("threshold", (0.3, 0.5)), ("method", ("components", "watershed")))
    for value in values
]


def write_run(folder: Path) -> Path:
    rows = [
        {"epoch": epoch, "loss": 1 / epoch, "learning_rate": 0.1, "dice": "" if epoch % 2 else 0.8} for epoch in (1, 2)
    ]
    write_table(folder / "metrics.csv", rows)
    write_table(folder / "calibration" / "curve.csv", TRIALS)
    report = {
        "settings": {"threshold": 0.5, "method": "watershed"},
        "f1": 0.7,
        "f1_interval": None,
        "section": "validation",
        "images": 3,
    }
    (folder / "calibration" / "calibration.json").write_text(json.dumps(report))
    return folder


def test_a_complete_run_has_both_figures_and_no_notes(tmp_path: Path) -> None:
    content, notes = run_part(write_run(tmp_path))
    assert notes == []
    assert content.count("data:image/svg+xml;base64,") == 2
    assert "from 1 to 0.5" in content
    assert "chosen on 3 image(s) in the section “validation”" in content
    assert "watershed" in content


def test_scores_before_training_have_no_loss(tmp_path: Path) -> None:
    rows = [{"epoch": 0, "loss": "", "neighbours": 0.1}, {"epoch": 1, "loss": 0.5, "neighbours": 0.2}]
    write_table(tmp_path / "metrics.csv", rows)
    content, notes = run_part(tmp_path)
    assert "Training loss over 1 epochs, from 0.5 to 0.5" in content
    assert not [note for note in notes if "metrics.csv" in note]


def test_every_swept_setting_has_a_panel_and_a_ring_around_its_chosen_value() -> None:
    figure = calibration_figure([{k: str(v) for k, v in row.items()} for row in TRIALS], {"threshold": 0.5})
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in panels] == ["threshold", "method"]
    rings = [line for line in panels[0].lines if line.get_markersize() > 8]
    assert [list(ring.get_xdata()) for ring in rings] == [[0.5], [0.5]]
    assert rings[0].get_ydata()[0] == pytest.approx(0.7)  # in the last round
    assert [tick.get_text() for tick in panels[1].get_xticklabels()] == ["components", "watershed"]


def test_missing_files_are_reported(tmp_path: Path) -> None:
    content, notes = run_part(tmp_path)
    assert len(notes) == 2
    assert "metrics.csv does not exist, so loss curves are left out" in notes[0]
    assert all(note in content for note in notes)


@pytest.mark.parametrize("name", ["metrics.csv", "calibration/curve.csv", "calibration/calibration.json"])
@pytest.mark.parametrize("text", ["", "epoch,loss\n1,much\n", "{}"], ids=["empty", "not a number", "other keys"])
def test_unreadable_files_are_reported_and_the_rest_is_shown(name: str, text: str, tmp_path: Path) -> None:
    (write_run(tmp_path) / name).write_text(text)
    content, notes = run_part(tmp_path)
    assert len(notes) == 1
    assert "cannot be read" in notes[0]
    assert content.count("data:image/svg+xml;base64,") == 1
