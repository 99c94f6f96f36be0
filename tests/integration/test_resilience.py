"""Runs, workers and nodes that are killed, and jobs that are submitted to a cluster."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from jobs import compress, sample
from ktray.testing.models import make_tiny_model

ROOT = Path(__file__).resolve().parents[2]

#: Several starts of Ray, which take a minute each where the machine is crowded.
pytestmark = pytest.mark.timeout(900)
_PATIENCE = 240.0


def arguments(sequences_file: Path, folder: Path, run: Path) -> list[str]:
    argv = ["--corpus", "sequences", "--input", sequences_file, "--shard", 4, "--prior", "uniform"]
    return [*map(str, argv), "--run", str(run), "--out", str(folder / "out.kt"), "--json"]


def logs(run: Path) -> int:
    return len(list((run / "log").rglob("*.parquet")))


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, sequences_file: Path, local_ray: None) -> bytes:
    """The archive of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert compress.main(arguments(sequences_file, folder, folder / "run")) == 0
    return (folder / "out.kt").read_bytes()


def shards_done(run: Path, count: int) -> bool:
    return logs(run) >= count


def kill_once(command: list[str], reached: Callable[[], bool]) -> None:
    """Start a run and kill its driver as soon as it has got somewhere."""
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: reached() or process.poll() is not None, _PATIENCE, "a shard")
    finally:
        process.kill()
        process.wait()


def test_a_run_whose_driver_is_killed_twice_continues(
    tmp_path: Path, sequences_file: Path, uninterrupted: bytes
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "jobs.compress", *arguments(sequences_file, tmp_path, run)]
    for reached in (2, 6):
        kill_once(command, functools.partial(shards_done, run, reached))
        assert not (tmp_path / "out.kt").exists()
    before = {path: path.stat().st_mtime_ns for path in (run / "log").rglob("*.parquet")}
    assert 2 <= len(before) < 24
    assert compress.main(arguments(sequences_file, tmp_path, run)) == 0
    assert (tmp_path / "out.kt").read_bytes() == uninterrupted
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())


def proposing_workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [p for p in children if "ProposeActor" in "".join(p.cmdline())]


def test_a_killed_worker_loses_and_doubles_nothing(
    tmp_path: Path, sequences_file: Path, uninterrupted: bytes, local_ray: None
) -> None:
    run, codes = tmp_path / "run", []
    argv = arguments(sequences_file, tmp_path, run)
    thread = threading.Thread(target=lambda: codes.append(compress.main(argv)))
    thread.start()
    try:
        wait_for(lambda: logs(run) >= 2, _PATIENCE, "a shard")
        victims = proposing_workers()
        assert victims
        victims[0].kill()
    finally:
        thread.join(timeout=_PATIENCE)
    assert codes == [0]
    assert (tmp_path / "out.kt").read_bytes() == uninterrupted
    assert json.loads((run / "metrics.json").read_text())["sequences"] == 96


def test_a_killed_engine_loses_and_doubles_nothing(tmp_path: Path, local_ray: None) -> None:
    """The engine lives in the process of the actor that hosts it; a new one loads the model again."""
    run, codes = tmp_path / "run", []
    argv = ["--config", "configs/sample/smoke.yaml", "--engine.model", make_tiny_model(tmp_path / "tiny")]
    argv += ["--run", run, "--shard", 2, "--n", 8, "--no-prompt.grammar"]
    thread = threading.Thread(target=lambda: codes.append(sample.main([*map(str, argv)])))
    thread.start()
    try:
        wait_for(lambda: logs(run) >= 1, _PATIENCE, "a shard")
        (hosting,) = proposing_workers()
        hosting.kill()
    finally:
        thread.join(timeout=2 * _PATIENCE)
    assert codes == [0]
    rows = [row for path in (run / "log").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    drawn = Counter((row["sequence_id"], row["sample_index"]) for row in rows)
    assert len(drawn) == 16 * 8
    assert set(drawn.values()) == {1}
    assert not any(row["error"] for row in rows)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def node(folder: Path, env: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node that `ray start` started, on the loopback interface; it is gone when the block ends."""
    command = ["ray", "start", "--block", "--node-ip-address=127.0.0.1", "--object-store-memory=150000000"]
    # The tests' own Ray holds the default ports, and an agent that finds its port taken starts no jobs.
    command += [f"--dashboard-agent-listen-port={free_port()}", f"--metrics-export-port={free_port()}"]
    with (folder / f"node-{free_port()}.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *arguments], env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            kill_family(process)


def kill_family(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for pid in [process.pid, *(p.pid for p in psutil.Process(process.pid).children(recursive=True))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True)
class Head:
    """A running head: where its nodes and drivers join, where jobs are submitted, and the environment."""

    address: str
    dashboard: str
    folder: Path
    env: dict[str, str]


@pytest.fixture
def head() -> Iterator[Head]:
    """A Ray head of its own with two CPUs."""
    with tempfile.TemporaryDirectory(prefix="kr", dir="/tmp") as name:
        folder, port, dashboard = Path(name), free_port(), free_port()
        (folder / "token").write_text("0123456789abcdef" * 2)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        env = {**os.environ, **auth, "PATH": path, "RAY_USAGE_STATS_ENABLED": "0"}
        where = [f"--port={port}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"]
        with node(folder, env, "--head", "--num-cpus=2", f"--temp-dir={folder}/t", *where):
            wait_for(lambda: _answers(dashboard), _PATIENCE, "the head's start")
            yield Head(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", folder, env)


def test_a_node_that_dies_loses_and_doubles_nothing(
    head: Head, tmp_path: Path, sequences_file: Path, uninterrupted: bytes
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "jobs.compress", *arguments(sequences_file, tmp_path, run)]
    with node(head.folder, head.env, f"--address={head.address}", "--num-cpus=1") as second:
        wait_for(lambda: nodes(head) == 2, _PATIENCE, "the second node")
        job = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**head.env, "RAY_ADDRESS": head.address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            wait_for(lambda: logs(run) >= 2 or job.poll() is not None, _PATIENCE, "a shard")
            kill_family(second)
            _, err = job.communicate(timeout=2 * _PATIENCE)
        finally:
            job.kill()
    assert job.returncode == 0, err.decode()[-3000:]
    assert json.loads((run / "metrics.json").read_text())["sequences"] == 96
    assert (tmp_path / "out.kt").read_bytes() == uninterrupted


def nodes(head: Head) -> int:
    """Return how many nodes the head knows to be alive."""
    done = subprocess.run(
        ["ray", "status", f"--address={head.address}"],
        env=head.env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.partition("Pending:")[0].count(" node_")


def test_the_job_is_submitted_to_a_cluster(
    head: Head, tmp_path: Path, sequences_file: Path, uninterrupted: bytes
) -> None:
    job = ["python", "-m", "jobs.compress", *arguments(sequences_file, tmp_path, tmp_path / "run")]
    submit = ["ray", "job", "submit", f"--address={head.dashboard}", "--working-dir", ".", "--", *job]
    done = _submitted(submit, head.env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "out.kt").read_bytes() == uninterrupted


def _submitted(submit: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Submit; a head that answers may still be without the agent that starts jobs, and says so."""
    end = time.monotonic() + _PATIENCE
    while True:
        done = subprocess.run(
            submit, cwd=ROOT, env=env, capture_output=True, text=True, timeout=2 * _PATIENCE, check=False
        )
        if "No available agent" not in done.stdout + done.stderr or time.monotonic() > end:
            return done
        time.sleep(2)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
