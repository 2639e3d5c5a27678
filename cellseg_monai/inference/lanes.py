"""A network that sees several batches at once, each in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch

__all__ = ["Lanes", "lanes_of"]

# More would hold more tiles in memory than they save time.
_MOST = 4


def lanes_of(device: torch.device) -> int:
    """How many batches a network had best see at once.

    On a processor as many as it has cores, up to four: threads that share one batch wait for the slowest of them, which
    is slow while another thread of the program works on its core. Other devices see one after the other.

    >>> lanes_of(torch.device("cuda"))
    1
    """
    return min(torch.get_num_threads(), _MOST) if device.type == "cpu" else 1


class Lanes:
    """Threads in which a network works, each with its share of torch's own; to be used in a `with` block.

    What a network says of a batch does not depend on how many threads work on it.

    Args:
        count: how many.

    >>> with Lanes(2) as lanes:
    ...     print(*lanes.answers(lambda batch: 2 * batch, [np.ones(1), np.zeros(1)]))
    [2.] [0.]
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._torch_threads = torch.get_num_threads()
        share = max(1, self._torch_threads // count)
        # A setting of torch that holds for the thread that makes it.
        self._pool = ThreadPoolExecutor(count, "cellseg-lane", torch.set_num_threads, (share,))

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._torch_threads)  # for threads that begin later, which take what was set last

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
