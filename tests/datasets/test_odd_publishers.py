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

DRAWN = [name for name in modules(ADAPTERS) if adapter_facts(name).get("PHANTOM")]
DRAWN = DRAWN if "CXRGRID_EXAMPLES" in os.environ else DRAWN[::4]  # each takes a while to draw
SCRAPS = [
    *'10,,,,\n\n\r;\t"/.\x00\x1a ',
    "nan",
    "-1",
    "2",
    "ü",
    "\ufeff",
    "1e999",
    "../",
    "x" * 300,
]
TABLES = (".csv", ".txt", ".json")


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


def mutated(text: str, data) -> str:
    """A table with fields, lines and columns' names changed."""
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(text), data.draw(st.sampled_from([100, 10_000])))))
        cut = data.draw(st.sampled_from([0, 0, 1, 30]))
        text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + cut :]
    return text


@TRIED
@given(st.data())
def test_any_publishers_table_is_read_or_one_line(layouts, data):
    folder, found = layouts
    name = data.draw(st.sampled_from(sorted(found)))
    path = data.draw(st.sampled_from(sorted(found[name])))
    text = mutated(found[name][path].decode("utf-8"), data)
    path.write_text(text, data.draw(st.sampled_from(["utf-8", "utf-8", "cp1252"])), "replace")
    plain = msgspec.to_builtins(Dataset(adapter=name))
    settings = {**plain, "dataset": "mine", "root": str(folder / name)}
    try:
        one_line(index.build, settings)
    finally:
        path.write_bytes(found[name][path])
