"""Where the points of a campaign are computed: worker processes here, or a Dask scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import logging
import queue
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster, Security
from distributed.comm.core import connect
from distributed.system import MEMORY_LIMIT

from ddkbase.errors import DDKError, InputError
from ddkbase.files import children_without_ctrl_c, deferred
from ddkbase.installation import ONE_THREAD
from devicephys.campaign.worker import KILLED

#: how often a point may lose its worker before it counts as failed
LOSSES = 3
_MEMORY_SHARE = 0.8  # of the memory that is free now, for all workers together
_START_TIMEOUT = 30.0  # s, to reach a scheduler of this process
_REMOTE_TIMEOUT = 8.0  # s, to reach one that runs elsewhere
_GRACE, _CLOSE_TIMEOUT = 0.5, 10.0  # s, after which a worker is killed, the rest is left behind
_LOOK = 3.0  # s, between two looks at the workers
_TICK = 1.0  # s, between two looks at what came back
_ABSENT = 60.0  # s, after which a worker that did not come back is started anew
_STARTS = 3  # how often, before it counts as a failure
_PER_THREAD, _AT_LEAST = 3, 100  # points handed to a scheduler at a time

_CONFIG = {
    "distributed.scheduler.allowed-failures": LOSSES - 1,
    "distributed.scheduler.worker-saturation": 1.0,  # a lost worker takes no second point with it
    "distributed.worker.profile.enabled": False,
    "distributed.comm.timeouts.connect": f"{_START_TIMEOUT:.0f}s",
    # Dask's own words (lost heartbeats while the solver holds a core, closed connections) would
    # bury the one line that an error is.
    "logging.distributed": "critical",
    "distributed.admin.tick.limit": "1h",
    # A worker that was killed and is slow to start again, on a busy machine, would be given up for
    # ever after 15 s, and its points would wait for it; `Cluster` looks after them instead.
    "distributed.deploy.lost-worker-timeout": "24h",
}


def physical_cores() -> int:
    """Number of physical cores that this process may use."""
    return max(1, min(psutil.cpu_count(logical=False) or CPU_COUNT, CPU_COUNT))


def check_workers(workers: int | None) -> None:
    """Raises InputError for a number of workers that makes no sense."""
    if workers is None:
        return
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 10_000:
        raise InputError(f"{workers!r} is no number of workers", "workers", "Give 1 or more")


class Cluster:
    """Workers at hand, for ``campaign.run``."""

    def __init__(self, client: Client, local: LocalCluster | None = None, workers: int = 0) -> None:
        self.client = client
        self._cluster = local
        self._local = workers  # number of local workers, 0 for a scheduler elsewhere
        self._threads, self._looked = workers, 0.0
        self._whole, self._starts = time.monotonic(), 0

    def threads(self) -> int:
        """Number of points that are computed at a time; asked of a scheduler every few seconds.

        Raises InputError: a worker of the scheduler has several threads; DDKError: the scheduler is
        gone, or local workers do not start any more.
        """
        if time.monotonic() < self._looked + _LOOK:
            return self._threads
        self._looked = time.monotonic()
        try:
            threads = [
                w["nthreads"] for w in self.client.scheduler_info(n_workers=-1)["workers"].values()
            ]
        except (OSError, TimeoutError) as error:
            raise lost() from error
        if self._cluster is not None:
            self._look_after(self._cluster, len(threads))
            return self._local
        if any(number > 1 for number in threads):
            raise InputError(
                "a worker of the scheduler has several threads, which the solver cannot share",
                "--scheduler",
                "Start the workers with --nthreads 1",
            )
        self._threads = len(threads)
        return self._threads

    def _look_after(self, cluster: LocalCluster, present: int) -> None:
        """Start workers anew that died and did not come back by themselves."""
        now = time.monotonic()
        if present >= self._local:
            self._whole, self._starts = now, 0
        elif now > self._whole + _ABSENT:
            if self._starts == _STARTS and not present:
                raise DDKError(
                    "worker processes end as soon as they start",
                    "",
                    "Finished points are kept; see whether memory is left, then start again",
                )
            self._whole, self._starts = now, self._starts + 1
            # a start that fails is tried again at the next look
            with deferred(), children_without_ctrl_c(), contextlib.suppress(Exception):
                cluster.sync(_start_missing, cluster)

    def compute[Point](
        self,
        function: Callable[..., dict[str, Any]],
        points: Iterable[Point],
        arguments: Callable[[Point], tuple[Any, ...]],
        name: Callable[[Point], str],
    ) -> Iterator[tuple[Point, dict[str, Any]] | None]:
        """Hand out points, a bounded number at a time; each comes back with its answer.

        ``arguments`` makes of a point what the function is called with, which may be sent, ``name``
        a text of its own. Yields points and what the function gave, as they come; None after a
        second without one. Raises InputError and DDKError as `threads`; DDKError, too, if the
        workers cannot even begin.
        """
        # names of a run of its own: a scheduler may still hold results of another one
        run = secrets.token_hex(4)
        finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        out: dict[str, tuple[Point, Future]] = {}  # a future that nobody holds is cancelled
        waiting = iter(points)
        while True:
            for point in itertools.islice(waiting, max(0, self.window() - len(out))):
                key = f"{name(point)}-{run}"
                future = self.client.submit(function, *arguments(point), key=key, pure=False)
                out[key] = point, future
                future.add_done_callback(finished.put)
            if not out:
                return
            self.threads()  # looks after workers that died
            try:
                future = finished.get(timeout=_TICK)
            except queue.Empty:
                yield None
                continue
            point, _ = out.pop(str(future.key))
            yield point, _result(future)

    def window(self) -> int:
        """How many points to hand out at a time.

        On workers of its own one each, so that a worker that is killed takes no other point with
        it; to a scheduler more, because a cluster that grows by itself looks at what is waiting.
        """
        return self._local or max(_PER_THREAD * self.threads(), _AT_LEAST)


def _result(future: Future) -> dict[str, Any]:
    """What a worker gave back; a point that killed its worker each time has failed.

    Raises DDKError: the scheduler was lost, or the workers cannot even begin.
    """
    if future.cancelled():
        raise lost()
    try:
        answer: dict[str, Any] = future.result(timeout=60)
    except KilledWorker:
        # its own words name an address, which is another one each time
        return {"failed": KILLED}
    except (OSError, TimeoutError) as error:
        raise lost() from error
    except Exception as error:  # what a point does is reported by `compute`; this is before it
        if future.cancelled():
            raise lost() from error
        raise DDKError(
            f"the workers cannot compute: {type(error).__name__}: {error}",
            "",
            "Install this version of the toolkit where the workers run",
        ) from error
    return answer


async def _start_missing(cluster: LocalCluster) -> None:
    present = {worker["name"] for worker in cluster.scheduler_info["workers"].values()}
    for name in [name for name in cluster.workers if name not in present]:
        with contextlib.suppress(Exception):  # whatever it died of
            await cluster.workers[name].close(timeout=_GRACE)
        cluster.workers.pop(name, None)
    await cluster._correct_state()


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """Worker processes on this machine, one thread each, that end with this process.

    A worker that takes more than its share of the memory is killed and started anew.
    """
    free = min(MEMORY_LIMIT, psutil.virtual_memory().available)
    with dask.config.set(_CONFIG), _quiet(), contextlib.ExitStack() as stack:
        with deferred(), children_without_ctrl_c():
            cluster = LocalCluster(
                n_workers=workers,
                # Without credentials any user of this machine could hand it code to run.
                security=_has_credentials() or None,
                threads_per_worker=1,
                processes=True,
                # "no dashboard" alone would still serve its other pages, at a fixed port
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                memory_limit=int(_MEMORY_SHARE * free / workers),
                silence_logs=logging.CRITICAL,
                env=dict.fromkeys(ONE_THREAD, "1"),
            )
            stack.callback(_end, cluster)
            client = Client(cluster, timeout=_START_TIMEOUT, set_as_default=False)
            stack.callback(client.close, _CLOSE_TIMEOUT)
        yield Cluster(client, cluster, workers)


def _has_credentials() -> bool:
    """Whether temporary certificates can be made, for which Dask needs the package cryptography."""
    return importlib.util.find_spec("cryptography") is not None


def _end(cluster: LocalCluster) -> None:
    """End all workers at once, also those in the midst of a point."""

    async def stop() -> None:
        ends = [nanny.close(timeout=_GRACE) for nanny in cluster.workers.values()]
        await asyncio.gather(*ends, return_exceptions=True)

    # Asked in its own way, the cluster would wait for the points that are being computed.
    with deferred(), contextlib.suppress(TimeoutError):
        cluster.sync(stop)
        cluster.close(timeout=_CLOSE_TIMEOUT)


@contextlib.contextmanager
def remote_cluster(address: str) -> Iterator[Cluster]:
    """The workers of a Dask scheduler that runs elsewhere, e.g. one started by dask-jobqueue.

    Raises InputError: no scheduler answers at this address.
    """
    with dask.config.set(_CONFIG), _quiet():
        try:
            asyncio.run(asyncio.wait_for(_greet(address), _REMOTE_TIMEOUT))
            with dask.config.set({"distributed.comm.timeouts.connect": f"{_REMOTE_TIMEOUT:.0f}s"}):
                client = Client(address, timeout=_REMOTE_TIMEOUT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at '{address}'",
                "--scheduler",
                "Give the address that the scheduler printed, e.g. tcp://node7:8786",
            ) from error
        with client:
            yield Cluster(client)


async def _greet(address: str) -> None:
    """Ask who is there: a client would wait for ever for what accepts and says nothing."""
    security = Security().get_connection_args("client")
    comm = await connect(address, timeout=_REMOTE_TIMEOUT, **security)
    try:
        await comm.write({"op": "identity", "reply": True})
        answer = await comm.read()
        if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
            raise ValueError("no scheduler")
    finally:
        comm.abort()


def lost() -> DDKError:
    """What to say when the scheduler has gone."""
    return DDKError(
        "the connection to the Dask scheduler was lost",
        "",
        "Finished points are kept; start the scheduler again, then the same command",
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Only this program's own lines on the terminal while the context is open."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
