"""Tables of measurements, with one row per object and one column per measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.labels.crops import ObjectBoxes

__all__ = ["ObjectTable", "join_tables"]

_BOX = ("top_px", "left_px", "bottom_px", "right_px")


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """A table of measurements with one row per object, in the order of the ids.

    Args:
        columns: columns of equal length by name, including `id`; `measure_objects` describes the others.
        channels: names of the channels that have `mean_`, `min_` and `max_` columns.
        classes: names of the classes among which the column `class` chooses, in the order of their numbers; empty if
            there is no such column.

    Raises:
        ValueError: columns differ in length, there is no column `id`, or the column `class` has other classes.

    >>> table = ObjectTable({"id": np.array([3, 8]), "area_px": np.array([20, 45])})
    >>> len(table), table["area_px"]
    (2, array([20, 45]))
    """

    columns: Mapping[str, np.ndarray]
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if "id" not in lengths or len(set(lengths.values())) != 1:
            raise ValueError(
                f"got columns of lengths {lengths}, expected equal lengths and a column `id`; pass one value per object"
            )
        if self.classes and (others := set(np.unique(self.columns["class"]).tolist()) - set(self.classes)):
            raise ValueError(
                f"got the class {min(others)!r}, expected one of {', '.join(self.classes)}; correct the column `class`"
            )

    def __len__(self) -> int:
        return len(self.columns["id"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Return the row numbers of the given ids in the table of one plane; every id must be in the table.

        >>> ObjectTable({"id": np.array([3, 8])}).positions(np.array([8, 3, 8]))
        array([1, 0, 1])
        """
        # Without this conversion, NumPy would convert both arrays on each call.
        return np.asarray(np.searchsorted(self["id"], np.asarray(ids).astype(self["id"].dtype, copy=False)))

    @property
    def class_numbers(self) -> np.ndarray:
        """The number of each object's class in `classes`, int64.

        >>> names = np.array(["long", "round"])
        >>> ObjectTable({"id": np.array([3, 8]), "class": names}, classes=("round", "long")).class_numbers
        array([1, 0])
        """
        number_of = {name: number for number, name in enumerate(self.classes)}
        return np.array([number_of[name] for name in self.columns["class"].tolist()], np.int64)

    @property
    def boxes(self) -> ObjectBoxes:
        """Bounding boxes of the objects in one plane, read from the table so that no pixels need to be searched."""
        return ObjectBoxes(self.columns["id"], *(self.columns[name] for name in _BOX))

    def at(self, place: Mapping[str, int]) -> ObjectTable:
        """Return the rows for one plane of a stack, without the columns for the plane's position.

        Args:
            place: position of the plane, as one number for each position column, such as `t`; if empty, the whole table
                is returned.

        >>> planes = {(z,): ObjectTable({"id": np.arange(1, 2 + z)}) for z in range(2)}
        >>> join_tables("Z", planes).at({"z": 1}).columns
        {'id': array([1, 2])}
        """
        if not place:
            return self
        chosen = np.logical_and.reduce([self.columns[name] == number for name, number in place.items()])
        kept = {name: column[chosen] for name, column in self.columns.items() if name not in place}
        return replace(self, columns=kept)

    def with_columns(self, **columns: np.ndarray) -> ObjectTable:
        """Return the table with additional columns, such as results from another program.

        Args:
            columns: one value per object, in the order of `id`.

        Raises:
            ValueError: a column has a different length.

        >>> ObjectTable({"id": np.array([3])}).with_columns(agreement=np.array([0.9]))["agreement"]
        array([0.9])
        """
        return replace(self, columns={**self.columns, **columns})


def join_tables(axes: str, tables: Mapping[tuple[int, ...], ObjectTable]) -> ObjectTable:
    """Join the tables of the planes in a stack.

    Columns with the position of the plane, counted from 0, are inserted before `id`. Ids start again in each plane, so
    only position and id together identify a row.

    Args:
        axes: axes of the stack before Y and X, such as "TZ", in the order of the positions.
        tables: tables of the planes by position, all with the same columns.

    >>> two = {(0,): ObjectTable({"id": np.array([1, 2])}), (1,): ObjectTable({"id": np.array([1])})}
    >>> join_tables("T", two).columns
    {'t': array([0, 0, 1]), 'id': array([1, 2, 1])}
    """
    first = next(iter(tables.values()))
    lengths = [len(table) for table in tables.values()]
    places: dict[str, np.ndarray] = {
        axis.lower(): np.repeat([place[number] for place in tables], lengths) for number, axis in enumerate(axes)
    }
    joined = {name: np.concatenate([table[name] for table in tables.values()]) for name in first.columns}
    return replace(first, columns={**places, **joined})
