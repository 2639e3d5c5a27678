"""Building a bundle's complete configs from its recipe and its `bundle.json`.

The generated configs are complete, because MONAI's tools expect a single file and every bundle folder in a clone must
work as it is. A reader also finds the whole workflow in one place. The configs are generated, because hand-kept copies
would drift apart: `bundles/recipes` holds what the bundles share and `bundle.json` what is specific to one bundle.
`cellseg bundle build --check` fails if a generated file does not match its sources.

A config is merged from several recipe files, each followed by the section of `bundle.json` with the same name. Merging
follows MONAI's rules for a list of config files: a plain key replaces, `+key` extends, `a#b` reaches inside. Workflow
steps have names, such as `train#crop`. If they were overridden by position, adding a step would redirect the override
to another step. A value `"%file.json"` stands for the content of that file in `bundles/recipes`.

A recipe declares its workflows in `recipe.json`: the name of each config, and the files to merge it from. A workflow
can need an entry, such as the name of an encoder; bundles without this entry do not have the workflow, and cannot have
a section for it. A recipe can
extend another one (`{"extends": "semantic"}`) and then inherits its workflows. Its files and its variants are merged,
by the same rules, over those with the same names in the base recipe.

A variant is an overlay on `train.json`, written to `configs/variants/`. Variants come from the recipe and from
`bundle.json`. A bundle can replace a variant from the recipe, or remove it with `null` if it makes no sense there. The
other workflows need no variants, because a checkpoint records how its network was trained; see
`training.checkpoint_metadata`. Other overlays that the recipe declares, such as `multi_gpu_train`, are written next to
the workflow that they change, as in MONAI's model zoo.

All measurements of a bundle's shipped weights come from `models/weights.json`.
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
from cellseg_monai.bundle.origin import is_installed
from cellseg_monai.bundle.recipe import Config, Recipe, overlay_base, read_json, read_recipe
from cellseg_monai.bundle.references import unreferenced_keys
from cellseg_monai.bundle.shipped_weights import ShippedWeights, find_shipped_weights
from cellseg_monai.errors import BundleError

__all__ = ["build_bundle", "drifted_files", "merge_configs"]

_SETTINGS = ("preprocess", "postprocess")
_VERSIONED = ("monai", "torch", "numpy")
_REQUIRED_PACKAGES = ("pytorch-ignite", "segmentation-models-pytorch", "tifffile", "scikit-image", "scipy")


def build_bundle(bundle: str | Path) -> dict[str, str]:
    """Return the content of a bundle's generated files, without writing them.

    Args:
        bundle: the bundle folder, next to `recipes/`.

    Returns:
        The content of each file by its path relative to the bundle folder, such as `configs/train.json`.

    Raises:
        BundleError: `bundle.json`, the recipe or `models/weights.json` is incomplete or contains an unknown name; or
            the bundle was installed with this package, without its recipe.
    """
    bundle = Path(bundle)
    if is_installed(bundle):
        raise BundleError(
            f"{bundle} was installed with this package: its configs are complete, and its recipe is only in a checkout "
            f"of cellseg_monai; build it there, or edit a copy from `cellseg bundle copy {bundle.name}`"
        )
    own, recipe = _read_bundle(bundle)
    shipped = find_shipped_weights(bundle)
    files = _workflows(bundle, own, recipe)
    overlays = [name for name in recipe.overlays if overlay_base(name, recipe.workflows) in files]
    _check_sections(bundle, own, recipe, {*overlays, *(part for name in files for part in recipe.workflows[name])})
    for name in overlays:
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
    """Return a bundle's `bundle.json` and recipe, after checking that they are consistent."""
    path = bundle / "bundle.json"
    own = read_json(path)
    if own.get("name") != bundle.name:
        raise BundleError(f"{path}: got the name {own.get('name')!r}, expected {bundle.name!r}; fix the name")
    recipe = read_recipe(bundle.parent / "recipes", own.get("recipe"), asked_by=str(path))
    known = ["name", "recipe", *sorted({*recipe.parts, *recipe.overlays, *_SETTINGS, "metadata", "variants"})]
    unknown = sorted(own.keys() - {*known})
    if unknown:
        raise BundleError(f"{path}: unknown keys: {', '.join(unknown)}; use only {', '.join(known)}")
    return recipe.filled_in(own), recipe


def _workflows(bundle: Path, own: Config, recipe: Recipe) -> dict[str, Config]:
    shared = {part: recipe.layers(part) for part in recipe.parts}
    configs = {}
    for name, parts in recipe.workflows.items():
        layers = [layer for part in parts for layer in (*shared[part], own.get(part, {}))]
        config = merge_configs(*layers, {"name": bundle.name})
        if name in recipe.needs and recipe.needs[name] not in ConfigParser(config):
            continue
        configs[name] = config
        if "run" not in configs[name]:
            raise BundleError(
                f"{bundle}: the workflow {name}, merged from {', '.join(parts)}, has no `run`; add one to these files, "
                'for example "run": "@training"'
            )
    _drop_unused(configs)
    return configs


