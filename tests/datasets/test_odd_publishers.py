"""Whatever stands in a publisher's tables, they are read, or refused in one line.

CXRGRID_EXAMPLES=2000 pytest tests/datasets/test_odd_publishers.py tries as many.
"""

import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid import index, phantom
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.dataset import Dataset
from odd_tables import TRIED, one_line
from packed_text import mutated, packed, unpacked

DRAWN = [name for name in modules(ADAPTERS) if adapter_facts(name).get("PHANTOM")]
DRAWN = DRAWN if "CXRGRID_EXAMPLES" in os.environ else DRAWN[::4]  # each takes a while to draw
SCRAPS = [*'10,,,,\n\n\r;\t"/.<>\x00\x1a ', "nan", "-1", "2", "ü", "\ufeff", "1e999", "../"]
SCRAPS += ["x" * 300, "</c>", "<row>", 't="s"', 'r="ZZZ1"', "<v>1</v>", "&amp;"]
TABLES = (".csv", ".txt", ".json", ".gz", ".xlsx")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """Phantoms of adapters, and the texts of its tables."""
    folder, found = tmp_path_factory.mktemp("layouts"), {}
    for name in DRAWN:
        drawn = json.dumps({"adapter": name, "patients": 8, "size": 32})
        phantom.main([drawn, "--out", str(folder / name)])
        below = sorted(path for path in (folder / name).rglob("*") if path.suffix in TABLES)
        texts = {path: path.read_bytes() for path in below}
        if texts:
            found[name] = texts
    return folder, found


def changed(name: str, whole: bytes, data) -> bytes:
    """A table's file with other fields, lines and columns' names, or cut short."""
    if data.draw(st.integers(0, 9)) == 0:
        return whole[: data.draw(st.integers(0, len(whole)))]
    texts = unpacked(name, whole)
    inner = data.draw(st.sampled_from(sorted(texts)))
    texts[inner] = mutated(texts[inner], SCRAPS, lambda known: data.draw(st.sampled_from(known)))
    return packed(name, texts, data.draw(st.sampled_from(["utf-8", "utf-8", "cp1252"])))


@TRIED
@given(st.data())
def test_any_publishers_table_is_read_or_one_line(layouts, data):
    folder, found = layouts
    name = data.draw(st.sampled_from(sorted(found)))
    path = data.draw(st.sampled_from(sorted(found[name])))
    path.write_bytes(changed(path.name, found[name][path], data))
    plain = msgspec.to_builtins(Dataset(adapter=name))
    settings = {**plain, "dataset": "mine", "root": str(folder / name)}
    try:
        one_line(index.build, settings)
    finally:
        path.write_bytes(found[name][path])
