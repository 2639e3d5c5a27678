"""Selections: which images of a data set are for what, as small JSON files that one function applies.

A selection is a summary, where it comes from, and steps, each a rule of `selection_rules` with its settings:

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
    """What a selection came to.

    Args:
        datalist: the file that was written.
        manifest: the file beside it that says how.
        counts: images by section.
        dropped: image to reason.
    """

    datalist: Path
    manifest: Path
    counts: dict[str, int]
    dropped: dict[str, str]


def selection_names() -> list[str]:
    """The selections that the package brings.

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
    """Write a datalist with the images that a selection leaves, and beside it a manifest with a reason for each other.

    Args:
        dataset_dir: a data set, best one that `prepare` wrote: from its record come the names of the raw files and the
            lists that were published with them.
        selection: one of `selection_names()`, or a JSON file of one's own.
        output: the datalist, NAME.json; the manifest is NAME.manifest.json.
        datalist: the sections to start from, if not those of the data set.
        settings: instead of those of the steps that have one of that name, such as {"images": 5, "seed": 1}.

    Raises:
        DatasetError: the data set cannot be used, the selection is malformed, or it leaves no image.
        ValueError: a setting that no step has, or a value that makes no sense.
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
        section: [one.item for one in candidates if one.section == section and not one.dropped] for section in SECTIONS
    }
    counts = {section: len(items) for section, items in sections.items()}
    dropped = {place_of(Path(one.item["image"]), dataset): one.dropped for one in candidates if one.dropped}
    if not any(counts.values()):
        image, reason = next(iter(dropped.items()))
        raise DatasetError(f"{selection}: leaves none of {len(before)} images; {image}, for one, because: {reason}")
    said: dict[str, Any] = {
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
        aside.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_datalist(output, sections)
    return Selected(output, manifest, counts, dropped)


def _read(selection: str) -> dict[str, Any]:
    """The content of a selection, its steps checked."""
    own = selection.endswith(".json")
    path = Path(selection) if own else _FOLDER / f"{selection}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(selection_names())
        if own:
            raise DatasetError(f"{path}: no such file; write a selection, or name one of {names}") from None
        nearest = difflib.get_close_matches(selection, selection_names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {names}"
        raise DatasetError(f"selection {selection!r} came, which is not known; {remedy}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a JSON file ({error}); put it right") from error
    steps = content.get("steps") if isinstance(content, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step.get("rule") in RULES for step in steps):
        raise DatasetError(f"{path}: expected an object with steps, each with a rule, one of {', '.join(RULES)}")
    for step in steps:
        found = ", ".join(sorted(step.keys() - {"rule"}))
        needed = ", ".join(sorted(inspect.signature(RULES[step["rule"]]).parameters.keys() - {"candidates"}))
        if found != needed:
            raise DatasetError(
                f"{path}: the step {step['rule']} has the settings {found or 'none'}; it needs {needed or 'none'}"
            )
    return content


def _with_settings(selection: str, steps: list[dict[str, Any]], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps with settings of the user's, of the type of what they replace."""
    known = {key: value for step in steps for key, value in step.items() if key != "rule"}
    for name, value in settings.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"it has {', '.join(sorted(known)) or 'none'}"
            raise ValueError(f"setting {name!r} came, which no step of the selection {selection} has; {remedy}")
        wanted = (int, float) if isinstance(known[name], float) else type(known[name])
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"setting {name} {value!r} came; expected something like {known[name]!r}")
    return [{key: settings.get(key, value) for key, value in step.items()} for step in steps]


def _candidates(dataset: Path, datalist: str | Path | None) -> list[Candidate]:
    """All images of the sections of a data set, with what the record of its preparation knows of them."""
    record = read_record(dataset)
    rows = {row["image"]: row for row in record.get("images", [])}
    lists: dict[str, set[str]] = {}
    for name, stems in record.get("lists", {}).items():
        for stem in stems:
            lists.setdefault(stem, set()).add(name)
    found = []
    for section, items in load_datalist(dataset, datalist).items():
        for item in items:
            row = rows.get(place_of(Path(item["image"]), dataset), {})
            name = row.get("source", item["image"])
            found.append(Candidate(item, section, name, frozenset(lists.get(row.get("stem", ""), ()))))
    if not found:
        raise DatasetError(f"{dataset}: its sections are empty; prepare it, or write a list with `cellseg data split`")
    return sorted(found, key=lambda one: one.item["image"])
