"""The layers around the zygote and around each program's process. Each returns what it achieved.

The zygote enters, once and in this order: namespaces, an empty root, an unprivileged uid, no capabilities,
NO_NEW_PRIVS, Landlock. Each program's process adds rlimits and seccomp.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

from .seccomp import FilterProgram, assemble

LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
_MACHINE = os.uname().machine

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_NEW_USER, _NEW_PID = 0x10000000, 0x20000000
#: mount, uts, ipc, pid and network namespaces.
_NEW_SPACES = 0x00020000 | 0x04000000 | 0x08000000 | _NEW_PID | 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION = 444, 446, 1
_RESULT_PIPE_FILES = 8


def _check(result: int, what: str) -> None:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def _prctl(option: int, *arguments: object) -> int:
    return (
        int(LIBC.prctl(option, *arguments, 0, 0, 0))
        if len(arguments) < 2
        else int(LIBC.prctl(option, *arguments))
    )


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends (single-threaded parents only)."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(9))


def drop_user() -> bool:
    """Become nobody if this is root; returns whether the uid is unprivileged now."""
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError:
            return False
    return True


def enter_namespaces() -> tuple[bool, str]:
    """Enter fresh namespaces, as root without a user namespace, else with one; returns (done, reason if not).

    The caller must fork afterwards: its children are in the new pid namespace. Leaves root either way.
    """
    if os.geteuid() == 0 and LIBC.unshare(_NEW_SPACES) == 0:
        return True, ""
    drop_user()
    # A changed uid makes /proc/self belong to root until the process is dumpable again.
    _prctl(_PR_SET_DUMPABLE, 1)
    uid, gid = os.geteuid(), os.getegid()
    try:
        _check(LIBC.unshare(_NEW_USER | _NEW_SPACES), "unshare")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    except OSError as error:
        return False, str(error)
    return True, ""


def enter_empty_root() -> tuple[bool, str]:
    """Make an empty read-only file system the root; needs the new mount namespace."""
    try:
        _check(LIBC.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount private")
        flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        _check(LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", flags, b"size=4k,mode=0555"), "mount tmpfs")
        os.chdir("/tmp")
        _check(LIBC.syscall(_PIVOT_ROOT[_MACHINE], b".", b"."), "pivot_root")
        _check(LIBC.umount2(b".", _MNT_DETACH), "umount")
        os.chdir("/")
        LIBC.mount(None, b"/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags, None)
    except (OSError, KeyError) as error:
        return False, str(error)
    return True, ""


def drop_capabilities() -> None:
    """Give up every capability, also those a user namespace gave."""
    if (number := _CAPSET.get(_MACHINE)) is not None:
        LIBC.syscall(number, struct.pack("<II", 0x20080522, 0), bytes(24))


def no_new_privileges() -> bool:
    """Set NO_NEW_PRIVS, which Landlock and seccomp ask for."""
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1) == 0


def enter_landlock() -> int:
    """Deny every file, TCP and scope right that the kernel's Landlock knows; returns its ABI, or 0."""
    abi = int(LIBC.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION))
    if abi < 1:
        return 0
    files = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5)
    rights = [(1 << files) - 1, *([3] if abi >= 4 else []), *([3] if abi >= 6 else [])]
    attributes = struct.pack(f"<{len(rights)}Q", *rights)
    ruleset = LIBC.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return 0
    done = LIBC.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return abi if done else 0


def address_space() -> int:
    """Return this process's address space in bytes (Linux), else 0."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def prefer_for_out_of_memory() -> None:
    """Ask the kernel to kill this process and its children before others when memory runs out."""
    try:
        _write("/proc/self/oom_score_adj", "800")
    except OSError:
        return


def seccomp_filter() -> FilterProgram | None:
    """Return the filter for this machine if the kernel can take one."""
    instructions = assemble(_MACHINE) if sys.platform == "linux" else None
    return None if instructions is None else FilterProgram.of(instructions)


def limit_resources(address_bytes: int, cpu_seconds: int) -> None:
    """Set the rlimits of a program's process; bytes of address space and whole seconds of CPU."""
    hard = {
        resource.RLIMIT_AS: address_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _RESULT_PIPE_FILES,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, value in hard.items():
        resource.setrlimit(kind, (value, value))


def load_filter(program: FilterProgram) -> bool:
    """Load the seccomp filter into this process, for good."""
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program)) == 0
