import csv
import dataclasses
from pathlib import Path

import pytest

from cellseg_monai.comparison.result import Result
from cellseg_monai.comparison.tables import shown_command, write_csv, write_markdown
from tests.comparison import fabricated

NAN = float("nan")


def markdown(folder: Path, *results: Result, request: object = None, failures: dict | None = None) -> str:
    path = folder / "comparison.md"
    write_markdown(path, results, request or fabricated.request(), command="cellseg x", failures=failures or {})
    return path.read_text(encoding="ascii")


def row(text: str, run: str, table: int = 0) -> list[str]:
    """The cells of a run's row in a table."""
    lines = [line for line in text.splitlines() if line.startswith((f"| {run} |", f"| **{run}** |"))]
    return [cell.strip() for cell in lines[table].strip("|").split("|")]


def test_a_row_has_the_numbers_of_the_result(tmp_path: Path) -> None:
    text = markdown(tmp_path, fabricated.result("unet"))
    assert row(text, "unet")[:3] == ["unet", "0.900 [0.880, 0.920]", "0.910 [0.880, 0.920]"]
    assert row(text, "unet")[-2:] == ["0.900", "0.45"]
    assert row(text, "unet", 1) == ["unet", "24.43", "15.6", "6.79", "0.510", "2346", "n/a", "5 (4)", "12.3"]


def test_rows_are_sorted_by_dice(tmp_path: Path) -> None:
    text = markdown(tmp_path, *(fabricated.result(name, dice) for name, dice in (("b", 0.8), ("a", 0.9), ("c", 0.7))))
    firsts = [line.split("|")[1].strip(" *") for line in text.splitlines() if line.startswith("| ")]
    assert firsts == ["run", "---", "a", "b", "c"] * 2


@pytest.mark.parametrize(
    ("dice", "half_width", "bold"),
    [((0.9, 0.8), 0.02, True), ((0.9, 0.88), 0.02, False), ((0.9,), 0.02, False), ((0.9, 0.8), NAN, False)],
    ids=["intervals lie apart", "intervals overlap", "nothing to win against", "no intervals"],
)
def test_only_a_clear_winner_is_bold(dice: tuple[float, ...], half_width: float, bold: bool, tmp_path: Path) -> None:
    results = [fabricated.result(f"run{index}", each, half_width) for index, each in enumerate(dice)]
    assert ("**run0**" in markdown(tmp_path, *results)) == bold
    assert "**run1**" not in markdown(tmp_path, *results)


def test_a_wide_interval_of_another_run_leaves_no_clear_winner(tmp_path: Path) -> None:
    results = [fabricated.result("a", 0.9), fabricated.result("b", 0.8), fabricated.result("c", 0.7, 0.25)]
    assert "**" not in markdown(tmp_path, *results)


def test_a_handful_of_images_has_no_winner(tmp_path: Path) -> None:
    few = {"a.npy": 0.5, "b.npy": 0.5}
    results = [fabricated.result(name, dice, image_dice=few) for name, dice in (("a", 0.9), ("b", 0.1))]
    assert "**" not in markdown(tmp_path, *results)


def test_absolute_paths_do_not_appear(tmp_path: Path) -> None:
    request = fabricated.request("/home/somebody/zellen_ä", epochs=None, minutes=2)
    text = markdown(tmp_path, fabricated.result(), request=request, failures={"pspnet": "training failed"})
    assert r"Comparison on zellen_\xe4" in text
    assert "8 training, 3 validation, 2 test images" in text
    assert "the epochs that fit into 2 minutes" in text
    assert "- pspnet: training failed" in text
    assert "cellseg x" in text
    assert "/home" not in text


def test_an_unknown_interval_is_shown_as_such(tmp_path: Path) -> None:
    assert row(markdown(tmp_path, fabricated.result(half_width=NAN)), "unet")[1] == "0.900 [n/a]"


def test_the_csv_has_a_row_for_each_run_and_empty_cells_for_unknown_values(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    unknown = dataclasses.replace(fabricated.result("unet+a+b", 0.8, NAN), training_memory_mb=None)
    write_csv(path, [unknown, fabricated.result("pspnet", 0.85)])
    with open(path, newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["run"], second["run"], second["variants"]) == ("pspnet", "unet+a+b", "a+b")
    assert (first["dice_mean"], first["dice_mean_low"], first["iou_pooled_high"]) == (
        "0.850000",
        "0.830000",
        "0.870000",
    )
    assert (second["dice_mean_low"], second["training_memory_mb"]) == ("", "")
    assert float(first["gflops"]) == 15.6171
    assert "image_dice" not in first


def test_the_command_can_be_pasted_into_a_shell() -> None:
    request = fabricated.request("/data/cells", datalist="/lists/a b.json", knobs={"roi_size": [64, 64], "amp": False})
    command = shown_command(
        request, ["unet", "unet+two_classes"], dataset_dir="../data/cells", output_dir="/tmp/comparison"
    )
    assert command == (
        "cellseg compare ../data/cells --bundles unet,unet+two_classes --output comparison --epochs 5 --seed 0 "
        "--datalist 'a b.json' --roi_size '[64,64]' --amp False"
    )
