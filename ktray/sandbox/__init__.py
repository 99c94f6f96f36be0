"""Runs untrusted Python programs and judges what they gave. Read `executor` first, then `inside.zygote`.

Every accepted verdict comes from a program that ran alone in a fresh process (the confirm tier), which never
held the target. `Verifier` screens candidates first, many to a process, which only ever rejects.

What is covered, each line attacked by `attacks` in the tests, as root and as an ordinary user in a container:

- file read: no file, folder or link can be opened, listed or asked about
- file write: none can be made or changed, memory files and pipes included
- unlink: none can be removed, renamed or given other rights
- imports: modules beyond `inside.modules` do not exist for a program
- socket: of no family
- fork: no process can be made, nor another program be executed
- thread: none can be started
- kill: no signal reaches any process, the program's own included
- ptrace: no process can be watched
- privileges: no uid, group, priority or limit can be changed
- raw system calls: all but some thirty harmless ones fail, however they are made
- executable memory: none can be made
- signal handlers: they hold nothing up, the deadline is a SIGKILL from outside
- except-all loops: likewise
- uninterruptible C loops: likewise
- sleep: does not wait, no clock moves
- finalizers: likewise, and exceptions whose text never ends
- memory bomb: address space is limited
- big-integer bomb: by time or by memory
- recursion: ends in an error or in the death of its own process
- output flood: what is printed is dropped, `output` has a most length
- list subclass: the type must be `list` itself
- bool, float, numpy: the elements' type must be `int` itself
- int subclass: whatever its metaclass claims
- generators: are no list
- other containers: are no list
- out of range: 0..255 only
- no output: is not taken for an empty one
- patched builtins: the check of the output uses none that a program can reach by name
- patched modules: change the program's own process only, which ends with it
- writing to the result channel: makes the result forbidden
- early exit: gives no result
- frame walking: finds the program's own runner only
- gc walking: likewise; no other program's text is there
- tracing: ends with the program
- source with NUL: a syntax error
- source that is not Unicode: a syntax error
- source of 10 MB: refused unread
- source of 1 MB: within time and memory
- deep nesting: the compiler runs inside, too
- bad bytecode: crashes its own process only

Not covered: a program may forge its own result (it runs beside the code that reports it), which gains
nothing: what it claims must still equal the target, and it must know those bytes itself. Side channels in
time and caches; faults of the kernel; clocks read otherwise than through `time` and `datetime`. Without
seccomp (another system than Linux on x86-64 or aarch64) only time and memory are limited, and the level
is `basic`.
"""

from ktray.sandbox.executor import Sandbox, check_isolation, probe_isolation
from ktray.sandbox.limits import IsolationLevel, IsolationReport, SandboxLimits
from ktray.sandbox.verify import Verifier, judge

__all__ = [
    "IsolationLevel",
    "IsolationReport",
    "Sandbox",
    "SandboxLimits",
    "Verifier",
    "check_isolation",
    "judge",
    "probe_isolation",
]
