"""Tags, which hold any other information about an image, such as the cell type or a dose.

In `datalist.json`, the tags of an item are stored by name under "tags". Each value is text or a finite number:

    {"image": "images/a.tif", "label": "labels/a.tif", "group": "plate1", "tags": {"cell_type": "A172", "dose_um": 0.5}}

A value of null or an empty string means that the tag is unknown, as if it were absent. Other keys of an item are also
read as tags, because earlier versions wrote tags there. New lists have all tags under "tags".
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["ITEM_KEYS", "Tags", "complete_tags", "count_tags", "known_tags", "mixed_tags", "read_tags", "tag_gaps"]

Tags = dict[str, str | float]
"""The tags of an image: values by name."""

ITEM_KEYS = ("image", "label", "group", "tags", "classes", "class_names")
"""The keys of a datalist item; tags cannot have these names."""

_MOST_SHOWN = 3


def read_tags(entry: Mapping[str, Any]) -> tuple[Tags, list[str]]:
    """Return the tags of a datalist item, and a message for each fault in them.

    Args:
        entry: the item in the JSON file.

    >>> read_tags({"image": "a.tif", "tags": {"cell_type": "A172", "dose_um": 2, "well": None}})
    ({'cell_type': 'A172', 'dose_um': 2}, [])
    >>> read_tags({"image": "a.tif", "cell_type": "A172"})  # written by an earlier version
    ({'cell_type': 'A172'}, [])
    """
    listed = {} if entry.get("tags") is None else entry["tags"]
    if not isinstance(listed, dict):
        return {}, [f'got tags={listed!r}, expected a JSON object; write "tags": {{"cell_type": "A172"}}, for example']
    other_keys = {key: value for key, value in entry.items() if key not in ITEM_KEYS}
    messages = [_name_fault(name) for name in listed]
    messages += [_key_fault(key, listed) for key in other_keys]
    tags: Tags = {}
    for name, value in {**other_keys, **listed}.items():
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if _is_value(value):
            tags[name] = value
        else:
            messages.append(f"got {value!r} for the tag {name!r}, expected text or a finite number; quote or remove it")
    return tags, [message for message in messages if message]


def _name_fault(name: str) -> str:
    if not name.strip():
        return "got a tag with an empty name; give the tag a name, or remove it"
    if name in ITEM_KEYS:
        return f"got a tag named {name!r}, which is reserved for the item itself; rename the tag"
    return ""


def _key_fault(key: str, listed: Mapping[str, Any]) -> str:
    """Return the fault in an item key that is not in `ITEM_KEYS`; empty if the key can be read as a tag."""
    if key in listed:
        return f'got the tag {key!r} twice, inside and outside "tags"; keep only the one inside "tags"'
    nearest = difflib.get_close_matches(key.lower(), ITEM_KEYS, n=1, cutoff=0.8)
    if nearest:
        return f'got the key {key!r}; did you mean {nearest[0]!r}? if the key is a tag, move it into "tags"'
    return _name_fault(key)


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return True
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that is too large for a float
        return False


def mixed_tags(tags_of: Mapping[str, Tags]) -> list[str]:
    """Return a message for each tag whose value is text for some images and a number for others.

    Args:
        tags_of: the tags of each image, keyed by the image's name in the messages.

    >>> mixed_tags({"a.tif": {"dose_um": 2}, "b.tif": {"dose_um": "none"}})
    ["the tag 'dose_um' is a number for a.tif (2), but text for b.tif ('none'); use one type for all images"]
    """
    first: dict[str, dict[bool, tuple[str, str | float]]] = {}
    for image, tags in tags_of.items():
        for name, value in tags.items():
            first.setdefault(name, {}).setdefault(isinstance(value, str), (image, value))
    messages = []
    for name, by_type in sorted(first.items()):
        if len(by_type) == 2:
            (image, number), (other_image, text) = by_type[False], by_type[True]
            messages.append(
                f"the tag {name!r} is a number for {image} ({number}), but text for {other_image} ({text!r}); "
                "use one type for all images"
            )
    return messages


def tag_gaps(tags_of: Mapping[str, Tags]) -> list[str]:
    """Return a message for each tag that only some images have.

    Args:
        tags_of: the tags of each image, keyed by the image's name in the messages.

    >>> tag_gaps({"a.tif": {"cell_type": "A172"}, "b.tif": {}})
    ["the tag 'cell_type' is missing for 1 of 2 images: b.tif; add the tag, or treat it as unknown there"]
    """
    messages = []
    for name in sorted({name for tags in tags_of.values() for name in tags}):
        without = [image for image, tags in tags_of.items() if name not in tags]
        if without:
            rest = f" and {len(without) - _MOST_SHOWN} more" if len(without) > _MOST_SHOWN else ""
            messages.append(
                f"the tag {name!r} is missing for {len(without)} of {len(tags_of)} images: "
                f"{', '.join(without[:_MOST_SHOWN])}{rest}; add the tag, or treat it as unknown there"
            )
    return messages


def count_tags(all_tags: Sequence[Tags]) -> dict[str, Counter[str | float | None]]:
    """Count the images that have each value of each tag; the value None counts the images without the tag.

    >>> count_tags([{"cell_type": "A172"}, {"cell_type": "BV2"}, {"cell_type": "BV2"}, {}])
    {'cell_type': Counter({'BV2': 2, 'A172': 1, None: 1})}
    """
    names = sorted({name for tags in all_tags for name in tags})
    return {name: Counter(tags.get(name) for tags in all_tags) for name in names}


def complete_tags(all_tags: Iterable[Tags]) -> list[Tags]:
    """Give every image all tags that any image has, so that items can be batched.

    Unknown text becomes an empty string, and an unknown number becomes NaN. All numbers become float, because a batch
    has a single type.

    >>> complete_tags([{"dose_um": 2}, {"cell_type": "A172"}])
    [{'cell_type': '', 'dose_um': 2.0}, {'cell_type': 'A172', 'dose_um': nan}]
    """
    all_tags = list(all_tags)
    values = {name: value for tags in all_tags for name, value in tags.items()}
    unknown: Tags = {name: "" if isinstance(value, str) else math.nan for name, value in sorted(values.items())}
    return [
        {name: value if isinstance(value, str) else float(value) for name, value in {**unknown, **tags}.items()}
        for tags in all_tags
    ]


def known_tags(tags: Tags) -> Tags:
    """Return the tags whose value is known, without the placeholders that `complete_tags` adds.

    >>> known_tags({"cell_type": "", "dose_um": 2.0})
    {'dose_um': 2.0}
    """
    return {name: value for name, value in tags.items() if value not in ("", None) and value == value}
