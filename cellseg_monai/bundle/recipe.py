"""Recipes: folders in `bundles/recipes/` of a checkout with everything that bundles of one kind share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.errors import BundleError
from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import read_text

__all__ = ["Config", "Recipe", "overlay_base", "read_json", "read_recipe"]

Config = dict[str, Any]

_KEYS = ("extends", "workflows", "needs", "overlays")


@dataclass(frozen=True)
class Recipe:
    """A recipe, combined with the recipes that it extends.

    Args:
        folders: folders of the recipe and of those that it extends, the base recipe first.
        workflows: for each config that can be run, the names of the files to merge it from, without `.json`.
        needs: for some workflows, the id of an entry without which a bundle has no such workflow.
        overlays: names of configs that modify a workflow, such as `multi_gpu_train`, which modifies `train`.
    """

    folders: tuple[Path, ...]
    workflows: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, str]
    overlays: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all files that the workflows are merged from, without duplicates."""
        return tuple(dict.fromkeys(part for parts in self.workflows.values() for part in parts))

    def has(self, name: str) -> bool:
        """Return True if this recipe or one that it extends has a file of this name, without `.json`."""
        return any((folder / f"{name}.json").is_file() for folder in self.folders)

    def layers(self, name: str) -> list[Config]:
        """Return the content of a file from every recipe that has the file, the base recipe first.

        Args:
            name: name of the file, without `.json`.

        Raises:
            BundleError: no recipe has the file, or one of the files is not JSON.
        """
        paths = [path for folder in self.folders if (path := folder / f"{name}.json").is_file()]
        if not paths:
            raise BundleError(f"{self.folders[-1]} and the recipes that it extends have no {name}.json; add this file")
        return [self.filled_in(read_json(path)) for path in paths]

    def overlay(self, name: str) -> Config:
        """Return an overlay, merged from all recipes. Keys from later recipes replace those from earlier ones."""
        return {key: value for layer in self.layers(name) for key, value in layer.items()}

    def variants(self, own: Mapping[str, Config | None]) -> dict[str, Config]:
        """Return the overlay of every variant by its name, in alphabetical order.

        Args:
            own: the bundle's own variants, which replace those from the recipe. None removes a variant.
        """
        shared = {path.stem: read_json(path) for folder in self.folders for path in folder.glob("variants/*.json")}
        overlays: dict[str, Config | None] = {**shared, **own}
        return {name: self.filled_in(overlay) for name, overlay in sorted(overlays.items()) if overlay is not None}

    def filled_in(self, value: Any) -> Any:
        """Return a config in which each `"%file.json"` is replaced by the content of that file in `bundles/recipes`."""
        if isinstance(value, dict):
            return {key: self.filled_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled_in(item) for item in value]
        if isinstance(value, str) and value.startswith("%") and value.endswith(".json"):
            return read_json(self.folders[0].parent / value[1:])
        return value


def read_recipe(recipes: Path, name: object, *, asked_by: str) -> Recipe:
    """Return a recipe, including everything that it inherits.

    A `recipe.json` can name a recipe to extend, and it can declare workflows and overlays:

        {
            "extends": "semantic",
            "workflows": {"pretrain": ["common", "pretrain"]},
            "needs": {"pretrain": "network_def#encoder_name"},
            "overlays": ["multi_gpu_pretrain"]
        }

    These workflows and overlays are added to the inherited ones. A `null` instead of a list removes a workflow. Only
    bundles whose config has the entry that a workflow needs have this workflow, and the overlays that modify it.

    Args:
        recipes: the folder that contains all recipes.
        name: name of the recipe.
        asked_by: the file that names the recipe, for error messages.

    Raises:
        BundleError: the recipe does not exist, extends itself, has no workflow, or has an invalid `recipe.json`.
    """
    chain = _chain(recipes, name, asked_by)
    workflows: dict[str, tuple[str, ...]] = {}
    overlays: dict[str, None] = {}
    needs: dict[str, str] = {}
    for folder, declaration in chain:
        for workflow, parts in declaration.get("workflows", {}).items():
            if parts is None:
                workflows.pop(workflow, None)
            else:
                workflows[workflow] = tuple(parts)
        for workflow, entry in declaration.get("needs", {}).items():
            _check_need(workflow, entry, workflows, folder / "recipe.json")
            needs[workflow] = entry
        for overlay in declaration.get("overlays", []):
            _check_overlay(overlay, workflows, folder / "recipe.json")
            overlays[overlay] = None
    if not workflows:
        raise BundleError(f"{recipes / str(name)} has no workflow; declare one in its recipe.json, or extend a recipe")
    kept = tuple(overlay for overlay in overlays if overlay_base(overlay, workflows) is not None)
    return Recipe(tuple(folder for folder, _ in chain), workflows, needs, kept)


