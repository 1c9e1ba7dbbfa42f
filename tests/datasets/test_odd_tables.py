"""Whatever stands in a table of yours, of each kind, it is read, or refused in one line.

CXRGRID_EXAMPLES=4000 pytest tests/datasets/test_odd_tables.py tries as many.
"""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid import index
from cxrgrid.config.dataset import Dataset
from cxrgrid.data import spreadsheets
from odd_tables import TRIED, one_line
from packed_text import mutated, packed, unpacked

HEADER = ["image", "patient", "sex", "age", "split", "finding", "Mass", "Edema"]
ROWS = [
    [
        f"{part}/{at}.png",
        f"p{at // 2}",
        "FM"[at % 2],
        str(40 + at),
        part,
        "Mass|Edema"[:at],
        "1",
        "0",
    ]
    for part in ("train", "test")
    for at in range(5)
]
SCRAPS = [*'10,,,,\n\n\r;\t"/.|#<>{}[]:\x00\x1a ', "nan", "-1", "ü", "\ufeff", "1e999", "../", "=1"]
SCRAPS += ["x" * 300, "</c>", "<row>", 't="s"', 'r="ZZZ1"', "<v>1</v>", "&amp;", "null", "sep=;"]
SCRAPS += ["test/0.png", "image,", "p1", "val", "1e3", "\\", "'", "true", "2024-01-01", "\ud7ff"]
NAMES = ["a.csv", "a.tsv", "a.csv.gz", "a.xlsx", "a.json", "a.jsonl", "a.txt"]
COLUMNS = [
    {"patient": "patient"},
    {"patient": "patient", "split": "split"},
    {"classes": "finding", "separator": "|"},
    {"match": "tail", "patient": "patient"},
    {"match": "part", "image": "patient"},
    {"classes": "finding", "separator": "", "split": "split"},
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the images that the tables name."""
    root = tmp_path_factory.mktemp("odd")
    for row in ROWS:
        (root / row[0]).parent.mkdir(exist_ok=True)
        (root / row[0]).touch()
    return root


def whole(name: str, folder) -> bytes:
    """The table as a file of its kind."""
    if name.endswith(".xlsx"):
        spreadsheets.write_sheet(folder / "whole", [HEADER, *ROWS])
        return (folder / "whole").read_bytes()
    if "json" in name:
        rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
        lines = [json.dumps(row) for row in rows]
        return "\n".join(lines if name.endswith("l") else [json.dumps(rows)]).encode()
    sign = "\t" if ".tsv" in name else ","
    return packed(name, {"": "\n".join(map(sign.join, [HEADER, *ROWS]))})


@TRIED
@given(st.data())
def test_any_table_of_yours_is_read_or_one_line(root, data):
    name, columns = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(COLUMNS))
    made = whole(name, root)
    texts = unpacked(name, made)
    inner = data.draw(st.sampled_from(sorted(texts)))
    texts[inner] = mutated(texts[inner], SCRAPS, lambda known: data.draw(st.sampled_from(known)))
    made = packed(name, texts, data.draw(st.sampled_from(["utf-8", "utf-16", "cp1252", "gb18030"])))
    if data.draw(st.integers(0, 9)) == 0:
        made = made[: data.draw(st.integers(0, len(made)))]
    (root / name).write_bytes(made)
    dataset = Dataset(adapter="csv", labels=["Mass", "Edema"])
    plain = msgspec.to_builtins(dataset) | {"dataset": "mine", "root": str(root)}
    one_line(index.build, plain | {"columns": {"file": name, "image": "image"} | columns})
    (root / name).unlink()