def _check_sections(bundle: Path, own: Config, recipe: Recipe, used: set[str]) -> None:
    """Check that the bundle has no section for a workflow that needs an entry which the bundle lacks."""
    unused = [name for name in (*recipe.parts, *recipe.overlays) if name in own and name not in used]
    if unused:
        needs = ", ".join(f"{workflow} needs {entry}" for workflow, entry in recipe.needs.items())
        raise BundleError(
            f"{bundle}/bundle.json: got the section {unused[0]}, which no workflow of this bundle uses ({needs}); add "
            "the entry, or remove the section"
        )


def _drop_unused(configs: dict[str, Config]) -> None:
    """Remove the keys that a workflow does not use but another one does, such as the head from a pretraining run.

    A key that no workflow uses stays, so that `bundle_faults` reports it.
    """
    while True:  # a removed key may have been the only one that referred to another
        unused = {name: set(unreferenced_keys(config)) for name, config in configs.items()}
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


def _settings(bundle: Path, own: Config, recipe: Recipe, shipped: ShippedWeights | None) -> dict[str, Config]:
    if shipped is not None and "postprocess" in own:
        raise BundleError(
            f"{bundle}/bundle.json has postprocess settings, but models/weights.json has settings fitted to the "
            "weights; delete the settings in bundle.json"
        )
    named = [name for name in _SETTINGS if recipe.has(name)]
    settings = {name: merge_configs(*recipe.layers(name), own.get(name, {})) for name in named}
    if shipped is not None:
        settings["postprocess"] = shipped.postprocess.to_mapping()
    return settings


def _measured(shipped: ShippedWeights | None) -> Config:
    """Return the metadata that describes the shipped weights."""
    if shipped is None:
        return {}
    metrics = {"eval_metrics": dict(shipped.eval_metrics)} if shipped.eval_metrics else {}
    return {"weights_sha256": shipped.sha256, **metrics}


def drifted_files(bundle: str | Path) -> list[Path]:
    """Return the files in a bundle that are out of date.

    These are generated files that are missing or differ from what `build_bundle` returns, and files in `configs/` that
    `build_bundle` does not generate.

    Args:
        bundle: the bundle folder, next to `recipes/`.
    """
    bundle = Path(bundle)
    expected = {bundle / name: content for name, content in build_bundle(bundle).items()}
    strays = {*(bundle / "configs").glob("*"), *(bundle / "configs" / "variants").glob("*")} - expected.keys()
    return sorted(
        [path for path, content in expected.items() if not path.is_file() or path.read_text("utf-8") != content]
        + [path for path in strays if path.is_file()]
    )


def merge_configs(*configs: Mapping[str, Any]) -> Config:
    """Merge configs as MONAI merges a list of config files. Later configs take precedence.

    >>> merge_configs({"epochs": 3, "loss": {"gamma": 1}}, {"loss#gamma": 2})
    {'epochs': 3, 'loss': {'gamma': 2}}

    Raises:
        BundleError: a key reaches into or extends something that is missing from the earlier configs, or that is not a
            list or dictionary.
    """
    parser = ConfigParser(config={})
    for config in configs:
        for key, value in config.items():
            try:
                # Copy the value: a later `a#b` would otherwise modify an object that other configs share.
                merge_kv(parser, key, deepcopy(value))
            except (KeyError, ValueError) as error:
                raise BundleError(
                    f"cannot merge {key!r}: there is nothing with that name to change or extend; fix the name, or "
                    "define the whole object"
                ) from error
    return parser.get()


def _output(train: Config) -> Config:
    """Return the metadata that describes the network's output, taken from the head in `train.json`, if it has one."""
    if "head" not in train:
        return {}
    head = ConfigParser(deepcopy(train)).get_parsed_content("head")
    return {f"network_data_format#outputs#pred#{key}": value for key, value in head.metadata().items()}


def _versions(root: Path) -> Config:
    """Return the package versions that the bundle was tested with, as pinned in `constraints.txt`."""
    path = root / "constraints.txt"
    if not path.is_file():
        raise BundleError(
            f"no such file: {path}; it pins the versions that bundles are tested with, so build bundles in a checkout "
            "of cellseg_monai, or copy its constraints.txt and LICENSE there"
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
        raise BundleError(f"constraints.txt does not pin a version of {error.args[0]}; add a line for it") from error
    return versions
