"""Selections: small JSON files that choose images from a data set and assign them to sections.

A selection has a summary, a source and a list of steps. Each step names a rule from `selection_rules` and its settings:

    {"summary": "...", "source": "...",
     "steps": [{"rule": "keep_suffix", "suffixes": [".tif", ".tiff"]}, {"rule": "keep_grey"}]}
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.data.content_digest import items_digest
from cellseg_monai.data.datalist import load_datalist, write_datalist
from cellseg_monai.data.split import SECTIONS, Datalist
from cellseg_monai.datasets.preparing.journal import read_record
from cellseg_monai.datasets.selection_rules import RULES, Candidate
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import place_of
from cellseg_monai.json_text import parse_json, readable_json
from cellseg_monai.text_file import read_text

__all__ = ["Selected", "select", "selection_names"]

_FOLDER = Path(__file__).parent / "selections"


@dataclass(frozen=True)
class Selected:
    """The result of applying a selection to a data set.

    Args:
        datalist: path of the datalist.
        manifest: path of the manifest, which describes the selection.
        counts: number of images in each section.
        dropped: reason for dropping each image, keyed by the path of the image.
    """

    datalist: Path
    manifest: Path
    counts: dict[str, int]
    dropped: dict[str, str]


def selection_names() -> list[str]:
    """Return the names of the built-in selections.

    >>> "few_shot" in selection_names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def select(
    dataset_dir: str | Path,
    selection: str,
    output: str | Path,
    *,
    datalist: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Selected:
    """Write a datalist of the selected images, and a manifest with the reason why each other image was dropped.

    Args:
        dataset_dir: folder of a data set. Some rules need the record that `prepare` writes, because it contains the
            names of the raw files and the published lists.
        selection: one of `selection_names()`, or the path of your own JSON file.
        output: path of the datalist, NAME.json. The manifest is written to NAME.manifest.json.
        datalist: JSON file with the sections to start from; by default, the data set's own sections.
        settings: new values for settings in the steps, such as {"images": 5, "seed": 1}. A value applies to every step
            that has the setting.

    Raises:
        DatasetError: the data set cannot be used, the selection is malformed, or it drops every image.
        ValueError: `output` does not end in .json, no step has a setting of this name, or a value is invalid.
    """
    dataset, output = Path(dataset_dir).absolute(), Path(output)
    if output.suffix != ".json":
        raise ValueError(f"got output={output}, expected a name that ends in .json, for example {output.stem}.json")
    content = _read(selection)
    steps = _with_settings(selection, content["steps"], dict(settings or {}))
    candidates = before = _candidates(dataset, datalist)
    for step in steps:
        candidates = RULES[step["rule"]](candidates, **{key: value for key, value in step.items() if key != "rule"})
    sections: Datalist = {
        section: [image.item for image in candidates if image.section == section and not image.dropped]
        for section in SECTIONS
    }
    counts = {section: len(items) for section, items in sections.items()}
    dropped = {place_of(Path(image.item["image"]), dataset): image.dropped for image in candidates if image.dropped}
    if not any(counts.values()):
        place, reason = next(iter(dropped.items()))
        raise DatasetError(
            f"{selection}: drops all {len(before)} images (the first is {place}: {reason}); choose another selection"
        )
    content_of_manifest: dict[str, Any] = {
        "selection": selection,
        **{key: content[key] for key in ("summary", "source") if key in content},
        "steps": steps,
        "images_before": len(before),
        "counts": counts,
        "kept_digest": items_digest([item for items in sections.values() for item in items]),
        "dropped": dropped,
    }
    manifest = output.with_suffix(".manifest.json")
    with replacing(manifest) as aside:
        aside.write_text(readable_json(content_of_manifest) + "\n", encoding="utf-8")
    write_datalist(output, sections)
    return Selected(output, manifest, counts, dropped)


def _read(selection: str) -> dict[str, Any]:
    """Read a selection, and check its steps."""
    is_file = selection.endswith(".json")
    path = Path(selection) if is_file else _FOLDER / f"{selection}.json"
    try:
        content = parse_json(read_text(path))
    except FileNotFoundError:
        names = ", ".join(selection_names())
        if is_file:
            raise DatasetError(f"{path}: no such file; pass an existing file, or one of {names}") from None
        nearest = difflib.get_close_matches(selection, selection_names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"choose one of {names}"
        raise DatasetError(f"unknown selection {selection!r}; {remedy}") from None
    except ValueError as error:
        raise DatasetError(f"{path}: not valid JSON ({error}); fix the file") from error
    steps = content.get("steps") if isinstance(content, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step.get("rule") in RULES for step in steps):
        raise DatasetError(f"{path}: expected a list of `steps`, each with one of these rules: {', '.join(RULES)}")
    for step in steps:
        listed = ", ".join(sorted(step.keys() - {"rule"}))
        needed = ", ".join(sorted(inspect.signature(RULES[step["rule"]]).parameters.keys() - {"candidates"}))
        if listed != needed:
            raise DatasetError(
                f"{path}: got the settings {listed or 'none'} for the rule {step['rule']}, expected {needed or 'none'}"
            )
    return content


def _with_settings(selection: str, steps: list[dict[str, Any]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps with the user's settings, which must have the same types as the values that they replace."""
    known = {key: value for step in steps for key, value in step.items() if key != "rule"}
    for name, value in settings.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"choose from {', '.join(sorted(known)) or 'none'}"
            raise ValueError(f"unknown setting {name!r} for the selection {selection}; {remedy}")
        wanted = (int, float) if isinstance(known[name], float) else type(known[name])
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"got {name}={value!r}, expected a value of the same type as {known[name]!r}")
    return [{key: settings.get(key, value) for key, value in step.items()} for step in steps]


def _candidates(dataset: Path, datalist: str | Path | None) -> list[Candidate]:
    """Return the images in all sections of a data set, with what `prepare` recorded about them."""
    record = read_record(dataset)
    rows = {row["image"]: row for row in record.get("images", [])}
    lists: dict[str, set[str]] = {}
    for name, stems in record.get("lists", {}).items():
        for stem in stems:
            lists.setdefault(stem, set()).add(name)
    candidates = []
    for section, items in load_datalist(dataset, datalist).items():
        for item in items:
            row = rows.get(place_of(Path(item["image"]), dataset), {})
            name = row.get("source", item["image"])
            candidates.append(Candidate(item, section, name, frozenset(lists.get(row.get("stem", ""), ()))))
    if not candidates:
        raise DatasetError(f"{dataset}: no images in any section; prepare the data set, or use `cellseg data split`")
    return sorted(candidates, key=lambda image: image.item["image"])
