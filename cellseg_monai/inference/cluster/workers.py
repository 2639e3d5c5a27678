"""A Dask cluster on which a function is called for each of many places."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cellseg_monai.errors import OF_AN_IMAGE, BlockError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["LOCAL", "Cluster", "check_dask", "open_cluster"]

LOCAL = "local"
_TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # two until Python 3.11
_WORKER_BYTES = 3 * 2**30  # a network at work on a tile of 1024 px, and what becomes of it


class Cluster:
    """Workers that are given one task after another; `open_cluster` makes it.

    Few tasks are submitted ahead of the workers, so that after a failure little is left that goes on.

    Args:
        client: of `distributed`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(
        self,
        function: Callable[..., Any],
        *arguments: Iterable[Any],
        named: Callable[[Any], str],
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Any]:
        """Call a function as `map` does, on the workers.

        A worker that is lost costs what it was doing: another one does it again. So whatever a call writes has to be
        the same when it is repeated.

        Args:
            function: pickled by name; its calls may come in any order.
            arguments: as for `map`.
            named: from the first argument of a call to what it worked on, for the message.
            done: told how many calls have ended, each time that one has.

        Returns:
            What they returned, in their order.

        Raises:
            BlockError: a call failed, or the workers that it was given to were lost again and again. Those that had
                begun have ended.
            RuntimeError: likewise, by a fault of this program; see `errors.OF_AN_IMAGE`.
        """
        calls = list(zip(*arguments, strict=True))
        results: list[Any] = [None] * len(calls)
        failed: list[tuple[int, BaseException]] = []
        succeeded = 0
        with closing(self.finished(function, calls, go_on=lambda: not failed)) as ended:
            for index, result in ended:
                if isinstance(result, BaseException):
                    failed.append((index, result))
                else:
                    succeeded += 1
                    done(succeeded)
                results[index] = result
        if failed:
            index, error = self._to_blame(function, calls, sorted(failed, key=lambda each: each[0]))
            kind = BlockError if is_of_an_image(error) else RuntimeError
            raise kind(f"{named(calls[index][0])}: {reason_of(error)}") from error
        return results

    def _to_blame(
        self, function: Callable[..., Any], calls: Sequence[tuple], failed: Sequence[tuple[int, BaseException]]
    ) -> tuple[int, BaseException]:
        """Of the calls that failed, the one that is told, and how.

        Whatever waits at a worker counts as lost with it, so that Dask also accuses calls that wait behind a deadly one
        again and again. Each of them is therefore begun once more, with nothing beside it.
        """
        raised = [each for each in failed if not _is_killed(each[1])]
        if raised:
            return raised[0]
        for index, _ in failed:
            ((_, outcome),) = self.finished(function, [calls[index]])
            if isinstance(outcome, BaseException):
                return index, outcome
        return failed[0]

    def finished(
        self, function: Callable[..., Any], calls: Sequence[tuple], go_on: Callable[[], bool] = lambda: True
    ) -> Generator[tuple[int, Any], None, None]:
        """Call a function on the workers, and give what came of the calls, as they end.

        When this is closed early, calls that wait at the workers are not begun; those that have begun end there.

        Args:
            function: as for `run`.
            calls: the arguments of each.
            go_on: whether more calls are to be begun.

        Yields:
            The number of a call, and its result or the exception that it raised.
        """
        from distributed import as_completed

        rest = deque(enumerate(calls))
        running: dict[Future, int] = {}
        ended = as_completed(loop=self._client.loop)

        def begin() -> None:
            while rest and len(running) < self._room() and go_on():
                index, arguments = rest.popleft()
                future = self._client.submit(function, *arguments, pure=False)
                running[future] = index
                ended.add(future)

        try:
            begin()
            for future in ended:
                yield running.pop(future), self._outcome(future)
                begin()
        finally:
            if running:
                with suppress(OSError, *_TIMEOUTS):  # of a scheduler that is lost, with which they are
                    self._client.cancel(list(running))

    def _room(self) -> int:
        """How many calls may be under way now: workers come and go."""
        try:
            return 2 * max(1, sum(self._client.nthreads().values()))
        except (OSError, *_TIMEOUTS) as error:
            raise ConnectionError(f"the Dask scheduler answers no more ({_short(error)}); is it running?") from error

    def _outcome(self, future: Future) -> Any:
        from distributed import KilledWorker

        if (error := future.exception()) is not None:
            return error
        if future.status != "finished":
            return ConnectionError(f"the scheduler {self._client.scheduler.address} no longer knows of it")
        try:
            return future.result()
        except KilledWorker as error:  # what it returned was lost with a worker, and making it again failed
            return error


