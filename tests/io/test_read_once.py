"""Results of reading a file are kept until its size or time is another."""

import os
from pathlib import Path

import numpy as np
import pytest

from cxrgrid import new
from cxrgrid.data import dicom, spreadsheets
from cxrgrid.io.read_once import read_once
from drawn_tables import PEOPLE, PLAIN, lay, rows


def test_a_file_is_read_again_only_when_it_is_another(tmp_path):
    read = []

    @read_once(2)
    def text(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    file = tmp_path / "a"
    file.write_text("one")
    assert [text(file), text(file)] == ["one", "one"] and len(read) == 1
    file.write_text("longer")
    assert text(file) == "longer" and len(read) == 2
    file.write_text("LONGER")
    os.utime(file, (1, 1))
    assert text(file) == "LONGER" and len(read) == 3
    with pytest.raises(FileNotFoundError):
        text(tmp_path / "b")


def test_new_reads_each_header_and_each_workbook_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = []
    for module, name in ((dicom, "load"), (spreadsheets, "sheets_of")):
        inner = getattr(module, name)
        monkeypatch.setattr(module, name, counted(inner, opened))
    lay(Path("mine"), "", "empty.txt")
    for name, n in PEOPLE:
        Path(f"mine/img/{name}.png").unlink()
        who = {"patient": n, "study": int(name[-1]), "view": "PA", "sex": "F", "age": 40}
        dicom.write(Path(f"mine/img/{name}.dcm"), np.full((16, 16), n, np.uint8), who)
    lines = [line.split(",") for line in rows(image="img/{}.dcm", **PLAIN).splitlines()]
    spreadsheets.write_sheet(Path("mine/labels.xlsx"), [[line[0], *line[2:]] for line in lines])
    new.main(["mine"])
    assert len(opened) == len(PEOPLE) + 1


def counted(read, opened: list):
    """The function, which notes each call."""

    def noted(file, *more, **options):
        opened.append(file)
        return read(file, *more, **options)

    return noted
