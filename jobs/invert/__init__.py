"""The invertible-code-reasoning benchmark: `python -m jobs.invert COMMAND --help`, one module a command."""
