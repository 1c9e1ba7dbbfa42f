"""Excel files of several sheets."""

import io
import zipfile
from pathlib import Path

from cxrgrid.data import spreadsheets


def sheet(rows: list[list[str]]) -> str:
    """The rows as Excel's XML."""
    with io.BytesIO() as made:
        spreadsheets.write_sheet(made, rows)
        with zipfile.ZipFile(made) as file:
            return file.read(spreadsheets.SHEET).decode()


def workbook(path: Path, sheets: dict, hidden: str = "", backwards: bool = False) -> Path:
    """A spreadsheet of sheets, rows or XML; backwards: the first one is in the last file."""
    files = {name: f"worksheets/sheet{at}.xml" for at, name in enumerate(sheets, 1)}
    if backwards:
        files = dict(zip(sheets, reversed(files.values()), strict=True))
    told = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"'
        + ' state="hidden"' * (name == hidden)
        + "/>"
        for at, name in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="r{at}" Target="{file}"/>' for at, file in enumerate(files.values(), 1)
    )
    inside = spreadsheets.PARTS | {
        "xl/workbook.xml": f'<workbook xmlns="{spreadsheets.SPACE[1:-1]}" '
        f'xmlns:r="{spreadsheets.OFFICE}"><sheets>{told}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{links}</Relationships>",
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, text in inside.items():
            file.writestr(name, text)
        for name, rows in sheets.items():
            file.writestr(f"xl/{files[name]}", rows if isinstance(rows, str) else sheet(rows))
    return path