def _chain(recipes: Path, name: object, asked_by: str) -> list[tuple[Path, Config]]:
    """Return folder and `recipe.json` of every recipe in the chain of extensions, from the base to the named recipe."""
    chain: list[tuple[Path, Config]] = []
    while True:
        folder = recipes / str(name)
        if not folder.is_dir():
            raise BundleError(f"{asked_by} names the recipe {name!r}, but there is no folder {folder}; fix the name")
        folders = [folder, *(extending for extending, _ in chain)]
        if folder in folders[1:]:
            raise BundleError(f"{name} extends itself: {', '.join(path.name for path in folders)}; fix `extends`")
        path = folder / "recipe.json"
        declaration = _declaration(path)
        chain.insert(0, (folder, declaration))
        if "extends" not in declaration:
            return chain
        name, asked_by = declaration["extends"], str(path)


def overlay_base(overlay: str, workflows: Mapping[str, object]) -> str | None:
    """Return the workflow that an overlay modifies, or None if there is none.

    The name of the overlay must end with `_` and the name of the workflow. The longest matching name wins.

    >>> overlay_base("multi_gpu_train", {"train": ..., "evaluate": ...})
    'train'
    """
    bases = [name for name in workflows if overlay.endswith(f"_{name}")]
    return max(bases, key=len, default=None)


def read_json(path: Path) -> Config:
    """Return the content of a JSON file, which must be pure ASCII.

    Raises:
        BundleError: the file is missing, is not JSON, or has characters outside ASCII.
    """
    try:
        return parse_json(read_text(path, encoding="ascii"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing; restore this file") from error
    except ValueError as error:
        # MONAI opens configs in the platform's encoding, so other characters would fail on Windows.
        raise BundleError(f"{path} is not JSON in ASCII: {error}; fix the file") from error


def _declaration(path: Path) -> Config:
    declaration = read_json(path) if path.is_file() else {}
    unknown = sorted(declaration.keys() - {*_KEYS})
    if unknown:
        raise BundleError(f"{path}: unknown keys: {', '.join(unknown)}; use only {', '.join(_KEYS)}")
    for workflow, parts in declaration.get("workflows", {}).items():
        is_list = isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts)
        if parts is not None and not is_list:
            raise BundleError(
                f"{path}: the workflow {workflow} is {parts!r}, expected a list of the files to merge it from; list "
                'their names, as in ["common", "train"]'
            )
    if not isinstance(declaration.get("needs", {}), dict):
        raise BundleError(
            f"{path}: needs is {declaration['needs']!r}, expected an object; name workflows and the entry that each "
            'needs, as in {"pretrain": "network_def#encoder_name"}'
        )
    return declaration


def _check_need(workflow: str, entry: object, workflows: Mapping[str, object], path: Path) -> None:
    if workflow not in workflows:
        raise BundleError(
            f"{path}: needs names the workflow {workflow!r}, expected one of {', '.join(workflows)}; correct the name, "
            "or remove it"
        )
    if not isinstance(entry, str) or not all(entry.split("#")):
        raise BundleError(
            f"{path}: the workflow {workflow} needs {entry!r}, expected the id of an entry; write it like "
            '"network_def#encoder_name"'
        )


def _check_overlay(overlay: str, workflows: Mapping[str, object], path: Path) -> None:
    if overlay_base(overlay, workflows) is None:
        raise BundleError(
            f"{path}: the overlay {overlay} is not named after a workflow; rename it, for example to "
            f"{overlay}_{next(iter(workflows), 'train')}"
        )
