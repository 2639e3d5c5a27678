"""Threads that label several planes in parallel, and finish them one at a time, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from cellseg_monai.inference.budget import Budget
from cellseg_monai.inference.lanes import Lanes

__all__ = ["Stages"]

# Number of planes to post-process while the network is busy with other planes in all lanes. More would only wait for
# Python's global interpreter lock.
_EXTRA_PLANES = 2

_Prepared = TypeVar("_Prepared")
_Labelled = TypeVar("_Labelled")
_Outcome = TypeVar("_Outcome")


class Stages(Generic[_Prepared, _Labelled, _Outcome]):
    """Threads that label and finish planes; use this class as a context manager.

    Several threads label planes, and share the lanes of the network. Another thread finishes the planes one by one, in
    the order in which they were added. If the `with` block ends early, planes that are waiting are dropped, and those
    in progress are completed.

    Args:
        label: function that finds the objects in a plane; several threads call it at the same time.
        finish: function that takes the result of `label` and returns an outcome, or None if there is none. A single
            thread calls it, in order.
        lanes: number of batches that the network processes at the same time.
        largest_px: plane size, in pixels, for which memory suffices for `lanes` + 1 planes.

    >>> with Stages(lambda plane, lanes: plane + 1, str, lanes=1, largest_px=100) as stages:
    ...     [*stages.put(1, size_px=1), *stages.put(2, size_px=1), *stages.drain()]
    ['2', '3']
    """

    def __init__(
        self,
        label: Callable[[_Prepared, Lanes], _Labelled],
        finish: Callable[[_Labelled], _Outcome | None],
        *,
        lanes: int,
        largest_px: int,
    ) -> None:
        self._label, self._finish = label, finish
        # In addition to the planes being labelled, one plane is waiting and one is being finished.
        self._budget = Budget(lanes + _EXTRA_PLANES + 2, (lanes + 1) * largest_px)
        self._under_way: deque[tuple[Future[_Outcome | None], int]] = deque()
        self._labelling = ThreadPoolExecutor(lanes + _EXTRA_PLANES, "cellseg-label")
        self._finishing = ThreadPoolExecutor(1, "cellseg-finish")
        self._lanes = Lanes(lanes)

    def __enter__(self) -> Stages[_Prepared, _Labelled, _Outcome]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lanes.close()  # first, so that unwanted planes fail now rather than after their last tile
        self._finishing.shutdown(cancel_futures=True)
        self._labelling.shutdown(cancel_futures=True)

    def put(self, plane: _Prepared, *, size_px: int) -> Iterator[_Outcome]:
        """Wait until there is room for a plane, and add it.

        Args:
            plane: the plane, which is passed to `label`.
            size_px: size of the plane in pixels.

        Yields:
            The outcomes that have become available in the meantime.
        """
        while self._under_way and (self._under_way[0][0].done() or not self._budget.admits(size_px)):
            yield from self._oldest()
        self._budget.enter(size_px)
        labelled = self._labelling.submit(self._label, plane, self._lanes)
        finished = self._finishing.submit(lambda: self._finish(labelled.result()))
        self._under_way.append((finished, size_px))

    def drain(self) -> Iterator[_Outcome]:
        """Wait for all planes in progress, and yield their outcomes."""
        while self._under_way:
            yield from self._oldest()

    def _oldest(self) -> Iterator[_Outcome]:
        finished, size_px = self._under_way.popleft()
        outcome = finished.result()
        self._budget.leave(size_px)
        if outcome is not None:
            yield outcome
