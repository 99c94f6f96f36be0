"""The bench of the sandbox measures what it says, and screening pays."""

from __future__ import annotations

import os
import time

from ktray.programs import Outcome
from ktray.sandbox import SandboxLimits, Verifier
from ktray.sandbox.bench import cpu_seconds, failing_programs, good_programs, measure, run


def test_the_programs_are_distinct_and_do_what_they_are_called() -> None:
    good, failing = good_programs(200), failing_programs(40)
    assert len(set(good + failing)) == 240
    with Verifier(SandboxLimits(seconds=10)) as verifier:
        executions = verifier.sandbox.execute(good + failing)
    assert all(execution.failure is None for execution in executions[:200])
    assert all(execution.failure in set(Outcome) for execution in executions[200:])


def test_cpu_of_processes_below_counts() -> None:
    before = cpu_seconds()
    pid = os.fork()
    if pid == 0:
        while time.process_time() < 0.2:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
    assert cpu_seconds() - before >= 0.18


def test_screening_is_faster_than_confirming() -> None:
    programs = good_programs(200)
    with Verifier(SandboxLimits(seconds=10)) as verifier:
        outputs = [execution.values for execution in verifier.sandbox.execute(programs)]
        right = [(p, values) for p, values in zip(programs, outputs, strict=True) if values is not None]
        wrong = [(p, values + 1) for p, values in right]
        rates = [
            max(measure("", pairs, verifier).per_cpu_second for _ in range(2)) for pairs in (right, wrong)
        ]
    assert rates[1] > 2 * rates[0]


def test_the_bench_reports_every_mix() -> None:
    rates = {rate.name: rate for rate in run(programs=60, repeats=1)}
    assert set(rates) == {"all match", "one in ten matches", "hanging, limit 1 s"}
    assert rates["all match"].correct == rates["all match"].programs == 54
    assert rates["one in ten matches"].correct == 6
