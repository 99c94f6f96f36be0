"""From YAML and flags to frozen dataclasses. An unknown key is an error that names the nearest known one.

A job's config is a frozen dataclass whose fields are made by `option`; nested dataclasses become dotted
keys (`--search.seconds 0.1`). Flags override the YAML file given with `--config`.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ActionYesNo, ArgumentParser, Namespace

from ktray.errors import ConfigError

C = TypeVar("C")


def option(default: Any, help: str, *, positional: bool = False, short: str = "") -> Any:
    """Return a dataclass field with a default and a line of help that tells its unit; a field of a nested
    dataclass may have a `short` name, which is its flag without the dots."""
    metadata = {"help": help, "positional": positional, "short": short}
    if isinstance(default, (list, dict)) or dataclasses.is_dataclass(default):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse(config_class: type[C], argv: Sequence[str], *, prog: str, description: str) -> C:
    """Return `config_class` filled from defaults, then `--config FILE`, then flags.

    Raises ConfigError for an unknown key, a value of the wrong type, or an unreadable file.
    """
    argv = _name_positionals([_hyphenated(word) for word in argv], config_class)
    parser = _Parser(prog=prog, description=description, exit_on_error=False, add_help=True)
    parser.add_argument("--config", action="config", help="YAML file of defaults for the options below")
    known = list(_add_options(parser, config_class, ""))
    _reject_unknown_flags(argv, [*known, *_short_names(config_class)])
    _check_config_files(argv, known)
    try:
        namespace = parser.parse_args(list(argv))
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        raise ConfigError(_one_line(str(error), known)) from None
    try:
        return _build(config_class, namespace)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def to_yaml(config: Any) -> str:
    """Return a config as YAML that `parse` reads back with `--config`."""
    return yaml.safe_dump(_plain(config), sort_keys=False)


def nearest(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean 'X'?" for the closest of `known`, or "; known: ..." where none is close."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"


class _Parser(ArgumentParser):
    """An argument parser whose errors are exceptions: the caller prints one line."""

    def error(self, message: str, ex: Exception | None = None) -> typing.NoReturn:
        raise ConfigError(_one_line(message, []))


def _leaf_type(annotation: Any) -> Any:
    """Return the type within `X | None`, or the annotation itself."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _add_options(
    parser: ArgumentParser, config_class: type, prefix: str, defaults: Any = None
) -> typing.Iterator[str]:
    """Add an option for every leaf; `defaults`, where given, is an instance that overrides the class's own."""
    hints = typing.get_type_hints(config_class)
    for spec in dataclasses.fields(config_class):
        key, kind = prefix + spec.name, hints[spec.name]
        default = _default(spec) if defaults is None else getattr(defaults, spec.name)
        if dataclasses.is_dataclass(kind):
            yield from _add_options(parser, typing.cast(type, kind), key + ".", default)
            continue
        yield key
        _add_option(parser, key, kind, spec, default)


def _short_names(config_class: type) -> typing.Iterator[str]:
    for kind in typing.get_type_hints(config_class).values():
        if dataclasses.is_dataclass(kind):
            yield from (spec.metadata.get("short", "") for spec in dataclasses.fields(kind))
            yield from _short_names(typing.cast(type, kind))


def _default(spec: dataclasses.Field[Any]) -> Any:
    if spec.default_factory is not dataclasses.MISSING:
        return spec.default_factory()
    return None if spec.default is dataclasses.MISSING else spec.default


def _add_option(
    parser: ArgumentParser, key: str, kind: Any, spec: dataclasses.Field[Any], default: Any
) -> None:
    help_text = str(spec.metadata.get("help", ""))
    if spec.metadata.get("positional"):
        help_text += "; may be given without its flag"
    flags = [_flag(name) for name in (key, spec.metadata.get("short")) if name]
    if kind is bool:
        parser.add_argument(*flags, action=ActionYesNo(no_prefix="no-"), default=default, help=help_text)
    else:
        parser.add_argument(*flags, type=kind, default=default, help=help_text)


def _flag(key: str) -> str:
    """Return the flag of a key: fields have underscores, flags have hyphens (both are accepted)."""
    return "--" + key.replace("_", "-")


def _hyphenated(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word


def _name_positionals(argv: Sequence[str], config_class: type) -> list[str]:
    """Return argv with the flag put before each word that belongs to none (a true positional would
    override the config file even where it is not given)."""
    specs = dataclasses.fields(config_class)
    names = [_flag(spec.name) for spec in specs if spec.metadata.get("positional")]
    switches = {_flag(spec.name) for spec in specs if isinstance(_default(spec), bool)}
    out: list[str] = []
    value_due = False
    for word in argv:
        if not word.startswith("-") and not value_due and names:
            out.append(names.pop(0))
        takes_value = word.startswith("--") and "=" not in word
        value_due = takes_value and word not in switches and word.replace("--no-", "--") not in switches
        out.append(word)
    return out


def _reject_unknown_flags(argv: Sequence[str], known: list[str]) -> None:
    for word in argv:
        if not word.startswith("--") or word == "--":
            continue
        name = word[2:].split("=", 1)[0]
        flags = [key.replace("_", "-") for key in known]
        if name in {"help", "config", "print-config"} or name in flags or name.removeprefix("no-") in flags:
            continue
        raise ConfigError(f"unknown option --{name}{nearest(name, flags)}")


def _check_config_files(argv: Sequence[str], known: list[str]) -> None:
    for i, word in enumerate(argv):
        name, _, value = word.partition("=")
        if name == "--config":
            _check_config_file(Path(value or "".join(argv[i + 1 : i + 2])), known)


def _check_config_file(path: Path, known: list[str]) -> None:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"config file {path}: {error.strerror}; expected a readable YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path}: not YAML ({str(error).splitlines()[0]})") from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"config file {path}: expected keys and values, saw {type(data).__name__}")
    for key in _flat_keys(data or {}, ""):
        if key not in known:
            raise ConfigError(f"config file {path}: unknown key {key!r}{nearest(key, known)}")


def _flat_keys(data: dict[str, Any], prefix: str) -> typing.Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _one_line(message: str, known: list[str]) -> str:
    text = re.sub(r"\s+", " ", message).strip()
    found = re.search(r"Parser key \"([^\"]+)\": *(.*)", text)
    if found:
        text = f"option --{found.group(1)}: {found.group(2)}"
    text = re.sub(r"Expected a <class '(\w+)'>\. Got value: (.*)", r"saw \2, expected \1", text)
    return text[:300]


def _build(config_class: type[C], namespace: Namespace) -> C:
    hints = typing.get_type_hints(config_class)
    values: dict[str, Any] = {}
    for spec in dataclasses.fields(typing.cast(Any, config_class)):
        value = getattr(namespace, spec.name)
        kind = hints[spec.name]
        values[spec.name] = (
            _build(typing.cast(type, kind), value) if dataclasses.is_dataclass(kind) else value
        )
    return config_class(**values)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {spec.name: _plain(getattr(value, spec.name)) for spec in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
