"""Checking a bundle's files without running any of its workflows."""

from __future__ import annotations

import importlib
import json
import pydoc
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from monai.bundle import ComponentLocator, ConfigParser

from cellseg_monai.bundle.build import drifted_files, merge_configs
from cellseg_monai.bundle.command_line import check_overrides
from cellseg_monai.bundle.network_check import network_faults
from cellseg_monai.bundle.origin import is_installed
from cellseg_monai.bundle.recipe import overlay_base
from cellseg_monai.bundle.references import references, unreferenced_keys
from cellseg_monai.bundle.shipped_weights import find_shipped_weights, postprocess_from_mapping
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.settings import read_mapping
from cellseg_monai.text_file import read_text
from cellseg_monai.training.checkpoint_file import BEST

__all__ = ["bundle_faults", "metadata_faults"]

# Files in configs/ that are not workflow configs.
_NO_CONFIGS = ("metadata", "preprocess", "postprocess")

_Configs = dict[Path, dict[str, Any]]


def bundle_faults(bundle: str | Path, overrides: Mapping[str, Any] | None = None) -> list[str]:
    """Return one message per fault in a bundle's files, or an empty list if there are none.

    Args:
        bundle: the bundle folder. If it contains a `bundle.json`, which packed bundles lack, the generated files must
            match it, unless the bundle was installed without its recipe.
        overrides: overrides by name, checked like those on the command line. At least one workflow must accept each.

    Raises:
        BundleError: the folder contains no configs, or they cannot be built.
    """
    bundle = Path(bundle)
    faults: list[str] = []
    configs: _Configs = {}
    for path in sorted((bundle / "configs").glob("*.json")):
        try:
            configs[path] = read_mapping(path)
        except BundleError as error:
            faults.append(str(error))
    workflows = {path: config for path, config in configs.items() if "run" in config}
    if not workflows and not faults:
        remedy = "pass the folder of a bundle"
        if (bundle / "bundle.json").is_file():
            remedy = f"write the configs with `cellseg bundle build {bundle}`"
        raise BundleError(f"no configs/*.json with a `run` in {bundle.absolute()}; {remedy}")
    if (bundle / "bundle.json").is_file() and not is_installed(bundle):
        faults += [f"{path}: out of date; rebuild it with `cellseg bundle build`" for path in drifted_files(bundle)]
    for path, config in workflows.items():
        faults += [f"{path}: {fault}" for fault in _config_faults(config)]
    faults += _overlay_faults(configs, workflows)
    training = configs.get(bundle / "configs" / "train.json")
    if training is not None:
        if not [*_unknown_references(training), *_bad_targets(training)]:
            faults += [f"{bundle / 'configs' / 'train.json'}: {fault}" for fault in network_faults(training)]
        for path in sorted((bundle / "configs" / "variants").glob("*.json")):
            faults += [f"{path}: {fault}" for fault in _variant_faults(path, training)]
    metadata = bundle / "configs" / "metadata.json"
    faults += [f"{metadata}: {fault}" for fault in metadata_faults(metadata)]
    if not faults:
        faults += _weights_faults(bundle, parse_json(read_text(metadata)))
    faults += _settings_faults(bundle, workflows)
    if overrides:
        try:
            check_overrides(overrides, {key: config[key] for config in workflows.values() for key in config})
        except BundleError as error:
            faults += str(error).splitlines()
    return faults


def _settings_faults(bundle: Path, workflows: _Configs) -> Iterator[str]:
    """Yield the faults in the files of settings that a workflow uses."""
    readers: dict[str, Callable[[Path], object]] = {
        "preprocess": Preprocessing.from_json,
        "postprocess": lambda path: postprocess_from_mapping(read_mapping(path), source=str(path)),
    }
    for name, read in readers.items():
        if any(name in config for config in workflows.values()):
            try:
                read(bundle / "configs" / f"{name}.json")
            except BundleError as error:
                yield str(error)


def _config_faults(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"nothing refers to {key!r}" for key in unreferenced_keys(config))
    yield from _unknown_references(config)
    yield from _bad_targets(config)


