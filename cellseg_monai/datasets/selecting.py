"""Selections: small JSON files that choose images of a data set and assign them to sections.

A selection has a summary, a source, and steps, each of which is a rule of `selection_rules` with its settings:

    {"summary": "...", "source": "...",
     "steps": [{"rule": "keep_suffix", "suffixes": [".tif", ".tiff"]}, {"rule": "keep_grey"}]}
"""

from __future__ import annotations

import difflib
import inspect
import json
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

__all__ = ["Selected", "select", "selection_names"]

_FOLDER = Path(__file__).parent / "selections"


@dataclass(frozen=True)
class Selected:
    """The outcome of a selection.

    Args:
        datalist: the datalist that was written.
        manifest: the file next to it that describes the selection.
        counts: number of images in each section.
        dropped: reason for each dropped image.
    """

    datalist: Path
    manifest: Path
    counts: dict[str, int]
    dropped: dict[str, str]


def selection_names() -> list[str]:
    """Return the names of the selections in the package.

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
    """Write a datalist with the selected images, and next to it a manifest with the reason for each dropped image.

    Args:
        dataset_dir: a data set, preferably written by `prepare`, whose record has the names of the raw files and the
            published lists.
        selection: one of `selection_names()`, or a JSON file of your own.
        output: the datalist to write, NAME.json; the manifest is NAME.manifest.json.
        datalist: a JSON file with the sections to start from; by default the data set's own sections.
        settings: values that replace the settings of these names in all steps, such as {"images": 5, "seed": 1}.

    Raises:
        DatasetError: the data set cannot be used, the selection is malformed, or it leaves no image.
        ValueError: no step has such a setting, or its value is invalid.
    """
    dataset, output = Path(dataset_dir).absolute(), Path(output)
    if output.suffix != ".json":
        raise ValueError(f"{output}: expected the name of a JSON file to write, such as {output.stem}.json")
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
            f"{selection}: leaves none of {len(before)} images; the first is {place}: {reason}; choose another one"
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
        aside.write_text(json.dumps(content_of_manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_datalist(output, sections)
    return Selected(output, manifest, counts, dropped)


def _read(selection: str) -> dict[str, Any]:
    """The content of a selection, its steps checked."""
    is_file = selection.endswith(".json")
    path = Path(selection) if is_file else _FOLDER / f"{selection}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(selection_names())
        if is_file:
            raise DatasetError(f"{path}: no such file; write a selection, or pass one of {names}") from None
        nearest = difflib.get_close_matches(selection, selection_names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {names}"
        raise DatasetError(f"got the unknown selection {selection!r}; {remedy}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a JSON file ({error}); correct it") from error
    steps = content.get("steps") if isinstance(content, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step.get("rule") in RULES for step in steps):
        raise DatasetError(f"{path}: expected an object with steps, each with a rule, one of {', '.join(RULES)}")
    for step in steps:
        listed = ", ".join(sorted(step.keys() - {"rule"}))
        needed = ", ".join(sorted(inspect.signature(RULES[step["rule"]]).parameters.keys() - {"candidates"}))
        if listed != needed:
            raise DatasetError(
                f"{path}: got the settings {listed or 'none'} for the step {step['rule']}, expected {needed or 'none'}"
            )
    return content


def _with_settings(selection: str, steps: list[dict[str, Any]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps with the user's settings, which must have the types of the values that they replace."""
    known = {key: value for step in steps for key, value in step.items() if key != "rule"}
    for name, value in settings.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"it has {', '.join(sorted(known)) or 'none'}"
            raise ValueError(f"got the setting {name!r}, which no step of the selection {selection} has; {remedy}")
        wanted = (int, float) if isinstance(known[name], float) else type(known[name])
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"got {name}={value!r}, expected a value such as {known[name]!r}")
    return [{key: settings.get(key, value) for key, value in step.items()} for step in steps]


def _candidates(dataset: Path, datalist: str | Path | None) -> list[Candidate]:
    """All images of the sections of a data set, with the information from the record of its preparation."""
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
        raise DatasetError(f"{dataset}: its sections are empty; prepare it, or write a list with `cellseg data split`")
    return sorted(candidates, key=lambda image: image.item["image"])
