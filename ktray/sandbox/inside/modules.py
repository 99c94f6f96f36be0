"""What a program may import, and the world it sees.

Everything is imported before the doors close; time stands still; randomness is the same each time.
"""

from __future__ import annotations

import os
import sys
import types


def _words(text: str) -> list[str]:
    return text.split()


#: The standard library as programs see it. A module that is not here cannot be imported.
LIBRARY = _words("""
abc argparse array ast base64 binascii bisect bz2 calendar cmath cmd codecs collections collections.abc
colorsys contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib dis enum errno fnmatch
fractions functools gc getopt gettext graphlib gzip hashlib heapq hmac html html.entities html.parser inspect
io itertools json keyword linecache locale logging lzma marshal math numbers opcode operator os os.path
pathlib pickle pickletools platform posixpath pprint queue quopri random re reprlib secrets shlex shutil
signal stat statistics string stringprep struct symtable sys tempfile textwrap threading time timeit token
tokenize traceback types typing unicodedata uuid warnings weakref zipfile zlib zoneinfo _strptime __future__
concurrent.futures concurrent.futures.thread xml.etree.ElementTree
""")

#: The part of it that most programs need; the less is in memory, the cheaper a fork.
SMALL = _words("""
bisect collections collections.abc copy functools heapq itertools math operator random re string __future__
""")

#: Parts of numpy that it would otherwise import when first used.
NUMPY = _words("numpy numpy.fft numpy.linalg numpy.polynomial numpy.random numpy.ma numpy.lib.stride_tricks")

#: Came along with the ones above but are of no use to a program, or reach below Python.
WITHHELD = _words(
    "_ctypes _posixsubprocess _socket _ssl ctypes multiprocessing select selectors socket ssl subprocess"
)

#: Text codecs worth having although nothing above imports them.
ENCODINGS = _words(
    "ascii cp437 cp1250 cp1251 cp1252 hex_codec idna iso8859_15 latin_1 rot_13 utf_8_sig utf_16 utf_32"
)

#: Every clock of a program shows this moment: 2020-01-01T00:00:00Z.
FROZEN_SECONDS = 1577836800


class ForbiddenImport(ImportError):
    """A module of the standard library that the sandbox keeps from programs."""


class _ClosedFinder:
    """The only finder left in a program's process: nothing new can be imported."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise ForbiddenImport(f"module {name} is not available in the sandbox")


def import_library(library: str) -> None:
    """Import what programs may use; one that this Python lacks is left out.

    `library` is `small`, `standard`, or `numpy` (that and the standard one). Which one a program gets is a
    function of its text.
    """
    # Hooks at forks reseed and reset what nobody has touched, and cost more than the fork.
    os.register_at_fork = lambda **hooks: None
    standard = [*LIBRARY, *(f"encodings.{name}" for name in ENCODINGS)]
    for name in {"small": SMALL, "standard": standard, "numpy": standard + NUMPY}[library]:
        try:
            __import__(name)
        except ImportError:
            continue


def close_imports(own_builtins: types.ModuleType) -> None:
    """Leave programs the modules in memory, less `WITHHELD` and our own, and `builtins` to scribble on."""
    ours = __name__.partition(".")[0]
    for name in list(sys.modules):
        if name.partition(".")[0] in [*WITHHELD, ours]:
            del sys.modules[name]
    sys.meta_path[:] = [_ClosedFinder]
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    sys.argv[:] = ["<program>"]
    sys.modules["builtins"] = own_builtins


def freeze_world(library: str) -> None:
    """Stop every clock, fix every seed, and answer every question about this process the same way."""
    _freeze_time()
    _freeze_randomness()
    if library == "numpy":
        sys.modules["numpy.random"].seed(0)
    os.getpid = os.getppid = lambda: 1
    os.environ.clear()
    os.environ.update(LANG="C.UTF-8", TZ="UTC")


def _freeze_time() -> None:
    import time

    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: float(FROZEN_SECONDS))
        setattr(time, f"{name}_ns", lambda: FROZEN_SECONDS * 10**9)
    moment = time.gmtime(FROZEN_SECONDS)
    for name in ("gmtime", "localtime"):
        real = getattr(time, name)
        setattr(time, name, lambda seconds=None, _real=real: moment if seconds is None else _real(seconds))
    time.sleep = _sleep  # type: ignore[assignment]
    if "datetime" in sys.modules:
        _freeze_dates()


def _sleep(seconds: float) -> None:
    """Where no clock moves there is nothing to wait for."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")


def _freeze_dates() -> None:
    import datetime

    class Date(datetime.date):
        @classmethod
        def today(cls) -> Date:
            return cls.fromtimestamp(FROZEN_SECONDS)

    class DateTime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> DateTime:
            return cls.fromtimestamp(FROZEN_SECONDS, tz)

        @classmethod
        def utcnow(cls) -> DateTime:
            return cls.fromtimestamp(FROZEN_SECONDS)

        today = utcnow

    for cls, name in ((Date, "date"), (DateTime, "datetime")):
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = "datetime"
        setattr(datetime, name, cls)


def _freeze_randomness() -> None:
    import random

    def fixed_bytes(size: int) -> bytes:
        return bytes(37 * i % 256 for i in range(size))

    seed = random.Random.seed

    def fixed_seed(self: random.Random, a: object = None, version: int = 2) -> None:
        seed(self, 0 if a is None else a, version)  # type: ignore[arg-type]

    os.urandom = fixed_bytes
    random._urandom = fixed_bytes  # type: ignore[attr-defined]
    random.Random.seed = fixed_seed  # type: ignore[method-assign]
    random.seed = random._inst.seed
    random.seed(0)


def reseed() -> None:
    """Put the shared generator at its start."""
    import random

    random.seed(0)
