"""Measurements of the objects of an image: columns of numbers with one row per object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.labels.crops import ObjectBoxes

__all__ = ["ObjectTable", "join_tables"]

_BOX = ("top_px", "left_px", "bottom_px", "right_px")


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """A table with one row per object, in the order of the ids.

    Args:
        columns: columns of equal length by name, including `id`; see `measure_objects` for the others.
        channels: names of the channels that have `mean_`, `min_` and `max_` columns.

    Raises:
        ValueError: columns have different lengths, or none is called `id`.

    >>> table = ObjectTable({"id": np.array([3, 8]), "area_px": np.array([20, 45])})
    >>> len(table), table["area_px"]
    (2, array([20, 45]))
    """

    columns: Mapping[str, np.ndarray]
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if "id" not in lengths or len(set(lengths.values())) != 1:
            raise ValueError(
                f"got columns of lengths {lengths}, expected `id` and others of equal length; pass one value per object"
            )

    def __len__(self) -> int:
        return len(self.columns["id"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of these ids in the table of one plane; all of them must be in the table.

        >>> ObjectTable({"id": np.array([3, 8])}).positions(np.array([8, 3, 8]))
        array([1, 0, 1])
        """
        # With another dtype, both arrays would be converted on each call.
        return np.asarray(np.searchsorted(self["id"], np.asarray(ids).astype(self["id"].dtype, copy=False)))

    @property
    def boxes(self) -> ObjectBoxes:
        """The boxes around the objects of one plane, which save a search for their pixels."""
        return ObjectBoxes(self.columns["id"], *(self.columns[name] for name in _BOX))

    def at(self, place: Mapping[str, int]) -> ObjectTable:
        """Return the rows of one plane of a stack, without the columns of its position.

        Args:
            place: position of the plane, as a number by the name of its column, such as `t`; if empty, the table itself
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
        """Return the table with further columns, such as results of another program.

        Args:
            columns: one value per object, in the order of `id`.

        Raises:
            ValueError: a column has another length.

        >>> ObjectTable({"id": np.array([3])}).with_columns(agreement=np.array([0.9]))["agreement"]
        array([0.9])
        """
        return replace(self, columns={**self.columns, **columns})


def join_tables(axes: str, tables: Mapping[tuple[int, ...], ObjectTable]) -> ObjectTable:
    """Join the tables of the planes of a stack.

    Columns with the position of the plane, counted from 0, are put before `id`. Ids start again in each plane, so only
    position and id together identify a row.

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
