"""Tables as an XLSX workbook of plain sheets, for people; no command reads it.

Office Open XML (ECMA-376) needs six small files in a zip for this; no package of the environment
writes it.
"""

import math
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cxrgrid.io.atomic import replacing

SPACE = "http://schemas.openxmlformats.org/"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in XML
OLDEST = (1980, 1, 1, 0, 0, 0)  # of a zip: the same tables are the same bytes
ROWS, TITLE, LONGEST = 1_048_576, 31, 32_767  # limits of a sheet, its name, a text

Sheet = Iterable[Iterable[Any]]


def write(sheets: dict[str, Sheet], path: Path) -> None:
    """Write one sheet per name; values are numbers, text, truth values, or None and NaN (empty).

    The first row of a sheet is its header and stays in sight.
    """
    names = titles(list(sheets))
    kinds = [("worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(names) + 1)]
    files = {
        "[Content_Types].xml": types(kinds),
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": book(names),
        "xl/_rels/workbook.xml.rels": relations(kinds),
    }
    for (_, name), rows in zip(kinds, sheets.values(), strict=True):
        files[f"xl/{name}"] = sheet(rows)
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name, OLDEST), HEAD + text, zipfile.ZIP_DEFLATED)


def titles(names: list[str]) -> list[str]:
    """Names of sheets that a spreadsheet accepts: short, without []:*?/\\, each once."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[\[\]:*?/\\]", "-", FORBIDDEN.sub("", name)).strip("'") or "sheet"
        title, number = plain[:TITLE], 2
        while title.lower() in [other.lower() for other in found]:
            title, number = f"{plain[: TITLE - len(str(number)) - 1]} {number}", number + 1
        found.append(title)
    return found


def types(kinds: list[tuple[str, str]]) -> str:
    """[Content_Types].xml: what each file is."""
    office = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [("xl/workbook.xml", "sheet.main"), *((f"xl/{name}", kind) for kind, name in kinds)]
    own = "".join(
        f'<Override PartName="/{name}" ContentType="{office}.{kind}+xml"/>' for name, kind in parts
    )
    relation = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'<Types xmlns="{SPACE}package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{relation}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{own}</Types>'
    )


def relations(targets: list[tuple[str, str]]) -> str:
    """A file of relationships: rId1, rId2, … in the order of the targets."""
    found = "".join(
        f'<Relationship Id="rId{at}" Type="{SPACE}officeDocument/2006/relationships/{kind}" '
        f'Target="{name}"/>'
        for at, (kind, name) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{SPACE}package/2006/relationships">{found}</Relationships>'


def book(names: list[str]) -> str:
    """The workbook: the sheets by name."""
    found = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{at}" r:id="rId{at}"/>'
        for at, name in enumerate(names, 1)
    )
    return (
        f'<workbook xmlns="{SPACE}spreadsheetml/2006/main" '
        f'xmlns:r="{SPACE}officeDocument/2006/relationships"><sheets>{found}</sheets></workbook>'
    )


def sheet(rows: Sheet) -> str:
    """One sheet."""
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    lines = []
    for number, row in enumerate(rows, 1):
        if number > ROWS:
            break
        cells = [cell(value, f"{column(at)}{number}") for at, value in enumerate(row)]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return (
        f'<worksheet xmlns="{SPACE}spreadsheetml/2006/main"><sheetViews>'
        f'<sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
        f"<sheetData>{''.join(lines)}</sheetData></worksheet>"
    )


def column(at: int) -> str:
    """Letters of a column, from 0: A, B, …, Z, AA, …"""
    text = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def cell(value: Any, where: str) -> str:
    """One cell; empty for None, NaN and infinities."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return f'<c r="{where}" t="b"><v>{int(value)}</v></c>'
    if hasattr(value, "item"):  # numpy's
        value = value.item()
    if isinstance(value, int | float):
        return f'<c r="{where}"><v>{value!r}</v></c>' if math.isfinite(value) else ""
    if value is None or type(value).__name__ == "NAType" or value == "":
        return ""
    text = escape(FORBIDDEN.sub("", str(value))[:LONGEST])
    return f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
