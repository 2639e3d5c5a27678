"""The complete configs of a bundle, built from its recipe and its `bundle.json`.

Configs are complete files, because MONAI's consumers take one file, a folder in a clone must be a working bundle, and a
reader should find the whole workflow in one place. They are generated, because copies kept by hand would drift apart:
what bundles share is written once in `bundles/recipes`, what differs in `bundle.json`, and this module writes the rest.
`cellseg bundle build --check` fails if a generated file differs from its sources.

A config is merged from several files of the recipe, each followed by the part of `bundle.json` with the same name.
Merging follows MONAI's rules for a list of config files: a plain key replaces, `+key` extends, `a#b` reaches inside.
The steps of a workflow have names, such as `train#crop`, because overriding a step by its position in a list would hit
another one as soon as a step is added. A value `"%file.json"` stands for what that file in `bundles/recipes` holds.

A recipe declares its workflows in `recipe.json`: the name of each config, and the files from which it is merged. It can
extend another recipe (`{"extends": "semantic"}`) and inherit its workflows. Each of its files is laid over the file
with the same name there, by the same rules, and so are its variants.

A variant is an overlay of differences on `train.json`, written to `configs/variants/`. Variants come from the recipe
and from `bundle.json`. A bundle can replace a variant of the recipe, or remove it with `null` where it has no meaning.
Other workflows need no variants, because a checkpoint records how its network was trained; see
`training.checkpoint_metadata`. An overlay that the recipe declares, such as `multi_gpu_train`, is written next to the
workflow that it changes, as in MONAI's model zoo.

Everything that was measured with the shipped weights of a bundle comes from `models/weights.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import merge_kv

from cellseg_monai._version import __version__
from cellseg_monai.bundle.layout import json_text
from cellseg_monai.bundle.recipe import Config, Recipe, read_json, read_recipe
from cellseg_monai.bundle.references import unreferenced_keys
from cellseg_monai.bundle.shipped_weights import ShippedWeights, find_shipped_weights
from cellseg_monai.errors import BundleError

__all__ = ["build_bundle", "drifted_files", "find_bundles", "merge_configs"]

_SETTINGS = ("preprocess", "postprocess")
_VERSIONED = ("monai", "torch", "numpy")
_REQUIRED_PACKAGES = ("pytorch-ignite", "segmentation-models-pytorch", "tifffile", "scikit-image", "scipy")


def find_bundles(bundles_dir: str | Path = "bundles") -> list[Path]:
    """Return the folders that hold a `bundle.json`, sorted.

    Raises:
        BundleError: there is no such folder.
    """
    folders = sorted(path.parent for path in Path(bundles_dir).glob("*/bundle.json"))
    if not folders:
        raise BundleError(
            f"no */bundle.json in {Path(bundles_dir).absolute()}; run the command in the folder above bundles/"
        )
    return folders


def build_bundle(bundle: str | Path) -> dict[str, str]:
    """Return the generated files of a bundle.

    Args:
        bundle: folder of the bundle, next to `recipes/`.

    Returns:
        The content of each file by its path relative to the folder, such as `configs/train.json`.

    Raises:
        BundleError: `bundle.json`, the recipe or `models/weights.json` lacks something, or has an unknown name.
    """
    bundle = Path(bundle)
    own, recipe = _read_bundle(bundle)
    shipped = find_shipped_weights(bundle)
    files = _workflows(bundle, own, recipe)
    for name in recipe.overlays:
        files[name] = recipe.overlay(name) | own.get(name, {})
    for name, overlay in recipe.variants(own.get("variants", {})).items():
        files[f"variants/{name}"] = {"+variants": [name], **overlay}
    files |= _settings(bundle, own, recipe, shipped)
    files["metadata"] = merge_configs(
        {"name": bundle.name},
        *recipe.layers("metadata"),
        _output(files["train"]),
        _versions(bundle.parent.parent),
        own.get("metadata", {}),
        _measured(shipped),
    )
    content = {f"configs/{name}.json": json_text(config) for name, config in files.items()}
    content["configs/logging.conf"] = (bundle.parent / "recipes" / "logging.conf").read_text(encoding="utf-8")
    content["LICENSE"] = (bundle.parent.parent / "LICENSE").read_text(encoding="utf-8")
    return content


def _read_bundle(bundle: Path) -> tuple[Config, Recipe]:
    """Return the `bundle.json` of a bundle and its recipe, checked against each other."""
    path = bundle / "bundle.json"
    own = read_json(path)
    if own.get("name") != bundle.name:
        raise BundleError(f"{path}: got the name {own.get('name')!r}, expected {bundle.name!r}; correct it")
    recipe = read_recipe(bundle.parent / "recipes", own.get("recipe"), asked_by=str(path))
    known = ["name", "recipe", *sorted({*recipe.parts, *recipe.overlays, *_SETTINGS, "metadata", "variants"})]
    unknown = sorted(own.keys() - {*known})
    if unknown:
        raise BundleError(f"{path}: got {', '.join(unknown)}, expected some of {', '.join(known)}; correct the name")
    return recipe.filled_in(own), recipe


def _workflows(bundle: Path, own: Config, recipe: Recipe) -> dict[str, Config]:
    shared = {part: recipe.layers(part) for part in recipe.parts}
    configs = {}
    for name, parts in recipe.workflows.items():
        layers = [layer for part in parts for layer in (*shared[part], own.get(part, {}))]
        configs[name] = merge_configs(*layers, {"name": bundle.name})
        if "run" not in configs[name]:
            raise BundleError(
                f"{bundle}: the workflow {name}, merged from {', '.join(parts)}, has no `run`; say there what it runs, "
                'such as "run": "@training"'
            )
    _drop_unused(configs)
    return configs


def _drop_unused(configs: dict[str, Config]) -> None:
    """Remove the keys that a workflow does not use but another one does, such as the head from a pretraining.

    A key that no workflow uses stays, so that `bundle_faults` reports it.
    """
    unused = {name: set(unreferenced_keys(config)) for name, config in configs.items()}
    while True:
        drops = [
            (name, key)
            for name, keys in unused.items()
            for key in keys
            if any(key in config and key not in unused[user] for user, config in configs.items())
        ]
        if not drops:
            return
        for name, key in drops:
            del configs[name][key]
        # A removed key may have been the only one that referred to another.
        unused = {name: set(unreferenced_keys(config)) for name, config in configs.items()}


def _settings(bundle: Path, own: Config, recipe: Recipe, shipped: ShippedWeights | None) -> dict[str, Config]:
    if shipped is not None and "postprocess" in own:
        raise BundleError(
            f"{bundle}/bundle.json has settings of postprocess, but those in models/weights.json were fitted to the "
            "weights; delete them from bundle.json"
        )
    settings = {name: merge_configs(*recipe.layers(name), own.get(name, {})) for name in _SETTINGS}
    if shipped is not None:
        settings["postprocess"] = shipped.postprocess.to_mapping()
    return settings


def _measured(shipped: ShippedWeights | None) -> Config:
    """Return the part of the metadata that describes the weights."""
    if shipped is None:
        return {}
    metrics = {"eval_metrics": dict(shipped.eval_metrics)} if shipped.eval_metrics else {}
    return {"weights_sha256": shipped.sha256, **metrics}


def drifted_files(bundle: str | Path) -> list[Path]:
    """Return the generated files that are missing or differ from `build_bundle`, and files that it does not write.

    Args:
        bundle: folder of the bundle, next to `recipes/`.
    """
    bundle = Path(bundle)
    expected = {bundle / name: content for name, content in build_bundle(bundle).items()}
    strays = {*(bundle / "configs").glob("*"), *(bundle / "configs" / "variants").glob("*")} - expected.keys()
    return sorted(
        [path for path, content in expected.items() if not path.is_file() or path.read_text("utf-8") != content]
        + [path for path in strays if path.is_file()]
    )


def merge_configs(*configs: Mapping[str, Any]) -> Config:
    """Return configs merged as MONAI merges a list of config files, the later over the earlier.

    >>> merge_configs({"epochs": 3, "loss": {"gamma": 1}}, {"loss#gamma": 2})
    {'epochs': 3, 'loss': {'gamma': 2}}

    Raises:
        BundleError: a key reaches into something that the earlier configs do not have, or extends something that is
            not a list or dictionary.
    """
    parser = ConfigParser(config={})
    for config in configs:
        for key, value in config.items():
            try:
                # A copy, because `a#b` of a later part would change objects from which other configs are merged.
                merge_kv(parser, key, deepcopy(value))
            except (KeyError, ValueError) as error:
                raise BundleError(
                    f"{key!r} cannot be merged: nothing of that name to reach into or to extend; correct the name, or "
                    "define all of it"
                ) from error
    return parser.get()


def _output(train: Config) -> Config:
    """Return the part of the metadata that describes the network's output, as the trained head states it."""
    head = ConfigParser(deepcopy(train)).get_parsed_content("head")
    return {f"network_data_format#outputs#pred#{key}": value for key, value in head.metadata().items()}


def _versions(root: Path) -> Config:
    """Return the versions with which the bundle was tested, from `constraints.txt`."""
    path = root / "constraints.txt"
    if not path.is_file():
        raise BundleError(
            f"no {path}, which pins the versions that bundles are tested with; build bundles in a checkout of "
            "cellseg_monai, or copy its constraints.txt and LICENSE there"
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    try:
        versions: Config = {f"{name}_version": pinned[name] for name in _VERSIONED}
        versions["pytorch_version"] = versions.pop("torch_version")
        versions["required_packages_version"] = {"cellseg_monai": __version__} | {
            name: pinned[name] for name in _REQUIRED_PACKAGES
        }
    except KeyError as error:
        raise BundleError(f"constraints.txt pins no version of {error.args[0]}; add it") from error
    return versions
