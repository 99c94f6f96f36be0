"""Reference programs, blinding and formats: on the published data and on awkward texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ktray.errors import PipelineError
from ktray.inversion import formats, prompting
from ktray.inversion.algorithms import PUBLISHED, algorithm, algorithms
from ktray.inversion.algorithms.base import make
from ktray.inversion.blinding import blind, scrub
from ktray.inversion.checking import AlgorithmCheck, behaviour, check_algorithm
from ktray.inversion.datasets.files import read_items
from ktray.inversion.kinds import InversionError, Kind
from ktray.inversion.programs import ReferenceProgram, edited
from ktray.inversion.tasks import Item

AWKWARD = ["", "a", "EOF", "aaaa", "abracadabra", "naïve Ωμέγα 数学 🙂\n\t\0", "[1, 2]{{x}}", "\\n'\""]


def published_items(published: Path, name: str) -> list[Item]:
    return read_items(published / "rtce" / f"{name}.jsonl")


def test_the_four_published_algorithms_and_more_are_registered() -> None:
    assert set(PUBLISHED) <= set(algorithms())
    assert len([a for a in algorithms().values() if a.lossless]) >= 6


@pytest.mark.parametrize("name", sorted(algorithms()))
@pytest.mark.parametrize("text", AWKWARD)
def test_every_code_decodes_to_its_text(name: str, text: str) -> None:
    coded = algorithm(name).verified(text)
    assert formats.read("list", algorithm(name).kind, coded.code) == coded.code


def test_worked_examples() -> None:
    assert algorithm("lzw").encode("ABABABAB").code == [65, 66, 256, 258, 66]
    assert algorithm("rle").encode("AAB").code == [["A", 2], ["B", 1]]
    assert algorithm("lz77").encode("ABABABAB").code == [[0, 0, "A"], [0, 0, "B"], [2, 5, "B"]]
    assert algorithm("elias_gamma").encode("\0\1").code == "1" + "010"
    assert algorithm("bwt_mtf").encode("BANANA").code == [3, 2, 0, 2, 2, 0, 0]
    # ABAB from behind, state 1: B gives 3, A gives 5 (2 * 2 + 0 + 1), B gives 11, A gives 21.
    assert algorithm("ans").encode("ABAB").code == format(21, "b")
    # UUUUUUUU: probability (8/9)^8 / 9 of the interval, by hand [0.61029..., 0.65359...).
    code = algorithm("ae").encode("UUUUUUUU").code
    assert 1 - (8 / 9) ** 8 <= int(code, 2) / 2 ** len(code) < 1 - (8 / 9) ** 9


@pytest.fixture(scope="module")
def checks(published: Path) -> dict[str, AlgorithmCheck]:
    """Every algorithm on all 250 published inputs: the four published ones on their own files."""
    files = {"ae_float": "ae", **{name: name for name in PUBLISHED}}
    return {
        name: check_algorithm(name, published_items(published, files.get(name, "lzw")))
        for name in algorithms()
    }


@pytest.mark.corpora
def test_published_outputs_are_reproduced_and_decode(checks: dict[str, AlgorithmCheck]) -> None:
    for name in ("lzw", "rle", "huffman"):
        found = checks[name]
        assert (found.n, found.published, found.reproduced) == (250, 250, 250)
        assert (found.decoded, found.published_decoded) == (250, 250)


@pytest.mark.corpora
def test_published_floats_are_reproduced_and_few_decode(checks: dict[str, AlgorithmCheck]) -> None:
    found = checks["ae_float"]
    assert (found.published, found.reproduced) == (250, 250)
    assert found.largest_difference is not None
    assert found.largest_difference <= 1e-12
    assert found.decoded == found.published_decoded == 32
    assert checks["ae"].published == 0  # published floats are no exact codes
    assert all(c.decoded == 250 for n, c in checks.items() if n != "ae_float")


def test_the_exact_arithmetic_code_certifies_itself() -> None:
    known = algorithm("ae")
    coded = known.encode("abracadabra")
    for tail in ("0", "1", "0110", "1111111"):
        assert known.decode(coded.code + tail, coded.side) == "abracadabra"
    with pytest.raises(ValueError, match="end mark"):
        known.decode(coded.code[:-3], coded.side)


@pytest.mark.parametrize(
    ("name", "code", "side"),
    [
        ("lzw", [300], None),
        ("lzw", [65, 400], None),
        ("lz77", [[3, 1, "a"]], None),
        ("lz77", [[0, 2, "a"]], None),
        ("huffman", [0], [{"a": "01"}, 3]),
        ("elias_gamma", "0001", None),
    ],
)
def test_decoders_refuse_what_is_no_code(name: str, code: object, side: object) -> None:
    with pytest.raises((ValueError, LookupError)):
        algorithm(name).decode(code, side)


def forgetful_encode(text):  # type: ignore[no-untyped-def]
    return list(text.lower().encode())


def forgetful_decode(codes):  # type: ignore[no-untyped-def]
    return bytes(codes).decode()


def test_a_pair_that_does_not_invert_fails_the_build() -> None:
    lossy = make("lossy", "lossy", ("lossy",), Kind.BYTES, forgetful_encode, forgetful_decode)
    assert lossy.verified("abc").code == [97, 98, 99]
    with pytest.raises(PipelineError, match="does not give back"):
        lossy.verified("ABC")


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(InversionError, match="did you mean 'huffman'"):
        algorithm("hufman")
    with pytest.raises(InversionError, match="did you mean 'base64'"):
        formats.write("base46", Kind.INTS, [1])


@pytest.mark.corpora
def test_blinded_programs_behave_as_the_originals(checks: dict[str, AlgorithmCheck]) -> None:
    for found in checks.values():
        assert found.blinded == {1: 250, 2: 250, 3: 250}


@pytest.mark.parametrize("name", sorted(algorithms()))
def test_checks_hold_on_awkward_texts(name: str) -> None:
    found = check_algorithm(name, [Item(t) for t in AWKWARD])
    assert set(found.blinded.values()) | set(found.formats.values()) == {len(AWKWARD)}
    assert found.published == 0
    assert found.decoded == len(AWKWARD) or not algorithm(name).lossless


def test_checks_count_what_does_not_hold() -> None:
    known = algorithm("rle")
    wrong = [Item("AAB", published=[["A", 2]], published_by="rle"), Item("A", published=[["A", 1]])]
    found = check_algorithm("rle", wrong)
    assert (found.published, found.reproduced, found.published_decoded, found.decoded) == (1, 0, 0, 2)
    backwards = replace(known, decoder=edited(known.decoder, {"text += character * count": "text += count"}))
    assert behaviour(known, (known.encoder, known.decoder), "AAB") == ([["A", 2], ["B", 1]], "AAB")
    with pytest.raises(TypeError):
        behaviour(backwards, (backwards.encoder, backwards.decoder), "AAB")
    with pytest.raises(PipelineError, match="occurs 0 times"):
        edited(known.decoder, {"nothing": ""})


def test_a_blinding_that_changes_the_program_fails_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(program: ReferenceProgram, *_: object) -> ReferenceProgram:
        return replace(program, source=program.source.replace("append", "remove"))

    prompting.shown_program.cache_clear()
    monkeypatch.setattr(prompting, "blind", spoiled)
    with pytest.raises(PipelineError, match="changes what the program does"):
        prompting.shown_program("rle", True, 2)
    prompting.shown_program.cache_clear()


@pytest.mark.parametrize("name", sorted(algorithms()))
def test_blinding_takes_out_what_it_says(name: str) -> None:
    known = algorithm(name)
    for program in (known.encoder, known.decoder):
        one, two, three = (blind(program, known.aliases, n, "encode") for n in (1, 2, 3))
        assert scrub(program.source, known.aliases) != program.source
        for level in (one, two, three):
            assert scrub(level.source, known.aliases) == level.source
        assert one.parameters == two.parameters == program.parameters
        assert three.parameters == ("x", "y")[: len(program.parameters)]
        assert program.parameters[0] not in three.source.split()
        assert "#" not in three.source
        assert '"""' not in three.source
        assert one.source != two.source != three.source


