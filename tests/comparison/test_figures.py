from pathlib import Path

import matplotlib
import numpy as np
import pytest
import tifffile
from matplotlib import pyplot
from PIL import Image

from cellseg_monai import io
from cellseg_monai.comparison.figures import draw_losses, draw_scores, draw_thresholds
from cellseg_monai.comparison.panel import chosen_images, draw_panel
from cellseg_monai.report.line_styles import line_style
from tests.comparison import fabricated

NAN = float("nan")


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def has_colour(pixels: np.ndarray, colour: str) -> bool:
    wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return bool((pixels == wanted).all(-1).any())


def test_twelve_runs_look_different() -> None:
    assert len({tuple(sorted(line_style(position).items())) for position in range(12)}) == 12
    assert len({(line_style(position)["color"], line_style(position)["linestyle"]) for position in range(12)}) == 12


def test_each_run_has_its_line(tmp_path: Path) -> None:
    epochs = [{"epoch": str(n), "loss": str(1 / n), "dice": str(1 - 0.5 / n) if n != 2 else ""} for n in range(1, 5)]
    draw_losses(tmp_path / "one.png", {"unet": epochs})
    draw_losses(tmp_path / "two.png", {"unet": epochs, "pspnet": [{**row, "loss": "0.7"} for row in epochs]})
    assert not has_colour(picture(tmp_path / "one.png"), "#D55E00")
    assert has_colour(picture(tmp_path / "two.png"), "#0072B2")
    assert has_colour(picture(tmp_path / "two.png"), "#D55E00")


def test_a_single_epoch_can_be_drawn(tmp_path: Path) -> None:
    draw_losses(tmp_path / "one.png", {"unet": [{"epoch": "1", "loss": "1.0", "dice": "0.5"}]})
    assert has_colour(picture(tmp_path / "one.png"), "#0072B2")


def test_another_threshold_puts_the_ring_elsewhere(tmp_path: Path) -> None:
    curve = [{"value": str(step / 20), "dice": "0.8", "iou": "0.7"} for step in range(1, 20)]
    for name, threshold in (("a", 0.2), ("b", 0.2), ("c", 0.8)):
        draw_thresholds(tmp_path / f"{name}.png", {"unet": curve}, {"unet": threshold})
    first, same, other = (picture(tmp_path / f"{name}.png") for name in "abc")
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("half_width", [0.1, NAN], ids=["with intervals", "without"])
def test_scores_are_drawn(half_width: float, tmp_path: Path) -> None:
    scores = {name: fabricated.result(name, half_width=half_width).scores["dice"] for name in ("unet", "pspnet")}
    draw_scores(tmp_path / "scores.png", scores)
    assert has_colour(picture(tmp_path / "scores.png"), "#0072B2")


def test_drawing_leaves_no_global_state(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    draw_scores(tmp_path / "scores.png", {"unet": fabricated.result().scores["dice"]})
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5], {"lowest": "0"}),
        ([0.5, 0.5], {"lowest": "0", "highest": "1"}),
        ([0.9, 0.2, 0.4, 0.6, 0.5], {"lowest": "1", "median": "4", "highest": "0"}),
    ],
    ids=["one image", "two equal", "five"],
)
def test_images_are_chosen_by_their_rank(scores: list[float], expected: dict[str, str]) -> None:
    assert chosen_images({str(index): score for index, score in enumerate(scores)}) == expected


def test_the_panel_shows_what_is_right_wrongly_claimed_and_missed(tmp_path: Path) -> None:
    items, dice = [], {}
    for index in range(3):
        truth = np.zeros((60, 400), np.int32)
        truth[10:30, 190:210] = 1
        np.save(tmp_path / f"{index}.npy", truth.astype(np.uint8) * 100)
        io.write_labels(tmp_path / f"{index}_truth.tif", truth)
        # The image with the highest Dice is predicted exactly; the others miss some columns.
        io.write_labels(tmp_path / "masks" / f"{index}.tif", np.roll(truth, 5 * (2 - index), axis=1))
        items.append({"image": str(tmp_path / f"{index}.npy"), "label": str(tmp_path / f"{index}_truth.tif")})
        dice[items[-1]["image"]] = 0.5 + index / 4
    draw_panel(tmp_path / "panel.png", items, {"unet": dice}, {"unet": tmp_path / "masks"})
    drawn = picture(tmp_path / "panel.png")
    third = len(drawn) // 3
    assert has_colour(drawn[:third], "#E69F00")
    assert has_colour(drawn[:third], "#56B4E9")
    assert not has_colour(drawn[2 * third :], "#E69F00")


@pytest.mark.parametrize("channels", [2, 3], ids=["two stains", "colour"])
def test_a_panel_of_images_of_several_channels(channels: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 24, channels), np.uint8)
    labels = np.ones((20, 24), np.int32)
    if channels == 3:
        Image.fromarray(pixels).save(tmp_path / "a.png")
    else:
        tifffile.imwrite(tmp_path / "a.ome.tif", np.moveaxis(pixels, -1, 0), metadata={"axes": "CYX"})
    path = next(tmp_path.glob("a.*"))
    io.write_labels(tmp_path / "masks" / "a.tif", labels)
    item = {"image": str(path), "label": str(tmp_path / "masks" / "a.tif")}
    draw_panel(tmp_path / "panel.png", [item], {"unet": {str(path): 1.0}}, {"unet": tmp_path / "masks"})
    assert (tmp_path / "panel.png").is_file()
