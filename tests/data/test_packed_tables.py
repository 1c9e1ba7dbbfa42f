"""Tables and spreadsheets that would fill the memory when they are unpacked."""

import gzip
import zipfile

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings, spreadsheets, tables


def test_a_packed_table_that_would_fill_the_memory_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(spreadsheets, "LARGEST", 1000)
    monkeypatch.setattr(encodings, "INFLATED", 1000)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", "<worksheet>" + " " * 5000 + "</worksheet>")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"image,label\n" + b"a.png,1\n" * 500))
    for name, words in (("a.xlsx", "save the table as CSV"), ("a.csv.gz", "unpack it")):
        with pytest.raises(UserError, match=f"{name}: .*holds more than.*{words}") as error:
            tables.read_rows(tmp_path / name)
        assert "\n" not in str(error.value)


def test_json_within_json_within_json_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(UserError, match="a.json: not a table"):
        tables.read_rows(tmp_path / "a.json")


def test_a_table_that_was_changed_is_read_anew_and_what_was_read_is_ones_own(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,Mass\na.png,1\n")
    mine = tables.read_rows(path)
    mine["Mass"] = "changed"
    mine.attrs["notes"].append("mine")
    again = tables.read_rows(path)
    assert list(again["Mass"]) == ["1"] and again.attrs["notes"] == []
    path.write_text("image,Mass\na.png,1\nb.png,0\n")
    assert list(tables.read_rows(path)["image"]) == ["a.png", "b.png"]
