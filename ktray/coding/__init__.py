"""Entropy coding on integers. `binary.py` is ours, for numba's hot loops; `uniform.py` wraps constriction."""
