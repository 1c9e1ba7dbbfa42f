"""Files by name, and publishers' tables with their spaces, marks and mistakes."""

import re
import zipfile

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import publisher_files, spreadsheets
from workbooks import sheet, workbook


def test_files_are_found_by_name_the_first_by_path_first(tmp_path):
    for path in ("b/x.png", "a/x.png", "a/y.PNG", ".git/z.png", "a/._y.png", "a/y.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert publisher_files.by_name(tmp_path, (".png",)) == {"x.png": "a/x.png", "y.PNG": "a/y.PNG"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_spaces_and_byte_order_marks_are_no_part_of_a_name(tmp_path, mark):
    (tmp_path / "a.csv").write_bytes(mark + b"Id, Value ,more\r\n1, -1,x\r\n2 ,NA,y\r\n")
    rows = publisher_files.read_table(tmp_path / "a.csv", ["Value", "Id"])
    assert rows.to_dict("list") == {"Value": ["-1", "NA"], "Id": ["1", "2"]}


def test_a_table_saved_on_windows_is_read_though_it_is_no_utf_8(tmp_path):
    (tmp_path / "a.csv").write_bytes("Id,Value\r\n1,Größe\r\n".encode("cp1252"))
    rows = publisher_files.read_table(tmp_path / "a.csv", ["Id", "Value"])
    assert rows.to_dict("list") == {"Id": ["1"], "Value": ["Größe"]}


BAD = [
    (b"Id|Value\n1|2\n", "no column 'Id'; it needs Id, Value"),
    (b"", "not a table"),
    (b'Id,Value\n"1,2\n', "not a table"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_table_that_cannot_be_read_is_named(tmp_path, text, said):
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(UserError, match=said) as error:
        publisher_files.read_table(tmp_path / "a.csv", ["Id", "Value"])
    assert "a.csv" in str(error.value) and "\n" not in str(error.value)


def test_a_table_is_found_below_root_or_asked_for(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.csv").touch()
    assert publisher_files.find_table(tmp_path, ("a.csv", "b.csv"), "") == tmp_path / "deep/b.csv"
    with pytest.raises(UserError, match=r"no a\.csv\. Get it"):
        publisher_files.find_table(tmp_path, ("a.csv",), "Get it")


def test_a_spreadsheets_cells_are_text_whatever_their_kind(tmp_path):
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>B</t></is></c></row>'
        '<row><c r="A2"><v>7</v></c></row><row><c r="B3" t="s"><v>1</v></c></row>'
        "</sheetData></worksheet>"
    )
    strings = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        "<si><t>A </t></si><si><r><t>ri</t></r><r><t>ch</t></r></si></sst>"
    )
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as file:
        file.writestr("xl/worksheets/sheet1.xml", sheet)
        file.writestr("xl/sharedStrings.xml", strings)
    rows = spreadsheets.read_sheet(tmp_path / "a.xlsx")
    assert rows.to_dict("list") == {"A": ["7", ""], "B": ["", "rich"]}


def test_a_file_that_is_no_spreadsheet_is_named(tmp_path):
    (tmp_path / "a.xlsx").write_text("A,B")
    with pytest.raises(UserError, match=r"a\.xlsx: not a spreadsheet"):
        spreadsheets.read_sheet(tmp_path / "a.xlsx")


def test_what_is_written_is_read_again(tmp_path):
    rows = [["A", "B & b"], ["1", "<x>"], ["", "y"]]
    spreadsheets.write_sheet(tmp_path / "a.xlsx", rows)
    first = (tmp_path / "a.xlsx").read_bytes()
    assert spreadsheets.read_sheet(tmp_path / "a.xlsx").to_dict("list") == {
        "A": ["1", ""],
        "B & b": ["<x>", "y"],
    }
    spreadsheets.write_sheet(tmp_path / "a.xlsx", rows)
    assert (tmp_path / "a.xlsx").read_bytes() == first


def test_notes_before_the_table_and_cells_without_a_place_are_no_obstacle(tmp_path):
    """Some programs number no cell; some people write about the table on a sheet before it."""
    rows = [["name", "age"], ["a", "5"], ["b", ""]]
    sheets = {"about": sheet([["made by hand"], ["in spring"]]), "list": sheet(rows)}
    sheets["list"] = re.sub(r' r="[A-Z]+\d+"', "", sheets["list"])
    path = workbook(tmp_path / "a.xlsx", sheets)
    found = spreadsheets.read_sheet(path)
    assert [list(found.columns), *found.to_numpy().tolist()] == rows
    assert [spreadsheets.letters(at) for at in (0, 25, 26, 701)] == ["A", "Z", "AA", "ZZ"]


def test_the_first_visible_sheet_of_the_workbook_is_read_and_others_are_named(tmp_path):
    sheets = {name: sheet([["id", "of"], ["1", name]]) for name in ("old", "final", "test")}
    path = workbook(tmp_path / "a.xlsx", sheets)
    assert spreadsheets.read_sheet(path)["of"].tolist() == ["old"]
    path = workbook(tmp_path / "a.xlsx", sheets, hidden="old")
    found = spreadsheets.read_sheet(path)
    assert found["of"].tolist() == ["final"]
    assert found.attrs["notes"] == ["a.xlsx: the sheet 'final' is read, and not 'test'."]
    path = workbook(tmp_path / "a.xlsx", sheets, backwards=True)
    assert spreadsheets.read_sheet(path)["of"].tolist() == ["old"]


def test_formulas_have_their_values_and_signs_no_reading(tmp_path):
    text = sheet([["id", "kind"], ["1", "x"]])
    value = '<c r="A2" t="str"><f>LEFT(B2,4)</f><v>P1</v></c>'
    text = re.sub('<c r="A2".*?</c>', value, text)
    ruby = '<is><t>肺炎</t><rPh sb="0" eb="2"><t>ハイエン</t></rPh></is>'
    text = text.replace("<is><t>x</t></is>", ruby)
    path = workbook(tmp_path / "a.xlsx", {"S": text})
    assert spreadsheets.read_sheet(path).to_numpy().tolist() == [["P1", "肺炎"]]
    workbook(path, {"S": text.replace('t="str"', "").replace("<v>P1</v>", "<v></v>")})
    with pytest.raises(UserError, match="cell A2 holds a formula without its value"):
        spreadsheets.read_sheet(path)
