"""Running a network on several batches at the same time, each in its own thread."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

__all__ = ["Lanes"]


class Lanes:
    """Threads that each run the network on a separate batch; use this class as a context manager.

    If several threads shared a batch, the last bits of the output would depend on the number of threads. With one
    thread per batch, the output is the same however many cores the machine has.

    Args:
        count: number of threads.

    >>> with Lanes(2) as lanes:
    ...     print(*lanes.answers(lambda batch: 2 * batch, [np.ones(1), np.zeros(1)]))
    [2.] [0.]
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._torch = sys.modules.get("torch")  # if torch is not loaded, this is not a torch network
        if self._torch is None:
            self._pool = ThreadPoolExecutor(count, "cellseg-lane")
            return
        self._torch_threads = self._torch.get_num_threads()
        # torch keeps the number of threads separately for each calling thread.
        self._pool = ThreadPoolExecutor(count, "cellseg-lane", self._torch.set_num_threads, (1,))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the batches in progress, and drop those that have not started."""
        self._pool.shutdown(cancel_futures=True)
        if self._torch is not None:  # new threads would otherwise inherit the thread count of 1 that the lanes set
            self._torch.set_num_threads(self._torch_threads)

    def answers(
        self, network: Callable[[np.ndarray], np.ndarray], batches: Iterable[np.ndarray]
    ) -> Generator[np.ndarray, None, None]:
        """Yield the network's output for each batch, in order.

        Batches are taken from the iterable as lanes become free, plus one that waits for the next free lane.

        Args:
            network: function that returns the output for a batch.
            batches: the batches.
        """
        waiting: deque[Future[np.ndarray]] = deque()
        try:
            for batch in batches:
                waiting.append(self._pool.submit(network, batch))
                if len(waiting) > self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for answer in waiting:
                answer.cancel()