def reason_of(error: BaseException) -> str:
    """Why a call failed, in a line.

    >>> reason_of(ValueError("no such channel")), reason_of(ZeroDivisionError("division by zero"))
    ('no such channel', 'ZeroDivisionError: division by zero')
    """
    if _is_killed(error):
        return (
            f"{error.allowed_failures + 1} workers that were given it died, the last at "  # type: ignore[attr-defined]
            f"{error.last_worker.address}; do they have enough memory?"  # type: ignore[attr-defined]
        )
    if isinstance(error, OF_AN_IMAGE) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


def is_of_an_image(error: BaseException) -> bool:
    """Whether a call failed by what it worked on, as far as that is known; a deadly image takes its worker with it."""
    return isinstance(error, OF_AN_IMAGE) or _is_killed(error)


def _is_killed(error: BaseException) -> bool:
    """Whether workers died over a call, rather than that it raised something."""
    return type(error).__name__ == "KilledWorker"


def check_dask(address: str) -> None:
    """Refuse a cluster where Dask is not installed.

    Args:
        address: that was asked for, for the message.

    Raises:
        ValueError: it is not.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"--dask {address} came, but Dask is not installed ({error}); pip install 'cellseg_monai[cluster]', here "
            "and where the workers run"
        ) from error


@contextmanager
def open_cluster(address: str, *, workers: int | None = None, within_s: float = 10) -> Iterator[Cluster]:
    """A cluster to work with, as long as the block of code runs.

    Args:
        address: of a running scheduler, such as "tcp://host:8786", which stays as it is; or "local": processes of this
            machine, which end with the block.
        workers: how many processes; None: one for each core as far as memory lasts. A scheduler has those that it has.
        within_s: how long the scheduler, and then a worker, is waited for.

    Raises:
        ValueError: Dask is not installed.
        OSError: nothing answers at the address, or there are no workers.
    """
    check_dask(address)
    from distributed import Client

    with ExitStack() as stack:
        stack.enter_context(_silent("distributed", "distributed.client"))
        server: Any = stack.enter_context(_processes(workers)) if address == LOCAL else address
        try:
            client = stack.enter_context(Client(server, timeout=within_s, set_as_default=False))
        except (OSError, ValueError, *_TIMEOUTS) as error:
            raise OSError(
                f"no Dask scheduler answers at {address!r} ({_short(error)}); name one that is running, such as "
                f"tcp://host:8786, or {LOCAL!r} for processes of this machine"
            ) from error
        try:
            client.wait_for_workers(1, timeout=within_s)
        except _TIMEOUTS as error:
            raise OSError(f"the Dask scheduler at {address!r} has no workers; start some, then repeat this") from error
        yield Cluster(client)


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    """Loggers that say nothing meanwhile: what fails is told by who asked for it."""
    levels = [(logger, logger.level) for logger in map(logging.getLogger, names)]
    for logger, _ in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@contextmanager
def _processes(workers: int | None) -> Iterator[Any]:
    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster
    from distributed.system import MEMORY_LIMIT

    count = workers or max(1, min(CPU_COUNT, MEMORY_LIMIT // _WORKER_BYTES))
    threads = str(max(1, CPU_COUNT // count))
    # A process that was killed is started again; on a busy machine that takes longer than Dask waits for it.
    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with (
        patient,
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            memory_limit=0,  # a network's memory is none that Dask could write to disk; it would only pause
            env={"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        ) as cluster,
    ):
        yield cluster


def _short(error: BaseException) -> str:
    return str(error).split(os.linesep)[0] or type(error).__name__
