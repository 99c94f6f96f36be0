"""Studies of candidate logs: pure estimators, no sampling and no files.

Read `passk`, then `bitsk` (both use `bootstrap`), then `taxonomy`.
"""
