"""Files beside a table that may say what its codes of classes mean, and whether they fit."""

import json
import re
from pathlib import Path

import pandas as pd
import yaml

from cxrgrid.data import label_text, tables
from cxrgrid.drafting import class_columns

CALLED = re.compile(
    r"(class|label|legend|names?|categories|category|mapping|code|read.?me).*", re.I
)
READ_ME = re.compile(r"read.?me", re.I)  # lines of prose
TEXTS = (".txt", ".json", ".csv", ".tsv", ".names", ".yaml", ".yml", ".md")
LARGEST = 20_000  # bytes of a legend


def apply(entry: dict, path: Path) -> dict:
    """The entry with the names of its codes, where one legend fits them; others are named."""
    columns = entry["columns"]
    if "classes" not in columns or not all(map(class_columns.is_number, entry["labels"])):
        return entry
    used = {columns.get("file"), columns.get("join", {}).get("file")}
    folder = path if path.is_dir() else path.parent
    files = [file for file in sorted(folder.iterdir()) if is_legend(file)]
    files = [file for file in files if file.name not in {Path(name).name for name in used if name}]
    whole = columns.get("separator", "") in ("", label_text.ROWS)
    codes = tables.whole(pd.Series(entry["labels"])).tolist()
    plain = {file: whole and not READ_ME.match(file.name) for file in files}
    found = {file: names_of(file, codes) if plain[file] else {} for file in files}
    fitting = [names for names in found.values() if names]
    names = fitting[0] if fitting and all(other == fitting[0] for other in fitting) else {}
    for file in files:
        if names and found[file]:
            print(f"{file}: names the codes in {columns['classes']!r}")
        else:
            print(f"not used: {file}: may say what the numbers in {columns['classes']!r} mean")
    if not names:
        return entry
    return entry | {"labels": sorted(names.values()), "columns": columns | {"names": names}}


def is_legend(file: Path) -> bool:
    """True if a file is called like one that says what codes mean."""
    return bool(CALLED.fullmatch(file.name)) and file.suffix.lower() in TEXTS and file.is_file()


def names_of(file: Path, codes: list[str]) -> dict[str, str]:
    """The name of each code, if a file has as many names as there are codes; else empty."""
    try:
        text = file.read_text("utf-8-sig") if file.stat().st_size < LARGEST else ""
        names = by_code(file.suffix.lower(), text, codes)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    texts = list(names.values())
    said = all(isinstance(text, str) and re.search(r"[^\W\d_]", text) for text in texts)
    if not said or len(set(map(label_text.plain, texts))) < len(texts):
        return {}
    return names if set(names) == set(codes) else {}


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
        if all(pairs):
            return {pair["code"]: pair["name"] for pair in pairs}
    return lines
