"""Markdown and LaTeX set every character as it stands, in tables of the right width."""

import re

import pytest

from cxrgrid.reporting.markdown import escape, latex, markdown
from cxrgrid.reporting.sections import Section, Table

ODD = r"50 % of $a_b$ & {c} #1 ~ ^ \ <x> –"


def test_special_characters_are_escaped():
    bare = re.sub(
        r"\\text(backslash|asciitilde|asciicircum)\{\}|\$[<>]\$|\\[&%$#_{}]", "", escape(ODD)
    )
    assert not re.search(r"[\\&%$#_{}~^<>–]", bare)


@pytest.mark.parametrize("text, set_as", [("run `a_b`", r"run \texttt{a\_b}"), ("a`b", "a`b")])
def test_code_is_set_as_code(text, set_as):
    assert escape(text) == set_as


def test_every_row_has_a_cell_a_column():
    rows = [["[a]", "1 & 2"], ["b", "−0.1"]]
    part = Section("ward 1", ["name", "share, %"], [False, True], rows, ["A note."])
    text = latex(Table("Labels", "Of all.", [part, part]), "labels")
    bodies = re.findall(r"\\begin\{tabular\}\{lr\}\n(.*?)\\end\{tabular\}", text, re.S)
    assert len(bodies) == 2
    for body in bodies:
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(lines) == 3
        assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in lines)
    assert "{}[a]" in text and r"\label{tab:labels-ward-1}" in text
    assert text.count(r"\begin{") == text.count(r"\end{")
    balance = re.sub(r"\\[{}]", "", text)
    assert balance.count("{") == balance.count("}")


def test_markdown_has_a_line_a_row_and_ends_with_the_caption():
    rows = [["x|y", "1"], ["", "–"]]
    part = Section("ward", ["name", "n|m"], [False, True], rows, ["Missing: `b`"])
    lines = markdown(Table("Labels", "Of all.", [part])).splitlines()
    assert lines[0] == "## ward" and lines[-1] == "Of all." and "Missing: `b`" in lines
    body = [line for line in lines if line.startswith("|")]
    assert body == ["| name | n\\|m |", "| --- | ---: |", "| x\\|y | 1 |", "|  | – |"]


def test_a_table_without_rows_says_nothing():
    assert markdown(Table("Labels", "Of all.", [])) == ""
