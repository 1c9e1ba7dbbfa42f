"""`section`: LaTeX sets every character as it stands, in tables of the right width."""

import re

import pytest

from cxrgrid.reporting.markdown import Section, escape, latex

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
    text = latex([part, part], "Of all.", "labels")
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
