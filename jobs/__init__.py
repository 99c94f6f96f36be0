"""Command-line jobs: `python -m jobs.NAME --help`. A job is a config, `run(config)` and `main()`."""
