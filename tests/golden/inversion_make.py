"""Writes the golden codes and prompts anew: `python tests/golden/inversion_make.py`.

A code or a prompt's id that changes makes earlier reply logs and published numbers incomparable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ktray.inversion import formats
from ktray.inversion.algorithms import algorithms
from ktray.inversion.datasets.generate import DatasetSpec, generate
from ktray.inversion.prompting import Question, build_prompt
from ktray.inversion.tasks import Item, Task
from ktray.inversion.templates import load_templates

FILE = Path(__file__).parent / "inversion_v1.json"
TEXT = "ABRACADABRA naïve 数 ABRACADABRA"


def golden() -> dict[str, Any]:
    """Return codes in every format, prompt ids by algorithm, task and blinding, and a drawn data set."""
    codes, prompts = {}, {}
    templates, example = load_templates(), Item("ABAB")
    for name, known in algorithms().items():
        coded = known.encode(TEXT)
        usable = [f for f in formats.formats() if formats.supports(f, known.kind)]
        codes[name] = {f: formats.write(f, known.kind, coded.code) for f in usable} | {"side": coded.side}
        for task in Task:
            for blinding in (0, 1, 2, 3):
                question = Question(name, task, blinding, "list", (example,))
                prompts[f"{name} {task} {blinding}"] = build_prompt(Item(TEXT), question, templates).id
    drawn = [item.text for item in generate(DatasetSpec(count=45, least=10, greatest=40, seed=1))]
    return {"codes": codes, "prompts": prompts, "drawn": drawn}


def main() -> None:
    FILE.write_text(json.dumps(golden(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
