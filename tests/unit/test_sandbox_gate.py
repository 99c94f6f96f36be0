"""The screen's gate: ordinary programs pass, whatever could reach beyond its own names does not."""

from __future__ import annotations

import platform

import pytest

from ktray.sandbox.inside.gate import refusal
from ktray.sandbox.inside.seccomp import allowed_numbers, assemble


@pytest.mark.parametrize(
    "text",
    [
        "output = [i for i in range(9)]",
        "import math\nfrom itertools import chain\noutput = list(chain([1], [math.floor(2.5)]))",
        "class A:\n    def __init__(self, x):\n        self.x = x\noutput = [A(1).x]",
        "class A:\n    def __len__(self):\n        return 1\noutput = [len(A())]",
        "def f(*args):\n    '''Doc.'''\n    return [*args]\nif __name__ == '__main__':\n    output = f(1)",
        "for _ in range(3):\n    pass\noutput = [1]",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\noutput = [P(1).x]",
        "match [1, 2]:\n    case [a, b]:\n        output = [a, b]",
    ],
)
def test_plain_programs_pass(text: str) -> None:
    assert refusal(compile(text, "x", "exec")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "().__class__.__mro__",
        "[].__class__",
        "f = lambda: 0\nf.__globals__",
        "def g():\n    def h():\n        return ().__reduce__\n    return h",
        "getattr(1, 'real')",
        "eval('1')",
        "exec('x = 1')",
        "open('x')",
        "__import__('os')",
        "import random\nrandom._os",
        "import math\nmath.pi = 3",
        "import math\ndel math.pi",
        "(x for x in []).gi_frame",
        "import string\nstring.Formatter().get_field('0', (), {})",
        "import typing\ntyping.get_type_hints(0)",
        "from operator import attrgetter",
        "class A: pass\nmatch A():\n    case A(__class__=c):\n        c",
        "type('X', (), {'a': 1}).mro",
        "import collections\ncollections.abc.Sized.register(int)",
        "globals()",
        "vars()",
        "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__",
        "[c for c in [1] if c.__doc__ and c.__subclasshook__]",
    ],
)
def test_names_that_reach_further_do_not(text: str) -> None:
    assert refusal(compile(text, "x", "exec")) != ""


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_is_well_formed(machine: str) -> None:
    instructions = assemble(machine)
    assert instructions is not None
    count = len(instructions) // 8
    assert len(instructions) == 8 * count
    assert count < 4096
    for i in range(count):
        code, jump_true, jump_false = instructions[8 * i], instructions[8 * i + 2], instructions[8 * i + 3]
        if code & 7 == 5:
            assert i + 1 + max(jump_true, jump_false) < count
    assert instructions[-8] == 6  # the last one returns


def verdict(machine: str, arch: int, number: int, *arguments: int) -> int:
    """Run the filter on one system call, as the kernel would."""
    program = assemble(machine)
    assert program is not None
    data = {0: number, 4: arch, **{16 + 8 * i: value for i, value in enumerate(arguments)}}
    accumulator, at = 0, 0
    while True:
        code = int.from_bytes(program[8 * at : 8 * at + 2], "little")
        jump_true, jump_false = program[8 * at + 2], program[8 * at + 3]
        constant = int.from_bytes(program[8 * at + 4 : 8 * at + 8], "little")
        at += 1
        if code == 0x20:
            accumulator = data.get(constant, 0)
        elif code == 0x06:
            return constant
        else:
            holds = {
                0x15: accumulator == constant,
                0x25: accumulator > constant,
                0x35: accumulator >= constant,
                0x45: accumulator & constant,
            }
            at += jump_true if holds[code] else jump_false


ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000


@pytest.mark.parametrize("machine", ARCHES)
def test_filter_allows_what_it_names_and_nothing_else(machine: str) -> None:
    arch, named = ARCHES[machine], allowed_numbers(machine)
    for number in [*range(600), 0x40000000 + 1]:
        assert verdict(machine, arch, number) == (ALLOW if number in named else EPERM)
    assert verdict(machine, 0x40000003, next(iter(named))) == KILL


def test_filter_looks_at_arguments() -> None:
    arch = ARCHES["x86_64"]
    assert [verdict("x86_64", arch, 1, fd) for fd in (1, 2, 3, 4, 100)] == [ALLOW, ALLOW, ALLOW, EPERM, EPERM]
    assert verdict("x86_64", arch, 9, 0, 4096, 3) == ALLOW
    assert verdict("x86_64", arch, 9, 0, 4096, 7) == EPERM
    assert verdict("x86_64", arch, 10, 0, 4096, 4) == EPERM


def test_a_machine_without_a_table_has_no_filter() -> None:
    assert assemble("riscv64") is None
    assert (assemble(platform.machine()) is not None) == (platform.machine() in ARCHES)
