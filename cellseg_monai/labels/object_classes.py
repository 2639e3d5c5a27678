"""Classes of objects: the names that are allowed, the pixels of each class, and the likeliest class of each object.

Classes are numbered from 0 in the order of their names. A list of classes is an N×2 array with one row for each object
whose class is known: its id, and the number of its class. Ids survive augmentation, so this list needs no augmentation
of its own, unlike an image of classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

__all__ = ["UNKNOWN", "check_class_names", "class_image", "classes_of_pixels", "no_classes"]

UNKNOWN = -1
"""The number of pixels and objects whose class is unknown."""


def check_class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes as a tuple.

    Args:
        names: at least two names, each different and without a slash, which separates the parts of a map's name.

    Raises:
        ValueError: there are fewer than two names, or a name cannot be used.

    >>> check_class_names(["round", "elongated"])
    ('round', 'elongated')
    """
    if isinstance(names, str) or len(names) < 2:
        raise ValueError(f"got the classes {names!r}, expected a list of at least two names; name every class")
    for name in names:
        if not isinstance(name, str) or name != name.strip() or not name.isprintable() or "/" in name or not name:
            raise ValueError(
                f"got the class {name!r}, expected a name without a slash, line break or space at its ends; rename it"
            )
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"got the class {repeated[0]!r} twice, expected different names; remove or rename one")
    return tuple(names)


def no_classes() -> np.ndarray:
    """Return the list of classes of an image in which no class is known: a 0×2 int64 array."""
    return np.zeros((0, 2), np.int64)


def class_image(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the class of each pixel, which is the class of its object.

    Args:
        labels: Y×X ids of any integer dtype, 0 is background.
        classes: N×2 integers, the ids of objects and the numbers of their classes, in any order. Ids that are not in
            `labels` have no effect.

    Returns:
        Y×X int64: class numbers, and `UNKNOWN` for background and objects that are not listed.

    >>> class_image(np.array([[0, 4, 4, 9]]), np.array([[9, 0], [4, 1]]))
    array([[-1,  1,  1,  0]])
    """
    if not len(classes):
        return np.full(labels.shape, UNKNOWN, np.int64)
    ids, numbers = classes[np.argsort(classes[:, 0], kind="stable")].T
    places = np.minimum(np.searchsorted(ids, labels), len(ids) - 1)
    return np.where((ids[places] == labels) & (labels > 0), numbers[places], UNKNOWN)


def classes_of_pixels(labels: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the class of each object from an image in which each pixel of an object has the object's class.

    Args:
        labels: Y×X ids of any integer dtype, 0 is background.
        pixels: Y×X class numbers, `UNKNOWN` where the class is unknown.

    Returns:
        The N×2 int64 list of classes, by increasing id; and the ids of objects that have pixels of two known classes,
        which are not in the list. An object with pixels of one known class has this class, even if others are unknown.

    >>> classes, mixed = classes_of_pixels(np.array([[4, 4, 7, 7, 8]]), np.array([[1, -1, 0, 1, -1]]))
    >>> classes.tolist(), mixed.tolist()
    ([[4, 1]], [7])
    """
    known = (labels > 0) & (pixels != UNKNOWN)
    pairs: np.ndarray = np.unique(np.stack([labels[known], pixels[known]], axis=1).astype(np.int64), axis=0)
    ids, counts = np.unique(pairs[:, 0], return_counts=True)
    mixed = ids[counts > 1]
    return pairs[~np.isin(pairs[:, 0], mixed)], mixed
