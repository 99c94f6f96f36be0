"""The sandbox: outcomes, determinism, limits, life of its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ktray.errors import ConfigError
from ktray.programs import Execution, Language, Outcome, Program
from ktray.sandbox import IsolationLevel, IsolationReport, Sandbox, SandboxLimits


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxLimits(seconds=5)) as shared:
        yield shared


def python(text: str) -> Program:
    return Program(Language.PYTHON, textwrap.dedent(text))


def run(sandbox: Sandbox, text: str) -> Execution:
    return sandbox.execute([python(text)])[0]


def values(execution: Execution) -> list[int]:
    assert execution.values is not None, execution
    assert execution.values.dtype == np.uint8
    return execution.values.tolist()


def test_results_come_in_order(sandbox: Sandbox) -> None:
    executions = sandbox.execute([python(f"output = [{i}] * {i}") for i in range(20)])
    assert [values(e) for e in executions] == [[i] * i for i in range(20)]
    assert all(0 < e.seconds < 5 for e in executions)


@pytest.mark.parametrize(
    ("text", "outcome", "detail"),
    [
        ("output = [1\n", Outcome.SYNTAX_ERROR, "line 1: SyntaxError"),
        ("x = 1\ny = 1 / 0", Outcome.RUNTIME_ERROR, "line 2: ZeroDivisionError: division by zero"),
        ("output = undefined", Outcome.RUNTIME_ERROR, "line 1: NameError"),
        ("x = 1", Outcome.BAD_OUTPUT_TYPE, "no variable named output"),
        ("output = [True]", Outcome.BAD_OUTPUT_TYPE, "no plain int"),
        ("output = (1,)", Outcome.BAD_OUTPUT_TYPE, "no plain list"),
        ("output = [256]", Outcome.BAD_OUTPUT_TYPE, "outside 0..255"),
        ("x = [0] * 10**10", Outcome.OUT_OF_MEMORY, "MemoryError"),
        ("open('/etc/passwd')", Outcome.FORBIDDEN, "PermissionError"),
        ("import socket", Outcome.FORBIDDEN, "socket is not available"),
        ("import no_such_module", Outcome.RUNTIME_ERROR, "ModuleNotFoundError"),
        ("import os; os._exit(3)", Outcome.CRASHED, "before it gave a result"),
        ("raise ValueError('two\\nlines\\x1b[31m')", Outcome.RUNTIME_ERROR, "two lines [31m"),
    ],
)
def test_failures_are_outcomes(sandbox: Sandbox, text: str, outcome: Outcome, detail: str) -> None:
    execution = run(sandbox, text)
    assert (execution.failure, execution.values) == (outcome, None)
    assert detail in execution.detail
    assert "\n" not in execution.detail


def test_empty_output_is_a_list(sandbox: Sandbox) -> None:
    assert values(run(sandbox, "output = []")) == []


def test_standard_library_and_numpy(sandbox: Sandbox) -> None:
    text = """
        import base64, decimal, itertools, json, zlib
        import numpy as np
        output = list(itertools.accumulate(json.loads("[1, 2, 3]"))) + np.arange(3).tolist()
        output += list(zlib.decompress(zlib.compress(b"ab"))) + [int(decimal.Decimal("7"))]
    """
    assert values(run(sandbox, text)) == [1, 3, 6, 0, 1, 2, 97, 98, 7]


def test_screen_and_confirm_agree(sandbox: Sandbox) -> None:
    texts = [
        "output = [3, 1, 2]",
        "import random\noutput = [random.randrange(256) for _ in range(9)]",
        "output = [hash('a') % 256, *{chr(i): 0 for i in range(9)}.values()]",
        "output = list(map(ord, {'x', 'yy'[0], 'zz'[0]}))",
        "class A:\n    def __init__(self):\n        self.x = 4\noutput = [A().x]",
        "if __name__ == '__main__':\n    output = [1]",
        "1 / 0",
        "output = [300]",
    ]
    programs = [python(text) for text in texts]
    for screened, confirmed in zip(sandbox.screen(programs), sandbox.execute(programs), strict=True):
        assert screened is not None
        assert screened.failure == confirmed.failure
        assert confirmed.values is None or np.array_equal(screened.values, confirmed.values)


def test_same_program_same_verdict_on_every_worker(sandbox: Sandbox) -> None:
    text = """
        import datetime, os, random, secrets, time, uuid
        import numpy as np
        now = [time.time(), time.monotonic(), time.perf_counter(), time.time_ns() // 10**9]
        now.append(datetime.datetime.now().timestamp())
        now.append(datetime.date.today().toordinal())
        drawn = [random.random(), random.Random().random(), np.random.rand()]
        drawn.append(np.random.default_rng().random())
        drawn += [secrets.randbelow(256), uuid.uuid4().int, random.SystemRandom().random(), os.getpid()]
        letters = [hash(c) for c in "abc"] + [ord(c) for c in set("determinism")]
        output = [int(x * 1000) % 256 for x in now + drawn + letters]
    """
    first = values(run(sandbox, text))
    assert values(run(sandbox, text)) == first
    with Sandbox() as other:
        assert values(run(other, text)) == first


def test_locale_and_environment_are_fixed(sandbox: Sandbox) -> None:
    text = """
        import os, sys, time
        facts = [sorted(os.environ.items()), sys.getfilesystemencoding(), time.tzname, sys.argv]
        output = list(repr(facts).encode())
    """
    shown = bytes(values(run(sandbox, text))).decode()
    assert shown == "[[('LANG', 'C.UTF-8'), ('TZ', 'UTC')], 'utf-8', ('UTC', 'UTC'), ['<program>']]"


def test_output_length_is_capped() -> None:
    with Sandbox(SandboxLimits(elements=10)) as small:
        assert len(values(run(small, "output = [1] * 10"))) == 10
        assert run(small, "output = [1] * 11").failure is Outcome.BAD_OUTPUT_TYPE


def test_large_output_comes_through(sandbox: Sandbox) -> None:
    assert values(run(sandbox, "output = [i % 251 for i in range(2**20)]")) == [i % 251 for i in range(2**20)]


def test_deadline_and_memory_are_the_limits_given() -> None:
    with Sandbox(SandboxLimits(seconds=0.4, memory_mb=64)) as tight:
        start = time.monotonic()
        assert run(tight, "while True: pass").failure is Outcome.TIMEOUT
        assert 0.4 <= time.monotonic() - start < 10
        assert run(tight, "x = bytearray(100 << 20)").failure is Outcome.OUT_OF_MEMORY
        assert values(run(tight, "x = bytearray(20 << 20)\noutput = [1]")) == [1]


@pytest.mark.parametrize(
    "limits",
    [{"seconds": 0}, {"seconds": float("nan")}, {"memory_mb": 1}, {"elements": 0}, {"source_bytes": 0}],
)
def test_senseless_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="limit"):
        SandboxLimits(**limits)  # type: ignore[arg-type]


def test_a_dsl_program_is_a_fault_of_the_caller(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="Python"):
        sandbox.execute([Program(Language.DSL, "output = sequence_1")])


def test_a_killed_warm_process_is_replaced() -> None:
    with Sandbox() as sandbox:
        assert values(run(sandbox, "output = [1]")) == [1]
        for pid in children_of(os.getpid()):
            if b"inside.zygote" in cmdline(pid):
                os.kill(pid, signal.SIGKILL)
        assert values(run(sandbox, "output = [2]")) == [2]


def test_a_warm_process_killed_in_mid_run_loses_nothing() -> None:
    with Sandbox() as sandbox:
        assert values(run(sandbox, "import time\noutput = [0]")) == [0]
        killer = threading.Timer(0.2, kill_zygotes)
        killer.start()
        executions = sandbox.execute(
            [python(f"import time\nx = [i for i in range(10**6)]\noutput = [{i}]") for i in range(8)]
        )
        killer.join()
        assert [values(e) for e in executions] == [[i] for i in range(8)]


def test_nothing_is_left_behind() -> None:
    before = set(os.listdir("/proc/self/fd")), children_of(os.getpid())  # noqa: PTH208
    for _ in range(3):
        with Sandbox(SandboxLimits(seconds=0.3)) as sandbox:
            sandbox.execute([python("output = [1]"), python("while True: pass"), python("import numpy")])
    assert (set(os.listdir("/proc/self/fd")), children_of(os.getpid())) == before  # noqa: PTH208


def test_processes_end_with_the_caller(tmp_path: Path) -> None:
    script = """
        import sys, time
        from ktray.programs import Language, Program
        from ktray.sandbox import Sandbox
        sandbox = Sandbox()
        sandbox.execute([Program(Language.PYTHON, "output = [1]")])
        print("ready", flush=True)
        sandbox.execute([Program(Language.PYTHON, "while True: pass")])
    """
    caller = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert caller.stdout is not None
    with caller.stdout:
        assert caller.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        below = descendants(caller.pid)
        assert below
        caller.kill()
        caller.wait()
    deadline = time.monotonic() + 10
    while (left := {pid for pid in below if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_works_from_many_threads_each_with_its_own() -> None:
    results: dict[int, list[int]] = {}

    def work(i: int) -> None:
        with Sandbox() as own:
            results[i] = values(run(own, f"output = [{i}]"))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: [i] for i in range(4)}


def test_an_unreadable_working_directory_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.chdir(closed)
    with Sandbox() as sandbox:
        assert values(run(sandbox, "import numpy\noutput = [1]")) == [1]


@pytest.mark.parametrize(
    ("layers", "level"),
    [
        ((), IsolationLevel.BASIC),
        (("rlimits", "seccomp"), IsolationLevel.BASIC),
        (("rlimits", "seccomp", "no_new_privs", "unprivileged_uid"), IsolationLevel.BASIC),
        (("rlimits", "seccomp", "no_new_privs", "unprivileged_uid", "landlock_3"), IsolationLevel.STRONG),
        (("rlimits", "no_new_privs", "unprivileged_uid", "landlock_3", "namespaces"), IsolationLevel.BASIC),
        (
            (
                "rlimits",
                "seccomp",
                "no_new_privs",
                "unprivileged_uid",
                "landlock_3",
                "namespaces",
                "empty_root",
            ),
            IsolationLevel.FULL,
        ),
    ],
)
def test_levels(layers: tuple[str, ...], level: IsolationLevel) -> None:
    report = IsolationReport.of(layers, ["something: not permitted"])
    assert report.level is level
    report.require("basic")
    report.require(level)
    stronger = [other for other in IsolationLevel if other.rank > level.rank]
    for other in stronger:
        with pytest.raises(ConfigError, match=r"something: not permitted.*--require-isolation"):
            report.require(other)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="full, strong or basic"):
        SandboxLimits(require_isolation="paranoid")


def children_of(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task")
    found: set[int] = set()
    for task in tasks.iterdir() if tasks.exists() else []:
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def descendants(pid: int) -> set[int]:
    children = children_of(pid)
    return children | {below for child in children for below in descendants(child)}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def kill_zygotes() -> None:
    for pid in children_of(os.getpid()):
        if b"inside.zygote" in cmdline(pid):
            os.kill(pid, signal.SIGKILL)
