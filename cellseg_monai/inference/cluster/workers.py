"""Calling a function on the workers of a Dask cluster, once for each argument."""

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
_TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # two separate classes before Python 3.11
_WORKER_BYTES = 3 * 2**30  # enough for the network to process a tile of 1024 px, and for labelling


class Cluster:
    """The workers of a Dask cluster; connect to one with `open_cluster`.

    Only a few calls are submitted ahead of the workers, so that little work is still under way after a failure.

    Args:
        client: the `distributed` client that is connected to the scheduler.
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
        """Call a function on the workers, once for each argument, as `map` does.

        If a worker is lost, another worker repeats its call, so a function that writes files must write the same files
        when it is called again.

        Args:
            function: function to call; it must be picklable, and its calls can run in any order.
            arguments: one iterable for each parameter of the function.
            named: returns a description of the work for the first argument of a call, for error messages.
            done: called after each successful call with the number of successful calls so far.

        Returns:
            The results, in the order of the arguments.

        Raises:
            BlockError: a call failed because of its image, or repeatedly lost its worker. By then, all calls that had
                started have ended.
            RuntimeError: a call failed because of a bug in this program; see `errors.OF_AN_IMAGE`. By then, all calls
                that had started have ended.
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
            index, error = self._to_blame(function, calls, sorted(failed, key=lambda failure: failure[0]))
            kind = BlockError if is_of_an_image(error) else RuntimeError
            raise kind(f"{named(calls[index][0])}: {reason_of(error)}") from error
        return results

    def _to_blame(
        self, function: Callable[..., Any], calls: Sequence[tuple], failed: Sequence[tuple[int, BaseException]]
    ) -> tuple[int, BaseException]:
        """Choose the failed call to report, and return its index and its error.

        When a worker dies, Dask also counts the calls queued on that worker as failed attempts. A harmless call that
        was queued behind a fatal one several times is therefore reported too. To find the fatal one, each call that
        lost its workers is repeated alone.
        """
        raised = [failure for failure in failed if not _is_killed(failure[1])]
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
        """Call a function on the workers, and yield each result as soon as it is available.

        If the generator is closed early, calls already started run to completion and the others are cancelled.

        Args:
            function: function to call; it must be picklable, and its calls can run in any order.
            calls: the arguments of each call.
            go_on: returns False once no further calls should be submitted.

        Yields:
            The index of a call, and either its result or the exception that it raised.
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
                with suppress(OSError, *_TIMEOUTS):  # if the scheduler is gone, so are the calls
                    self._client.cancel(list(running))

    def _room(self) -> int:
        """Return how many calls can be submitted at the same time, given the workers that are connected now."""
        try:
            return 2 * max(1, sum(self._client.nthreads().values()))
        except (OSError, *_TIMEOUTS) as error:
            raise ConnectionError(
                f"the Dask scheduler has stopped responding ({_short(error)}); check that it is running"
            ) from error

    def _outcome(self, future: Future) -> Any:
        from distributed import KilledWorker

        if (error := future.exception()) is not None:
            return error
        if future.status != "finished":
            return ConnectionError(
                f"the Dask scheduler at {self._client.scheduler.address} has lost this task; check whether the "
                "scheduler was restarted"
            )
        try:
            return future.result()
        except KilledWorker as error:  # the result was lost with a worker, and repeating the call failed
            return error


def reason_of(error: BaseException) -> str:
    """Describe in one line why a call failed.

    >>> reason_of(ValueError("no such channel")), reason_of(ZeroDivisionError("division by zero"))
    ('no such channel', 'ZeroDivisionError: division by zero')
    """
    if _is_killed(error):
        return (
            f"{error.allowed_failures + 1} workers died on this task, the last at "  # type: ignore[attr-defined]
            f"{error.last_worker.address}; check that they have enough memory"  # type: ignore[attr-defined]
        )
    if isinstance(error, OF_AN_IMAGE) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


def is_of_an_image(error: BaseException) -> bool:
    """Return True if a call probably failed because of its image; the death of its workers counts as such a failure."""
    return isinstance(error, OF_AN_IMAGE) or _is_killed(error)


def _is_killed(error: BaseException) -> bool:
    """Return True if a call failed because its workers died, False if it raised an error itself."""
    return type(error).__name__ == "KilledWorker"


def check_dask(address: str) -> None:
    """Check that Dask is installed, and for processes of this machine also the package that encrypts what they say.

    Args:
        address: value of --dask, for the error message.

    Raises:
        ValueError: a package is not installed.
    """
    try:
        import distributed  # noqa: F401

        if address == LOCAL:
            import cryptography  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"got --dask {address}, but a package for it is not installed ({error}); run pip install "
            "'cellseg_monai[cluster]' here and wherever the workers run"
        ) from error


@contextmanager
def open_cluster(address: str, *, workers: int | None = None, within_s: float = 10) -> Iterator[Cluster]:
    """Connect to a cluster for a `with` block.

    Args:
        address: address of a running scheduler, such as "tcp://host:8786", which keeps running after the block; or
            "local" to start processes on this machine, which end with the block.
        workers: number of processes for "local"; None for one per core, as far as memory allows.
        within_s: seconds to wait for the scheduler, and again for the first worker.

    Raises:
        ValueError: Dask, or a package that it needs, is not installed.
        OSError: there is no scheduler at the address, or the scheduler has no workers.
    """
    check_dask(address)
    with ExitStack() as stack:
        stack.enter_context(_silent("distributed", "distributed.client"))
        server: Any = stack.enter_context(_processes(workers)) if address == LOCAL else address
        try:
            client = stack.enter_context(_connected(server, within_s))
        except (OSError, TypeError, ValueError, *_TIMEOUTS) as error:
            # A TypeError means that the address begins with tls://, but Dask's settings have no keys.
            raise OSError(
                f"cannot reach a Dask scheduler at {address!r} ({_short(error)}); pass the address of a running "
                f"scheduler, such as tcp://host:8786, or {LOCAL!r} to start processes on this machine"
            ) from error
        try:
            client.wait_for_workers(1, timeout=within_s)
        except _TIMEOUTS as error:
            raise OSError(f"the Dask scheduler at {address!r} has no workers; start workers, then try again") from error
        yield Cluster(client)


def _connected(server: Any, within_s: float, **options: Any) -> Client:
    """Return a client that is connected to a scheduler; one that cannot connect is closed before its error is raised.

    Otherwise the garbage collector would close it at some later time. If another client is being made just then, its
    thread holds a lock that closing also needs, and waits for itself forever.
    """
    from distributed import Client

    client: Any = Client.__new__(Client)
    try:
        client.__init__(server, timeout=within_s, set_as_default=False, **options)
    except BaseException:
        if hasattr(client, "status"):
            client.close()
        raise
    return client


@contextmanager
def _silent(*names: str) -> Iterator[None]:
    """Silence the named loggers during a `with` block, because the caller reports failures itself."""
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
    """Start processes that only this one can talk to.

    Whoever can talk to a scheduler or worker can run code as the user, and other users of the machine can reach its
    ports. So both sides of each connection have to prove that they own a key, which exists only in these processes.
    The web servers that Dask always starts listen on this machine only, and have no pages.
    """
    import dask
    from dask.system import CPU_COUNT
    from distributed import LocalCluster, Security
    from distributed.system import MEMORY_LIMIT

    count = workers or max(1, min(CPU_COUNT, MEMORY_LIMIT // _WORKER_BYTES))
    threads = str(max(1, CPU_COUNT // count))
    settings = {
        # Dask restarts a process that was killed. On a busy machine that takes longer than Dask waits by default.
        "distributed.deploy.lost-worker-timeout": "1 hour",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=Security.temporary(),
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any port; Dask would warn if 8787 is taken
            silence_logs=logging.CRITICAL,
            memory_limit=0,  # Dask cannot spill a network's memory to disk, so a limit would only pause the worker
            env={"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        ) as cluster,
    ):
        yield cluster


def _short(error: BaseException) -> str:
    return str(error).split(os.linesep)[0] or type(error).__name__
