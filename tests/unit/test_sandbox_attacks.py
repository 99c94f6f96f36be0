"""Every line of what the sandbox covers is attacked, as this user and as one without user namespaces."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ktray.sandbox
from ktray.programs import Language, Outcome, Program
from ktray.sandbox import IsolationLevel, Sandbox, SandboxLimits, Verifier
from ktray.sandbox.attacks import Attack, attacks

LIMITS = SandboxLimits(seconds=0.4, memory_mb=128)
TARGET = np.array([1, 2, 3], dtype=np.uint8)
#: Goes through every module that the attacks touch.
WITNESS = Program(
    Language.PYTHON,
    "import builtins, gc, os, random, signal, sys\n"
    "output = [len('a'), *map(int, '2')] + list(bytes([3]))\nassert type(output) is list",
)
GATED_WITNESS = Program(Language.PYTHON, "import random, math\noutput = sorted([3, int(math.sqrt(4)), 1])")


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "canary"
    path.write_text("untouched")
    path.chmod(0o666)
    path.parent.chmod(0o777)
    return path


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(LIMITS) as shared:
        yield shared


def names(suite: list[Attack]) -> list[str]:
    return [f"{i:02d} {attack.covers}" for i, attack in enumerate(suite)]


@pytest.mark.parametrize("index", range(len(attacks(""))), ids=names(attacks("")))
def test_attack_is_repelled_and_harms_no_neighbour(index: int, verifier: Verifier, canary: Path) -> None:
    attack = attacks(str(canary))[index]
    execution = verifier.sandbox.execute([attack.program])[0]
    assert attack.repelled(execution), (attack.text[:2000], execution)
    beside = [(WITNESS, TARGET), (GATED_WITNESS, TARGET)]
    before, after = beside, [(Program(p.language, p.text + "\n"), target) for p, target in beside]
    verdicts = verifier.verify([*before, (attack.program, TARGET), *after])
    assert [v.outcome for v in verdicts[:2] + verdicts[3:]] == [Outcome.CORRECT] * 4
    assert verdicts[2].outcome is not Outcome.CORRECT
    assert canary.read_text() == "untouched"
    assert [path.name for path in canary.parent.iterdir()] == ["canary"]


def test_every_covered_line_is_attacked() -> None:
    covered = re.findall(r"^- ([^:]+):", ktray.sandbox.__doc__ or "", re.MULTILINE)
    assert covered
    assert {attack.covers for attack in attacks("")} == set(covered)


def test_a_program_finds_no_trace_of_another(verifier: Verifier) -> None:
    secret = Program(Language.PYTHON, "marker = 'k7' + 'Qz'  # k7Qz-secret\noutput = [1]")
    spy = Program(
        Language.PYTHON,
        "import gc, sys\ngc.unfreeze()\nword = ''.join(['k7', 'Qz', '-'])\nfound = 0\n"
        "for o in gc.get_objects():\n    for r in gc.get_referents(o):\n"
        "        if type(r) in (str, bytes) and r != word and word in str(r):\n            found += 1\n"
        "frame = sys._getframe().f_back\nwhile frame:\n"
        "    found += sum(word in str(v) for v in frame.f_locals.values() if type(v) in (str, bytes))\n"
        "    frame = frame.f_back\noutput = [found]",
    )
    with Sandbox(SandboxLimits(seconds=5)) as sandbox:
        results = sandbox.execute([secret, spy, secret, spy])
    own = results[1]
    assert own.values is not None, own
    assert own.values.tolist() == results[3].values.tolist() == [0]  # type: ignore[union-attr]


def test_what_a_program_forges_is_only_its_own() -> None:
    """A program that finds the runner's memory can claim output bytes, but none that it does not know."""
    forger = Program(
        Language.PYTHON,
        "import sys, struct, os\nframe = sys._getframe()\nnonce = None\nwhile frame:\n"
        "    nonce = frame.f_locals.get('nonce', nonce)\n    frame = frame.f_back\n"
        "os.write(3, struct.pack('<8sBdI', nonce, 0, 0.0, 3) + bytes([1, 2, 4]))\nos._exit(0)",
    )
    with Verifier(SandboxLimits(seconds=5)) as verifier:
        forged, honest = verifier.verify([(forger, TARGET), (WITNESS, TARGET)])
    assert forged.outcome is Outcome.WRONG_OUTPUT
    assert honest.outcome is Outcome.CORRECT


