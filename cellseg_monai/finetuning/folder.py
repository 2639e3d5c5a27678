"""The folder of a fine-tuned bundle: its configs at the start, its weights at the end, and a record in between."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.bundle import ShippedWeights
from cellseg_monai.bundle.build import merge_configs
from cellseg_monai.bundle.layout import json_text
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json
from cellseg_monai.quality import TrainingData
from cellseg_monai.settings import read_mapping
from cellseg_monai.text_file import read_text
from cellseg_monai.training.checkpoint_file import BEST

__all__ = ["OF_WEIGHTS", "BundleFolder"]

_RECORD = "finetune.json"
_LOCK = "cellseg_monai.lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# These belong to the weights of the bundle that fine-tuning starts from, or to its training runs.
_NOT_COPIED = ("models", "output", "training", "docs", "bundle.json", _RECORD, "datalist.json", "__pycache__")


OF_WEIGHTS = ("weights_sha256", "eval_metrics", "trained")
"""The entries of `metadata.json` that describe weights."""


class BundleFolder:
    """The folder that becomes a fine-tuned bundle.

    `finetune.json` is written first and records the request, so a run that is interrupted can continue, and a run with
    other settings is refused. The configs are copies of those of the bundle that fine-tuning starts from, under a new
    name and with the settings of the fine-tuning in `train.json`. The weights come last: until then, no command takes
    the folder for a finished bundle.

    Args:
        path: the folder.

    Raises:
        ValueError: the name of the folder cannot be the name of a bundle.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.resolve().name
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"got the output folder {self.name!r}, whose name becomes that of the bundle; choose an --output that "
                "ends with letters, digits, and . _ + - only"
            )

    @property
    def lock(self) -> Path:
        """The lock file for the whole run; the training itself has another one in its own folder."""
        return self.path / _LOCK

    @property
    def training(self) -> Path:
        """The folder of the training run."""
        return self.path / "training"

    @property
    def datalist(self) -> Path:
        """The list of the images for training and validation."""
        return self.path / "datalist.json"

    @property
    def weights(self) -> Path:
        """The weights of the finished bundle."""
        return self.path / "models" / BEST

    def check(self, request: Mapping[str, Any]) -> None:
        """Check that the folder can be used for a request.

        Args:
            request: all that decides the result, as plain data.

        Raises:
            FileExistsError: the folder holds files, but is not from fine-tuning.
            BundleError: the folder is from fine-tuning with other settings; the message names them.
        """
        record = self._record()
        if record is None:
            names = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
            if self.path.is_file() or [name for name in names if name != _LOCK]:
                raise FileExistsError(
                    f"{self.path} already exists and is not from `cellseg finetune`; choose another --output, or move "
                    "it"
                )
            return
        earlier, now = record["request"], parse_json(json.dumps(request))
        differences = [
            f"{name} was {earlier.get(name)!r:.80}, now {now.get(name)!r:.80}"
            for name in {**earlier, **now}
            if earlier.get(name) != now.get(name)
        ]
        if differences:
            raise BundleError(
                f"{self.path} was fine-tuned with other settings: {'; '.join(differences)}; choose another --output, "
                "or delete it"
            )

    def state(self) -> dict[str, Any]:
        """Return what is known of an earlier run beyond its request: `epochs`, and `result` once it has finished."""
        return {key: value for key, value in (self._record() or {}).items() if key != "request"}

    def keep(self, request: Mapping[str, Any], **state: Any) -> None:
        """Write the record.

        Args:
            request: the request.
            state: entries of `state`.
        """
        with replacing(self.path / _RECORD) as aside:
            aside.write_text(json_text({"request": request, **self.state(), **state}), encoding="utf-8")

    def _record(self) -> dict[str, Any] | None:
        path = self.path / _RECORD
        if not path.is_file():
            return None
        try:
            record = parse_json(read_text(path))
        except ValueError as error:
            raise BundleError(f"{path} is damaged: {error}; choose another --output, or delete the folder") from error
        if not isinstance(record, dict) or not isinstance(record.get("request"), dict):
            raise BundleError(f"{path} is no record of a fine-tuning; choose another --output, or move the file")
        return record

    def stage(self, root: Path, train: Mapping[str, Any]) -> None:
        """Write the files of the bundle except for its weights and what describes them.

        Args:
            root: folder of the bundle that fine-tuning starts from.
            train: settings to change in `train.json`.
        """
        for source in sorted(root.iterdir()):
            if source.name in _NOT_COPIED or source.name.startswith(".") or source.name == "configs":
                continue
            target = self.path / source.name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        for source in sorted((root / "configs").iterdir()):
            if source.suffix == ".json":
                self._write_config(source.name, self._changed(read_mapping(source), source.stem, train))
            elif source.is_file():
                (self.path / "configs").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, self.path / "configs" / source.name)

    def _changed(self, config: dict[str, Any], name: str, train: Mapping[str, Any]) -> dict[str, Any]:
        """Return a config under the name of the new bundle, without what describes other weights."""
        if "run" in config:
            config["name"] = self.name
        if name == "metadata":
            config = {**{key: value for key, value in config.items() if key not in OF_WEIGHTS}, "name": self.name}
        return merge_configs(config, train) if name == "train" else config

    def _write_config(self, name: str, config: Mapping[str, Any]) -> None:
        with replacing(self.path / "configs" / name) as aside:
            aside.write_text(json_text(config), encoding="ascii")

    def finish(
        self, metadata: Mapping[str, Any], postprocess: Postprocessing, describe: Callable[[str], TrainingData]
    ) -> None:
        """Put the weights of the training run in their place, with everything that describes them.

        Args:
            metadata: content of `metadata.json`, to which the SHA-256 of the weights is added.
            postprocess: settings that were fitted to the weights.
            describe: function that returns the description of the training data for the SHA-256 of the weights.
        """
        with replacing(self.weights) as aside:
            shutil.copyfile(self.training / BEST, aside)
        digest = file_digest(self.weights)
        data = describe(digest)
        self._write_config("postprocess.json", postprocess.to_mapping())
        self._write_config("metadata.json", {**metadata, "name": self.name, "weights_sha256": digest})
        ShippedWeights(digest, postprocess, training_data=data).to_json(self.weights.with_name("weights.json"))
