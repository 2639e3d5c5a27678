r"""Put the weights of a run into a bundle, with their settings, scores and training data.

python scripts/ship_weights.py weights RUN bundles/NAME
python -m monai.bundle run evaluating --config_file bundles/NAME/configs/evaluate.json \
    --dataset_dir DATA --output_dir NEW
python scripts/ship_weights.py scores NEW/evaluation/cellseg_summary.json bundles/NAME
python scripts/ship_weights.py training_data DATA "NAME OF THE DATA" bundles/NAME

Settings, scores and training data are written to models/weights.json, from which the configs of the bundle are built.
The bundle scout has no training data to describe, and its scores are in NEW/evaluation/scout_summary.json.
"""

import dataclasses
import json
from pathlib import Path

import fire
import torch

from cellseg_monai.atomic import replacing
from cellseg_monai.bundle import ShippedWeights, build_bundle
from cellseg_monai.bundle.shipped_weights import postprocess_from_mapping
from cellseg_monai.data import section_items
from cellseg_monai.digest import file_digest
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import describe_training_data
from cellseg_monai.settings import read_mapping
from cellseg_monai.training import read_checkpoint, save_checkpoint

SHIPPED_SCORES = {
    "cellseg": ("f1_pooled", "f1_50_pooled", "f1_90_pooled", "dice_mean"),
    "scout": ("kind_accuracy", "diameter_error_median", "interval_coverage", "polarity_accuracy"),
}


def weights(run: str, bundle: str) -> None:
    """Write models/model.pt in half precision, and a weights.json, in which scores and training data are not set yet.

    Args:
        run: folder of a training, with model.pt and the postprocess.json that its calibration wrote.
        bundle: folder of the bundle.
    """
    fitted = Path(run) / "postprocess.json"
    postprocess = postprocess_from_mapping(read_mapping(fitted), source=str(fitted))
    state = read_checkpoint(Path(run) / "model.pt")
    for name, values in state.items():
        if values.is_floating_point():
            state[name] = values.half()
    target = Path(bundle) / "models" / "model.pt"
    target.parent.mkdir(exist_ok=True)
    save_checkpoint(state, target)
    _write(bundle, ShippedWeights(file_digest(target), postprocess))
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {sum(map(torch.numel, state.values())) / 1e6:.2f} M values")


def scores(summary: str, bundle: str) -> None:
    """Record the scores of the shipped weights in weights.json.

    Args:
        summary: the evaluation/cellseg_summary.json, or scout_summary.json, of an evaluation of the shipped weights.
        bundle: folder of the bundle.
    """
    evaluation = json.loads(Path(summary).read_text(encoding="utf-8"))
    checkpoint = evaluation["about"]["checkpoint"]
    if Path(checkpoint).resolve() != (Path(bundle) / "models" / "model.pt").resolve():
        raise SystemExit(f"error: {summary} is of {checkpoint}, not of the weights in {bundle}; evaluate those")
    values = {name: score["value"] for name, score in evaluation["scores"].items()}
    shipped = [name for name in SHIPPED_SCORES[evaluation["protocol"]] if values[name] is not None]
    metrics = {name: round(values[name], 4) for name in shipped}
    _write(bundle, dataclasses.replace(_read(bundle), eval_metrics=metrics))
    print(metrics)


def training_data(dataset: str, name: str, bundle: str, datalist: str | None = None) -> None:
    """Record a description of the images on which the weights were trained in weights.json.

    Args:
        dataset: folder of the data set, whose training section is described.
        name: name of the data in reports.
        bundle: folder of the bundle.
        datalist: list of the images, if not that of the data set.
    """
    shipped = _read(bundle)
    pairs = [(item["image"], item["label"]) for item in section_items(dataset, "training", datalist)]
    settings = Preprocessing.from_json(Path(bundle) / "configs" / "preprocess.json")
    description = describe_training_data(pairs, settings, name=name, weights_sha256=shipped.sha256)
    _write(bundle, dataclasses.replace(shipped, training_data=description))
    print(dataclasses.asdict(description))


def _read(bundle: str) -> ShippedWeights:
    return ShippedWeights.from_json(Path(bundle) / "models" / "weights.json")


def _write(bundle: str, shipped: ShippedWeights) -> None:
    """Write weights.json and the configs that are built from it."""
    shipped.to_json(Path(bundle) / "models" / "weights.json")
    for name, content in build_bundle(bundle).items():
        with replacing(Path(bundle) / name) as aside:
            aside.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    fire.Fire({"weights": weights, "scores": scores, "training_data": training_data})
