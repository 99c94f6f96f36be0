"""Starts or joins Ray, and knows its resources. The only module that calls `ray.init`.

A local Ray listens on the loopback interface alone, and ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

import ray
from ray._private import ray_constants, services
from ray.data import DataContext

from ktray.errors import ConfigError, KtrayError

#: Local shared memory for rows in flight, in bytes; a cluster's own setting is left alone.
LOCAL_OBJECT_STORE = 512 << 20


@contextlib.contextmanager
def running(workers: int = 0) -> Iterator[int]:
    """Join the running cluster, or start a local Ray with `workers` CPUs (0: all); yield its CPU count."""
    started = start(workers)
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if started:
            ray.shutdown()


def cluster_gpus() -> int:
    """Return the GPUs of the cluster that was joined or started."""
    return int(ray.cluster_resources().get("GPU", 0))


def places(cpus: float, gpus: float, what: str) -> int:
    """Return how many actors of so many CPUs and GPUs find room on the cluster's machines at once.

    Raises ConfigError where there is room for none: `what`, their name in words, would wait for ever.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wants = [(name, amount) for name, amount in (("CPU", cpus), ("GPU", gpus)) if amount > 0]
    if not wants:
        return sys.maxsize
    room = sum(min(int(node.get(name, 0) / amount + 1e-9) for name, amount in wants) for node in nodes)
    if room:
        return room
    largest = max((node.get("GPU", 0), node.get("CPU", 0)) for node in nodes)
    raise ConfigError(
        f"{what} takes {cpus:g} CPUs and {gpus:g} GPUs, more than any machine here has (the largest: "
        f"{largest[1]:g} CPUs, {largest[0]:g} GPUs); ask for less"
    )


def start(workers: int = 0) -> bool:
    """Join or start Ray; return whether this call did (False: it was up already)."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Rows are shards, whole files of work: Ray's advice on small blocks and its own bars are noise here.
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    options = {"logging_level": logging.ERROR, "log_to_driver": False}
    address = _cluster_address()
    # Ray's core prints an error for every actor pool whose arguments it holds itself, and a line on being
    # told not to; what goes wrong for real comes as an exception.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with _native_stderr_closed():
        if address:
            ray.init(address=address, **options)
        else:
            # Ray turns 127.0.0.1 into the machine's outward address unless clusters are ruled out.
            ray_constants.ENABLE_RAY_CLUSTER = False
            ray.init(
                address="local",
                num_cpus=workers or None,
                include_dashboard=False,
                object_store_memory=LOCAL_OBJECT_STORE,
                _node_ip_address="127.0.0.1",
                **options,
            )
    _quiet_data()
    return True


@contextlib.contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Send what C++ writes to standard error to nowhere while the block runs."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _cluster_address() -> str | None:
    """Return the cluster this process belongs to: RAY_ADDRESS (a submitted job has it), or the head that
    `ray start` left running on this machine. `ray.init("auto")` would also join a stranger's local Ray."""
    if os.environ.get("RAY_ADDRESS"):
        return os.environ["RAY_ADDRESS"]
    address = services.find_bootstrap_address(None)
    return address if address in services.find_gcs_addresses() else None


def _quiet_data() -> None:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_operator_progress_bars = False
    # A shard is one row, and on a slow model may take longer than the half hour that Ray Data allows.
    context.execution_no_progress_timeout_s = -1
    # A pool that shrinks may call off an actor that is still starting, and Ray Data takes that for a death.
    context.max_consecutive_actor_init_deaths = 3
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def cause(error: BaseException) -> BaseException:
    """Return the error a worker raised, where it is one that a user can act on; Ray's own otherwise."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, KtrayError) or (isinstance(inner, OSError) and inner.errno):
            return inner
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error
