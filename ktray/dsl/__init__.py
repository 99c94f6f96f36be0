"""The published DSL of list programs, one call a line.

Read `ops.py` first: one table of operations feeds the parser, the printer, the interpreter, the priors,
the sampler and the grammar. `program.py` holds the records that pass between them.
"""
