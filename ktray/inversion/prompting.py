"""From an item to the question a model is asked, and to the value that is its only right answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ktray.errors import PipelineError
from ktray.inversion import formats
from ktray.inversion.algorithms import Coded, algorithm
from ktray.inversion.answers import print_answer
from ktray.inversion.blinding import ANONYMOUS, blind
from ktray.inversion.kinds import DESCRIPTIONS, InversionError, Kind, Value
from ktray.inversion.programs import ReferenceProgram
from ktray.inversion.tasks import Item, Message, Prompt, Task
from ktray.inversion.templates import Templates
from ktray.sequences import content_hash

#: What blinded programs are run on before a prompt shows them: repeats, runs, and more than one byte.
_PROBE = "ABABABA naïve 数数数 AB"


@dataclass(frozen=True, slots=True)
class Question:
    """How items are asked about: algorithm, task, blinding level, output format, solved examples."""

    algorithm: str
    task: Task
    blinding: int = 0
    format: str = "list"
    examples: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer of a task on an input: its kind and value, and the input's code and side."""

    kind: Kind
    value: Value
    coded: Coded


@lru_cache(maxsize=8192)
def coded(algorithm_name: str, text: str) -> Coded:
    """Return an input's verified code and side information."""
    return algorithm(algorithm_name).verified(text)


def truth(algorithm_name: str, task: Task, text: str) -> Truth:
    """Return the right answer: the code for tasks that ask for it, else the text."""
    found = coded(algorithm_name, text)
    if task.asks_code:
        return Truth(algorithm(algorithm_name).kind, found.code, found)
    return Truth(Kind.TEXT, text, found)


def build_prompts(
    items: Iterable[Item], questions: Sequence[Question], templates: Templates
) -> Iterator[Prompt]:
    """Yield a prompt for every item and question, item by item."""
    for item in items:
        for question in questions:
            yield build_prompt(item, question, templates)


def build_prompt(item: Item, question: Question, templates: Templates) -> Prompt:
    """Return the prompt of one question on one item.

    Raises InversionError where the format cannot hold the algorithm's code, or an example is the item.
    """
    if any(e.text == item.text for e in question.examples):
        raise InversionError(f"the input {item.text[:40]!r} is among its own examples; draw others")
    text = templates.render(question.task, _fields(item, question, templates))
    shape = [question.algorithm, question.task, question.format, question.blinding, item.text, text]
    return Prompt(
        id=content_hash(json.dumps(shape).encode()),
        algorithm=question.algorithm,
        task=question.task,
        input=item.text,
        category=item.category,
        blinding=question.blinding,
        format=question.format,
        shots=len(question.examples),
        messages=(Message("user", text),),
    )


@lru_cache(maxsize=1024)
def shown_program(algorithm_name: str, encoder: bool, blinding: int) -> ReferenceProgram:
    """Return the encoder or decoder at a blinding level, as a prompt shows it.

    Raises PipelineError where the blinded program, run on a probe, does not do what the original does.
    """
    known = algorithm(algorithm_name)
    program, plain = (known.encoder, "encode") if encoder else (known.decoder, "decode")
    blinded = blind(program, known.aliases, blinding, plain)
    found = coded(known.name, _PROBE)
    arguments = (_PROBE,) if encoder else known.decoder_arguments(found.code, found.side)
    if _outcome(blinded, arguments) != _outcome(program, arguments):
        raise PipelineError(f"{program.function}: blinding level {blinding} changes what the program does")
    return blinded


def _outcome(program: ReferenceProgram, arguments: tuple[Value, ...]) -> Value:
    """Return what a program returns, or the type of the error by which it refuses (`ae_float` may)."""
    try:
        return program(*arguments)
    except ValueError as error:
        return type(error)


def text_given(question: Question, item: Item, with_side: bool) -> str:
    """Return the lines that give a text, and the decoder's side information where it belongs to them."""
    encoder = shown_program(question.algorithm, True, question.blinding)
    name = encoder.parameters[0] if question.task.shows_encoder else "text"
    lines = [f"{name} = {item.text!r}"]
    if with_side and algorithm(question.algorithm).has_side:
        lines.append(_side_line(question, item))
    return "\n".join(lines)


def code_given(question: Question, item: Item) -> str:
    """Return the lines that give a code in the question's format, and its side information."""
    known = algorithm(question.algorithm)
    found = coded(question.algorithm, item.text)
    decoder = shown_program(question.algorithm, False, question.blinding)
    name = decoder.parameters[0] if not question.task.shows_encoder else "code"
    written = formats.write(question.format, known.kind, found.code)
    lines = [f"{name} = {written!r}"]
    if question.format != "list":
        lines.append(f"({name} is written as a string here: {_how_written(question, known.kind)})")
    if known.has_side:
        lines.append(_side_line(question, item))
    return "\n".join(lines)


def _side_line(question: Question, item: Item) -> str:
    decoder = shown_program(question.algorithm, False, question.blinding)
    name = "side" if question.task.shows_encoder else decoder.parameters[1]
    return f"{name} = {coded(question.algorithm, item.text).side!r}"


def _how_written(question: Question, kind: Kind) -> str:
    return formats.describe(question.format, kind).removeprefix("Write the code as a string: ")


def given_lines(question: Question, item: Item) -> str:
    """Return the lines that give what a task starts from: the text, or the code."""
    if question.task.asks_code:
        return text_given(question, item, with_side=question.task is Task.FORWARD_GIVEN_DECODER)
    return code_given(question, item)


def _answer(question: Question, item: Item) -> str:
    right = truth(question.algorithm, question.task, item.text)
    return print_answer(right.value, right.kind, question.format if question.task.asks_code else "list")


def _fields(item: Item, question: Question, templates: Templates) -> dict[str, str]:
    known = algorithm(question.algorithm)
    program = shown_program(question.algorithm, question.task.shows_encoder, question.blinding)
    given = given_lines(question, item)
    return {
        "algorithm": known.title if question.blinding == 0 else ANONYMOUS,
        "program": program.source.rstrip("\n"),
        "function": program.function,
        "text_given": given,
        "code_given": given,
        "side_note": " (Of the pair it returns, only the first value.)" if known.has_side else "",
        "examples": _examples(question, templates),
        "answer_format": _answer_format(question, known.kind, templates),
    }


def _answer_format(question: Question, kind: Kind, templates: Templates) -> str:
    asked = kind if question.task.asks_code else Kind.TEXT
    note = formats.describe(question.format, kind) if question.task.asks_code else ""
    described = DESCRIPTIONS[asked] if not note else "a string"
    return templates.render(
        "answer_format", {"answer_type": described, "format_note": " " + note if note else ""}
    )


def _examples(question: Question, templates: Templates) -> str:
    if not question.examples:
        return ""
    solved = [
        templates.render("example", {"given": given_lines(question, e), "answer": _answer(question, e)})
        for e in question.examples
    ]
    return "\n" + templates.render("examples", {"solved": "\n\n".join(solved)}) + "\n"
