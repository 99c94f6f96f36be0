"""Traces, their translation, SFT data, reflection, ablation and reports."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ktray.errors import PipelineError
from ktray.inversion.ablation import format_accuracy, format_tokens
from ktray.inversion.algorithms import algorithm, algorithms
from ktray.inversion.answers import AnswerOutcome
from ktray.inversion.datasets.files import items_of_sequences, read_items, write_items
from ktray.inversion.datasets.generate import DatasetSpec, generate, split
from ktray.inversion.datasets.sources import SOURCES
from ktray.inversion.kinds import InversionError
from ktray.inversion.oracle import OracleSampler, scripted_reply
from ktray.inversion.ports import SampleRequest, SamplingSettings
from ktray.inversion.prompting import Question as Asked
from ktray.inversion.prompting import build_prompts
from ktray.inversion.reflection import ReflectionSettings, begin, check_note, reflect
from ktray.inversion.reports import (
    as_csv,
    as_markdown,
    plot_formats,
    plot_pass_at_k,
    read_summary,
    table_rows,
)
from ktray.inversion.sampling import TextSamplerAdapter, flat_conversation, runs_of
from ktray.inversion.scoring import Question, score_reply
from ktray.inversion.sft import build_sft, write_sft
from ktray.inversion.summary import as_json, summarize
from ktray.inversion.tasks import Item, Message, Prompt, Reply, Task
from ktray.inversion.templates import load_templates
from ktray.inversion.tokens import ByteCounter, ModelTokenizer, token_counter
from ktray.inversion.tracefiles import read_traces, write_traces
from ktray.inversion.tracefilter import TraceFilter, filter_traces
from ktray.inversion.traces import Trace, TraceLimits, trace_here, trace_in, trace_items
from ktray.inversion.translation import (
    translate,
    translation_prompts,
    verified_translations,
)
from ktray.samplers import ports as text_ports
from ktray.sandbox import Sandbox
from ktray.sequences import make_sequence
from ktray.studies.bootstrap import Bootstrap

QUICK = Bootstrap(50, 0.95, 0)
TEMPLATES = load_templates()
ITEMS = [Item("ABABABAB", "x"), Item("AAB", "x"), Item("naïve 🙂", "y"), Item("", "y")]


def traces(name: str = "lzw", items: list[Item] = ITEMS, limits: TraceLimits | None = None) -> list[Trace]:
    return [
        trace
        for encoder in (True, False)
        for trace in trace_items(items, name, encoder, 0, trace_here, limits or TraceLimits())
    ]


@pytest.mark.parametrize("name", sorted(algorithms()))
def test_traces_end_in_the_right_output(name: str) -> None:
    for trace in traces(name):
        assert trace.correct or not algorithm(name).lossless
        assert not trace.dropped
        assert all(step.line > 1 for step in trace.steps)


def test_a_trace_tells_lines_and_changes() -> None:
    (trace,) = trace_items([Item("AAB")], "rle", True, 0, trace_here, TraceLimits())
    told = [(s.text, [(c.name, c.value) for c in s.changes]) for s in trace.steps]
    assert told == [
        ("runs = []", [("runs", "[]")]),
        ("for character in text:", [("character", "'A'")]),
        ("if runs and runs[-1][0] == character:", []),
        ("runs.append([character, 1])", [("runs[0]", "['A', 1]")]),
        ("for character in text:", []),
        ("if runs and runs[-1][0] == character:", []),
        ("runs[-1][1] += 1", [("runs", "[['A', 2]]")]),
        ("for character in text:", [("character", "'B'")]),
        ("if runs and runs[-1][0] == character:", []),
        ("runs.append([character, 1])", [("runs[1]", "['B', 1]")]),
        ("for character in text:", []),
        ("return runs", []),
    ]
    assert json.loads(trace.output) == [["A", 2], ["B", 1]]


def test_traces_are_capped_and_stay_correct() -> None:
    (trace,) = trace_items([Item("AB" * 50)], "lzw", True, 0, trace_here, TraceLimits(steps=20, text=10))
    assert len(trace.steps) == 20
    assert trace.dropped > 100
    assert trace.correct
    assert max(len(c.value) for s in trace.steps for c in s.changes) <= 13


def test_tracing_leaves_an_outer_tracer_in_place() -> None:
    outer = sys.gettrace()
    traces()
    assert sys.gettrace() is outer


def test_the_sandbox_gives_the_same_traces() -> None:
    with Sandbox() as sandbox:
        run = trace_in(sandbox)
        for name in ("huffman", "ae"):
            for encoder in (True, False):
                inside = list(trace_items(ITEMS, name, encoder, 3, run, TraceLimits()))
                assert inside == list(trace_items(ITEMS, name, encoder, 3, trace_here, TraceLimits()))
        many = [Item("AB" * k) for k in range(40)]
        with ThreadPoolExecutor(1) as pool:
            ahead = list(trace_items(many, "rle", True, 0, run, TraceLimits(), pool))
        assert ahead == list(trace_items(many, "rle", True, 0, trace_here, TraceLimits()))
        endless = replace(algorithm("rle").encoder, source="def rle_encode(text):\n    raise SystemExit\n")
        with pytest.raises(PipelineError, match="tracing rle_encode"):
            run(endless, [("A",)], TraceLimits())


def test_traces_survive_their_file(tmp_path: Path) -> None:
    made = traces("lzw") + traces("huffman")
    assert write_traces(tmp_path / "t.parquet", made) == len(made)
    assert list(read_traces(tmp_path / "t.parquet")) == made
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InversionError, match="not a file of traces"):
        list(read_traces(tmp_path / "other.parquet"))
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InversionError, match="expected a Parquet file"):
        list(read_traces(tmp_path / "text.parquet"))


def test_filters_name_the_reason() -> None:
    made = traces("rle", [Item("AAB"), Item("CCD"), Item("ABC" * 40)])
    found = filter_traces(made, TraceFilter(max_steps=100))
    # AAB and CCD run the same lines; the long one is beyond the cap in the encoder alone.
    assert found.dropped == {"wrong": 0, "too_long": 2, "idle": 0, "same_path": 2}
    assert len(found.kept) == 2
    assert filter_traces([replace(made[0], correct=False)], TraceFilter()).dropped["wrong"] == 1
    assert filter_traces(made[:1], TraceFilter(idle_share=0.1)).dropped["idle"] == 1
    assert len(filter_traces(made, TraceFilter(distinct_paths=False)).kept) == 6


@pytest.mark.parametrize("name", sorted(n for n, a in algorithms().items() if a.lossless))
def test_template_translations_end_in_the_right_answer(name: str) -> None:
    for trace in traces(name):
        told = translate(trace)
        question = Question(name, told.task, trace.input)
        assert score_reply(question, told.text).correct
        assert told.text.count("\n") == len(trace.steps) + 1


def test_a_translation_reads_as_written() -> None:
    (trace,) = trace_items([Item("AAB")], "rle", True, 0, trace_here, TraceLimits())
    assert translate(trace).text.splitlines()[:8] == [
        "I go through `rle_encode` line by line.",
        "`runs = []`: now `runs` is [].",
        "Next `character` is 'A'.",
        "As `runs` is [] and `character` is 'A', `runs and runs[-1][0] == character` is false.",
        "`runs.append([character, 1])`: now `runs[0]` is ['A', 1].",
        "Next `character` is 'A' again.",
        "As `character` is 'A', `runs and runs[-1][0] == character` is true.",
        "`runs[-1][1] += 1`: now `runs` is [['A', 2]].",
    ]


def test_model_translations_are_kept_only_where_they_verify() -> None:
    prompts = list(translation_prompts(traces(), TEMPLATES))
    oracle = OracleSampler()
    requests = [SampleRequest(p, (0, 1)) for p in prompts]
    replies = list(oracle.sample(requests, SamplingSettings(seed=1)))
    kept = list(verified_translations(prompts, replies))
    planted = [oracle.plan(p, i, 1) for p in prompts for i in (0, 1)]
    assert len(kept) == planted.count(AnswerOutcome.CORRECT) > 0
    assert "codes.append(table[phrase])" in prompts[0].messages[0].content
    stopped = [replace(r, text=r.text.removesuffix("[/ANSWER]")) for r in replies]
    assert [t.text for t in verified_translations(prompts, stopped)] == [t.text for t in kept]


def test_sft_data_never_trains_on_held_out_or_excluded_inputs(tmp_path: Path) -> None:
    items = generate(DatasetSpec(count=60, least=4, greatest=20, seed=3))
    translations = [translate(t) for t in traces("rle", items) + traces("lzw", items)]
    excluded = {items[0].text, items[1].text}
    data = build_sft(translations, TEMPLATES, test_share=0.3, exclude=excluded, thinking=True)
    train, test = {e.input for e in data.train}, {e.input for e in data.test}
    assert not train & test
    assert not (train | test) & excluded
    assert len(data.train) + len(data.test) == 4 * 58
    assert 5 < len(test) < 35
    assert split(items, 0.3) == split(items, 0.3)
    for example in data.train[:5]:
        assert [m.role for m in example.messages] == ["user", "assistant"]
        assert example.messages[1].content.startswith("<think>\n")
        question = Question(example.algorithm, Task(example.task), example.input)
        assert score_reply(question, example.messages[1].content).correct
    write_sft(tmp_path, data)
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert len(rows) == len(data.train)
    table = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert [{**row, "text": None} for row in rows] == table
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["ktray_inversion_train"]["file_name"] == "train.jsonl"
    with pytest.raises(InversionError, match="no conversations"):
        build_sft(translations, TEMPLATES, test_share=0.1, exclude={i.text for i in items})


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of single characters with a chat template, saved as a model folder would hold it."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {c: i for i, c in enumerate(["[UNK]", *map(chr, range(32, 127))])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d+|."), "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")
    fast.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    folder = tmp_path_factory.mktemp("tokenizer")
    fast.save_pretrained(folder)
    return folder


def test_tokenizers_count_and_chat_templates_render(tokenizer_folder: Path, tmp_path: Path) -> None:
    counter = token_counter(str(tokenizer_folder))
    assert counter.count("12,345") == 3
    assert token_counter("bytes").count("é") == 2
    data = build_sft([translate(traces("rle")[0])], TEMPLATES, test_share=0)
    write_sft(tmp_path, data, ModelTokenizer(str(tokenizer_folder)))
    row = json.loads((tmp_path / "train.jsonl").read_text())
    assert row["text"].startswith("<user>The Python function")
    assert "<assistant>I go through" in row["text"]
    with pytest.raises(InversionError, match="give a model folder or a hub name"):
        token_counter(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InversionError, match="give a model folder or a hub name"):
        token_counter(str(tmp_path / "empty"))


def test_format_statistics_count_what_is_written(tokenizer_folder: Path) -> None:
    counters = [ByteCounter(), token_counter(str(tokenizer_folder))]
    rows = format_tokens([Item("ABABABAB")], ["lzw", "ae_float"], ["list", "csv", "fraction"], counters)
    found = {(r.algorithm, r.format, r.tokenizer): r for r in rows}
    csv = found[("lzw", "csv", "bytes")]
    assert (csv.characters, csv.tokens, csv.tokens_per_element) == (len("65,66,256,258,66"), 16, 16 / 5)
    assert found[("lzw", "csv", counters[1].name)].tokens == 9
    assert ("ae_float", "csv", "bytes") not in found
    assert ("ae_float", "fraction", "bytes") in found


def asked_prompts(
    tasks: tuple[Task, ...] = tuple(Task), formats: tuple[str, ...] = ("list",)
) -> list[Prompt]:
    items = generate(DatasetSpec("string", count=8, least=4, greatest=20, seed=5))
    ways = [Asked(n, t, 0, f) for n in ("lzw", "rle", "ae") for t in tasks for f in formats]
    return list(build_prompts(items, ways, TEMPLATES))


def test_format_accuracy_is_over_tasks_that_ask_for_codes(tmp_path: Path) -> None:
    prompts = asked_prompts(formats=("list", "hex"))
    scores = [
        score_reply(
            Question(p.algorithm, p.task, p.input, format=p.format),
            scripted_reply(p, 0, o, "").text,
            0,
            "",
            7,
        )
        for p in prompts
        for o in (AnswerOutcome.CORRECT, AnswerOutcome.UNPARSABLE)
    ]
    rows = format_accuracy(scores)
    tokens = format_tokens([Item("ABAB")], ["lzw"], ["list", "hex"], [ByteCounter()])
    plot_formats(
        tmp_path / "f.png", [asdict(t) for t in tokens], [{**asdict(r), "accuracy": r.accuracy} for r in rows]
    )
    assert (tmp_path / "f.png").stat().st_size > 5000
    assert len(rows) == 6
    assert {(r.n, r.correct, r.unparsable, r.accuracy, r.reply_tokens) for r in rows} == {
        (32, 16, 16, 0.5, 7)
    }


class Reconsidering:
    """Answers a reflection by plan: what each round's reply turns out to be, by the prompt's algorithm."""

    def __init__(self, plan: dict[str, list[AnswerOutcome]]) -> None:
        self.plan = plan
        self.seen: list[Prompt] = []

    def __call__(self, prompts, number):  # type: ignore[no-untyped-def]
        self.seen += prompts
        return {p.id: scripted_reply(p, 0, self.plan[p.algorithm][number - 1], "m") for p in prompts}


def test_reflection_counts_gains_and_losses() -> None:
    prompts = asked_prompts((Task.FORWARD,))
    right, wrong = AnswerOutcome.CORRECT, AnswerOutcome.WRONG_VALUE
    first = {"lzw": right, "rle": wrong, "ae": wrong}
    opened = begin(prompts, [scripted_reply(p, 0, first[p.algorithm], "m") for p in prompts])
    ask = Reconsidering({"lzw": [wrong, wrong], "rle": [right, right], "ae": [wrong, right]})
    one, two = reflect(opened, ReflectionSettings(rounds=2), TEMPLATES, ask)
    assert (one.asked, one.gained, one.lost, one.correct, one.samples) == (24, 8, 8, 8, 24)
    assert (two.asked, two.gained, two.lost, two.correct) == (24, 8, 0, 16)
    assert len({p.id for p in ask.seen}) == 48
    ask = Reconsidering({"lzw": [wrong], "rle": [right], "ae": [wrong]})
    (told,) = reflect(opened, ReflectionSettings(tell_outcome=True), TEMPLATES, ask)
    # Told the outcome, right answers are left alone, so none is lost.
    assert (told.asked, told.gained, told.lost, told.correct) == (16, 8, 0, 16)


def test_reflection_tells_only_what_it_is_set_to() -> None:
    prompts = asked_prompts((Task.INVERSE,))[:1]
    opened = begin(prompts, [scripted_reply(prompts[0], 0, AnswerOutcome.WRONG_VALUE, "m")])
    texts = {}
    for outcome in (False, True):
        for check in (False, True):
            ask = Reconsidering({prompts[0].algorithm: [AnswerOutcome.CORRECT]})
            reflect(opened, ReflectionSettings(1, outcome, check), TEMPLATES, ask)
            texts[outcome, check] = ask.seen[0].messages[-1].content
    assert [("to be wrong" in t, "encoding your answer gives" in t) for t in texts.values()] == list(texts)
    unread = begin(prompts, [scripted_reply(prompts[0], 0, AnswerOutcome.NO_ANSWER, "m")])[0]
    assert check_note(unread, unread.messages[-1].content) == "Your answer could not be read. "


def test_reports_hold_every_group(tmp_path: Path) -> None:
    prompts, oracle = asked_prompts(), OracleSampler()
    scores = [
        score_reply(
            Question(p.algorithm, p.task, p.input), scripted_reply(p, i, oracle.plan(p, i, 0), "").text, i
        )
        for p in prompts
        for i in range(3)
    ]
    summary = as_json(summarize(scores, QUICK))
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(summary))
    rows = table_rows({"run": read_summary(path)})
    assert len(rows) == 1 + sum(len(g) for g in summary["breakdowns"].values())
    assert as_csv(rows).count("\n") == len(rows) + 1
    text = as_markdown(
        rows, {"all": {"prompts": 3, "a": 0.1, "b": 0.2, "difference": 0.1, "interval": [0.0, 0.2]}}
    )
    assert "## By algorithm_task" in text
    assert "| all | 3 | 0.1000 | 0.2000 | 0.1000 | 0.0000 | 0.2000 |" in text
    plot_pass_at_k(tmp_path / "plot.png", {"run": summary, "again": summary})
    assert (tmp_path / "plot.png").stat().st_size > 5000
    path.write_text("[]")
    with pytest.raises(InversionError, match="no summary of scores"):
        read_summary(path)


def test_every_source_draws_distinct_texts_of_the_asked_length() -> None:
    for source, categories in SOURCES.items():
        spec = DatasetSpec(source, count=5 * len(categories), least=12, greatest=60, seed=9)
        items = generate(spec)
        assert items == generate(spec)
        assert items != generate(replace(spec, seed=10))
        assert {i.category for i in items} == set(categories)
        assert len({i.text for i in items}) == len(items)
        assert all(12 <= len(i.text) <= 60 and i.source == source for i in items)
        assert not {i.text for i in generate(spec, {i.text for i in items})} & {i.text for i in items}
    both = generate(DatasetSpec("unicode, dna", count=40, least=12, greatest=60))
    assert {i.source for i in both} == {"unicode", "dna"}


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (DatasetSpec("strings"), "did you mean 'string'"),
        (DatasetSpec("dna, unicod"), "did you mean 'unicode'"),
        (DatasetSpec("dna", categories=("dna_motive",)), "did you mean 'dna_"),
        (DatasetSpec(count=0), "at least 1 text"),
        (DatasetSpec(least=9, greatest=8), "least <= greatest"),
        (
            DatasetSpec("string", categories=("string_char_repeat",), count=500, least=3, greatest=4),
            "only 52",
        ),
    ],
)
def test_impossible_data_sets_are_refused(spec: DatasetSpec, word: str) -> None:
    with pytest.raises(InversionError, match=word):
        generate(spec)


def test_items_come_from_files_and_sequences(tmp_path: Path) -> None:
    write_items(tmp_path / "i.jsonl", ITEMS)
    assert read_items(tmp_path / "i.jsonl") == ITEMS
    sequences = [make_sequence("o", 0, np.frombuffer(b, np.uint8)) for b in ("é".encode(), b"\xff\xfe")]
    assert [i.text for i in items_of_sequences(sequences, "c")] == ["é", "ÿþ"]
    (tmp_path / "bad.jsonl").write_text('{"ios": 3}\n')
    with pytest.raises(InversionError, match="`ios` is no list"):
        read_items(tmp_path / "bad.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InversionError, match="no inputs"):
        read_items(tmp_path / "empty.jsonl")
    with pytest.raises(InversionError, match="expected a readable"):
        read_items(tmp_path / "none.jsonl")


class EchoSampler:
    """A text sampler that answers with what it was asked."""

    model = "echo"

    def sample(self, requests):  # type: ignore[no-untyped-def]
        for r in requests:
            for index in r.samples:
                yield text_ports.Reply(r.key, index, f"{r.user}|{r.seed + index}", "stop", tokens=1)


def test_text_samplers_answer_through_the_adapter() -> None:
    prompt = asked_prompts()[0]
    adapter = TextSamplerAdapter(EchoSampler())
    whole = list(adapter.sample([SampleRequest(prompt, tuple(range(6)))], SamplingSettings()))
    some = list(adapter.sample([SampleRequest(prompt, (1, 2, 5))], SamplingSettings()))
    assert [r.sample for r in some] == [1, 2, 5]
    assert some == [whole[1], whole[2], whole[5]]
    assert isinstance(whole[0], Reply)
    assert runs_of([5, 1, 2]) == [range(1, 3), range(5, 6)]
    turns = [Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "w")]
    assert flat_conversation(turns) == ("s", "[You were asked]\nu\n\n[You answered]\na\n\n[Now]\nw")
