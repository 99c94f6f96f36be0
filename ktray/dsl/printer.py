"""The canonical text of a program: sequence_1, sequence_2, ... in order, and no trailing newline.

Before a program of the second dialect stands the line that says so.
"""

from __future__ import annotations

from ktray.dsl.ops import Dialect, dialect_of
from ktray.dsl.parser import DIALECT_LINE
from ktray.dsl.program import Argument, DslProgram, Ref


def argument_text(arg: Argument) -> str:
    """Return the text of one argument."""
    if type(arg) is Ref:
        return f"sequence_{arg.line + 1}"
    if type(arg) is tuple:
        return f"[{', '.join(map(str, arg))}]"
    return str(arg)


def to_text(program: DslProgram) -> str:
    """Return the published form of `program`; parsing it gives the same program back."""
    second = dialect_of(call.op for call in program.lines) is Dialect.DSL2
    lines = [
        f"sequence_{i} = {call.op}({', '.join(map(argument_text, call.args))})"
        for i, call in enumerate(program.lines, 1)
    ]
    lines.append(f"output = sequence_{program.output + 1}")
    return DIALECT_LINE * second + "\n".join(lines)
