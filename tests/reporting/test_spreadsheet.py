"""A workbook holds what was written, in a form that spreadsheets read."""

import re
import zipfile
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from cxrgrid.data import spreadsheets
from cxrgrid.reporting import spreadsheet

ROWS = [
    ["name", "value", "n", "ok"],
    ['a < b & "c"', 0.1 + 0.2, 12, True],
    ["  two\nlines ", float("nan"), np.int64(3), np.bool_(False)],
    ["bell \x07, ünï, −", np.float64(1e-12), None, pd.NA],
]


def test_a_reader_finds_what_was_written(tmp_path):
    path = tmp_path / "a.xlsx"
    spreadsheet.write({"numbers": ROWS, "more": [["x"], [1]]}, path)
    read = spreadsheets.read_sheet(path)
    assert list(read.columns) == ROWS[0]
    assert read["name"].str.strip().tolist() == ['a < b & "c"', "two\nlines", "bell , ünï, −"]
    assert float(read["value"][0]) == 0.1 + 0.2 and float(read["value"][2]) == 1e-12
    assert str(read["n"][1]) == "3" and read["n"][2] in ("", None)


def test_every_part_is_xml_and_is_named_where_it_must_be(tmp_path):
    path = tmp_path / "a.xlsx"
    spreadsheet.write({"one": ROWS, "two": [["x"]]}, path)
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        text = {name: file.read(name).decode() for name in names}
    for part in text.values():
        ElementTree.fromstring(part.encode())
    told = re.findall(r'PartName="/([^"]+)"', text["[Content_Types].xml"])
    assert sorted(told) == sorted(
        name for name in names if name.startswith("xl/") and "rels" not in name
    )
    linked = re.findall(r'Target="([^"]+)"', text["xl/_rels/workbook.xml.rels"])
    assert [f"xl/{name}" for name in linked] == sorted(
        n for n in names if "sheet" in n and "work" in n
    )


def test_names_of_sheets_are_short_allowed_and_differ():
    long = "densenet121/pretrained: [all] of them, twice"
    found = spreadsheet.titles([long, long.upper(), "", "a"])
    assert max(map(len, found)) <= 31 and len({name.lower() for name in found}) == 4
    assert not re.search(r"[\[\]:*?/\\]", "".join(found))


def test_columns_are_counted_as_letters():
    assert [spreadsheet.column(at) for at in (0, 25, 26, 51, 52, 701, 702)] == [
        *("A", "Z", "AA", "AZ", "BA", "ZZ", "AAA")
    ]


def test_the_same_tables_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        spreadsheet.write({"numbers": ROWS}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
