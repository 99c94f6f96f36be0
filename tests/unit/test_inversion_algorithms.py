"""Reference programs, blinding and formats: on the published data and on awkward texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ktray.errors import PipelineError
from ktray.inversion import formats
from ktray.inversion.algorithms import PUBLISHED, Algorithm, algorithm, algorithms
from ktray.inversion.algorithms.base import make
from ktray.inversion.blinding import LEVELS, blind, scrub
from ktray.inversion.datasets.files import read_items
from ktray.inversion.kinds import InversionError, Kind
from ktray.inversion.programs import ReferenceProgram
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
    # UUUUUUUU: probability (8/9)^8 / 9 of the interval, by hand [0.61029..., 0.65359...).
    code = algorithm("ae").encode("UUUUUUUU").code
    assert 1 - (8 / 9) ** 8 <= int(code, 2) / 2 ** len(code) < 1 - (8 / 9) ** 9


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["lzw", "rle", "huffman"])
def test_published_outputs_are_reproduced_and_decode(published: Path, name: str) -> None:
    items = published_items(published, name)
    coded = [algorithm(name).verified(i.text) for i in items]
    assert len(items) == 250
    assert [c.code for c in coded] == [i.published for i in items]


@pytest.mark.corpora
def test_published_floats_are_reproduced_and_few_decode(published: Path) -> None:
    items = published_items(published, "ae")
    floats, exact = algorithm("ae_float"), algorithm("ae")
    decoded = 0
    for item in items:
        code, side = floats.encode(item.text).code, floats.encode(item.text).side
        assert code == pytest.approx(item.published, abs=1e-12)
        assert exact.verified(item.text)
        try:
            decoded += floats.decode(item.published, side) == item.text
        except ValueError:
            continue
    assert decoded == 32


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


def blinded_pair(known: Algorithm, level: int) -> tuple[ReferenceProgram, ReferenceProgram]:
    return (
        blind(known.encoder, known.aliases, level, "encode"),
        blind(known.decoder, known.aliases, level, "decode"),
    )


def behaviour(known: Algorithm, pair: tuple[ReferenceProgram, ReferenceProgram], text: str) -> object:
    """What the encoder gives, and what the decoder makes of it, errors by their type."""
    result = pair[0](text)
    code, side = result if known.has_side else (result, None)
    try:
        return result, pair[1](*known.decoder_arguments(code, side))
    except ValueError as error:
        return result, type(error)


@pytest.mark.corpora
@pytest.mark.parametrize("name", sorted(algorithms()))
def test_blinded_programs_behave_as_the_originals(published: Path, name: str) -> None:
    known = algorithm(name)
    texts = [i.text for i in published_items(published, "ae")] + AWKWARD
    expected = [behaviour(known, (known.encoder, known.decoder), t) for t in texts]
    for level in LEVELS[1:]:
        pair = blinded_pair(known, level)
        assert [behaviour(known, pair, t) for t in texts] == expected


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
@pytest.mark.parametrize("name", sorted(algorithms()))
def test_every_format_round_trips_on_all_outputs(published: Path, name: str) -> None:
    known = algorithm(name)
    codes = [known.encode(i.text).code for i in published_items(published, "ae")]
    codes += [known.encode(text).code for text in AWKWARD]
    for format_name in formats.formats():
        if formats.supports(format_name, known.kind):
            for code in codes:
                written = formats.write(format_name, known.kind, code)
                assert formats.read(format_name, known.kind, written) == code
                assert format_name == "list" or isinstance(written, str)


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
