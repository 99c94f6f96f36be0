"""Sketches: programs that point at stretches of their sequence instead of copying numbers.

    set_list concatenate @20 range_func_up interleave @30 reverse_list @0

A sketch names the pieces of a sequence in the order they are merged, each with the operation that makes it.
`@i` is an element of the sequence: where a piece begins, or (interleaved) the first element that does not
alternate any more; an operand is named by its first element. Pieces and merges alone settle where each
piece's values lie, and the values settle every number, so that `fill` needs no search.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ktray.dsl.interpreter import run_lines
from ktray.dsl.ops import BY_NAME, PREDICATE_BY_NAME, Dialect, Param
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.errors import ProgramError
from ktray.seqcoder.holes import HOLES, initiator_for

#: How a piece is merged into the result so far. The last one interleaves a piece longer than that result.
CONCATENATE, INTERLEAVE, INTERLEAVE_LONGER = "concatenate", "interleave", "interleave_longer"
MERGES = (CONCATENATE, INTERLEAVE, INTERLEAVE_LONGER)
INITIATORS = tuple(
    name for name, op in BY_NAME.items() if op.dialect is Dialect.DSL and Param.REF not in op.params
)
#: Operations on operands: all others of the published dialect but the merges.
DERIVERS = tuple(
    name
    for name, op in BY_NAME.items()
    if op.dialect is Dialect.DSL and name not in (*INITIATORS, CONCATENATE, INTERLEAVE)
)
_HIDDEN = "substitute"

List = list[int]


@dataclass(frozen=True, slots=True)
class Source:
    """What makes a piece: an operation (empty: the operand once more), its operands' first elements (as
    positions in the sequence), a predicate, and the initiator that it is applied to where that list is
    not a piece itself."""

    op: str
    operands: tuple[int, ...] = ()
    predicate: str = ""
    hidden: str = ""

    def words(self) -> Iterator[str]:
        """Yield the source's words."""
        yield from (word for word in (self.op, self.predicate, self.hidden) if word)
        yield from map(_pointer, self.operands)


@dataclass(frozen=True, slots=True)
class Merge:
    """How a piece joins the result so far: the word of MERGES, and the element that it points at."""

    how: str
    at: int


@dataclass(frozen=True, slots=True)
class Sketch:
    """The sources of the pieces, and the merges of all but the first."""

    sources: tuple[Source, ...]
    merges: tuple[Merge, ...]

    def words(self) -> list[str]:
        """Return the words of the text form."""
        words = list(self.sources[0].words())
        for merge, source in zip(self.merges, self.sources[1:], strict=True):
            words += [merge.how, _pointer(merge.at), *source.words()]
        return words

    def text(self) -> str:
        """Return the text form; `parse_sketch` reads it back."""
        return " ".join(self.words())


def _pointer(position: int) -> str:
    return f"@{position}"


# -- text to sketch ----------------------------------------------------------------------------------------


class _Words:
    """Reads words one after another; raises ProgramError at one that does not fit."""

    def __init__(self, text: str) -> None:
        self._words, self._at = text.split(), 0

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def take(self, expected: str) -> str:
        if not self:
            raise ProgramError(f"the sketch ends where {expected} was expected", 1, self._at + 1)
        self._at += 1
        return self._words[self._at - 1]

    def one_of(self, known: Sequence[str], expected: str) -> str:
        word = self.take(expected)
        if word not in known:
            raise ProgramError(f"expected {expected}, found {word[:40]!r}", 1, self._at)
        return word

    def pointer(self) -> int:
        word = self.take("an element such as @12")
        if not (word.startswith("@") and word[1:].isascii() and word[1:].isdigit() and len(word) < 8):
            raise ProgramError(f"expected an element such as @12, found {word[:40]!r}", 1, self._at)
        return int(word[1:])

    def next_is(self, known: Sequence[str]) -> bool:
        return self._at < len(self._words) and self._words[self._at] in known

    def next_is_pointer(self) -> bool:
        return self._at < len(self._words) and self._words[self._at].startswith("@")


def parse_sketch(text: str) -> Sketch:
    """Return the sketch that `text` spells; columns in the ProgramError otherwise raised count words."""
    words = _Words(text)
    sources, merges = [_parse_source(words)], []
    while words:
        how = words.one_of(MERGES, f"a merge: {', '.join(MERGES)}")
        merges.append(Merge(how, words.pointer()))
        sources.append(_parse_source(words))
    return Sketch(tuple(sources), tuple(merges))