def test_contamination_of_the_screen_never_accepts() -> None:
    """A gate that lets everything through costs false rejects at worst: matches are confirmed afresh."""
    polluter = Program(Language.PYTHON, "import collections\ncollections.abc.Sized.x = 1\noutput = [1, 2, 3]")
    user = Program(
        Language.PYTHON, "import collections\noutput = [1, 2, 3] if hasattr(collections, 'q') else [0]"
    )
    with Verifier(SandboxLimits(seconds=5)) as verifier:
        outcomes = [v.outcome for v in verifier.verify([(polluter, TARGET), (user, TARGET)])]
    assert outcomes[1] is Outcome.WRONG_OUTPUT


ORDINARY_USER = """
import json, sys
from ktray.sandbox import Sandbox, SandboxLimits
from ktray.sandbox.attacks import attacks
with Sandbox(SandboxLimits(seconds=0.4, memory_mb=128, require_isolation="strong")) as sandbox:
    suite = attacks(sys.argv[1])
    executions = sandbox.execute([attack.program for attack in suite])
    beaten = [(a.covers, a.text[:500], str(e)) for a, e in zip(suite, executions) if not a.repelled(e)]
    report = sandbox.report
facts = {"level": report.level, "layers": report.layers, "missing": report.missing, "beaten": beaten}
print(json.dumps(facts))
"""


def test_suite_as_ordinary_user_without_user_namespaces(canary: Path) -> None:
    become = subprocess.run(
        [sys.executable, "-c", ORDINARY_USER, str(canary)],
        preexec_fn=become_ordinary,
        capture_output=True,
        timeout=120,
        check=True,
    )
    result = json.loads(become.stdout)
    assert result["beaten"] == []
    assert result["level"] == IsolationLevel.STRONG
    assert any(line.startswith("namespaces: ") and "unshare" in line for line in result["missing"])
    assert {"seccomp", "no_new_privs", "unprivileged_uid", "rlimits"} <= set(result["layers"])
    assert canary.read_text() == "untouched"


PROBE = """
import json
from ktray.programs import Language, Program
from ktray.sandbox import Sandbox
with Sandbox() as sandbox:
    programs = [Program(Language.PYTHON, f"{line}\\noutput = [7]") for line in ("", "import json", "import numpy")]
    outputs = [execution.values.tolist() for execution in sandbox.execute(programs)]
    print(json.dumps({"level": sandbox.report.level, "layers": sandbox.report.layers, "outputs": outputs}))
"""


def probe_as(become: Callable[[], None] | None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], preexec_fn=become, capture_output=True, timeout=120, check=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_without_namespaces_root_still_gives_up_its_uid() -> None:
    found = probe_as(refuse_unshare)
    assert found["level"] == IsolationLevel.STRONG
    assert {"unprivileged_uid", "seccomp", "no_new_privs"} <= set(found["layers"])
    assert not {"namespaces", "empty_root"} & set(found["layers"])
    assert found["outputs"] == [[7]] * 3


def test_an_ordinary_user_enters_what_the_kernel_allows() -> None:
    found = probe_as(give_up_root)
    can = subprocess.run(["unshare", "-Urn", "true"], preexec_fn=give_up_root, check=False).returncode == 0
    assert ("namespaces" in found["layers"]) == can
    assert found["level"] in {IsolationLevel.FULL, IsolationLevel.STRONG}
    assert found["outputs"] == [[7]] * 3


def become_ordinary() -> None:
    refuse_unshare()
    give_up_root()


def give_up_root() -> None:
    if os.geteuid() == 0:
        keep_reading(ctypes.CDLL(None, use_errno=True))


def refuse_unshare() -> None:
    """Refuse unshare from here on, as a container does."""
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = {"x86_64": 272, "aarch64": 97}[platform.machine()]
    instructions = struct.pack(
        "<HBBIHBBIHBBIHBBI",
        *(0x20, 0, 0, 0),  # load the number
        *(0x15, 0, 1, unshare),
        *(0x06, 0, 0, 0x00050001),  # EPERM
        *(0x06, 0, 0, 0x7FFF0000),  # allow
    )
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("<HxxxxxxQ", 4, ctypes.addressof(buffer))
    if os.geteuid() != 0 and libc.prctl(38, 1, 0, 0, 0):
        os._exit(90)
    if libc.prctl(22, 2, program, 0, 0):
        os._exit(91)


def keep_reading(libc: ctypes.CDLL) -> None:
    """Become nobody with CAP_DAC_READ_SEARCH alone: Python itself may lie below a folder of root's."""
    libc.prctl(8, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    capset = {"x86_64": 126, "aarch64": 91}[platform.machine()]
    read_search = 1 << 2
    libc.syscall(
        capset, struct.pack("<II", 0x20080522, 0), struct.pack("<IIIIII", *[read_search] * 3, 0, 0, 0)
    )
    if libc.prctl(47, 2, 2, 0, 0):
        os._exit(92)
