"""A table as a reader sees it, in Markdown, which `report` reads back, and in LaTeX."""

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


ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
ESCAPES |= {character: "\\" + character for character in "&%$#_{}"}
ESCAPES |= {"–": "--", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$"}
ESCAPES |= {"≤": r"$\leq$", "≥": r"$\geq$", "…": r"\dots{}", "\u00a0": "~", "<": "$<$", ">": "$>$"}


def latex(sections: list[Section], note: str, name: str) -> str:
    """The same as LaTeX tables, for `\\input`; they need the packages booktabs and adjustbox."""
    head = "% Needs \\usepackage{booktabs} and \\usepackage{adjustbox}.\n"
    return head + "".join(latex_table(part, note, name) for part in sections)


def latex_table(part: Section, note: str, name: str) -> str:
    """One table; notes stand in its caption, as a paper has them."""
    columns = "".join("r" if numeric else "l" for numeric in part.numeric)
    caption = " ".join(escape(text) for text in (f"{part.title}.", *part.notes, note))
    lines = [
        r"\begin{table}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{name}-{re.sub(r'[^A-Za-z0-9]+', '-', part.title)}}}",
        r"\begin{adjustbox}{max width=\linewidth}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        latex_row(part.header),
        r"\midrule",
        *(latex_row(row) for row in part.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n\n"


def latex_row(row: list[str]) -> str:
    """One line. Braces keep a cell that begins with a bracket from being an option of the last."""
    cells = [f"{{}}{escape(text)}" if text.startswith("[") else escape(text) for text in row]
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Text that LaTeX sets as it stands; what stands in backquotes as code."""
    parts = text.split("`") if text.count("`") % 2 == 0 else [text]
    plain = ["".join(ESCAPES.get(character, character) for character in part) for part in parts]
    return "".join(rf"\texttt{{{p}}}" if at % 2 else p for at, p in enumerate(plain))
