from __future__ import annotations

import re
from pathlib import Path

from ktray.dsl.table import with_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_operations_is_up_to_date() -> None:
    assert with_table(README) == README


def test_everything_the_tree_names_exists() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    at = ROOT
    for line in tree.strip().splitlines():
        indent = len(line) - len(line.lstrip())
        names = [word for word in line.split() if re.fullmatch(r"[a-z]+/|[a-z_]+\.py", word)]
        at = ROOT if indent == 0 else at
        for name in names:
            assert (at / name).exists() or (ROOT / "ktray" / name).exists(), name
        if indent == 0:
            at = ROOT / names[0]


def test_every_job_that_is_named_exists() -> None:
    for name in set(re.findall(r"python -m jobs\.(\w+)", README)):
        assert (ROOT / "jobs" / f"{name}.py").exists() or (ROOT / "jobs" / name / "__main__.py").exists(), (
            name
        )
