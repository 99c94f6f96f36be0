"""The canonical form of DSL programs: of texts that differ only in how they say it, those that code cheaply.

No rewriting here changes the output, makes a program longer, or lets one fail that did not fail before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from ktray.dsl.program import Argument, Call, DslProgram, Ref

#: When an operation comes among lines that could stand in any order; others come as soon as they can.
_STAGES = {
    "range_func_up": 0,
    "range_func_interval": 0,
    "repeat_num": 0,
    "set_list": 0,
    "substitute": 2,
    "max_n": 3,
    "min_n": 3,
    "add_item_list": 3,
    "subtract_item_list": 3,
    "modulo_item_list": 3,
    "filter": 4,
    "scan_add": 4,
    "add_two_lists": 5,
    "subtract_two_lists": 5,
    "modulo_two_lists": 5,
    "concatenate": 6,
    "interleave": 6,
}
_DEFAULT_STAGE = 1
_MERGES = frozenset({"concatenate", "interleave"})

#: Where the list and the constant of an operation stand, and the constant with which it only copies the list.
_NEUTRAL = {
    "add_item_list": (0, 1, 0),
    "subtract_item_list": (0, 1, 0),
    "get_subsequence_with_jumps": (0, 1, 1),
    "repeat_list": (1, 0, 1),
}

#: Operations with calls that have another spelling, or that only copy a list.
_SPELLED = frozenset({*_NEUTRAL, "range_func_interval", "add_two_lists"})


def canonicalise(program: DslProgram) -> DslProgram:
    """Return the first of the program's `variants`."""
    return next(variants(program))


def variants(program: DslProgram) -> Iterator[DslProgram]:
    """Yield equivalent programs worth pricing, one or two.

    The first has live lines only, each line once, chains of concatenate from left to right, lines by stage;
    the second takes the lines of a stage in the order in which the output needs them, where that differs.
    """
    if _is_settled(program):
        yield program
        kept = None
        if _asked_in_order(program.lines):
            return
        lines = list(program.lines)
    else:
        lines = _chained(_simplified(program))
        kept = _schedule(lines, range(len(lines)))
        yield _renumbered(lines, kept)
    by_need = _schedule(lines, _wanted(lines))
    if by_need != (kept or list(range(len(lines)))):
        yield _renumbered(lines, by_need)


def _is_settled(program: DslProgram) -> bool:
    """Return whether a program is as `variants` would leave it: the quick check that most programs pass."""
    lines = program.lines
    seen: set[tuple[object, ...]] = set()
    used = {program.output}
    newest = 0
    for call in lines:
        op, args = call.op, call.args
        before, newest = newest, _STAGES.get(op, _DEFAULT_STAGE)
        if newest < before:
            return False
        plain = [op, *[-arg.line if type(arg) is Ref else arg for arg in args]]
        used.update([arg.line for arg in args if type(arg) is Ref])
        if op == "concatenate":
            if lines[_line_of(args[1])].op == op:
                return False
        elif op in _SPELLED and (_respelled(call) != call or _same_list(call) is not None):
            return False
        seen.add(tuple(plain))
    return len(used) == len(seen) == len(lines) and program.output == len(lines) - 1


def _asked_in_order(lines: Sequence[Call]) -> bool:
    """Return whether merges take lines that are no merges themselves for the first time in their order."""
    newest = -1
    seen = set()
    for call in lines:
        if call.op in _MERGES:
            for arg in call.args:
                line = _line_of(arg)
                if line not in seen and lines[line].op not in _MERGES:
                    if line < newest:
                        return False
                    newest = line
                    seen.add(line)
    return True


def stage(op: str) -> int:
    """Return when an operation comes among lines that could stand in any order."""
    return _STAGES.get(op, _DEFAULT_STAGE)


def _references(call: Call) -> list[int]:
    return [arg.line for arg in call.args if type(arg) is Ref]


def _simplified(program: DslProgram) -> list[Call]:
    """Return the live lines, each in its simplest spelling and each only once; the last one is the output."""
    live = _live(program)
    lines: list[Call] = []
    place: dict[int, int] = {}  # where the list of an old line is now
    known: dict[Call, int] = {}
    for old in live:
        call = _respelled(_moved(program.lines[old], place))
        alias = _same_list(call)
        if alias is None:
            alias = known.setdefault(call, len(lines))
            if alias == len(lines):
                lines.append(call)
        place[old] = alias
    return _only_live(lines, place[program.output])


def _live(program: DslProgram) -> list[int]:
    """Return the lines that the output depends on, itself included, in order."""
    needed = {program.output}
    for i in range(program.output, -1, -1):
        if i in needed:
            needed.update(_references(program.lines[i]))
    return sorted(needed)


def _only_live(lines: list[Call], output: int) -> list[Call]:
    """Return the lines that line `output` still depends on, so that it becomes the last."""
    rest = DslProgram(tuple(lines), output)
    live = _live(rest)
    return lines if len(live) == len(lines) else list(_renumbered(lines, live).lines)


