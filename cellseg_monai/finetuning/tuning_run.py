"""Fine-tuning a bundle's weights on a few annotated images, through the bundle's own `train.json`."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.bundle import code_digest, find_bundle, find_checkpoint, run_bundle
from cellseg_monai.bundle.build import merge_configs
from cellseg_monai.bundle.literal import literal
from cellseg_monai.bundle_name import bundle_text, is_bundle_path
from cellseg_monai.data import items_digest, write_datalist
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.finetuning.folder import OF_WEIGHTS, BundleFolder
from cellseg_monai.finetuning.images import Images, check_images, find_images
from cellseg_monai.finetuning.schedule import check_budget, check_knobs, schedule
from cellseg_monai.lock import only_one
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import TrainingData, describe_training_data
from cellseg_monai.settings import read_mapping
from cellseg_monai.spreadsheets import read_table
from cellseg_monai.training import fitted_settings, read_checkpoint, read_metadata
from cellseg_monai.training.checkpoint_file import LAST

__all__ = ["Finetuned", "Start", "finetune", "finetune_on"]

logger = logging.getLogger(__name__)

_FEWEST_TO_CALIBRATE = 5  # validation images


@dataclass(frozen=True)
class Finetuned:
    """A fine-tuned bundle.

    Args:
        folder: folder of the bundle.
        training: number of training images.
        validation: number of validation images; 0 if there were too few images, and the last network was kept.
        epochs: number of epochs trained.
        best_epoch: epoch whose network was kept.
        score: the bundle's key metric on the validation images, or on the training images if there are no others.
        score_name: name of the key metric, such as `f1`.
    """

    folder: Path
    training: int
    validation: int
    epochs: int
    best_epoch: int
    score: float
    score_name: str


@dataclass(frozen=True)
class Start:
    """The bundle and the weights that fine-tuning starts from.

    Args:
        root: folder of the bundle.
        bundle: name of the bundle, or its path if it does not ship with this package.
        weights: path of the weights.
        named: the weights as `start_from` in `train.json` names them.
    """

    root: Path
    bundle: str
    weights: str
    named: str

    @classmethod
    def of(cls, bundle: str | Path, checkpoint: str | Path | None) -> Start:
        """Find a bundle and its weights.

        Args:
            bundle: name, folder or zip of the bundle.
            checkpoint: path of other weights for the same network; None for the bundle's own.

        Raises:
            BundleError: the bundle does not exist.
            CheckpointError: the bundle has no weights, or there is no checkpoint at the path.
        """
        root = find_bundle(bundle)
        weights = os.path.abspath(checkpoint or find_checkpoint(str(root / "output"), str(root)))
        read_checkpoint(weights)
        is_named = checkpoint is None and not is_bundle_path(bundle)
        return cls(root, bundle_text(bundle), weights, str(bundle) if is_named else weights)


def finetune(
    dataset_dir: str | Path,
    *,
    output_dir: str | Path,
    bundle: str | Path = "nuclei",
    checkpoint: str | Path | None = None,
    datalist: str | Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    knobs: Mapping[str, Any] | None = None,
) -> Finetuned:
    """Train a bundle's network further on annotated images, and write the result as a new bundle.

    The bundle's own `train.json` does the training, with settings from `schedule`. A fifth of the images decide which
    epoch is the best and when to stop, unless there are fewer than six. Post-processing is then fitted to the
    validation images, or to all images if fewer than five are for validation. To continue after an interruption, call
    the function again with the same arguments.

    Args:
        dataset_dir: folder with images/ and labels/.
        output_dir: folder of the new bundle, whose name becomes that of the bundle.
        bundle: name, folder or zip of the bundle to start from.
        checkpoint: path of other weights to start from; None for the bundle's own.
        datalist: a JSON file to use instead of the data set's own list.
        epochs: number of epochs; None to choose it.
        minutes: time for training in minutes, instead of `epochs`. Two trial epochs show how many epochs fit.
        seed: seed for the division of the images and for training.
        knobs: further settings of `train.json`, such as `{"batch_size": 4}`.

    Raises:
        BundleError: the bundle or a knob does not exist, the encoder of its network is not known, or `output_dir` holds
            a fine-tuning with other settings.
        CheckpointError: the bundle has no weights, or they belong to another network.
        DatasetError: the data set has faults; the message lists all of them.
        FileExistsError: `output_dir` holds other files, or another process writes to it.
        ValueError: the budget or the name of the output folder is invalid.
    """
    check_budget(epochs, minutes)
    start = Start.of(bundle, checkpoint)
    check_knobs(knobs or {}, read_mapping(start.root / "configs" / "train.json"))
    folder = BundleFolder(output_dir)
    check_images(dataset_dir, datalist)
    images = find_images(dataset_dir, datalist, seed=seed)
    name = Path(os.path.abspath(dataset_dir)).name
    return finetune_on(images, name, folder, start, epochs=epochs, minutes=minutes, seed=seed, knobs=knobs or {})


def finetune_on(
    images: Images,
    name: str,
    folder: BundleFolder,
    start: Start,
    *,
    epochs: int | None,
    minutes: float | None,
    seed: int,
    knobs: Mapping[str, Any],
) -> Finetuned:
    """Fine-tune a bundle on images that have been checked; `finetune` describes the rest.

    Args:
        images: the images.
        name: name of the data in the description of the new bundle.
        folder: folder of the new bundle.
        start: the bundle and the weights to start from.
        epochs: number of epochs, or None.
        minutes: time for training in minutes, or None.
        seed: seed for training.
        knobs: further settings of `train.json`.
    """
    request = {
        "bundle": start.bundle,
        "code_sha256": code_digest(start.root),
        "weights_sha256": file_digest(Path(start.weights)),
        **{f"{part}_sha256": items_digest(getattr(images, part)) for part in ("training", "validation", "test")},
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "knobs": dict(knobs),
    }
    folder.check(request)
    with only_one(folder.lock, "cellseg finetune"):
        run = _Run(images, folder, start, request)
        if "result" not in folder.state():
            run.prepare(epochs, minutes, seed, knobs)
            run.train()
            run.calibrate()
            run.finish(name, seed)
        return Finetuned(folder=folder.path, **folder.state()["result"])


class _Run:
    """The steps of a fine-tuning, each of which leaves its result in the folder."""

    def __init__(self, images: Images, folder: BundleFolder, start: Start, request: Mapping[str, Any]) -> None:
        self.images, self.folder, self.start, self.request = images, folder, start, request
        self.options = {
            "dataset_dir": str(folder.path),
            "datalist": str(folder.datalist),
            "output_dir": str(folder.training),
        }

    def prepare(self, epochs: int | None, minutes: float | None, seed: int, knobs: Mapping[str, Any]) -> None:
        """Write the new bundle without its weights; with a budget of minutes, find the number of epochs first."""
        epochs = self.folder.state().get("epochs", epochs)
        if epochs is None and minutes is not None:
            self._stage(2, seed, knobs)
            epochs = self._epochs_within(minutes)
        self._stage(epochs, seed, knobs)

    def _stage(self, epochs: int | None, seed: int, knobs: Mapping[str, Any]) -> None:
        knobs = literal(dict(knobs))
        train = merge_configs(read_mapping(self.start.root / "configs" / "train.json"), knobs)
        validated = bool(self.images.validation)
        chosen = schedule(train, images=len(self.images.training), validated=validated, epochs=epochs)
        if not validated:  # to show a score, although it decides nothing
            chosen["validate#dataset#data"] = "@train#dataset#data"
        chosen |= {"seed": seed, "start_from": literal(self.start.named), **knobs}
        self.folder.keep(self.request)
        self.folder.stage(self.start.root, chosen)
        write_datalist(self.folder.datalist, self.images.as_datalist())

    def _epochs_within(self, minutes: float) -> int:
        """Train two trial epochs, and return how many epochs fit into the budget."""
        probe = self.folder.training / "probe"
        run_bundle(self.folder.path, "train", **{**self.options, "output_dir": str(probe)})
        seconds = float(read_table(probe / "metrics.csv")[-1]["seconds"])
        shutil.rmtree(probe)
        epochs = max(1, math.floor(60 * minutes / seconds))
        self.folder.keep(self.request, epochs=epochs)
        return epochs

    def train(self) -> None:
        if "trained" in self.folder.state():
            return
        run_bundle(self.folder.path, "train", **self.options, resume=(self.folder.training / LAST).is_file())
        self.folder.keep(self.request, trained=True)

    def calibrate(self) -> None:
        """Fit the post-processing; a few validation images are too few for that, so the others are used as well."""
        section = "validation" if len(self.images.validation) >= _FEWEST_TO_CALIBRATE else "all"
        run_bundle(self.folder.path, "calibrate", **self.options, checkpoint=self._trained, section=section)

    @property
    def _trained(self) -> str:
        return str(self.folder.training / "model.pt")

    def finish(self, name: str, seed: int) -> None:
        """Put the weights and their description into the bundle, and remove what only training needed."""
        result = self._result()
        preprocess = Preprocessing.from_json(self.folder.path / "configs" / "preprocess.json")

        def describe(weights_sha256: str) -> TrainingData:
            pairs = [(item["image"], item["label"]) for item in self.images.annotated]
            return describe_training_data(pairs, preprocess, name=name, weights_sha256=weights_sha256)

        postprocess = Postprocessing.from_json(fitted_settings(self._trained))
        self.folder.finish(self._metadata(name, seed, result), postprocess, describe)
        self.folder.keep(self.request, result={key: value for key, value in asdict(result).items() if key != "folder"})
        for path in (Path(self._trained), self.folder.training / LAST):
            path.unlink(missing_ok=True)

    def _result(self) -> Finetuned:
        rows = read_table(self.folder.training / "metrics.csv")
        key = read_metadata(read_checkpoint(self._trained))["key_metric"]
        best = max((row for row in rows if row[key]), key=lambda row: float(row[key]))
        return Finetuned(
            folder=self.folder.path,
            training=len(self.images.training),
            validation=len(self.images.validation),
            epochs=len(rows),
            best_epoch=int(best["epoch"]),
            score=float(best[key]),
            score_name=key,
        )

    def _metadata(self, name: str, seed: int, result: Finetuned) -> dict[str, Any]:
        source = read_mapping(self.start.root / "configs" / "metadata.json")
        origin = f"{source['name']} {source['version']}"
        kept = {key: value for key, value in source.items() if key not in OF_WEIGHTS}
        return {
            **kept,
            "version": "0.1.0",
            "changelog": {"0.1.0": f"fine-tuned from {origin}"},
            "description": f"{origin}, fine-tuned on {len(self.images.annotated)} images of {name}",
            "data_source": f"{name}; {origin} was trained on other images before",
            "trained": {
                "from": origin,
                "from_weights_sha256": self.request["weights_sha256"],
                "data": name,
                "data_sha256": items_digest(self.images.annotated),
                "training_images": result.training,
                "validation_images": result.validation,
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "seed": seed,
            },
        }
