"""Excel files (.xlsx): the cells of their sheets as text, and one that is written."""

import posixpath
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.io.read_once import read_once

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
OTHER_SHEET = re.compile(r"xl/worksheets/sheet\d+\.xml")
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
BOOK, BOOK_FILES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
UNREADABLE = (zipfile.BadZipFile, KeyError, OSError, ValueError, ElementTree.ParseError)
LARGEST = 200_000_000  # bytes of a part of a spreadsheet: a million rows of three columns
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
    f'<Override PartName="/{SHEET}" ContentType="{KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{SPACE[1:-1]}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship '
    f'Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


class Uncalculated(Exception):
    """A cell with a formula that no program has calculated."""


def read_sheet(path: Path) -> pd.DataFrame:
    """The first visible sheet with a table of an Excel file (.xlsx), as text.

    The first row names the columns; sheets of one column or one row are notes.
    `attrs["notes"]` names other sheets that hold tables, and what is hidden.
    """
    frames = cells(path)
    filled = tables_of(frames)
    taken = [*filled, *frames][0]
    frame = frames[taken]
    if frame.empty:
        raise UserError(f"{path}: its first sheet is empty")
    frame = frame.iloc[1:].set_axis(frame.iloc[0], axis=1).reset_index(drop=True)
    others = ", ".join(repr(name) for name in filled if name != taken)
    text = f"{path.name}: the sheet {taken!r} is read, and not {others}."
    frame.attrs["notes"] = [text] if others else []
    return frame


@read_once(4)
def cells(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of each visible sheet as text, in the order of the workbook."""
    try:
        with zipfile.ZipFile(path) as file:
            shared = []
            if STRINGS in file.namelist():
                shared = [text_of(item) for item in xml_of(file, STRINGS)]
            order = sheets_of(file)
            return {name: cells_of(xml_of(file, inner), shared) for name, inner in order.items()}
    except UNREADABLE as error:
        raise UserError(f"{path}: not a spreadsheet (.xlsx) that can be read ({error})") from None
    except Uncalculated as error:
        raise UserError(
            f"{path}: the cell {error} holds a formula without its value; open the file in a "
            "spreadsheet program, and save it"
        ) from None


def xml_of(file: zipfile.ZipFile, inner: str) -> ElementTree.Element:
    """Content of a part of a spreadsheet; `ValueError` if it would be larger than any table."""
    with file.open(inner) as part:
        data = part.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{inner} holds more than {LARGEST // 10**6} MB; save the table as CSV")
    return ElementTree.fromstring(data)


def tables_of(frames: dict[str, pd.DataFrame]) -> list[str]:
    """Names of the sheets that hold more than one row and one column."""
    return [name for name, found in frames.items() if min(found.shape) > 1]


def sheets_of(file: zipfile.ZipFile) -> dict[str, str]:
    """Names of the visible sheets in the order of the workbook, with the files that hold them.

    The names of the files say no order: a program may write the first sheet as sheet2.xml.
    """
    inside = file.namelist()
    names = sorted((name for name in inside if OTHER_SHEET.fullmatch(name)), key=file_order)
    if not {BOOK, BOOK_FILES} <= set(inside):
        return {name: name for name in names or [SHEET]}
    told = xml_of(file, BOOK_FILES)
    targets = {one.get("Id"): posixpath.join("/xl", one.get("Target", "")) for one in told}
    sheets = xml_of(file, BOOK).findall(".//{*}sheet")
    shown = [one for one in sheets if one.get("state", "visible") == "visible"] or sheets
    found = {}
    for one in shown:
        key = next((value for name, value in one.items() if name.endswith("}id")), "")
        inner = posixpath.normpath(targets.get(key, "")).lstrip("/")
        if inner in inside and "chartsheet" not in inner:
            found[one.get("name", inner)] = inner
    return found or {name: name for name in names or [SHEET]}


def file_order(name: str) -> tuple[int, str]:
    """Key by which sheet2.xml stands before sheet10.xml."""
    return len(name), name


def cells_of(sheet: ElementTree.Element, shared: list[str]) -> pd.DataFrame:
    """A sheet's cells as text, with columns in their order; some programs number no cell."""
    rows = []
    for row in sheet.findall(".//{*}row"):
        places = [re.match("[A-Z]+", cell.get("r", "")) for cell in row]
        named = [place[0] if place else letters(at) for at, place in enumerate(places)]
        rows.append({n: value_of(cell, shared) for n, cell in zip(named, row, strict=True)})
    frame = pd.DataFrame(rows).fillna("")
    return frame[sorted(frame.columns, key=lambda name: (len(name), name))]


def letters(at: int) -> str:
    """Name of a column by its number from 0: A, B, …, Z, AA."""
    return (letters(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)


def value_of(cell: ElementTree.Element, shared: list[str]) -> str:
    """Value of a cell, of a formula as last calculated; shared: the file's shared strings."""
    value, kind = cell.find("{*}v"), cell.get("t")
    text = (value.text or "").strip() if value is not None else ""
    if kind == "s":
        return shared[int(text)]
    if kind == "inlineStr":
        inline = cell.find("{*}is")
        return "" if inline is None else text_of(inline)
    if not text and kind != "str" and cell.find("{*}f") is not None:
        raise Uncalculated(cell.get("r", "?"))
    return text


def text_of(element: ElementTree.Element) -> str:
    """The text of an element, formatted in part or not, without the reading above its signs."""
    pieces = [*element.findall("{*}t"), *element.findall("{*}r/{*}t")]
    return "".join(piece.text or "" for piece in pieces).strip()


def write_sheet(path: Path, rows: list[list[str]]) -> None:
    """Rows of text as the only sheet of an Excel file; the same rows give the same bytes."""
    cells = [
        "".join(
            f'<c r="{chr(65 + at)}{number}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
            for at, text in enumerate(row)
        )
        for number, row in enumerate(rows, 1)
    ]
    lines = "".join(f'<row r="{number}">{row}</row>' for number, row in enumerate(cells, 1))
    sheet = f'<worksheet xmlns="{SPACE[1:-1]}"><sheetData>{lines}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {
            **PARTS,
            SHEET: sheet,
        }.items():  # ZipInfo's date is 1980: no clock in the bytes
            file.writestr(zipfile.ZipInfo(name), f'<?xml version="1.0"?>{text}')