def _parse_source(words: _Words) -> Source:
    if words.next_is_pointer():
        return Source("", (words.pointer(),))
    op = words.one_of((*INITIATORS, *DERIVERS), "an operation or an element")
    if op in INITIATORS:
        return Source(op)
    if op == _HIDDEN and words.next_is(INITIATORS):
        return Source(op, hidden=words.take("an initiator"))
    params = BY_NAME[op].params
    predicate = words.one_of(tuple(PREDICATE_BY_NAME), "a predicate") if Param.PREDICATE in params else ""
    return Source(op, tuple(words.pointer() for _ in range(params.count(Param.REF))), predicate)


# -- sketch to program -------------------------------------------------------------------------------------


def fill(sketch: Sketch, values: Sequence[int]) -> DslProgram:
    """Return the program of a sketch of `values`: its lists in order, then its merges.

    Raises ProgramError where the sketch points at what is not there. The program may still make another
    sequence: a number that the values do not settle (they contradict the operation) is the nearest guess.
    """
    places = _peel(sketch.merges, len(values))
    lines = _Lines()
    made: dict[int, tuple[int, List]] = {}  # first element -> line and list of a piece
    pieces = []
    for source, place in zip(sketch.sources, places, strict=True):
        target = [int(values[i]) for i in place]
        line = _fill_source(source, target, made, lines)
        made[place[0]] = (line, target)
        pieces.append(line)
    merged = pieces[0]
    for merge, piece in zip(sketch.merges, pieces[1:], strict=True):
        how = CONCATENATE if merge.how == CONCATENATE else INTERLEAVE
        merged = lines.add(how, (Ref(merged), Ref(piece)))
    return DslProgram(tuple(lines.calls), merged)


