"""Fine-tuning on more and more images, to see how many are worth annotating."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.bundle import run_bundle
from cellseg_monai.data import Item, items_digest, nested_subset, write_datalist
from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import find_protocol, read_summary
from cellseg_monai.finetuning.folder import BundleFolder
from cellseg_monai.finetuning.images import Images, check_images, divide, find_pool
from cellseg_monai.finetuning.schedule import check_budget, check_knobs
from cellseg_monai.finetuning.tuning_run import Start, finetune_on
from cellseg_monai.json_text import parse_json
from cellseg_monai.report import CurvePoint, curve_answer, curve_files, write_curve
from cellseg_monai.settings import read_mapping
from cellseg_monai.text_file import read_text

__all__ = ["Curve", "default_sizes", "learning_curve"]

_SMALLEST = 5
_SCORE, _WORDS = "f1_50_pooled", "F1 at IoU 0.5"


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Args:
        points: the scores, with the lowest number of images first.
        score_words: name of the score.
        answer: one sentence that says how many images are enough.
    """

    points: Sequence[CurvePoint]
    score_words: str
    answer: str


def learning_curve(
    dataset_dir: str | Path,
    *,
    output_dir: str | Path,
    bundle: str | Path = "nuclei",
    checkpoint: str | Path | None = None,
    sizes: Sequence[int] | None = None,
    datalist: str | Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    knobs: Mapping[str, Any] | None = None,
) -> Curve:
    """Fine-tune a bundle on nested selections of the images, and score each result on the same other images.

    To continue after an interruption, call the function again with the same arguments.

    Args:
        dataset_dir: folder with images/ and labels/.
        output_dir: folder for the results, with a fine-tuned bundle for each number of images.
        bundle: name, folder or zip of the bundle to start from.
        checkpoint: path of other weights to start from; None for the bundle's own.
        sizes: numbers of images; None for `default_sizes`.
        datalist: a JSON file to use instead of the data set's own list. Images for testing are held out.
        epochs: number of epochs for each number of images; None to choose it.
        minutes: time for each training in minutes, instead of `epochs`.
        seed: seed for the choice of images, and for training.
        knobs: further settings of `train.json`.

    Raises:
        DatasetError: the data set has faults, or too few images for one of the sizes.
        FileExistsError: `output_dir` holds other files.
        ValueError: the sizes or the budget are invalid.
    """
    check_budget(epochs, minutes)
    start = Start.of(bundle, checkpoint)
    check_knobs(knobs or {}, read_mapping(start.root / "configs" / "train.json"))
    output = Path(output_dir)
    _check_output(output)
    check_images(dataset_dir, datalist)
    pool, held_out = find_pool(dataset_dir, datalist, seed=seed)
    chosen = _checked_sizes(sizes, len(pool))
    name = Path(os.path.abspath(dataset_dir)).name
    points = []
    for size in chosen:
        subset = nested_subset(pool, size, seed=seed)
        divided = divide(subset, seed=seed)
        images = Images(divided.training, divided.validation, held_out)
        folder = BundleFolder(output / f"images_{size:04}")
        finetune_on(images, name, folder, start, epochs=epochs, minutes=minutes, seed=seed, knobs=knobs or {})
        points.append(_point(size, folder.path, folder.datalist, folder.path))
    # Last, because each bundle records its settings: an earlier score in the folder can only be of the same images.
    points.insert(0, _stock(start, output / "stock", held_out))
    about = {"data": name, "bundle": start.bundle, "seed": seed, "held_out_sha256": items_digest(held_out)}
    write_curve(output, points, score_words=_WORDS, held_out=len(held_out), about=about)
    return Curve(points, _WORDS, curve_answer(points, _WORDS))


def default_sizes(pool: int) -> list[int]:
    """Return 5, 10, 20 and so on up to the number of images there are, and that number if it adds a fifth or more.

    >>> default_sizes(26), default_sizes(3)
    ([5, 10, 20, 26], [3])
    """
    sizes = [_SMALLEST * 2**step for step in range(20) if _SMALLEST * 2**step <= pool]
    return sizes if sizes and pool < 1.2 * sizes[-1] else [*sizes, pool]


def _checked_sizes(sizes: Any, pool: int) -> list[int]:
    if sizes is None:
        return default_sizes(pool)
    chosen = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    if not chosen or any(type(size) is not int or size < 1 for size in chosen):
        raise ValueError(f"got sizes={sizes!r}, expected whole numbers of at least 1, for example --sizes [5,10,20]")
    if max(chosen) > pool:
        raise DatasetError(
            f"got a size of {max(chosen)} images, but only {pool} remain besides those held out; choose smaller sizes, "
            "or add images"
        )
    return sorted(set(chosen))


def _check_output(output: Path) -> None:
    """Refuse to replace files that are not from a learning curve."""
    page, numbers, *others = curve_files(output)
    try:
        is_ours = "answer" in parse_json(read_text(numbers))
    except (OSError, TypeError, ValueError):
        is_ours = False
    taken = [path for path in (page, numbers, *others) if path.exists()]
    if taken and not is_ours:
        raise FileExistsError(
            f"{taken[0]} already exists and is not from `cellseg learning_curve`; choose another --output, or move it"
        )


def _stock(start: Start, folder: Path, held_out: Sequence[Item]) -> CurvePoint:
    """Score the bundle as it is."""
    datalist = folder / "datalist.json"
    write_datalist(datalist, {"training": [], "validation": [], "test": list(held_out)})
    return _point(0, folder, datalist, start.root, checkpoint=start.weights)


def _point(size: int, folder: Path, datalist: Path, root: Path, **options: Any) -> CurvePoint:
    """Score a bundle on the images held out, unless an earlier call has done so."""
    protocol = find_protocol("cellseg")
    results = folder / "evaluation"
    if not (results / "cellseg_summary.json").is_file():
        run_bundle(
            root,
            "evaluate",
            dataset_dir=str(folder),
            datalist=str(datalist),
            output_dir=str(folder),
            section="test",
            **options,
        )
    score = read_summary(results, protocol)["scores"][_SCORE]
    low, high = score["interval_95"] or (math.nan, math.nan)
    return CurvePoint(size, score["value"], low, high, folder.name if size else "")
