"""Scores of a model on pairs, by real generation and real execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ktray.dsl.interpreter import interpret
from ktray.dsl.parser import parse
from ktray.errors import ProgramError
from ktray.priors.uniform import published_bits
from ktray.seqcoder.forms import Form
from ktray.seqcoder.stream import Example
from ktray.seqcoder.tokens import Speller

#: Tokens of the longest reply that is waited for.
MOST_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Score:
    """Counts that add up over processes: sequences, correct replies, those of them that are shorter than
    their sequence, executable replies, bits by the paper."""

    sequences: int = 0
    correct: int = 0
    shorter: int = 0
    executable: int = 0
    bits: float = 0.0
    raw_bits: float = 0.0

    def __add__(self, other: Score) -> Score:
        a, b = asdict(self), asdict(other)
        return Score(**{name: a[name] + b[name] for name in a})

    def metrics(self) -> dict[str, float]:
        """Return the shares of correct, shorter and executable replies, and CompressionRate (raw where a
        reply is not correct). Accuracy alone says little: a literal is correct too."""
        n = max(1, self.sequences)
        return {
            "accuracy": self.correct / n,
            "shorter": self.shorter / n,
            "executable": self.executable / n,
            "compression_rate": self.bits / max(1.0, self.raw_bits),
        }


def score_reply(form: Form, reply: str, example: Example) -> Score:
    """Return the score of one reply (words joined by spaces)."""
    raw = 8.0 * len(example.values)
    try:
        program = parse(form.program_text(reply, example.values.tolist()))
    except ProgramError:
        return Score(1, 0, 0, 0, 1 + raw, raw)
    made = interpret(program).values
    correct = made is not None and np.array_equal(made, example.values)
    bits = 1 + (published_bits(program) if correct else raw)
    return Score(1, int(correct), int(correct and bits <= raw), int(made is not None), bits, raw)


def generate(
    model: Any, speller: Speller, examples: Sequence[Example], context: int, *, together: bool = False
) -> list[str]:
    """Return the greedy replies to examples, generated at once; `together`: all processes must take part."""
    import torch

    width = max(len(e.prompt) for e in examples)
    ids = np.full((len(examples), width), speller.pad, np.int64)
    mask = np.zeros((len(examples), width), np.int64)
    for row, example in enumerate(examples):
        ids[row, width - len(example.prompt) :] = example.prompt
        mask[row, width - len(example.prompt) :] = 1
    with torch.inference_mode():
        made = model.generate(
            input_ids=torch.from_numpy(ids).to(model.device),
            attention_mask=torch.from_numpy(mask).to(model.device),
            max_new_tokens=max(1, min(MOST_TOKENS, context - width)),
            do_sample=False,
            synced_gpus=together,
            pad_token_id=speller.pad,
            eos_token_id=speller.end,
        )
    return [speller.text(row[width:].tolist()) for row in made]


def score(
    model: Any,
    form: Form,
    speller: Speller,
    examples: Sequence[Example],
    context: int,
    *,
    together: bool = False,
) -> Score:
    """Return the greedy score on examples (of like length, best)."""
    model.eval()
    replies = generate(model, speller, examples, context, together=together)
    model.train()
    total = Score()
    for reply, example in zip(replies, examples, strict=True):
        total += score_reply(form, reply, example)
    return total
