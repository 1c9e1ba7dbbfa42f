"""A table as a reader sees it, in Markdown: `table` writes it, `report` reads it back."""

import re
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Section:
    """A heading, a table of text, and notes below it. numeric: which columns stand to the right."""

    title: str
    header: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    notes: list[str]


def section(title: str, frame: pd.DataFrame, texts: list[str], notes: list[str]) -> Section:
    """A frame of text as a section; all columns but `texts` hold numbers."""
    numeric = [name not in texts for name in frame.columns]
    return Section(title, list(frame.columns), numeric, frame.astype(str).values.tolist(), notes)


def write(sections: list[Section], note: str) -> str:
    """The Markdown file of some sections; `note` speaks of all and ends it."""
    lines = []
    for part in sections:
        rule = ["---:" if numeric else "---" for numeric in part.numeric]
        table = [line(row) for row in (part.header, rule, *part.rows)]
        lines += [f"## {part.title}", "", *table, ""]
        lines += [text for note in part.notes for text in (note, "")]
    return "\n".join([*lines, note, ""])


def parse(markdown: str) -> list[Section]:
    """The sections of a file; the note on all comes with the last one."""
    sections = []
    for part in re.split(r"^## ", markdown, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        header, rule, *rows = [cells(text) for text in lines if text.startswith("|")]
        notes = [text for text in lines if text and not text.startswith("|")]
        sections.append(Section(title, header, [text.endswith(":") for text in rule], rows, notes))
    return sections


def line(row: list[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"


def cells(text: str) -> list[str]:
    """The cells of one line of a table."""
    inner = text.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
