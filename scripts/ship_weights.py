r"""Puts the weights of a run into a bundle, with the settings fitted to them, their scores and their training data.

python scripts/ship_weights.py weights RUN bundles/NAME
python -m monai.bundle run evaluating --config_file bundles/NAME/configs/evaluate.json \
    --dataset_dir DATA --output_dir NEW
python scripts/ship_weights.py scores NEW/evaluation/cellseg_summary.json bundles/NAME
python scripts/ship_weights.py training_data DATA "NAME OF THE DATA" bundles/NAME
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import fire
import torch

from cellseg_monai.atomic import replacing
from cellseg_monai.bundle import build_bundle
from cellseg_monai.data import section_items
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import describe_training_data
from cellseg_monai.training import read_checkpoint, save_checkpoint


def weights(run: str, bundle: str) -> None:
    """Write models/model.pt, and what it is into bundle.json; the scores and training data of other weights go."""
    state = read_checkpoint(Path(run) / "model.pt")
    for name, values in state.items():
        if values.is_floating_point():
            state[name] = values.half()
    target = Path(bundle) / "models" / "model.pt"
    target.parent.mkdir(exist_ok=True)
    save_checkpoint(state, target)
    own = _read(bundle)
    own["postprocess"] = Postprocessing.from_json(Path(run) / "postprocess.json").to_mapping()
    own["metadata"].pop("eval_metrics", None)
    own.pop("training_data", None)
    own["metadata"]["weights_sha256"] = file_digest(target)
    _write(bundle, own)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {sum(map(torch.numel, state.values())) / 1e6:.2f} M values")


def scores(summary: str, bundle: str) -> None:
    """Note in bundle.json what an evaluation of the shipped weights gave."""
    evaluation = json.loads(Path(summary).read_text(encoding="utf-8"))
    checkpoint = evaluation["about"]["checkpoint"]
    if Path(checkpoint).resolve() != (Path(bundle) / "models" / "model.pt").resolve():
        raise SystemExit(f"error: {summary} is of {checkpoint}, not of the weights in {bundle}")
    own = _read(bundle)
    own["metadata"]["eval_metrics"] = {
        name: round(evaluation["scores"][name]["value"], 4)
        for name in ("f1_pooled", "f1_50_pooled", "f1_90_pooled", "dice_mean")
    }
    _write(bundle, own)
    print(own["metadata"]["eval_metrics"])


def training_data(dataset: str, name: str, bundle: str) -> None:
    """Note in bundle.json what the images of the training section are like that the shipped weights were trained on."""
    own = _read(bundle)
    pairs = [(item["image"], item["label"]) for item in section_items(dataset, "training")]
    settings = Preprocessing.from_json(Path(bundle) / "configs" / "preprocess.json")
    found = describe_training_data(pairs, settings, name=name, weights_sha256=own["metadata"]["weights_sha256"])
    own["training_data"] = dataclasses.asdict(found)
    _write(bundle, own)
    print(own["training_data"])


def _read(bundle: str) -> dict[str, Any]:
    return json.loads((Path(bundle) / "bundle.json").read_text(encoding="ascii"))


def _write(bundle: str, own: dict[str, Any]) -> None:
    """The hand-written file in short lines, and what is generated from it."""
    text = json.dumps(own, indent=4)
    parts = [(own["postprocess"], 1), (own["metadata"].get("eval_metrics", {}), 2), (own.get("training_data", {}), 1)]
    parts += [(own.get("common", {}).get("network_def", {}).get("channels", []), 3)]
    for value, depth in parts:
        laid_out = json.dumps(value, indent=4).replace("\n", "\n" + 4 * depth * " ")
        text = text.replace(laid_out, json.dumps(value))
    (Path(bundle) / "bundle.json").write_text(text + "\n", encoding="ascii")
    for name, content in build_bundle(bundle).items():
        with replacing(Path(bundle) / name) as aside:
            aside.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    fire.Fire({"weights": weights, "scores": scores, "training_data": training_data})
