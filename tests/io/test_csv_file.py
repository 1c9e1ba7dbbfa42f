"""CSV that a spreadsheet opens without running anything, and that is read back as it was."""

import csv

import pandas as pd

from cxrgrid.io.csv_file import write_csv
from cxrgrid.reporting.results import read_csv

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "@SUM(A1)", "\t=1", "'=1", "''@x"]
PLAIN = ["Effusion", "-0.02", "+0.131 (−0.024 to +0.286)", "'quoted'", "a=b", "", "-"]


def test_formulas_are_text_in_a_spreadsheet_and_themselves_when_read_back(tmp_path):
    texts = FORMULAS + PLAIN
    frame = pd.DataFrame({"label": texts, "value": [-1.5] * len(texts), "=x": texts})
    write_csv(frame, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["label", "value", "'=x"]
    for row, text in zip(rows, texts, strict=True):
        assert row[0] == (f"'{text}" if text in FORMULAS else text)
        assert row[1] == "-1.5"
    read = read_csv(tmp_path / "a.csv")
    assert read["label"].fillna("").tolist() == texts == read["=x"].fillna("").tolist()
