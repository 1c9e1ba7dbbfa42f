"""Checks of raw values in any setting: what YAML made of them, empty sections, repeated entries."""

import datetime
import functools
import math
import os
import re
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Study

HOME = re.compile(r"(~|\$HOME|\$\{HOME\})(/|$)")
EMPTY = "is empty; write a value, or remove the line (a section of comments alone is empty)"
QUOTES = "put it in quotes"
TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
TYPES |= {"array": "a list", "object": "settings (name: value)", "null": "nothing"}
BOUNDS = {">=": "of at least", ">": "above", "<=": "of at most", "<": "below"}
# What to do about a value of another type, by msgspec's names of the wanted and the given type.
REMEDIES = {
    ("str", "bool"): f"YAML reads yes, no, on and off as true and false: {QUOTES}",
    ("str", "int"): QUOTES,
    ("str", "float"): QUOTES,
    ("array", "str"): "write [a, b], or [a] for one",
    ("array", "int"): "write [0, 1], or [0] for one",
}
ONE = "write one value; lists of levels are for the settings of a recipe (docs/vary.md)"
REMEDIES |= {(kind, "array"): ONE for kind in ("int", "float", "bool", "str")}


def check_plain(value: Any, where: str = "") -> None:
    """`UserError` at the first value that no setting could use, as YAML read it.

    value: a config or a part of it; where: its place, such as `recipes.default.lr`.
    """
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                raise UserError(f"{where or 'config'}: the name {key!r} is no text; {QUOTES}")
            place = f"{where}.{key}" if where else key
            if below is None and key not in nullable():
                raise UserError(f"{place}: {EMPTY}")
            check_plain(below, place)
    elif isinstance(value, list | tuple):
        for number, below in enumerate(value):
            if below is None:
                raise UserError(f"{where}[{number}]: {EMPTY}")
            check_plain(below, f"{where}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: {value} is not a finite number")
    elif isinstance(value, datetime.date):
        raise UserError(f"{where}: YAML reads {value} as a date; {QUOTES}")
    elif isinstance(value, bytes | set):
        raise UserError(f"{where}: {type(value).__name__} is no kind of setting; remove the `!!`")
    elif isinstance(value, str) and HOME.match(value):
        whole = HOME.sub(f"{os.environ.get('HOME', '/home/me')}\\2", value)
        raise UserError(f"{where}: {value.split('/')[0]} is not expanded; write {whole!r}")


@functools.cache
def nullable() -> set[str]:
    """Settings that are empty by default, which `null` says too."""
    found, waiting = set(), [Study]
    seen = set()
    while waiting:
        kind = waiting.pop()
        for field in msgspec.structs.fields(kind):
            if field.default is None:
                found.add(field.name)
            for inner in structs(field.type):
                if inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)
    return found


def structs(annotation: Any) -> Iterable[type[msgspec.Struct]]:
    """The structs anywhere in a type."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    origin = getattr(annotation, "__origin__", None)  # of Annotated
    for inner in (*getattr(annotation, "__args__", ()), *([origin] if origin else [])):
        if inner is not annotation and not isinstance(inner, str):
            yield from structs(inner)


def once(values: Iterable[Any], where: str) -> None:
    """`UserError` if an entry stands in a list twice."""
    values = list(values)
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UserError(f"{where}[{number}]: {value!r} is listed twice; remove one")


def check_case(names: Iterable[str], where: str) -> None:
    """`UserError` if two names differ in capital letters alone: one folder on some disks."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise UserError(
                f"{where}: {other!r} and {name!r} differ in capital letters alone, and are one "
                "name on some disks; rename one"
            )


def in_words(message: str, value: Any = None, choices: Iterable[str] = ()) -> str:
    """A message of msgspec's with types in plain words, and what to do about them.

    value: that the message is about, if it is known; choices: what it may be, in words.
    """
    if message.startswith("Invalid enum value") and choices:
        return f"no choice {value!r}; known: {', '.join(choices)}"
    if bound := re.fullmatch(r"Expected `(int|float)` ([<>]=?) (\S+)", message):
        got = "" if value is None else f", got {value}"
        return f"expected {TYPES[bound[1]]} {BOUNDS[bound[2]]} {float(bound[3]):g}{got}"
    types = re.fullmatch(r"Expected `([\w| ]+)`, got `(\w+)`", message)
    if types is None:
        return f"{message[0].lower()}{message[1:]}"
    wanted = types[1].split(" | ")
    said = " or ".join(TYPES.get(name, name) for name in wanted)
    # A list first: what YAML read as a number is more often one entry than text without quotes.
    found = (REMEDIES.get((name, types[2])) for name in sorted(wanted))
    remedy = next((f"; {text}" for text in found if text), "")
    return f"expected {said}, got {TYPES.get(types[2], types[2])}{remedy}"


def choices_at(kind: type[msgspec.Struct], path: str) -> list[str]:
    """The choices of a setting in words, where some have names; path: msgspec's."""
    annotation: Any = kind
    for name in re.findall(r"\.([^.\[]+)", path):
        fields = [field for each in structs(annotation) for field in msgspec.structs.fields(each)]
        annotation = next((field.type for field in fields if field.name == name), None)
    return list(dict.fromkeys(kinds_in(annotation)))


def kinds_in(annotation: Any) -> Iterable[str]:
    """The named values in a type, and its other types in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield from map(str, inner)
    elif origin in (tuple, list):
        yield TYPES["array"]
    elif origin is Annotated or origin in (Union, UnionType):
        for each in inner[:1] if origin is Annotated else inner:
            yield from kinds_in(each)
    elif annotation is not type(None):
        yield TYPES.get(getattr(annotation, "__name__", ""), "settings (name: value)")


def at_path(value: Any, path: str) -> Any:
    """The value at msgspec's path into a config, such as `.recipes.a.lr[0]`; None if unknown."""
    for name, number in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path):
        try:
            value = value[name] if name else value[int(number)]
        except (LookupError, TypeError, ValueError):
            return None
    return value
