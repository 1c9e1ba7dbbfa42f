"""Files beside a table that may say what its codes of classes mean, and whether they fit."""

import itertools
import json
import re
from pathlib import Path

import pandas as pd
import yaml

from cxrgrid.config.errors import UserError
from cxrgrid.data import label_text, tables
from cxrgrid.drafting import class_columns

CALLED = re.compile(
    r"(class|label|legend|names?|categories|category|mapping|code|read.?me).*", re.I
)
READ_ME = re.compile(r"read.?me", re.I)  # lines of prose
TEXTS = (".txt", ".json", ".csv", ".tsv", ".names", ".yaml", ".yml", ".md")
YES_NO = ["0", "1"]  # may be of one label: a longer list names other things
LARGEST = 20_000  # bytes of a legend


def apply(entry: dict, path: Path) -> dict:
    """The entry with the names of its codes, where one legend fits them; others are named.

    `UserError` where two legends fit, and say different things.
    """
    column = of_codes(entry)
    if not column:
        return entry
    columns = entry["columns"]
    used = {columns.get("file"), columns.get("join", {}).get("file")}
    names = {Path(name).name for name in used if name}
    files = [file for file in beside(path) if file.name not in names]
    codes = YES_NO if entry["labels"] == [column] else entry["labels"]
    codes = tables.whole(pd.Series(codes)).tolist()
    fitting = fitting_of(files, codes)
    check_same(fitting, column)
    for file in files:
        if file in fitting:
            print(f"{file}: names the codes in {column!r}")
        else:
            print(f"not used: {file}: may say what the numbers in {column!r} mean")
    return with_names(entry, column, next(iter(fitting.values()))) if fitting else entry


def beside(path: Path) -> list[Path]:
    """Files in a folder, or beside a table, that are called like legends."""
    folder = path if path.is_dir() else path.parent
    return [file for file in sorted(folder.iterdir()) if is_legend(file)]


def fitting_of(files: list[Path], codes: list[str]) -> dict[Path, dict[str, str]]:
    """The files that have a name for each code, with these."""
    found = {file: names_of(file, codes) for file in files if not READ_ME.match(file.name)}
    return {file: names for file, names in found.items() if names}


def of_codes(entry: dict) -> str:
    """The column of classes in numbers, or of one label in 1 and 0 that is called like classes."""
    columns, labels = entry["columns"], entry["labels"]
    if "classes" in columns:
        return columns["classes"] if all(map(class_columns.is_number, labels)) else ""
    return labels[0] if len(labels) == 1 and class_columns.NAMED.fullmatch(labels[0]) else ""


def check_same(found: dict[Path, dict[str, str]], column: str) -> None:
    """`UserError` if two files give a code different names; found: the names by code of each."""
    for one, other in itertools.pairwise(found):
        plain = [{c: label_text.plain(n) for c, n in found[file].items()} for file in (one, other)]
        if apart := [code for code in plain[0] if plain[0][code] != plain[1].get(code)]:
            first, second = found[one][apart[0]], found[other].get(apart[0], "nothing")
            raise UserError(
                f"{one} says that {apart[0]} in {column!r} is {first!r}, {other} that it is "
                f"{second!r}: keep the right one of the two files beside the table"
            )


def with_names(entry: dict, column: str, names: dict[str, str]) -> dict:
    """The entry with names for its codes; normal is the absence of others, where these combine."""
    columns, labels = entry["columns"] | {"classes": column, "names": names}, sorted(names.values())
    if columns.get("separator"):
        healthy = class_columns.HEALTHY
        return entry | {
            "labels": [n for n in labels if not healthy.fullmatch(n)],
            "columns": columns,
        }
    return entry | {"labels": labels, "columns": columns, "task": "multiclass"}


def is_legend(file: Path) -> bool:
    """True if a file is called like one that says what codes mean."""
    return bool(CALLED.fullmatch(file.name)) and file.suffix.lower() in TEXTS and file.is_file()


def names_of(file: Path, codes: list[str]) -> dict[str, str]:
    """The name of each code, if a file has one for each; else empty."""
    try:
        text = file.read_text("utf-8-sig") if file.stat().st_size < LARGEST else ""
        names = by_code(file.suffix.lower(), text, codes)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    texts = list(names.values())
    said = all(isinstance(text, str) and re.search(r"[^\W\d_]", text) for text in texts)
    apart = said and not any(sign in text for text in texts for sign in class_columns.SURE)
    if not apart or len(set(map(label_text.plain, texts))) < len(texts):
        return {}
    more = set(codes) < set(names) and codes != YES_NO  # names of codes that no image has
    return {code: names[code] for code in codes} if more or set(names) == set(codes) else {}


def by_code(suffix: str, text: str, codes: list[str]) -> dict[str, str]:
    """Names by their codes: of pairs, or of a list in the order of the codes, from 0 or 1 on."""
    if suffix in (".json", ".yaml", ".yml"):
        data = json.loads(text) if suffix == ".json" else yaml.safe_load(text)
        data = data.get("names", data) if isinstance(data, dict) else data
    else:
        data = of_lines([line.strip() for line in text.splitlines() if line.strip()])
    if isinstance(data, dict):
        coded = all(str(code).isdigit() for code in data.values())
        pairs = data.items()
        return {str(b): a for a, b in pairs} if coded else {str(a): b for a, b in pairs}
    for first in (0, 1):
        numbers = [str(number) for number in range(first, first + len(codes))]
        if isinstance(data, list) and len(data) == len(codes) and set(numbers) == set(codes):
            return dict(zip(numbers, data, strict=True))
    return {}


def of_lines(lines: list[str]) -> dict[str, str] | list[str]:
    """Names by their codes, where each line has both; else the lines."""
    for form in (r"(?P<code>\d+)[\s:=,;]+(?P<name>.+)", r"(?P<name>.+?)[\s:=,;]+(?P<code>\d+)"):
        pairs = [re.fullmatch(form, line) for line in lines]
        pairs = pairs[1:] if pairs and not pairs[0] else pairs  # a header
        if pairs and all(pairs):
            return {pair["code"]: pair["name"] for pair in pairs}
    return lines
