"""Data for supervised fine-tuning: prompts with verified reasoning, as chat JSON lines.

Split by input, the same way for every algorithm and task: no input of the test side, and none of the
inputs that are excluded by name, is ever a training input.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ktray.commit import committed
from ktray.inversion.answers import OPEN
from ktray.inversion.datasets.generate import split
from ktray.inversion.kinds import InversionError
from ktray.inversion.prompting import Question, build_prompt
from ktray.inversion.tasks import Item, Message
from ktray.inversion.templates import Templates
from ktray.inversion.tokens import ChatTemplate
from ktray.inversion.translation import Translation
from ktray.rundir import write_json

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("algorithm", pa.string()),
        ("task", pa.string()),
        ("blinding", pa.int32()),
        ("input", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class SftExample:
    """One conversation to learn from, and what it is about."""

    id: str
    algorithm: str
    task: str
    blinding: int
    input: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SftData:
    """The two sides of a split."""

    train: tuple[SftExample, ...]
    test: tuple[SftExample, ...]


def build_sft(
    translations: Iterable[Translation],
    templates: Templates,
    *,
    test_share: float,
    exclude: Collection[str] = (),
    thinking: bool = False,
) -> SftData:
    """Return training conversations: each translation answers the prompt that its task would get.

    Inputs in `exclude` (an evaluation set's) are left out; the others fall by their hash. With `thinking`
    the reasoning stands in a thinking block before the answer, as reasoning models write it.
    """
    kept = [t for t in translations if t.input not in exclude]
    items = {t.input: Item(t.input, t.category) for t in kept}
    train, _ = split(list(items.values()), test_share)
    train_inputs = {i.text for i in train}
    examples = [(_example(t, templates, thinking), t.input in train_inputs) for t in kept]
    if not examples:
        raise InversionError(
            "no conversations to write: every translation's input is excluded, or there are none"
        )
    return SftData(
        tuple(e for e, training in examples if training), tuple(e for e, training in examples if not training)
    )


def write_sft(folder: Path, data: SftData, template: ChatTemplate | None = None) -> None:
    """Write train and test as JSON lines and as Parquet, and a dataset_info.json that LLaMA-Factory reads
    as it is.

    With a chat template each row also has `text`, the conversation as that model is fed it; else it is null
    in Parquet and absent in JSON.
    """
    for name, examples in (("train", data.train), ("test", data.test)):
        with committed(folder / f"{name}.parquet") as temporary:
            rows = list(_rows(examples, template))
            pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary, compression="zstd")
        with (
            committed(folder / f"{name}.jsonl") as temporary,
            temporary.open("w", encoding="utf-8") as stream,
        ):
            for row in _rows(examples, template):
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    info = {
        f"ktray_inversion_{name}": {
            "file_name": f"{name}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {**tags, "system_tag": "system"},
        }
        for name in ("train", "test")
    }
    write_json(folder / "dataset_info.json", info)


def _rows(examples: Iterable[SftExample], template: ChatTemplate | None) -> Iterator[dict[str, Any]]:
    for example in examples:
        row = asdict(example)
        if template is not None:
            row["text"] = template.render(example.messages)
        yield row


def _example(translation: Translation, templates: Templates, thinking: bool) -> SftExample:
    item = Item(translation.input, translation.category)
    question = Question(translation.algorithm, translation.task, translation.blinding)
    prompt = build_prompt(item, question, templates)
    reply = _thinking(translation.text) if thinking else translation.text
    return SftExample(
        prompt.id,
        prompt.algorithm,
        prompt.task,
        prompt.blinding,
        prompt.input,
        (*prompt.messages, Message("assistant", reply)),
    )


def _thinking(text: str) -> str:
    reasoning, mark, answer = text.rpartition(OPEN)
    return f"<think>\n{reasoning.strip()}\n</think>\n{mark}{answer}"
