"""Runs untrusted Python programs and judges what they gave. Read `executor` first, then `inside.zygote`."""

from ktray.sandbox.executor import Sandbox, probe_isolation
from ktray.sandbox.limits import IsolationLevel, IsolationReport, SandboxLimits
from ktray.sandbox.verify import Verifier, judge

__all__ = [
    "IsolationLevel",
    "IsolationReport",
    "Sandbox",
    "SandboxLimits",
    "Verifier",
    "judge",
    "probe_isolation",
]
