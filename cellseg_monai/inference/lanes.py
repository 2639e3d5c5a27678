"""A network that sees several batches at once, each in a thread of its own."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

__all__ = ["Lanes"]


class Lanes:
    """Threads in which a network works, each with one batch alone; to be used in a `with` block.

    Where several threads share a batch, what they say of it differs in the last bits with their number. A thread alone
    says the same on machines of few and of many cores.

    Args:
        count: how many.

    >>> with Lanes(2) as lanes:
    ...     print(*lanes.answers(lambda batch: 2 * batch, [np.ones(1), np.zeros(1)]))
    [2.] [0.]
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._torch = sys.modules.get("torch")  # where it is not loaded, the network is of another kind
        if self._torch is None:
            self._pool = ThreadPoolExecutor(count, "cellseg-lane")
            return
        self._torch_threads = self._torch.get_num_threads()
        # A setting of torch that holds for the thread that makes it.
        self._pool = ThreadPoolExecutor(count, "cellseg-lane", self._torch.set_num_threads, (1,))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._torch is not None:  # for threads that begin later, which take what was set last
            self._torch.set_num_threads(self._torch_threads)

    def answers(
        self, network: Callable[[np.ndarray], np.ndarray], batches: Iterable[np.ndarray]
    ) -> Generator[np.ndarray, None, None]:
        """What the network says of each batch, in their order; no more are under way than there are lanes, and one."""
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
