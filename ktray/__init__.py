"""ktray finds the shortest program that reproduces each piece of your data, and archives exactly that.

Read first: `sequences` and `programs` (the records), then `ports` (the seams), then the package you
want to change. Nothing below this package imports Ray; `actors` and `jobs` wrap it.
"""

__version__ = "0.1.0"
