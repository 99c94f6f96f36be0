"""`jobs.doctor` tells the truth about the sandbox and refuses what the machine does not give."""

from __future__ import annotations

import json

import pytest

from jobs import doctor
from ktray.errors import ConfigError
from ktray.programs import Language, Program
from ktray.sandbox import IsolationReport, Sandbox, SandboxLimits, probe_isolation


def test_findings_are_those_of_the_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    report = probe_isolation()
    assert found["isolation"]["level"] == report.level
    assert tuple(found["isolation"]["layers"]) == report.layers
    assert found["attacks_not_repelled"] is None
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1 << 28
    assert found["versions"]["ray"] == found["parts"]["ray"]


def test_smoke_config_runs_the_attack_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--config", "configs/doctor/smoke.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["attacks_not_repelled"] == []


def test_an_unknown_level_is_the_users_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--require-isolation", "fancy"]) == 2
    assert "full, strong or basic" in capsys.readouterr().err


def test_a_machine_that_gives_less_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = IsolationReport.of(["rlimits"], ["seccomp"])
    monkeypatch.setattr("ktray.sandbox.warm.Zygote._hello", lambda self: weak)
    with Sandbox(SandboxLimits(require_isolation="strong")) as sandbox:
        for _ in range(2):
            with pytest.raises(ConfigError, match="isolation here is basic"):
                sandbox.execute([Program(Language.PYTHON, "output = [1]")])
    assert doctor.main(["--require-isolation", "full"]) == 2
    assert "missing: seccomp" in capsys.readouterr().err


def test_attacks_that_succeed_are_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "repel", lambda sandbox: ["file read (worked)"])
    assert doctor.main(["--attack"]) == 1
    assert "file read (worked)" in capsys.readouterr().err
