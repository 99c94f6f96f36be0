"""What every command keeps to: one line for a user's mistake, exit codes 0, 1, 2, 130, and `--json`.

0  done
1  a fault of ours, or a full disk
2  the user's input is wrong; one line says what was seen, what was expected, how to mend it
130  Ctrl-C; the same command continues
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from rich.console import Console

from ktray.config import parse
from ktray.errors import KtrayError
from ktray.extras import missing

#: Columns of tables that go to no terminal, so that names stay whole.
_WIDTH_OF_FILES = 120
#: Everything that is meant for people goes to standard error; standard output is for results.
console = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH_OF_FILES)


class JobConfig(Protocol):
    """What `launch` itself reads of a job's config."""

    @property
    def json(self) -> bool: ...


C = TypeVar("C", bound=JobConfig)


def launch(
    config_class: type[C],
    run: Callable[[C], dict[str, Any]],
    *,
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse flags, run a job, print its metrics with `--json`, and return the exit code."""
    try:
        config = parse(
            config_class, sys.argv[1:] if argv is None else argv, prog=prog, description=description
        )
        metrics = run(config)
    except KtrayError as error:
        return _complain(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in _USER_ERRNO:
            raise
        where = f" ({error.filename})" if error.filename else ""
        mend, code = _USER_ERRNO[error.errno]
        return _complain(f"{os.strerror(error.errno or 0)}{where}; {mend}", code)
    except ModuleNotFoundError as error:
        told = missing(error)
        return _complain(str(told), told.exit_code)
    except KeyboardInterrupt:
        return _complain("stopped; run the same command again to continue", 130)
    if config.json:
        sys.stdout.flush()
        print(json.dumps(metrics, allow_nan=False), flush=True)
    return 0


#: Errors of the system that a user can mend: how, and the exit code.
_USER_ERRNO = {
    errno.ENOSPC: ("free some space, then run the same command again to continue", 1),
    errno.EDQUOT: ("free some of your quota, then run the same command again to continue", 1),
    errno.EACCES: ("choose a place that you may write to", 2),
    errno.EROFS: ("choose a place that can be written to", 2),
    errno.ENOTDIR: ("a part of this path is a file; choose another place", 2),
    errno.EISDIR: ("a file is expected there; name one", 2),
    errno.EEXIST: ("a folder is expected there; choose another place", 2),
    errno.ENOENT: ("it, or the folder that it goes to, does not exist", 2),
}


def _complain(message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"error: {line}", file=sys.stderr, flush=True)
    return code
