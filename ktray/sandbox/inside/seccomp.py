"""The seccomp filter of a program's process: a list of what is allowed; everything else fails with EPERM.

Assembled here so that no system library is needed. No file can be opened, no process, thread or socket made,
no memory made executable, and nothing written but to descriptors 0..3. The filter halves the numbers at each
step: when it is loaded, for each program anew, the kernel tries it on every number there is.
"""

from __future__ import annotations

import ctypes
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers of the Linux system-call tables (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h).
_NUMBERS = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
        "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24,
        "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "exit": 60, "gettimeofday": 96,
        "getrusage": 98, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
        "getppid": 110, "sigaltstack": 131, "gettid": 186, "futex": 202, "restart_syscall": 219,
        "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    },
    "aarch64": {
        "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "mmap": 222, "mprotect": 226,
        "munmap": 215, "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
        "sched_yield": 124, "mremap": 216, "madvise": 233, "nanosleep": 101, "getpid": 172, "exit": 93,
        "gettimeofday": 169, "getrusage": 165, "times": 153, "getuid": 174, "getgid": 176, "geteuid": 175,
        "getegid": 177, "getppid": 173, "sigaltstack": 132, "gettid": 178, "futex": 98,
        "restart_syscall": 128, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
        "exit_group": 94,
    },
}  # fmt: skip

# BPF instructions (linux/filter.h): code; the jumps count instructions to skip.
_LOAD, _JEQ, _JGT, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_PROT_EXEC = 4
RESULT_FD = 3


def _instruction(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, constant)


def _argument(index: int) -> bytes:
    return _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * index)


def _tree(rows: list[tuple[int, bytes]]) -> bytes:
    """Return the code that runs the body of the last of `rows` (first number, body), in rising order, whose
    number the system call's reaches. Bodies end in returns; one of them jumps over 255 instructions at most."""
    if len(rows) == 1:
        return rows[0][1]
    middle = len(rows) // 2
    low, high = _tree(rows[:middle]), _tree(rows[middle:])
    return _instruction(_JGE, rows[middle][0], len(low) // 8, 0) + low + high


def _rows(bodies: dict[int, bytes], other: bytes) -> list[tuple[int, bytes]]:
    """Return the rows of `_tree` that give each number its body and every number between them `other`."""
    rows = [(0, other)]
    for number, body in sorted(bodies.items()):
        rows += [(number, body), (number + 1, other)]
    last_of_each = dict(rows)
    kept = sorted(last_of_each.items())
    return [row for i, row in enumerate(kept) if i == 0 or row[1] != kept[i - 1][1]]


def allowed_numbers(machine: str) -> frozenset[int]:
    """Return the numbers of the system calls that the filter lets through, some only with some arguments."""
    return frozenset(_NUMBERS.get(machine, {}).values())


def assemble(machine: str) -> bytes | None:
    """Return the filter for `machine` (as in `uname -m`), or None where its numbers are not known here."""
    if machine not in _NUMBERS:
        return None
    allow, refuse = _instruction(_RETURN, _ALLOW), _instruction(_RETURN, _EPERM)
    not_executable = _argument(2) + _instruction(_JSET, _PROT_EXEC, 1, 0) + allow + refuse
    own_descriptor = _argument(0) + _instruction(_JGT, RESULT_FD, 1, 0) + allow + refuse
    guarded = {"mmap": not_executable, "mprotect": not_executable, "write": own_descriptor}
    arch = _instruction(_LOAD, _ARCH_OFFSET) + _instruction(_JEQ, _AUDIT_ARCH[machine], 1, 0)
    parts = [arch, _instruction(_RETURN, _KILL), _instruction(_LOAD, _NUMBER_OFFSET)]
    bodies = {number: guarded.get(name, allow) for name, number in _NUMBERS[machine].items()}
    return b"".join([*parts, _tree(_rows(bodies, refuse))])


class FilterProgram(ctypes.Structure):
    """`struct sock_fprog`; keeps the instructions alive."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    @classmethod
    def of(cls, instructions: bytes) -> FilterProgram:
        return cls(len(instructions) // 8, instructions)
