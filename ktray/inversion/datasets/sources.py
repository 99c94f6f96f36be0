"""Categories of generated inputs, by source. A category draws one text of about the length it is asked for.

Everything comes from the generator given, so a seed fixes a data set.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

#: Draws one text; `length` in characters is a wish that structured categories meet roughly.
Category = Callable[[Random, int], str]

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_ROWS = ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
_PRINTABLE = "".join(map(chr, range(33, 127)))
_WORDS = [
    "river",
    "stone",
    "window",
    "paper",
    "engine",
    "garden",
    "silver",
    "letter",
    "market",
    "signal",
    "bridge",
    "candle",
    "harbor",
    "winter",
    "pattern",
    "number",
    "carries",
    "between",
    "slowly",
    "under",
    "bright",
    "follows",
    "every",
    "quiet",
    "open",
    "near",
    "after",
    "small",
]
_PANGRAMS = (
    "Sphinx of black quartz, judge my vow",
    "Pack my box with five dozen liquor jugs",
    "How vexingly quick daft zebras jump",
    "Bright vixens jump; dozy fowl quack",
)


def _fill(rng: Random, length: int, piece: Callable[[Random], str], joint: str) -> str:
    """Return pieces joined until they reach the length."""
    text = piece(rng)
    while len(text) < length:
        text += joint + piece(rng)
    return text


def _cycle(block: str, length: int) -> str:
    return (block * (length // len(block) + 1))[: max(1, length)]


def _letters(rng: Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=max(1, length)))


def _char_repeat(rng: Random, length: int) -> str:
    return rng.choice(_UPPER) * max(1, length)


def _alternating(rng: Random, length: int) -> str:
    return _cycle("".join(rng.sample(_UPPER, rng.randint(2, 6))), length)


def _block_repeat(rng: Random, length: int) -> str:
    return _cycle(_letters(rng, _UPPER, rng.randint(3, 8)), length)


def _nested_repeat(rng: Random, length: int) -> str:
    inner = _letters(rng, _UPPER, 2) + rng.choice(_UPPER) * 2
    return _cycle(inner + inner[::-1] + rng.choice(_UPPER), length)


def _palindrome(rng: Random, length: int) -> str:
    half = _letters(rng, _UPPER, (length + 1) // 2)
    return half + half[::-1][length % 2 :]


def _near_palindrome(rng: Random, length: int) -> str:
    text = list(_palindrome(rng, max(2, length)))
    text[rng.randrange(len(text))] = rng.choice(_UPPER)
    return "".join(text)


def _pangram(rng: Random, length: int) -> str:
    return _fill(rng, length, lambda r: r.choice(_PANGRAMS), " ")


def _keyboard(rng: Random, length: int) -> str:
    row = rng.choice(_ROWS)
    start = rng.randrange(len(row) - 3)
    return _cycle(row[start : start + rng.randint(4, 6)], length)


def _pseudo_random(rng: Random, length: int) -> str:
    motif = _letters(rng, _UPPER + "0123456789", 4)
    return _fill(
        rng, length, lambda r: motif if r.random() < 0.3 else _letters(r, _UPPER + "0123456789", 3), ""
    )


def _printable_random(rng: Random, length: int) -> str:
    return _letters(rng, _PRINTABLE, length)


def _sentence(rng: Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(5, 9))).capitalize() + "."


def _natural_language(rng: Random, length: int) -> str:
    return _fill(rng, length, _sentence, " ")


def _natural_language_repeat(rng: Random, length: int) -> str:
    return _cycle(_sentence(rng) + " ", length)


def _address(rng: Random) -> str:
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _clock(rng: Random) -> str:
    return f"2024-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T{rng.randint(10, 23)}:{rng.randint(10, 59)}:00Z"


def _log(line: Callable[[Random], str]) -> Category:
    return lambda rng, length: _fill(rng, length, lambda r: f"{_clock(r)} {line(r)}", "\n")


def _log_request(rng: Random) -> str:
    path = rng.choice(["/", "/login", "/api/items", f"/api/items/{rng.randrange(1000)}", "/health"])
    code = rng.choice([200, 200, 200, 201, 304, 404, 500])
    return f"INFO {rng.choice(['GET', 'POST', 'PUT'])} {path} {code} {rng.randint(1, 900)}ms {_address(rng)}"


def _log_error(rng: Random) -> str:
    what = rng.choice(["connection refused", "timed out", "disk is full", "unexpected end of file"])
    return f"ERROR worker-{rng.randint(1, 9)} {what} (attempt {rng.randint(1, 5)} of 5)"


def _log_login(rng: Random) -> str:
    return f"NOTICE auth user={rng.choice(_WORDS)} from={_address(rng)} ok={rng.choice(['true', 'false'])}"


def _log_database(rng: Random) -> str:
    return f"WARN db table={rng.choice(_WORDS)} rows={rng.randrange(10000)} lock_wait={rng.random():.3f}s"


def _log_metrics(rng: Random) -> str:
    return f"DEBUG cpu={rng.random():.2f} mem={rng.random():.2f} queue={rng.randrange(40)}"


def _yaml(block: Callable[[Random, int], str]) -> Category:
    def make(rng: Random, length: int) -> str:
        text, number = block(rng, 0), 0
        while len(text) < length:
            number += 1
            text += block(rng, number)
        return text

    return make


def _yaml_service(rng: Random, number: int) -> str:
    port = rng.randint(3000, 9000)
    name, image = rng.choice(_WORDS), rng.choice(_WORDS)
    return f"{name}{number}:\n  image: registry/{image}:1.{port % 10}\n  port: {port}\n"


def _yaml_settings(rng: Random, number: int) -> str:
    return f"section_{number}:\n  enabled: {rng.choice(['true', 'false'])}\n  limit: {rng.randrange(500)}\n"


def _yaml_steps(rng: Random, number: int) -> str:
    head = "jobs:\n  build:\n    steps:\n" if number == 0 else ""
    return head + f"      - run: make {rng.choice(_WORDS)}\n        retries: {rng.randint(0, 3)}\n"


def _yaml_hosts(rng: Random, number: int) -> str:
    return (
        f"- host: node-{number}\n  address: {_address(rng)}\n  roles: [{', '.join(rng.sample(_WORDS, 2))}]\n"
    )


def _table(separator: str, cell: Callable[[Random], str], repeat_header: bool = False) -> Category:
    def make(rng: Random, length: int) -> str:
        columns = rng.randint(3, 5)
        header = separator.join(rng.sample(_WORDS, columns))
        rows = [header, header] if repeat_header else [header]
        while sum(map(len, rows)) + len(rows) < length:
            rows.append(separator.join(cell(rng) for _ in range(columns)))
        return "\n".join(rows)

    return make


def _cell_number(rng: Random) -> str:
    return str(rng.randrange(1000))


def _cell_word(rng: Random) -> str:
    return _letters(rng, _LOWER, rng.randint(2, 5))


def _cell_mixed(rng: Random) -> str:
    return rng.choice([_cell_number(rng), _cell_word(rng), "NA", "true", "false", f"{rng.random():.2f}"])


def _cell_sparse(rng: Random) -> str:
    return _cell_number(rng) if rng.random() < 0.15 else ""


def _dna_random(rng: Random, length: int) -> str:
    return _letters(rng, "ACGT", length)


def _dna_motif(rng: Random, length: int) -> str:
    return _cycle(_letters(rng, "ACGT", rng.randint(2, 5)), length)


def _dna_reverse_complement(rng: Random, length: int) -> str:
    half = _letters(rng, "ACGT", (length + 1) // 2)
    return half + half[::-1].translate(str.maketrans("ACGT", "TGCA"))


def _dna_microsatellite(rng: Random, length: int) -> str:
    third = max(1, length // 3)
    return _letters(rng, "ACGT", third) + _dna_motif(rng, third) + _letters(rng, "ACGT", length - 2 * third)


def _dna_gc_rich(rng: Random, length: int) -> str:
    return "".join(rng.choices("GCAT", weights=(4, 4, 1, 1), k=max(1, length)))


def _dna_fasta(rng: Random, length: int) -> str:
    bases = _letters(rng, "ACGT", length)
    lines = [bases[i : i + 60] for i in range(0, len(bases), 60)]
    return "\n".join([f">seq_{rng.randrange(1000)}", *lines])


def _script(first: int, last: int, gaps: bool = True) -> Category:
    """Return words drawn from one block of Unicode."""
    alphabet = "".join(map(chr, range(first, last + 1)))

    def make(rng: Random, length: int) -> str:
        small = "".join(rng.sample(alphabet, min(12, len(alphabet))))
        return _fill(rng, length, lambda r: _letters(r, small, r.randint(2, 6)), " " if gaps else "")

    return make


def _unicode_mixed(rng: Random, length: int) -> str:
    pieces = [
        "naïve",
        "Ångström",
        "Ωμέγα",
        "дом",
        "数学",
        "かな",
        "🙂🙃",
        "e\u0301te\u0301",
        "ﬁn",
        "שלום",
        "नमस्ते",
    ]
    return _fill(rng, length, lambda r: r.choice(pieces), " ")


SOURCES: dict[str, dict[str, Category]] = {
    "string": {
        "string_char_repeat": _char_repeat,
        "string_alternating": _alternating,
        "string_block_repeat": _block_repeat,
        "string_nested_repeat": _nested_repeat,
        "string_palindrome": _palindrome,
        "string_near_palindrome": _near_palindrome,
        "string_pangram": _pangram,
        "string_keyboard": _keyboard,
        "string_pseudo_random": _pseudo_random,
        "string_printable_random": _printable_random,
        "string_natural_language": _natural_language,
        "string_natural_language_repeat": _natural_language_repeat,
    },
    "log": {
        "log_request": _log(_log_request),
        "log_error": _log(_log_error),
        "log_login": _log(_log_login),
        "log_database": _log(_log_database),
        "log_metrics": _log(_log_metrics),
    },
    "yaml": {
        "yaml_service": _yaml(_yaml_service),
        "yaml_settings": _yaml(_yaml_settings),
        "yaml_steps": _yaml(_yaml_steps),
        "yaml_hosts": _yaml(_yaml_hosts),
    },
    "tabular": {
        "tabular_csv_numeric": _table(",", _cell_number),
        "tabular_csv_words": _table(",", _cell_word),
        "tabular_csv_mixed": _table(",", _cell_mixed),
        "tabular_csv_sparse": _table(",", _cell_sparse),
        "tabular_csv_repeated_header": _table(",", _cell_word, repeat_header=True),
        "tabular_tsv_numeric": _table("\t", _cell_number),
        "tabular_tsv_mixed": _table("\t", _cell_mixed),
    },
    "dna": {
        "dna_random": _dna_random,
        "dna_motif_repeat": _dna_motif,
        "dna_reverse_complement": _dna_reverse_complement,
        "dna_microsatellite": _dna_microsatellite,
        "dna_gc_rich": _dna_gc_rich,
        "dna_fasta": _dna_fasta,
    },
    "unicode": {
        "unicode_greek": _script(0x3B1, 0x3C9),
        "unicode_cyrillic": _script(0x430, 0x44F),
        "unicode_cjk": _script(0x4E00, 0x4FFF, gaps=False),
        "unicode_kana": _script(0x3041, 0x3096, gaps=False),
        "unicode_arabic": _script(0x627, 0x64A),
        "unicode_emoji": _script(0x1F600, 0x1F64F, gaps=False),
        "unicode_mixed": _unicode_mixed,
    },
}
