"""Planes on their way through threads: several are labelled at the same time, one is written, order is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from cellseg_monai.inference.budget import Budget
from cellseg_monai.inference.lanes import Lanes

__all__ = ["Stages"]

# Planes post-processed while the network has a batch of another plane in every lane. More would only wait for Python's
# global lock.
_EXTRA_PLANES = 2

_Prepared = TypeVar("_Prepared")
_Labelled = TypeVar("_Labelled")
_Outcome = TypeVar("_Outcome")


class Stages(Generic[_Prepared, _Labelled, _Outcome]):
    """Takes prepared planes through labelling and finishing; to be used in a `with` block.

    Planes are labelled in some threads, which share the lanes of the network. Another thread finishes them one by one,
    in the order in which they came. On leaving the block early, planes that wait are dropped, and what has begun is
    completed.

    Args:
        label: makes objects of a plane. It is called in several threads at the same time.
        finish: called with what `label` returned, by one thread, in order; None is no outcome.
        lanes: number of batches that the network sees at the same time.
        largest_px: size of a plane of which one more than there are lanes fit into memory.

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
        # Besides the planes being labelled, one waits for that and one is being finished.
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
        self._lanes.close()  # first, so that planes nobody will take fail soon instead of seeing all of their tiles
        self._finishing.shutdown(cancel_futures=True)
        self._labelling.shutdown(cancel_futures=True)

    def put(self, plane: _Prepared, *, size_px: int) -> Iterator[_Outcome]:
        """Add a plane, once there is room for it.

        Args:
            plane: passed to `label`.
            size_px: pixels that it holds.

        Yields:
            The outcomes that are known by then.
        """
        while self._under_way and (self._under_way[0][0].done() or not self._budget.admits(size_px)):
            yield from self._oldest()
        self._budget.enter(size_px)
        labelled = self._labelling.submit(self._label, plane, self._lanes)
        finished = self._finishing.submit(lambda: self._finish(labelled.result()))
        self._under_way.append((finished, size_px))

    def drain(self) -> Iterator[_Outcome]:
        """Wait for all planes under way, and yield their outcomes."""
        while self._under_way:
            yield from self._oldest()

    def _oldest(self) -> Iterator[_Outcome]:
        finished, size_px = self._under_way.popleft()
        outcome = finished.result()
        self._budget.leave(size_px)
        if outcome is not None:
            yield outcome
