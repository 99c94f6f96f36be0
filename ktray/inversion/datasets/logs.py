"""Lines of service logs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ktray.inversion.datasets.pieces import WORDS, Category, address, fill


def _clock(rng: Random) -> str:
    return f"2024-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T{rng.randint(10, 23)}:{rng.randint(10, 59)}:00Z"


def _log(line: Callable[[Random], str]) -> Category:
    return lambda rng, length: fill(rng, length, lambda r: f"{_clock(r)} {line(r)}", "\n")


def _log_request(rng: Random) -> str:
    path = rng.choice(["/", "/login", "/api/items", f"/api/items/{rng.randrange(1000)}", "/health"])
    code = rng.choice([200, 200, 200, 201, 304, 404, 500])
    return f"INFO {rng.choice(['GET', 'POST', 'PUT'])} {path} {code} {rng.randint(1, 900)}ms {address(rng)}"


def _log_error(rng: Random) -> str:
    what = rng.choice(["connection refused", "timed out", "disk is full", "unexpected end of file"])
    return f"ERROR worker-{rng.randint(1, 9)} {what} (attempt {rng.randint(1, 5)} of 5)"


def _log_login(rng: Random) -> str:
    return f"NOTICE auth user={rng.choice(WORDS)} from={address(rng)} ok={rng.choice(['true', 'false'])}"


def _log_database(rng: Random) -> str:
    return f"WARN db table={rng.choice(WORDS)} rows={rng.randrange(10000)} lock_wait={rng.random():.3f}s"


def _log_metrics(rng: Random) -> str:
    return f"DEBUG cpu={rng.random():.2f} mem={rng.random():.2f} queue={rng.randrange(40)}"


CATEGORIES: dict[str, Category] = {
    "log_request": _log(_log_request),
    "log_error": _log(_log_error),
    "log_login": _log(_log_login),
    "log_database": _log(_log_database),
    "log_metrics": _log(_log_metrics),
}
