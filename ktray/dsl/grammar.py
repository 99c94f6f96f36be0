"""A context-free grammar of the DSL for constrained decoding, generated from the table of operations.

The form is GBNF, which xgrammar (and so vLLM's structured outputs) and llama.cpp read. Lines are numbered in
the grammar, so that a text it allows always parses: names count up and references point up.
"""

from __future__ import annotations

from ktray.dsl.ops import OPERATIONS, PREDICATES, Dialect, Operation, Param
from ktray.errors import ConfigError

#: Lines of calls that a grammar allows unless told otherwise; no published program has more.
DEFAULT_LINES = 48
MAX_LINES = 500

_BYTE = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9] [0-9] | [0-9])'

#: How each kind of integer is spelled; kinds not named here are plain numbers of up to four digits.
_SPELLED: dict[Param, str] = {Param.VALUE: "byte", Param.END: '(byte | "256")', Param.CONSTANT: "byte"}


def grammar(max_lines: int = DEFAULT_LINES, dialect: Dialect = Dialect.DSL) -> str:
    """Return a GBNF grammar whose root is a canonical program of at most `max_lines` calls.

    Raises ConfigError where `max_lines` is not in 1..500.
    """
    if not 1 <= max_lines <= MAX_LINES:
        raise ConfigError(f"a grammar of {max_lines} lines; expected 1 to {MAX_LINES}")
    known = [op for op in OPERATIONS if dialect is Dialect.DSL2 or op.dialect is Dialect.DSL]
    initial = [op for op in known if Param.REF not in op.params]
    rules = [
        'root ::= "sequence_1 = " initial "\\n" after1',
        f"byte ::= {_BYTE}",
        'number ::= "0" | [1-9] [0-9]{0,3}',
        'list ::= "[" byte (", " byte)* "]"',
        "predicate ::= " + " | ".join(f'"{p.name}"' for p in PREDICATES),
        "initial ::= " + " | ".join(_call(op, "") for op in initial),
    ]
    for line in range(1, max_lines + 1):
        rules += _rules_after(line, line < max_lines, [op for op in known if op not in initial])
    return "\n".join(rules) + "\n"


def _rules_after(line: int, more: bool, updates: list[Operation]) -> list[str]:
    """Return the rules of what may follow line `line` (from 1): references, the end or another line."""
    before = f"ref{line - 1} | " if line > 1 else ""
    end = f'"output = " ref{line}'
    rules = [f'ref{line} ::= {before}"sequence_{line}"']
    if not more:
        return [*rules, f"after{line} ::= {end}"]
    calls = " | ".join(_call(op, f"ref{line}") for op in updates)
    next_line = f'"sequence_{line + 1} = " (initial | call{line}) "\\n" after{line + 1}'
    return [*rules, f"call{line} ::= {calls}", f"after{line} ::= {end} | {next_line}"]


def _call(op: Operation, ref: str) -> str:
    kinds = {Param.REF: ref, Param.LIST: "list", Param.PREDICATE: "predicate"} | _SPELLED
    arguments = ' ", " '.join(kinds.get(param, "number") for param in op.params)
    return f'"{op.name}(" {arguments} ")"'
