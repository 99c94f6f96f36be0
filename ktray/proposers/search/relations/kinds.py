"""The operations of relations, and the columns of a row: operation, source start and end, target start and end, two
parameters, second source.
"""

from __future__ import annotations

SAME = 0
R_REVERSE = 1
R_ADD = 2  # a: the constant, negative to subtract
R_MODULO = 3
R_SUBSTITUTE = 4  # a: old, b: new
R_JUMPS = 5
R_SCAN = 6
R_FILTER = 7  # a: the predicate's code
R_MAX = 8
R_MIN = 9
R_REPEAT = 10  # a: times; the target lies elsewhere
R_EXTEND = 11  # a: times; the target continues the source, which is its first period
R_ADD_LISTS = 12
R_SUBTRACT_LISTS = 13
R_MODULO_LISTS = 14
R_BETWEEN = 15  # a, b: the range of indices

COLUMNS = 9
OP, S0, S1, T0, T1, A, B, U0, U1 = range(9)
