"""A table in Markdown and in LaTeX, for people; no command reads them."""

import re

from cxrgrid.reporting.sections import Section, Table


def markdown(table: Table) -> str:
    """A heading and a table for each section; caption and method end it. Empty without sections."""
    lines = []
    for part in table.sections:
        rule = ["---:" if numeric else "---" for numeric in part.numeric]
        body = [line(row) for row in (part.header, rule, *part.rows)]
        lines += [f"## {plain(part.title)}", "", *body, ""]
        lines += [text for note in part.notes for text in (plain(note), "")]
    return "\n".join([*lines, plain(explained(table)), ""]) if lines else ""


def explained(table: Table) -> str:
    """Caption and method in one paragraph."""
    return " ".join(filter(None, [table.caption, table.method]))


def line(row: list[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(plain(text).replace("|", "\\|") for text in row) + " |"


def plain(text: str) -> str:
    """Text on one line whose `<` begins no HTML; code between backquotes stays as it is."""
    parts = " ".join(text.split("\n")).split("`")
    parts[::2] = [re.sub(r"<(?=[A-Za-z/!?])", r"\\<", part) for part in parts[::2]]
    return "`".join(parts)


ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
ESCAPES |= {character: "\\" + character for character in "&%$#_{}"}
ESCAPES |= {"–": "--", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$"}
ESCAPES |= {"≤": r"$\leq$", "≥": r"$\geq$", "…": r"\dots{}", "\u00a0": "~", "<": "$<$", ">": "$>$"}


def latex(table: Table, name: str) -> str:
    """The same as LaTeX tables, for `\\input`; they need the packages booktabs and adjustbox."""
    head = "% Needs \\usepackage{booktabs} and \\usepackage{adjustbox}.\n"
    return head + "".join(latex_table(part, explained(table), name) for part in table.sections)


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
    """Text that LaTeX sets as it stands; in backquotes as code, between two stars in bold."""
    if text.startswith("**") and text.endswith("**"):
        return rf"\textbf{{{escape(text[2:-2])}}}"
    parts = text.split("`") if text.count("`") % 2 == 0 else [text]
    plain = ["".join(ESCAPES.get(character, character) for character in part) for part in parts]
    return "".join(rf"\texttt{{{p}}}" if at % 2 else p for at, p in enumerate(plain))
