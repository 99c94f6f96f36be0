from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ktray.config import option, parse, to_yaml
from ktray.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    seconds: float = option(0.5, "budget, seconds")
    deep_level: str | None = option(None, "level", short="deep_level")


@dataclass(frozen=True)
class Config:
    archive: Path | None = option(None, "an archive", positional=True)
    element_bits: int | None = option(None, "bits")
    n: int = option(1, "samples")
    json: bool = option(False, "print")
    search: Inner = option(Inner(seconds=0.75), "search")


def read(*argv: str) -> Config:
    return parse(Config, argv, prog="job", description="A job.")


def test_defaults_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("n: 4\nsearch:\n  seconds: 2\n")
    assert read().n == 1
    assert read().search.seconds == 0.75, "the outer default counts, not the inner class's"
    assert read("--config", str(file)).search.seconds == 2
    assert read("--config", str(file), "--n", "9").n == 9


def test_a_nested_option_has_a_short_flag() -> None:
    assert read("--deep-level", "3").search.deep_level == "3"
    assert read("--deep_level=3").search.deep_level == "3"
    assert read("--search.deep-level", "3").search.deep_level == "3"


def test_flags_take_hyphens_or_underscores_and_a_positional() -> None:
    assert read("--element-bits", "3").element_bits == 3
    assert read("--element_bits=3").element_bits == 3
    assert read("--json", "x.kt") == Config(archive=Path("x.kt"), json=True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--searsh.seconds", "1"], "unknown option --searsh.seconds; did you mean 'search.seconds'?"),
        (["--n", "many"], "option --n: saw many, expected int"),
        (["--n"], "argument --n: expected one argument"),
        (["--config", "/nowhere.yaml"], "config file /nowhere.yaml: No such file or directory"),
    ],
)
def test_wrong_flags_are_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_key_of_a_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("search:\n  second: 2\n")
    with pytest.raises(ConfigError, match=r"unknown key 'search\.second'; did you mean 'search\.seconds'\?"):
        read("--config", str(file))


def test_resolved_config_reads_back(tmp_path: Path) -> None:
    config = Config(archive=Path("a.kt"), element_bits=3, n=7, search=Inner(0.25))
    file = tmp_path / "resolved.yaml"
    file.write_text(to_yaml(config))
    assert read("--config", str(file)) == config
