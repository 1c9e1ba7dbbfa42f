"""Whatever became of the files of a cell, it is read, or refused in one line.

CXRGRID_EXAMPLES=2000 pytest tests/inference/test_odd_cells.py tries as many.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid.cluster import progress, slurm
from cxrgrid.cluster.other_settings import UNREADABLE, differences
from cxrgrid.config.cell import read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.inference.trained_cell import read_trained
from cxrgrid.io.parquet import read_parquet, write_parquet
from odd_tables import FACTS, TRIED, one_line
from small_cell import write_cell


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A finished cell's folder, and the content of its files and of its dataset's table."""
    cell = write_cell(tmp_path_factory.mktemp("cells") / "results", epochs=1)
    below = [path for path in cell.rglob("*") if path.is_file() and path.stat().st_size]
    below.append(cell.parents[6] / "data/toy/table.parquet")
    return cell, {path: path.read_bytes() for path in sorted(below)}


def broken(path, content: bytes, others: list[bytes], data) -> None:
    """Remove, cut, flip or exchange a file, or write other JSON to it."""
    how = data.draw(st.sampled_from(["gone", "folder", "cut", "bit", "other", "json", "field"]))
    at = data.draw(st.integers(0, max(len(content) - 1, 0)))
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "cut":
        path.write_bytes(content[:at])
    elif how == "bit":
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    elif how == "other":
        path.write_bytes(data.draw(st.sampled_from(others)))
    elif how == "json":
        path.write_text(json.dumps(data.draw(st.sampled_from(FACTS))))
    elif how == "field" and path.suffix == ".json":
        found = json.loads(content)
        found[data.draw(st.sampled_from(sorted(found)))] = data.draw(st.sampled_from(FACTS))
        path.write_text(json.dumps(found))


def whole(files: dict) -> None:
    """Put every file back."""
    for path, content in files.items():
        if path.is_dir():
            path.rmdir()
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


@TRIED
@given(st.data())
def test_a_cell_with_any_file_broken_is_read_or_one_line(files, data):
    folder, kept = files
    cell = read_cell(str(folder / "cell.json"))
    try:
        for path in data.draw(
            st.lists(st.sampled_from([*kept]), min_size=1, max_size=2, unique=True)
        ):
            broken(path, kept[path], [*kept.values()], data)
        one_line(lambda: read_trained(folder).network())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slurm, "ask", lambda *command: [])
            one_line(progress.survey, [cell], folder.parents[5])
    finally:
        whole(kept)


def test_a_cell_json_that_is_no_text_and_a_table_without_a_column_are_told(files):
    folder, kept = files
    table = next(path for path in kept if path.name == "table.parquet")
    cell = read_cell(str(folder / "cell.json"))
    try:
        write_parquet(read_parquet(table)[0].drop_columns("split"), table, {})
        with pytest.raises(UserError, match="needs one column 'split'"):
            read_trained(folder)
        (folder / "cell.json").write_bytes(b"\xd1")
        assert differences(folder, cell) == UNREADABLE
    finally:
        whole(kept)
