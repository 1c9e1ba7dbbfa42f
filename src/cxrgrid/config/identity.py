"""Identity of a result: the settings that made it, compared after their defaults are filled in.

A default that is written out, and a setting that a release adds, therefore make nothing again: the
default of a new setting has to leave results as they were. What changes results under the same
settings is declared in RESULTS.
"""

import functools
import json
from typing import Any

import msgspec

# A command's number is part of the identity of its results. Raise it with a default whose value
# changes, and with code that gives other results: everything that the command made is made again.
RESULTS = {"phantom": 1, "index": 1, "pixels": 1, "split": 1, "train": 1}


# Defaults of before, of settings whose default has changed without changing any result on a CPU:
# {setting: (its former default, a setting that came with the new one)}. A complete record without
# the latter was written when the former default held.
FORMER = {"amp": (False, "deterministic")}


def changed(settings: msgspec.Struct) -> dict[str, Any]:
    """Required settings, then those that differ from their default, as plain values."""
    usual = defaults(type(settings))
    values = {name: value for name in usual if (value := getattr(settings, name)) != usual[name]}
    return {
        name: changed(value) if isinstance(value, msgspec.Struct) else msgspec.to_builtins(value)
        for name, value in values.items()
    }


@functools.cache
def defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Default of each setting, required settings first; NODEFAULT, equal to no value, for these."""
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: not field.required)
    made = {f.name: f.default_factory for f in fields if f.default_factory is not msgspec.NODEFAULT}
    return {f.name: made[f.name]() if f.name in made else f.default for f in fields}


def identity(settings: msgspec.Struct) -> str:
    """Settings as one line of JSON, as a printed command carries them."""
    return json.dumps(changed(settings))


def same(text: str, settings: msgspec.Struct) -> bool:
    """True if `text` is JSON of the same settings, once the defaults are filled in."""
    try:
        read = msgspec.json.decode(text, type=dict[str, Any])
        return msgspec.convert(without_former(read, type(settings)), type(settings)) == settings
    except (ValueError, RecursionError):
        return False


def without_former(values: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Settings of a complete record, without those at the default that held when it was written.

    A record of what differs from the defaults alone is returned as it is.
    """
    usual = defaults(kind)
    if not any(name in usual and value == usual[name] for name, value in values.items()):
        return values
    old = [n for n, (value, since) in FORMER.items() if since not in values and n in usual]
    return {n: v for n, v in values.items() if n not in old or v != FORMER[n][0]}


class Nothing:
    """A param without a value: Snakemake records none, so results of before stay as they are."""

    def __str__(self) -> str:
        return ""


class Unrecorded:
    """A param of which Snakemake records nothing: with another one nothing is made again."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text


class Recorded(str):
    """A param as Snakemake has recorded it, which a command gets in its short form.

    Snakemake compares the text itself, and formats it where a command is written.
    """

    def __new__(cls, text: str, short: str) -> "Recorded":
        made = super().__new__(cls, text)
        made.short = short
        return made

    def __format__(self, spec: str) -> str:
        return format(self.short, spec)


def command_text(settings: msgspec.Struct, recorded: list[str]) -> str:
    """Settings as a command gets them; recorded: params of the run that made its output.

    Snakemake makes again what was made with another text. A recorded text of the same settings is
    therefore used as it is, but for the command: early versions of cxrgrid recorded every default.
    """
    short = identity(settings)
    return next((Recorded(text, short) for text in recorded if same(text, settings)), short)


def another(text: str) -> str:
    """JSON that says the same in other letters: with a space at its end, or without."""
    return text.rstrip() if text.endswith(" ") else f"{text} "
