"""Flat, complete configs of a bundle, out of its recipe and its `bundle.json`.

MONAI's consumers take one file, and a reader should find the whole workflow in it; ten hand-kept copies would
drift. So what bundles share is written once in `bundles/recipes`, what differs in `bundle.json`, and this writes
the rest. A config is made of some files of the recipe, each followed by the part of `bundle.json` that bears its name,
merged as MONAI merges a list of config files: a plain key replaces, `+key` extends, `a#b` reaches inside. A value
`"%file.json"` stands for what that file in `bundles/recipes` holds.

A recipe may extend another (`recipe.json`: `{"extends": "semantic"}`): each of its files is then laid over the file of
the same name there, in the same way, and so are its variants.

A variant is an overlay of differences on `train.json`, written to `configs/variants/`: those of the recipe, and those
of `bundle.json`, which there may also replace one of the recipe, or take it away with `null` where it means nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import merge_kv

from cellseg_monai._version import __version__
from cellseg_monai.errors import BundleError

__all__ = ["build_bundle", "drifted_files", "find_bundles", "merge_configs"]

Config = dict[str, Any]

# Each config, and the files of the recipe that it is merged from, in order.
_WORKFLOWS = {
    "train": ("common", "train"),
    "multi_gpu_train": ("common", "train", "multi_gpu_train"),
    "calibrate": ("common", "trained", "calibrate"),
    "evaluate": ("common", "trained", "evaluate"),
    "inference": ("common", "trained", "inference"),
}
_SETTINGS = ("preprocess", "postprocess")
_VERSIONED = ("monai", "torch", "numpy")
_REQUIRED_PACKAGES = ("pytorch-ignite", "segmentation-models-pytorch", "tifffile", "scikit-image", "scipy")


def find_bundles(bundles_dir: str | Path = "bundles") -> list[Path]:
    """The folders with a `bundle.json`, sorted.

    Raises:
        BundleError: there is none.
    """
    found = sorted(path.parent for path in Path(bundles_dir).glob("*/bundle.json"))
    if not found:
        raise BundleError(f"no */bundle.json in {Path(bundles_dir).absolute()}; start it where bundles/ lies")
    return found


def build_bundle(bundle: str | Path) -> dict[str, str]:
    """The generated files of a bundle.

    Args:
        bundle: its folder, beside `recipes/`.

    Returns:
        The content of each file by its path relative to the folder, such as `configs/train.json`.

    Raises:
        BundleError: `bundle.json` or the recipe lacks something, or names what no config has.
    """
    bundle = Path(bundle)
    own = _read(bundle / "bundle.json")
    if own.get("name") != bundle.name:
        raise BundleError(f"{bundle}/bundle.json bears the name {own.get('name')!r}; it must be {bundle.name!r}")
    recipes = _recipe_and_bases(bundle.parent / "recipes", own.get("recipe"), f"{bundle}/bundle.json")
    sources = dict.fromkeys(source for names in _WORKFLOWS.values() for source in names)
    parts = {*sources, *_SETTINGS, "metadata", "training_data", "variants"}
    unknown = own.keys() - parts - {"name", "recipe"}
    if unknown:
        raise BundleError(
            f"{bundle}/bundle.json has {sorted(unknown)}; known are name, recipe, {', '.join(sorted(parts))}"
        )
    shared = {source: _layers(recipes, source) for source in [*sources, *_SETTINGS, "metadata"]}
    files = {}
    for name, names in _WORKFLOWS.items():
        layers = [layer for source in names for layer in (*shared[source], own.get(source, {}))]
        files[name] = merge_configs(*layers, {"name": bundle.name})
    for name, overlay in _variants(recipes, own).items():
        files[f"variants/{name}"] = {"+variants": [name], **overlay}
    for name in _SETTINGS:
        files[name] = merge_configs(*shared[name], own.get(name, {}))
    if "training_data" in own:
        files["training_data"] = own["training_data"]
    files["metadata"] = merge_configs(
        {"name": bundle.name},
        *shared["metadata"],
        _output(files["train"]),
        _versions(bundle.parent.parent),
        own.get("metadata", {}),
    )
    content = {f"configs/{name}.json": _written(config) for name, config in files.items()}
    content["configs/logging.conf"] = (bundle.parent / "recipes" / "logging.conf").read_text(encoding="utf-8")
    content["LICENSE"] = (bundle.parent.parent / "LICENSE").read_text(encoding="utf-8")
    return content


def drifted_files(bundle: str | Path) -> list[Path]:
    """The generated files that differ from what the recipe and `bundle.json` give, or are missing."""
    bundle = Path(bundle)
    expected = {bundle / name: content for name, content in build_bundle(bundle).items()}
    strays = {*(bundle / "configs").glob("*"), *(bundle / "configs" / "variants").glob("*")} - expected.keys()
    return sorted(
        [path for path, content in expected.items() if not path.is_file() or path.read_text("utf-8") != content]
        + [path for path in strays if path.is_file()]
    )


def _recipe_and_bases(folder: Path, name: object, asked_by: str) -> list[Path]:
    """The folder of a recipe, after those of the recipes that it extends."""
    recipes: list[Path] = []
    while True:
        recipe = folder / str(name)
        if not recipe.is_dir():
            raise BundleError(f"{asked_by} asks for the recipe {name!r}, but there is no {recipe}")
        if recipe in recipes:
            raise BundleError(f"{name} extends itself: {', '.join(each.name for each in [recipe, *recipes])}")
        recipes.insert(0, recipe)
        own = recipe / "recipe.json"
        if not own.is_file():
            return recipes
        says = _read(own)
        if says.keys() != {"extends"}:
            raise BundleError(f'{own} says {says}, but the key "extends" alone was expected; correct it')
        name, asked_by = says["extends"], str(own)


def _layers(recipes: list[Path], name: str) -> list[Config]:
    """What the recipes say under a name, the base first; the base must have it, the others need not."""
    paths = [recipe / f"{name}.json" for recipe in recipes]
    return [_with_shared_parts(_read(path), path.parents[1]) for path in paths if path == paths[0] or path.is_file()]


def _variants(recipes: list[Path], own: Config) -> dict[str, Config]:
    """The overlay of each variant, by name: the recipes', then the bundle's."""
    overlays = {path.stem: _read(path) for recipe in recipes for path in (recipe / "variants").glob("*.json")}
    overlays |= own.get("variants", {})
    return {
        name: _with_shared_parts(overlay, recipes[0].parent)
        for name, overlay in sorted(overlays.items())
        if overlay is not None
    }


def _read(path: Path) -> Config:
    try:
        config = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        # MONAI opens configs in the platform's encoding: beyond ASCII they break on Windows.
        raise BundleError(f"{path} is not JSON in ASCII: {error}") from error
    return config


def _with_shared_parts(value: Any, recipes: Path) -> Any:
    """A config with each `"%file.json"` replaced by the content of that file."""
    if isinstance(value, dict):
        return {key: _with_shared_parts(item, recipes) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_shared_parts(item, recipes) for item in value]
    if isinstance(value, str) and value.startswith("%") and value.endswith(".json"):
        return _read(recipes / value[1:])
    return value


def merge_configs(*configs: Mapping[str, Any]) -> Config:
    """Configs merged as MONAI merges a list of config files, the later over the earlier."""
    parser = ConfigParser(config={})
    for config in configs:
        for key, value in config.items():
            # A copy: `a#b` of a later part would reach into what other configs are merged from too.
            merge_kv(parser, key, deepcopy(value))
    return parser.get()


def _written(config: Config) -> str:
    """JSON as a person would lay it out: lists of plain values, and of such lists, on one line."""
    text = json.dumps(config, indent=4)
    plain = re.compile(r"\[\n\s*([^\[\]{}]*?)\s+\]")
    nested = re.compile(r"\[\n\s*((?:\[[^\[\]]*\],?\s*)+)\]")
    for pattern in (plain, nested):
        text = pattern.sub(lambda match: "[" + re.sub(r"\s*\n\s*", " ", match.group(1)).strip() + "]", text)
    return text + "\n"


def _output(train: Config) -> Config:
    """Return what the head that is trained says of the network's output."""
    head = ConfigParser(deepcopy(train)).get_parsed_content("head")
    return {f"network_data_format#outputs#pred#{key}": value for key, value in head.metadata().items()}


def _versions(root: Path) -> Config:
    """The versions that the bundle was tested with, out of `constraints.txt`."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
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