def _moved(call: Call, place: dict[int, int]) -> Call:
    """Return the call with its references renumbered, those of a sum in rising order."""
    args = [Ref(place[arg.line]) if type(arg) is Ref else arg for arg in call.args]
    return Call(call.op, tuple(sorted(args, key=_line_of) if call.op == "add_two_lists" else args))


def _renumbered(lines: list[Call], order: list[int]) -> DslProgram:
    """Return the program of `lines` taken in `order`; its last line is the output."""
    place = {old: new for new, old in enumerate(order)}
    return DslProgram(tuple([_moved(lines[old], place) for old in order]), len(order) - 1)


def _same_list(call: Call) -> int | None:
    """Return the earlier line whose list this call merely copies, or None."""
    neutral = _NEUTRAL.get(call.op)
    return _line_of(call.args[neutral[0]]) if neutral and call.args[neutral[1]] == neutral[2] else None


def _respelled(call: Call) -> Call:
    """Return the usual spelling of a call that has several."""
    op, args = call.op, call.args
    if op == "range_func_interval":
        return _range(call)
    if op == "add_item_list" and isinstance(args[1], int) and args[1] < 0:
        return Call("subtract_item_list", (args[0], -args[1]))
    if op == "subtract_item_list" and isinstance(args[1], int) and args[1] < 0:
        return Call("add_item_list", (args[0], -args[1]))
    if op == "add_two_lists":
        return Call(op, tuple(sorted(args, key=_line_of)))
    return call


def _line_of(arg: Argument) -> int:
    return arg.line if isinstance(arg, Ref) else 0


def _range(call: Call) -> Call:
    """Return a rising range with its end just past its last element, or without its step of 1."""
    start, end, step = call.args
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(step, int)):
        return call
    if step < 1 or end <= start:
        return call
    if step == 1:
        return Call("range_func_up", (start, end - 1))
    return Call(call.op, (start, end - (end - 1 - start) % step, step))


#: A turn takes as long as the program; no program that is worth its bits needs so many.
_MOST_TURNS = 64


def _chained(lines: list[Call]) -> list[Call]:
    """Return the lines with every concatenate(a, concatenate(b, c)), its inner list used nowhere else, turned
    to concatenate(concatenate(a, b), c), as far as _MOST_TURNS go."""
    for _ in range(_MOST_TURNS):
        if (found := _nested(lines)) is None:
            break
        lines = _rotated(lines, *found)
    return lines


def _nested(lines: list[Call]) -> tuple[int, int] | None:
    """Return an outer and an inner concatenate to be rotated, or None."""
    uses = [0] * len(lines)
    for call in lines:
        for line in _references(call):
            uses[line] += 1
    for i, call in enumerate(lines):
        if call.op == "concatenate":
            inner = _line_of(call.args[1])
            if lines[inner].op == "concatenate" and uses[inner] == 1:
                return i, inner
    return None


def _rotated(lines: list[Call], outer: int, inner: int) -> list[Call]:
    """Return the lines with one pair rotated: a line joining a and b stands just before the outer one."""
    a, (b, c) = lines[outer].args[0], lines[inner].args
    order = [i for i in range(len(lines)) if i != inner]
    order.insert(order.index(outer), inner)
    lines = [*lines]
    lines[inner], lines[outer] = Call("concatenate", (a, b)), Call("concatenate", (Ref(inner), c))
    return list(_renumbered(lines, order).lines)


def _wanted(lines: list[Call]) -> list[int]:
    """Return, for each line, when the output first asks for it: operands from the left, sources first."""
    uses = [_references(call) for call in lines]
    rank: dict[int, int] = {}
    stack = [(len(uses) - 1, False)]
    while stack:
        line, ready = stack.pop()
        if ready:
            rank.setdefault(line, len(rank))
        elif line not in rank:
            stack.append((line, True))
            stack.extend((source, False) for source in reversed(uses[line]))
    return [rank[line] for line in range(len(uses))]


def _schedule(lines: list[Call], rank: range | list[int]) -> list[int]:
    """Return the lines in an order of theirs that goes by stage, then by rank."""
    uses = [_references(call) for call in lines]
    waiting = [len(set(sources)) for sources in uses]
    users: list[list[int]] = [[] for _ in lines]
    for i, sources in enumerate(uses):
        for source in set(sources):
            users[source].append(i)
    ready = [(stage(lines[i].op), rank[i], i) for i in range(len(lines)) if not waiting[i]]
    heapify(ready)
    order: list[int] = []
    while ready:
        order.append(heappop(ready)[2])
        for user in users[order[-1]]:
            waiting[user] -= 1
            if not waiting[user]:
                heappush(ready, (stage(lines[user].op), rank[user], user))
    return order
