"""What was measured of the objects of an image: columns of numbers, a row an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.labels.crops import ObjectBoxes

__all__ = ["ObjectTable", "join_tables"]

_BOX = ("top_px", "left_px", "bottom_px", "right_px")


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """Columns by their names, all of one length, in the order of the ids.

    Args:
        columns: `id` among them; see `measure_objects` for the others.
        channels: the channels of which there are `mean_`, `min_` and `max_` columns.

    Raises:
        ValueError: columns of several lengths, or none called `id`.

    >>> table = ObjectTable({"id": np.array([3, 8]), "area_px": np.array([20, 45])})
    >>> len(table), table["area_px"]
    (2, array([20, 45]))
    """

    columns: Mapping[str, np.ndarray]
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if "id" not in lengths or len(set(lengths.values())) != 1:
            raise ValueError(f"columns of lengths {lengths} came, but `id` and others as long as it were expected")

    def __len__(self) -> int:
        return len(self.columns["id"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """The rows of these ids, which are all there, in the table of one plane.

        >>> ObjectTable({"id": np.array([3, 8])}).positions(np.array([8, 3, 8]))
        array([1, 0, 1])
        """
        # Of another type than the ids, both would be converted at every call.
        return np.asarray(np.searchsorted(self["id"], np.asarray(ids).astype(self["id"].dtype, copy=False)))

    @property
    def boxes(self) -> ObjectBoxes:
        """The boxes around the objects of one plane, so that their pixels are found without a search."""
        return ObjectBoxes(self.columns["id"], *(self.columns[name] for name in _BOX))

    def at(self, place: Mapping[str, int]) -> ObjectTable:
        """The rows of one place of a stack, without the columns that tell it.

        Args:
            place: a number by the name of its column, such as `t`; without any, the table itself.

        >>> planes = {(at,): ObjectTable({"id": np.arange(1, 2 + at)}) for at in range(2)}
        >>> join_tables("Z", planes).at({"z": 1}).columns
        {'id': array([1, 2])}
        """
        if not place:
            return self
        chosen = np.logical_and.reduce([self.columns[name] == number for name, number in place.items()])
        kept = {name: column[chosen] for name, column in self.columns.items() if name not in place}
        return replace(self, columns=kept)

    def with_columns(self, **columns: np.ndarray) -> ObjectTable:
        """The table with more columns, such as what another program found.

        Args:
            columns: a value an object, in the order of `id`.

        Raises:
            ValueError: a column of another length.

        >>> ObjectTable({"id": np.array([3])}).with_columns(agreement=np.array([0.9]))["agreement"]
        array([0.9])
        """
        return replace(self, columns={**self.columns, **columns})


def join_tables(axes: str, tables: Mapping[tuple[int, ...], ObjectTable]) -> ObjectTable:
    """One table of the planes of a stack: before `id` stands the place of each object, counted from 0.

    Ids begin anew in each plane, so that a row is known by its place and id together.

    Args:
        axes: those before Y and X, such as "TZ", in the order of the places.
        tables: those of the planes by their places, all with the same columns.

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
