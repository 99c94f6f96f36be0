"""From traces to reasoning in words: by rule (no model), or by a model whose answer is then verified.

The rules know the kinds of statement: a test is told as held or not by the line that ran next.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ktray.inversion.answers import print_answer
from ktray.inversion.datasets.files import field, json_lines
from ktray.inversion.prompting import Question, given_lines, shown_program, truth
from ktray.inversion.scoring import question_of, score_reply
from ktray.inversion.tasks import Item, Message, Prompt, Reply, Task, task
from ktray.inversion.templates import Templates
from ktray.inversion.traces import Step, Trace
from ktray.sequences import content_hash

#: Longer values are not repeated where they are only used.
_SHORT = 40


@dataclass(frozen=True, slots=True)
class Translation:
    """The reasoning for one task on one input, ending in its answer block; `translator` is "template" or a
    model's name."""

    algorithm: str
    task: Task
    blinding: int
    input: str
    category: str
    text: str
    translator: str


def task_of(trace: Trace) -> Task:
    """Return the task whose prompt shows the traced program."""
    return Task.FORWARD if trace.encoder else Task.INVERSE


def translate(trace: Trace) -> Translation:
    """Return a trace retold by rule, sentence by sentence, with the verified answer at its end."""
    program = shown_program(trace.algorithm, trace.encoder, trace.blinding)
    statements = statements_by_line(program.source)
    following: list[Step | None] = [*trace.steps[1:], None]
    sentences = [f"I go through `{program.function}` line by line."]
    values: dict[str, str] = {}
    for step, after in zip(trace.steps, following, strict=True):
        for change in step.changes:
            values[change.name] = change.value
            # What was known of the whole list or table no longer holds when an item of it changes.
            values.pop(change.name.partition("[")[0] if "[" in change.name else "", None)
        sentences.append(sentence(statements.get(step.line), step, after, values))
    return _translation(trace, "\n".join([*sentences, _answer(trace)]), "template")


def sentence(statement: ast.stmt | None, step: Step, after: Step | None, values: Mapping[str, str]) -> str:
    """Return what one step did, in a sentence. `values` are the latest ones by name, this step's included."""
    changed = " and ".join(f"`{c.name}` is {c.value}" for c in step.changes)
    if isinstance(statement, ast.If | ast.While):
        holds = after is not None and after.line == statement.body[0].lineno
        result = "true" if holds else "false"
        return f"{_known(statement.test, values)}`{ast.unparse(statement.test)}` is {result}."
    if isinstance(statement, ast.For):
        if after is None or after.line != statement.body[0].lineno:
            return f"There is nothing left to take from `{ast.unparse(statement.iter)}`."
        return f"Next {changed}." if changed else f"{_known(statement.target, values, 'Next')}again."
    if isinstance(statement, ast.Return) and statement.value is not None:
        return f"{_known(statement.value, values)}`{ast.unparse(statement.value)}` is returned."
    if changed:
        return f"`{step.text}`: now {changed}."
    return f"`{step.text}`: everything stays as it was."


def _known(expression: ast.expr, values: Mapping[str, str], word: str = "As") -> str:
    """Return the short values of an expression's names, as the beginning of a sentence."""
    names = dict.fromkeys(n.id for n in ast.walk(expression) if isinstance(n, ast.Name))
    told = [f"`{n}` is {values[n]}" for n in names if n in values and len(values[n]) <= _SHORT]
    return f"{word} {' and '.join(told)}{', ' if word == 'As' else ' '}" if told else ""


def statements_by_line(source: str) -> dict[int, ast.stmt]:
    """Return the statement that starts on each line of a program."""
    nodes = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.stmt))
    return {node.lineno: node for node in nodes}


def translation_prompts(traces: Iterable[Trace], templates: Templates) -> Iterator[Prompt]:
    """Yield, for each trace, the prompt that asks a model to retell it."""
    for trace in traces:
        program = shown_program(trace.algorithm, trace.encoder, trace.blinding)
        item = Item(trace.input, trace.category)
        steps = [
            f"{s.text}  ->  {', '.join(f'{c.name} = {c.value}' for c in s.changes)}" for s in trace.steps
        ]
        text = templates.render(
            "translate",
            {
                "program": program.source.rstrip("\n"),
                "given": given_lines(Question(trace.algorithm, task_of(trace), trace.blinding), item),
                "trace": "\n".join(steps),
                "answer": _answer(trace),
            },
        )
        shape = json.dumps(["translate", trace.algorithm, trace.encoder, trace.input, text])
        yield Prompt(
            content_hash(shape.encode()),
            trace.algorithm,
            task_of(trace),
            trace.input,
            trace.category,
            trace.blinding,
            "list",
            0,
            (Message("user", text),),
        )


def verified_translations(prompts: Iterable[Prompt], replies: Iterable[Reply]) -> Iterator[Translation]:
    """Yield the replies whose final answer is right, each closed with its answer block."""
    asked = {p.id: p for p in prompts}
    for reply in replies:
        prompt = asked.get(reply.prompt_id)
        if prompt is None:
            continue
        question = question_of(prompt)
        if score_reply(question, reply.text, reply.sample, reply.finish_reason).correct:
            text = (
                reply.text if reply.text.rstrip().endswith("[/ANSWER]") else reply.text.rstrip() + "[/ANSWER]"
            )
            yield Translation(
                prompt.algorithm,
                prompt.task,
                prompt.blinding,
                prompt.input,
                prompt.category,
                text,
                reply.model,
            )


def read_translations(path: Path) -> Iterator[Translation]:
    """Yield the translations of a JSON-lines file. Raises InversionError naming the line of a bad one."""
    for number, record in json_lines(path):
        where = f"{path}, line {number}"
        names = ("algorithm", "input", "category", "text", "translator")
        texts = {name: field(record, name, str, where) for name in names}
        yield Translation(
            task=task(field(record, "task", str, where)),
            blinding=field(record, "blinding", int, where, 0),
            **texts,
        )


def _answer(trace: Trace) -> str:
    right = truth(trace.algorithm, task_of(trace), trace.input)
    return print_answer(right.value, right.kind)


def _translation(trace: Trace, text: str, translator: str) -> Translation:
    return Translation(
        trace.algorithm, task_of(trace), trace.blinding, trace.input, trace.category, text, translator
    )
