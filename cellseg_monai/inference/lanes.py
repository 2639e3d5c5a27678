"""A network that sees several batches at the same time, each in a thread of its own."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

__all__ = ["Lanes"]


class Lanes:
    """Threads in which a network works, each on a batch of its own; to be used in a `with` block.

    If several threads shared a batch, the last bits of the answer would depend on their number. A single thread gives
    the same answer on machines with few and with many cores.

    Args:
        count: number of threads.

    >>> with Lanes(2) as lanes:
    ...     print(*lanes.answers(lambda batch: 2 * batch, [np.ones(1), np.zeros(1)]))
    [2.] [0.]
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._torch = sys.modules.get("torch")  # if torch is not loaded, the network is of another kind
        if self._torch is None:
            self._pool = ThreadPoolExecutor(count, "cellseg-lane")
            return
        self._torch_threads = self._torch.get_num_threads()
        # torch keeps this setting for each thread.
        self._pool = ThreadPoolExecutor(count, "cellseg-lane", self._torch.set_num_threads, (1,))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the batches that the network has begun, and drop the others."""
        self._pool.shutdown(cancel_futures=True)
        if self._torch is not None:  # new threads take the number that was set last, which was that of a lane
            self._torch.set_num_threads(self._torch_threads)

    def answers(
        self, network: Callable[[np.ndarray], np.ndarray], batches: Iterable[np.ndarray]
    ) -> Generator[np.ndarray, None, None]:
        """Yield the answer of the network to each batch, in order.

        One more batch than there are lanes is made ahead.

        Args:
            network: from a batch to its answer.
            batches: taken as lanes become free.
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