def test_blinding_refuses_what_it_cannot_rename() -> None:
    formatted = ReferenceProgram("def f(a):\n    return f'{a}'\n", "f", ("a",))
    with pytest.raises(InversionError, match="f-string"):
        blind(formatted, (), 2, "encode")
    with pytest.raises(InversionError, match="blinding level 4"):
        blind(formatted, (), 4, "encode")


@pytest.mark.corpora
def test_every_format_round_trips_on_all_outputs(checks: dict[str, AlgorithmCheck]) -> None:
    for name, found in checks.items():
        assert set(found.formats.values()) == {250}
        assert len(found.formats) == (2 if name == "ae_float" else 10)


def test_formats_write_as_described() -> None:
    code = [85, 256]
    assert formats.write("hex", Kind.INTS, code) == "00550100"
    assert formats.write("base64", Kind.BYTES, [0, 255]) == "AP8="
    assert formats.write("spaced_decimal", Kind.INTS, code) == "85 256"
    assert formats.write("char_hex", Kind.INTS, code) == "55 100"
    assert formats.write("binary", Kind.INTS, code) == "1010101 100000000"
    assert formats.write("csv", Kind.PAIRS, [["A", 3]]) == "65,3"
    assert formats.write("spaced", Kind.INTS, code) == "[ 8 5 , 2 5 6 ]"
    assert formats.write("compact", Kind.INTS, code) == "[85,256]"
    assert formats.write("fraction", Kind.BITS, "0101") == "5/16"
    assert formats.write("fraction", Kind.BYTES, [1, 2]) == "258/65536"
    assert formats.write("hex", Kind.BITS, "01011") == "5:58"


@pytest.mark.parametrize(
    ("format_name", "kind", "text"),
    [
        ("base64", Kind.BYTES, "AP8"),
        ("hex", Kind.INTS, "005501"),
        ("hex", Kind.BITS, "9:58"),
        ("csv", Kind.INTS, "1,,2"),
        ("csv", Kind.INTS, "1," + "9" * 5000),
        ("csv", Kind.PAIRS, "65,3,66"),
        ("spaced", Kind.INTS, "[ 8 5 ,2 ]"),
        ("compact", Kind.INTS, "85,256"),
        ("fraction", Kind.BITS, "5/15"),
        ("fraction", Kind.BITS, "1/" + "9" * 100_000),
        ("fraction", Kind.FLOAT, "1" + "0" * 999 + "/1"),
        ("binary", Kind.BITS, "012"),
        ("spaced_decimal", Kind.PAIRS, "1114112 1"),
    ],
)
def test_formats_refuse_what_they_did_not_write(format_name: str, kind: Kind, text: str) -> None:
    with pytest.raises(formats.FormatError) as refused:
        formats.read(format_name, kind, text)
    assert len(str(refused.value)) < 200


def test_floats_are_only_listed_or_fractions() -> None:
    with pytest.raises(formats.FormatError, match="list or fraction"):
        formats.write("hex", Kind.FLOAT, 0.5)
    assert formats.read("fraction", Kind.FLOAT, formats.write("fraction", Kind.FLOAT, 0.1)) == 0.1