class _Lines:
    """The lines of a program so far."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def add(self, op: str, args: tuple[Argument, ...]) -> int:
        self.calls.append(Call(op, args))
        return len(self.calls) - 1


def _fill_source(source: Source, target: List, made: dict[int, tuple[int, List]], lines: _Lines) -> int:
    """Add the lines of a source and return the one whose list is `target`."""
    if source.hidden:
        hidden = initiator_for(source.hidden, target)
        line = lines.add(source.hidden, hidden.args)
        return lines.add(source.op, HOLES[source.op](target, [hidden.values], [line], ""))
    operands = [_operand(made, at) for at in source.operands]
    if not source.op:
        return operands[0][0]
    args = HOLES[source.op](
        target, [values for _, values in operands], [line for line, _ in operands], source.predicate
    )
    return lines.add(source.op, args)


def _operand(made: dict[int, tuple[int, List]], at: int) -> tuple[int, List]:
    if at not in made:
        raise ProgramError(f"no earlier piece begins at element {at}")
    return made[at]


def _peel(merges: Sequence[Merge], length: int) -> list[List]:
    """Return the elements (positions in the sequence, rising) of each piece, by undoing the last merge first."""
    if not length:
        raise ProgramError("an empty sequence has no sketch")
    rest = list(range(length))
    places: list[List] = []
    for merge in reversed(merges):
        rest, piece = _undo(merge, rest)
        places.append(piece)
    return [rest, *reversed(places)]


def _undo(merge: Merge, rest: List) -> tuple[List, List]:
    """Return what was there before a merge, and what it added."""
    cut = len(rest) if merge.at == rest[-1] + 1 else bisect_left(rest, merge.at)
    if cut < len(rest) and rest[cut] != merge.at:
        raise ProgramError(f"{merge.how} @{merge.at}: that element is merged later")
    if merge.how == CONCATENATE:
        if not 0 < cut < len(rest):
            raise ProgramError(f"{merge.how} @{merge.at} leaves nothing on one side")
        return rest[:cut], rest[cut:]
    if cut < 2 or cut % 2 or (cut == len(rest) and merge.how == INTERLEAVE_LONGER):
        raise ProgramError(f"{merge.how} @{merge.at} does not come out even")
    short, long = (1, 0) if merge.how == INTERLEAVE else (0, 1)
    both = {short: rest[short:cut:2], long: rest[long:cut:2] + rest[cut:]}
    return both[0], both[1]


# -- program to sketch -------------------------------------------------------------------------------------


def sketch_of(program: DslProgram, lists: Sequence[List] | None = None) -> Sketch:
    """Return a sketch that `fill` turns into a program for the same output; `lists` are those of its lines.

    A list that only went into others is not in the output: what was made from it becomes the nearest thing
    that can be pointed at, at worst a literal. Raises ProgramError where the output is not one chain of
    merges, or a piece is empty.
    """
    lists = run_lines(program) if lists is None else lists
    pieces, hows = _chain(program)
    if not all(lists[line] for line in pieces):
        raise ProgramError("a piece of the output is empty")
    merges, firsts = _place([len(lists[line]) for line in pieces], hows)
    sources, begins = [], dict[int, int]()  # line -> first element of its piece
    for line, first in zip(pieces, firsts, strict=True):
        sources.append(
            Source("", (begins[line],)) if line in begins else _source(program, lists, line, begins)
        )
        begins.setdefault(line, first)
    return Sketch(tuple(sources), tuple(merges))


def _chain(program: DslProgram) -> tuple[list[int], list[str]]:
    """Return the lines that are merged, in order, and how each but the first is."""
    pieces, hows = list[int](), list[str]()
    line = program.output
    while program.lines[line].op in (CONCATENATE, INTERLEAVE):
        call = program.lines[line]
        left, right = (arg for arg in call.args if isinstance(arg, Ref))
        if program.lines[right.line].op in (CONCATENATE, INTERLEAVE):
            raise ProgramError("a merged list is merged into another")
        pieces.append(right.line)
        hows.append(call.op)
        line = left.line
    return [line, *reversed(pieces)], hows[::-1]


def _place(lengths: Sequence[int], hows: Sequence[str]) -> tuple[list[Merge], list[int]]:
    """Return the merges with what they point at, and each piece's first element."""
    result = list(range(lengths[0]))  # each element's number, pieces one after another
    begins = [0]
    cuts: list[tuple[str, int | None, int]] = []  # how, the number pointed at (or None: the end), last number
    for how, n in zip(hows, lengths[1:], strict=True):
        begin = begins[-1] + lengths[len(begins) - 1]
        begins.append(begin)
        piece, m = list(range(begin, begin + n)), len(result)
        both = min(m, n)
        longer = how == INTERLEAVE and n > m
        if how == CONCATENATE:
            cut, result = m, result + piece
        else:
            mixed = [0] * (2 * both)
            mixed[::2], mixed[1::2] = result[:both], piece[:both]
            cut, result = 2 * both, mixed + result[both:] + piece[both:]
        at = result[cut] if cut < len(result) else None
        cuts.append((INTERLEAVE_LONGER if longer else how, at, result[-1]))
    position = {number: i for i, number in enumerate(result)}
    merges = [Merge(how, position[last] + 1 if at is None else position[at]) for how, at, last in cuts]
    return merges, [position[begin] for begin in begins]


def _source(program: DslProgram, lists: Sequence[List], line: int, begins: dict[int, int]) -> Source:
    """Return the source of a piece that is not a repetition of an earlier one."""
    call = program.lines[line]
    if call.op in INITIATORS:
        return Source(call.op)
    operands = [arg.line for arg in call.args if isinstance(arg, Ref)]
    if call.op in DERIVERS and all(operand in begins for operand in operands):
        predicate = next((arg for arg in call.args if isinstance(arg, str)), "")
        return Source(call.op, tuple(begins[operand] for operand in operands), predicate)
    nearest = _nearest_initiator(lists[line])
    if nearest == "set_list" and call.op == _HIDDEN:
        hidden = program.lines[operands[0]].op
        if hidden in ("range_func_up", "range_func_interval"):
            return Source(_HIDDEN, hidden=hidden)
    return Source(nearest)


def _nearest_initiator(values: List) -> str:
    """Return the cheapest initiator that makes `values`."""
    steps = {b - a for a, b in pairwise(values)}
    if len(values) > 1 and steps == {1}:
        return "range_func_up"
    if steps == {0}:
        return "repeat_num"
    if len(values) > 2 and len(steps) == 1 and min(steps) > 0:
        return "range_func_interval"
    return "set_list"