def _overlay_faults(configs: _Configs, workflows: _Configs) -> Iterator[str]:
    """Yield the faults in overlays, such as `multi_gpu_train.json`, after merging each with its workflow."""
    by_name = {path.stem: config for path, config in workflows.items()}
    for path, overlay in configs.items():
        if path in workflows or path.stem in _NO_CONFIGS:
            continue
        base = overlay_base(path.stem, by_name)
        if base is None:
            yield f"{path}: neither a workflow with a `run` nor an overlay whose name ends with {', '.join(by_name)}"
            continue
        try:
            merged = merge_configs(by_name[base], overlay)
        except BundleError as error:
            yield f"{path}: {error}"
            continue
        yield from (f"{path}: {fault}" for fault in _config_faults(merged))


def _variant_faults(path: Path, training: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults in a variant after merging it with `train.json`."""
    try:
        overlay = parse_json(read_text(path))
        merged = merge_configs(training, overlay)
        unused = unreferenced_keys(merged)
        # A variant can add a key, such as the weights of its own encoder, if something refers to it.
        added = {key: value for key, value in overlay.items() if key in merged and key not in unused}
        check_overrides((key.removeprefix("+") for key in overlay), {**training, **added})
    except ValueError as error:
        yield str(error)
        return
    if overlay.get("+variants") != [path.stem]:
        yield (
            f'got "+variants": {overlay.get("+variants")}, expected ["{path.stem}"], which checkpoints record; '
            "fix this entry"
        )
    yield from (f"nothing refers to {key!r}" for key in unused)
    yield from _unknown_references(merged)
    yield from _bad_targets(overlay)


def _weights_faults(bundle: Path, metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield the inconsistencies between a bundle's weights, its `weights.json` and its metadata."""
    weights, description = bundle / "models" / BEST, bundle / "models" / "weights.json"
    try:
        shipped = find_shipped_weights(bundle)
    except BundleError as error:
        yield str(error)
        return
    if shipped is None:
        if weights.is_file():
            yield f"{weights}: no weights.json describes this file; write one with scripts/ship_weights.py"
        if "weights_sha256" in metadata:
            yield f"{description}: missing, but metadata.json names weights; restore the file"
        return
    digest = file_digest(weights) if weights.is_file() else None
    if digest is None:
        yield f"{weights}: missing, but weights.json describes this file; restore the weights"
    elif digest != shipped.sha256:
        yield (
            f"{weights}: got the SHA-256 {digest}, but weights.json describes weights with {shipped.sha256}; "
            "restore one of the two"
        )
    if metadata.get("weights_sha256") != shipped.sha256:
        yield (
            f"{description}: describes weights with the SHA-256 {shipped.sha256}, but metadata.json names "
            f"{metadata.get('weights_sha256')}; run `cellseg bundle build`, or restore one of the two"
        )


def metadata_faults(path: str | Path) -> list[str]:
    """Return one message per fault in a `metadata.json`, or an empty list if there are none.

    The file must follow `metadata.schema.json` in this package, which is based on the MONAI bundle specification, and
    its changelog must cover its version.

    Args:
        path: path of the `metadata.json`.
    """
    try:
        metadata = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        return [str(error)]
    schema = json.loads(files(__package__).joinpath("metadata.schema.json").read_text(encoding="utf-8"))
    faults = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(metadata)]
    if not faults and metadata["version"] not in metadata["changelog"]:
        faults.append(f"$.changelog: does not mention version {metadata['version']}")
    return sorted(faults)


def _unknown_references(config: Mapping[str, Any]) -> list[str]:
    parser = ConfigParser(dict(config))
    return [f"@{reference} refers to nothing" for reference in sorted(references(config)) if reference not in parser]


def _bad_targets(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        target = config.get("_target_")
        if isinstance(target, str):
            yield from _bad_target(target)
        for value in config.values():
            yield from _bad_targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from _bad_targets(value)


def _bad_target(target: str) -> Iterator[str]:
    if "." not in target:
        if not isinstance(ComponentLocator().get_component_module_name(target), str):
            yield f"_target_ {target!r} is not a class in MONAI, or several classes have this name"
    elif pydoc.locate(target) is None:
        yield f"_target_ {target!r} cannot be imported"
    elif target.startswith("cellseg_monai."):
        module, _, name = target.rpartition(".")
        if name not in importlib.import_module(module).__all__:
            yield f"_target_ {target!r} is not public: it is not in {module}.__all__"
