"""Figure of selected test images with the mask that each run predicted."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cellseg_monai.data import Item
from cellseg_monai.io import image_stem, read, read_labels
from cellseg_monai.pixels import Preprocessing, prepare
from cellseg_monai.report.figure_file import save_figure

__all__ = ["chosen_images", "colour_errors", "draw_panel"]

_LARGEST_PX, _MOST_COLUMNS, _LETTERS_A_LINE = 320, 6, 24
_RIGHT, _CLAIMED, _MISSED = (255, 255, 255), (230, 159, 0), (86, 180, 233)


def draw_panel(
    path: Path, items: Sequence[Item], image_dice: Mapping[str, Mapping[str, float]], masks: Mapping[str, Path]
) -> None:
    """Draw the test images with the lowest, median and highest Dice, each with its true mask and every run's mask.

    The figure shows a square in the middle of each image, with sides of at most 320 pixels.

    Args:
        path: PNG file to write.
        items: the test images with their labels.
        image_dice: for each run name, the Dice of each image by its path.
        masks: folder with each run's label images, by run name.
    """
    label_of = {Path(item["image"]).as_posix(): item["label"] for item in items}
    mean_dice = {image: float(np.mean([dice[image] for dice in image_dice.values()])) for image in label_of}
    chosen = chosen_images(mean_dice)
    columns = min(2 + len(masks), _MOST_COLUMNS)
    rows = math.ceil((2 + len(masks)) / columns)
    figure = Figure(figsize=(max(6.5, 2.05 * columns), len(chosen) * (2.55 * rows + 0.4) + 0.4), layout="constrained")
    blocks = figure.subfigures(len(chosen), 1, squeeze=False)[:, 0]
    for block, (rank, image) in zip(blocks, chosen.items(), strict=True):
        title = f"{image_stem(image)}: {rank} Dice, {mean_dice[image]:.3f} (mean over runs)"
        block.suptitle(title, x=0.01, horizontalalignment="left", fontsize=11, fontweight="bold")
        truth = read_labels(label_of[image]) > 0
        pictures = {"image": _picture(image), "truth": colour_errors(truth, truth)}
        for run, folder in masks.items():
            mask = read_labels(folder / f"{image_stem(image)}.tif") > 0
            pictures[f"{_wrapped(run)}\nDice {image_dice[run][image]:.3f}"] = colour_errors(mask, truth)
        grid = block.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for axes, (title, picture) in zip(grid.flat, pictures.items(), strict=False):
            axes.imshow(picture[_middle(truth.shape)], cmap="gray", vmin=0, vmax=1)
            axes.set_title(title, fontsize=9)
    figure.supxlabel("white: correct, orange: false foreground, blue: missed", fontsize=10)
    save_figure(figure, path)


def chosen_images(scores: Mapping[str, float]) -> dict[str, str]:
    """Return the images with the lowest, median and highest score, under the keys "lowest", "median" and "highest".

    No image occurs twice, so some keys are missing if there are fewer than three images.

    Args:
        scores: score of each image by name.

    >>> chosen_images({"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.6})
    {'lowest': 'b', 'median': 'c', 'highest': 'a'}
    >>> chosen_images({"a": 0.9, "b": 0.1})
    {'lowest': 'b', 'highest': 'a'}
    """
    ordered = sorted(scores, key=lambda image: scores[image])
    positions = {"lowest": 0, "median": (len(ordered) - 1) // 2, "highest": len(ordered) - 1}
    chosen: dict[str, str] = {}
    for rank in ("lowest", "highest", "median"):
        if ordered[positions[rank]] not in chosen.values():
            chosen[rank] = ordered[positions[rank]]
    return {rank: chosen[rank] for rank in positions if rank in chosen}


def colour_errors(mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return a mask in colour: white for correct foreground, orange for false foreground, blue for missed foreground.

    Args:
        mask: predicted foreground, YX bool.
        truth: true foreground, YX bool.

    Returns:
        YX3 uint8.

    >>> colour_errors(np.array([[True, False]]), np.array([[True, True]])).tolist()
    [[[255, 255, 255], [86, 180, 233]]]
    """
    picture = np.zeros((*truth.shape, 3), np.uint8)
    picture[mask & truth] = _RIGHT
    picture[mask & ~truth] = _CLAIMED
    picture[~mask & truth] = _MISSED
    return picture


def _middle(shape: tuple[int, ...]) -> tuple[slice, ...]:
    side = min(*shape, _LARGEST_PX)
    starts = [(length - side) // 2 for length in shape]
    return tuple(slice(start, start + side) for start in starts)


def _picture(path: str) -> np.ndarray:
    """Return the image in grey, prepared as for networks, or its first channel if it cannot be converted to grey."""
    image = read(path)
    try:
        return prepare(image.pixels, Preprocessing(), channel_names=image.channel_names)[0]
    except ValueError:
        return prepare(image.pixels, Preprocessing(channels=(0,)))[0]


def _wrapped(name: str) -> str:
    """Wrap a run name to the width of a panel, breaking only after `_` and before `+`."""
    lines = [""]
    for part in re.split(r"(?<=_)|(?=\+)", name):
        if lines[-1] and len(lines[-1] + part) > _LETTERS_A_LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
