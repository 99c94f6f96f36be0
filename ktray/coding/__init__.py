"""Entropy coding on integers. Read `binary.py` first: the range coder of numba's hot loops, which is ours.

`symbols.py` codes equally likely symbols through constriction; `flags.py` codes what a block's entries are.
"""
