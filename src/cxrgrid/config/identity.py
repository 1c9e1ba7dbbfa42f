"""The identity of a result: the settings it was made with, as far as they differ from the defaults.

Two settings are the same if they say the same once the defaults are filled in. So a default that is
written out, or a setting that is new in cxrgrid, makes nothing again: its default has to leave
results as they were. What does change results under the same settings is declared by RESULTS.
"""

import functools
import json
from typing import Any

import msgspec

# Part of the identity of what a command makes. Raise a command's number with a default whose value
# changes, and with code that gives other results; all that it has made is then made again.
RESULTS = {"phantom": 1, "index": 1, "pixels": 1, "split": 1, "train": 1}


def changed(settings: msgspec.Struct) -> dict[str, Any]:
    """The settings that are required or not at their default, in a fixed order, as plain values."""
    values = {name: getattr(settings, name) for name in defaults(type(settings))}
    return {
        name: changed(value) if isinstance(value, msgspec.Struct) else msgspec.to_builtins(value)
        for name, value in values.items()
        if value != defaults(type(settings))[name]
    }


@functools.cache
def defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The default of each setting, the required ones first: these have NODEFAULT, equal to none."""
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: not field.required)
    made = {f.name: f.default_factory for f in fields if f.default_factory is not msgspec.NODEFAULT}
    return {f.name: made[f.name]() if f.name in made else f.default for f in fields}


def identity(settings: msgspec.Struct) -> str:
    """The settings as one line of JSON: what a printed command carries."""
    return json.dumps(changed(settings))


def same(text: str, settings: msgspec.Struct) -> bool:
    """True if JSON settings, with the defaults filled in, equal the given settings."""
    try:
        return msgspec.json.decode(text, type=type(settings)) == settings
    except msgspec.DecodeError:
        return False


def told(settings: msgspec.Struct, recorded: list[str]) -> str:
    """Settings of a command; recorded: those that Snakemake has recorded with its output.

    Snakemake makes again what was made with another text. So the text stays as it was where it says
    the same: cxrgrid 0.1 wrote every default out.
    """
    return next((text for text in recorded if same(text, settings)), identity(settings))
