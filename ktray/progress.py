"""Progress of long work: a live line on a terminal, a plain line now and then where there is none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: Advance by some units; the text (a running rate, say) replaces the last one.
Advance = Callable[[int, str], None]

_PLAIN_SECONDS = 10.0


@contextlib.contextmanager
def progress(console: Console, title: str, total: int | None, unit: str) -> Iterator[Advance]:
    """Show `title` with units done of `total`, units a second, and remaining time, while the block runs."""
    lines = _live(console, title, total, unit) if console.is_terminal else _plain(console, title, total, unit)
    with lines as advance:
        yield advance


@contextlib.contextmanager
def _live(console: Console, title: str, total: int | None, unit: str) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit + "{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    started, done = time.monotonic(), 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total, note="", speed="")

        def advance(amount: int, note: str) -> None:
            nonlocal done
            done += amount
            speed = f" {_speed(done, started)}"
            bar.update(task, advance=amount, note=note, speed=speed)

        yield advance


@contextlib.contextmanager
def _plain(console: Console, title: str, total: int | None, unit: str) -> Iterator[Advance]:
    started = shown = time.monotonic()
    done = 0

    def advance(amount: int, note: str) -> None:
        nonlocal done, shown
        done += amount
        if time.monotonic() - shown < _PLAIN_SECONDS:
            return
        shown = time.monotonic()
        console.print(f"{title}: {_share(done, total)} {unit} {_speed(done, started)} {note}".rstrip())

    yield advance
    if time.monotonic() - started >= _PLAIN_SECONDS:
        console.print(f"{title}: {_share(done, total)} {unit} {_speed(done, started)}")


def _share(done: int, total: int | None) -> str:
    return f"{done:,} of {total:,}" if total else f"{done:,}"


def _speed(done: int, started: float) -> str:
    elapsed = time.monotonic() - started
    if elapsed <= 0:
        return ""
    rate = done / elapsed
    return f"({rate:,.{0 if rate >= 10 else 1}f}/s)" if rate >= 1 else f"({60 * rate:.1f}/min)"
